//! Puts a file in place: only if it differs, and all at once.
//!
//! One script does it. It compares first and asks for the content only if it needs it; a small content comes along
//! unasked, which saves waiting for the question. The content goes to a new file beside the old one and replaces it by a
//! rename, so that nobody ever sees half of it. A link in its place is replaced, not followed.

use launchway_model::{Artifact, Digest, Failure, Fault, Stream};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::effects::TargetEffects;
use super::exec::unexpected;
use super::failure::{FailureExt as _, failure};
use super::inspect::{DIGEST, path_word};
use super::run::{Feed, run};
use super::shell::quote;
use super::wrapper::Work;
use crate::{Exit, FileOptions, Source, Written};

/// A content up to this size comes along unasked.
const SMALL: usize = 64 * 1024;

/// A file whose secrets are filled in goes through memory.
const FILLED_LIMIT: u64 = 64 * 1024 * 1024;

/// What goes to the target.
struct Content {
    bytes: Bytes,
    size: u64,
    digest: Digest,
    /// Of the content before any secret was filled in.
    unfilled: Digest,
}

enum Bytes {
    Memory(Zeroizing<Vec<u8>>),
    File(std::fs::File),
}

/// Puts a file in place, unless it is there as wanted.
pub(crate) async fn put(
    effects: &TargetEffects,
    source: Source,
    path: &str,
    options: FileOptions,
) -> Result<Written, Failure> {
    let script = script(path, &options)?;
    let content = content(effects, source).await?;
    let as_user = effects.becoming(options.as_user.as_deref()).await?;

    // Over standard input, not in the script: whoever sees the digest of a text with a short secret could guess it.
    let mut head = format!("{} {}\n", content.digest.hex(), content.size).into_bytes();
    let (go, gate) = oneshot::channel();
    let feed = match content.bytes {
        Bytes::Memory(bytes) if bytes.len() <= SMALL => {
            head.extend_from_slice(&bytes);
            Feed::Bytes(Zeroizing::new(head))
        }
        Bytes::Memory(bytes) => gated(head, std::io::Cursor::new(bytes), gate),
        Bytes::File(file) => gated(head, tokio::fs::File::from_std(file), gate),
    };

    let mut go = Some(go);
    let (mut answer, mut said) = (Vec::new(), Vec::new());
    let mut take = |stream: Stream, bytes: &[u8]| {
        let kept = if stream == Stream::Stdout { &mut answer } else { &mut said };
        let room = SMALL.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if answer.starts_with(b"send\n")
            && let Some(go) = go.take()
        {
            // Nobody waits where the content came along.
            let _ = go.send(());
        }
    };
    let exit = run(&effects.place, &Work::Script(script), as_user, feed, None, &mut take).await?;
    let answer = String::from_utf8_lossy(&answer);
    let word = answer.trim_end().rsplit('\n').next().unwrap_or_default();
    let written = |changed| Ok(Written { changed, digest: content.unfilled });
    match (exit, word) {
        (Exit::Code(0), "same") => written(false),
        (Exit::Code(0), "changed") => written(true),
        _ => Err(explain(effects, path, &options, word, &said)),
    }
}

fn gated(
    head: Vec<u8>,
    source: impl tokio::io::AsyncRead + Send + Sync + Unpin + 'static,
    gate: oneshot::Receiver<()>,
) -> Feed {
    Feed::Source { head, source: Box::new(source), gate }
}

async fn content(effects: &TargetEffects, source: Source) -> Result<Content, Failure> {
    match source {
        Source::Bytes(bytes) => {
            let digest = Digest::of(&bytes);
            Ok(Content { size: bytes.len() as u64, digest, unfilled: digest, bytes: Bytes::Memory(bytes.into()) })
        }
        Source::Text(parts) => Ok(filled(effects.filler.fill(&parts).await?)),
        Source::Artifact(artifact) => artifact_content(effects, &artifact).await,
    }
}

/// Returns the digest by which a plugin knows a content: where that is an artifact of the instance with its secrets
/// filled in, the artifact's own. None where a secret can't be read, so that nobody can tell.
pub(crate) async fn unfilled(effects: &TargetEffects, found: Option<Digest>) -> Option<Digest> {
    let found = found?;
    for artifact in effects.artifacts.iter().filter(|artifact| artifact.has_secrets) {
        if artifact_content(effects, artifact).await.ok()?.digest == found {
            return Some(artifact.digest);
        }
    }
    Some(found)
}

async fn artifact_content(effects: &TargetEffects, artifact: &Artifact) -> Result<Content, Failure> {
    if !effects.artifacts.iter().any(|own| own.digest == artifact.digest) {
        return Err(failure(
            Fault::Plugin,
            format!("the plugin asked for artifact `{}`, which its instance does not have", artifact.name),
        ));
    }
    let unreadable = |error: std::io::Error| {
        failure(Fault::Configuration, format!("can't read artifact `{}` from the store: {error}", artifact.name))
    };
    let (blobs, digest) = (effects.blobs.clone(), artifact.digest);
    let file = tokio::task::spawn_blocking(move || blobs.open(&digest))
        .await
        .map_err(std::io::Error::other)
        .flatten()
        .map_err(unreadable)?;
    let size = file.metadata().map_err(unreadable)?.len();
    if !artifact.has_secrets {
        return Ok(Content { bytes: Bytes::File(file), size, digest: artifact.digest, unfilled: artifact.digest });
    }
    if size > FILLED_LIMIT {
        return Err(failure(
            Fault::Configuration,
            format!("artifact `{}` holds secrets and is larger than 64 MiB", artifact.name),
        ));
    }
    let mut bytes = Vec::new();
    use tokio::io::AsyncReadExt as _;
    tokio::fs::File::from_std(file).read_to_end(&mut bytes).await.map_err(unreadable)?;
    Ok(filled(effects.filler.fill_markers(&bytes).await?))
}

fn filled(filled: super::fill::Filled) -> Content {
    Content {
        size: filled.bytes.len() as u64,
        digest: Digest::of(&filled.bytes),
        unfilled: filled.digest,
        bytes: Bytes::Memory(filled.bytes),
    }
}

/// Writes the script. Its last line of output is one word that says what happened.
fn script(path: &str, options: &FileOptions) -> Result<String, Failure> {
    let word = path_word(path)?;
    if word.ends_with('/') {
        return Err(failure(Fault::Configuration, format!("`{path}` names a folder, not a file")));
    }
    let folder = match word.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((folder, _)) => folder,
        None => ".",
    };
    for (what, name) in [("owner", &options.owner), ("group", &options.group)] {
        let Some(name) = name else { continue };
        if name.is_empty()
            || name.starts_with('-')
            || name.contains(|c: char| c.is_control() || c.is_whitespace() || c == ':')
        {
            return Err(failure(Fault::Configuration, format!("`{}` is no name of {what}", name.escape_default())));
        }
    }
    if options.mode.is_some_and(|mode| mode > 0o7777) {
        return Err(failure(Fault::Configuration, "a file's mode has four octal digits at most"));
    }
    let mode = options.mode.map_or_else(String::new, |mode| format!("{mode:o}"));
    Ok(format!(
        "LC_ALL=C; export LC_ALL\np={}\nd={}\nnew={}\nmode={mode}\nowner={}\ngroup={}\n{DIGEST}{SCRIPT}",
        quote(&word),
        quote(folder),
        quote(&format!(".launchway.{}.", Digest::of(word.as_bytes()).short())),
        quote(options.owner.as_deref().unwrap_or_default()),
        quote(options.group.as_deref().unwrap_or_default()),
    ))
}

const SCRIPT: &str = r#"own() {
  if [ -n "$owner$group" ]; then chown -- "$owner${group:+:$group}" "$1" || { echo owner; exit; }; fi
  if [ -n "$mode" ]; then chmod -- "$mode" "$1" || { echo mode; exit; }; fi
}
# Whoever wrote this path before and was killed: one run at a time writes it.
sweep() { set -- "$d/$new"*; [ ! -e "$1" ] || rm -f -- "$@" 2>/dev/null; }
IFS=' ' read -r want size
if [ -d "$p" ] && [ ! -L "$p" ]; then echo directory; exit; fi
if [ ! -d "$d" ]; then echo nodir; exit; fi
old=; if [ -f "$p" ] && [ ! -L "$p" ]; then old=$(stat -c '%a %u %g %U %G' -- "$p" 2>/dev/null); fi
set -- $old
if [ -n "$old" ] && [ "$(digest "$p")" = "$want" ]; then
  if { [ -z "$mode" ] || [ "$mode" = "$1" ]; } &&
     { [ -z "$owner" ] || [ "$owner" = "$2" ] || [ "$owner" = "$4" ]; } &&
     { [ -z "$group" ] || [ "$group" = "$3" ] || [ "$group" = "$5" ]; }; then echo same; exit; fi
  own "$p"; echo changed; exit
fi
t=
trap '[ -z "$t" ] || rm -f -- "$t"' EXIT
trap 'exit 1' HUP INT TERM
mask=$(umask); umask 077
sweep
t=$(mktemp "$d/${new}XXXXXXXXXX") || { echo write; exit; }
echo send
cat >"$t" || { echo write; exit; }
h=$(digest "$t")
if [ "$(($(wc -c <"$t")))" != "$size" ] || { [ -n "$h" ] && [ "$h" != "$want" ]; }; then echo corrupt; exit; fi
if [ -z "$old" ]; then umask "$mask"; chmod -- =rw "$t"
else chown -- "$2:$3" "$t" 2>/dev/null; chmod -- "$1" "$t"
fi || { echo mode; exit; }
own "$t"
sync -d -- "$t" 2>/dev/null
if [ -L "$p" ] && [ -d "$p" ]; then
  mv -fT -- "$t" "$p" 2>/dev/null || { rm -f -- "$p" && mv -f -- "$t" "$p"; }
else mv -f -- "$t" "$p"
fi || { echo write; exit; }
t=
echo changed"#;

fn explain(effects: &TargetEffects, path: &str, options: &FileOptions, word: &str, said: &[u8]) -> Failure {
    let target = &effects.place.name;
    let wrong = |fault, message: String| failure(fault, message).detail(said);
    match word {
        "directory" => {
            wrong(Fault::Configuration, format!("`{path}` on {target} is a folder, so no file can be put there"))
                .hint("remove the folder, or choose another path")
        }
        "nodir" => wrong(
            Fault::Configuration,
            format!("the folder of `{path}` is not there on {target}, or must not be entered"),
        )
        .hint("let another component make it first, and name that component in `needs`"),
        "owner" => {
            let name = [options.owner.as_deref(), options.group.as_deref()].map(Option::unwrap_or_default).join(":");
            wrong(Fault::Configuration, format!("can't give `{path}` on {target} to `{}`", name.trim_end_matches(':')))
                .hint("the user and the group must be there, and only root may give files away")
        }
        "mode" => wrong(Fault::Target, format!("can't set the mode of `{path}` on {target}")),
        "corrupt" => wrong(Fault::Network, format!("`{path}` did not arrive whole on {target}"))
            .hint("the disk may be full, or the artifact damaged in the store")
            .retryable(),
        _ => unexpected(&format!("write `{path}`"), target, said),
    }
}
