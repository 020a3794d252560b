//! Looks at what is on a target.

use launchway_model::{Digest, Failure, Fault};

use super::effects::TargetEffects;
use super::exec::{no_nul, script, unexpected};
use super::failure::{FailureExt as _, failure};
use super::shell::quote;
use crate::{Exit, FileStatus, FileType};

/// What is read goes through memory.
const READ_LIMIT: u64 = 64 * 1024 * 1024;

/// Exit statuses of the scripts below.
const MISSING: i32 = 3;
const FOLDER: i32 = 4;
const DENIED: i32 = 5;
const NO_FILE: i32 = 6;

/// Computes the digest of its input by whatever is there; prints nothing where nothing is.
pub(crate) const DIGEST: &str = "digest() {\n\
    { if command -v sha256sum >/dev/null; then sha256sum <\"$1\"\n\
    elif command -v shasum >/dev/null; then shasum -a 256 <\"$1\"\n\
    elif command -v openssl >/dev/null; then openssl dgst -sha256 -r <\"$1\"\n\
    elif command -v busybox >/dev/null; then busybox sha256sum <\"$1\"; fi\n\
    } 2>/dev/null | { IFS=' ' read -r h x; printf %s \"$h\"; }\n}\n";

/// Leaves the script with a status that says why `$p` can't be seen.
const ABSENT: &str =
    "absent() { case $1 in *'No such file'*|*'Not a directory'*) exit 3;; esac; printf '%s\\n' \"$1\" >&2; exit 5; }\n";

/// Makes a path that no program takes for an option.
pub(crate) fn path_word(path: &str) -> Result<String, Failure> {
    if path.is_empty() {
        return Err(failure(Fault::Configuration, "a path is empty"));
    }
    no_nul("a path", path)?;
    Ok(if path.starts_with('/') { path.to_owned() } else { format!("./{path}") })
}

/// Returns a file's first bytes, or none where there is no file.
pub(crate) async fn read(
    effects: &TargetEffects,
    path: &str,
    limit: u64,
    as_user: Option<&str>,
) -> Result<Option<Vec<u8>>, Failure> {
    let limit = limit.min(READ_LIMIT);
    let text = format!(
        "LC_ALL=C; export LC_ALL\n{ABSENT}p={}\n\
         e=$(stat -- \"$p\" 2>&1) || absent \"$e\"\n\
         [ ! -d \"$p\" ] || exit {FOLDER}\n[ -f \"$p\" ] || exit {NO_FILE}\n\
         head -c {limit} -- \"$p\" || exit {DENIED}",
        quote(&path_word(path)?)
    );
    let printed = script(effects, text, as_user, limit as usize).await?;
    effects.filler.learn_known();
    let target = &effects.place.name;
    match printed.exit {
        Exit::Code(0) => Ok(Some(effects.filler.redactor.bytes(&printed.stdout))),
        Exit::Code(MISSING) => Ok(None),
        Exit::Code(FOLDER) => {
            Err(failure(Fault::Configuration, format!("`{path}` on {target} is a folder, not a file")))
        }
        Exit::Code(NO_FILE) => Err(failure(Fault::Configuration, format!("`{path}` on {target} is no regular file"))),
        _ => Err(unexpected(&format!("read `{path}`"), target, &printed.stderr)),
    }
}

/// Returns what is known of a path, or none where nothing is.
pub(crate) async fn stat(
    effects: &TargetEffects,
    path: &str,
    as_user: Option<&str>,
) -> Result<Option<FileStatus>, Failure> {
    let text = format!(
        "LC_ALL=C; export LC_ALL\n{ABSENT}{DIGEST}p={}\n\
         e=$(stat -c '%f:%s:%u:%g:%U:%G' -- \"$p\" 2>&1) || absent \"$e\"\nprintf '%s\\n' \"$e\"\n\
         if [ -L \"$p\" ]; then readlink -- \"$p\"\nelif [ -f \"$p\" ] && [ -r \"$p\" ]; then digest \"$p\"; fi",
        quote(&path_word(path)?)
    );
    let printed = script(effects, text, as_user, 64 * 1024).await?;
    match printed.exit {
        Exit::Code(MISSING) => Ok(None),
        Exit::Code(0) => match parse(&printed.stdout) {
            Some(status) => Ok(Some(status)),
            None => Err(failure(
                Fault::Target,
                format!("`stat` on {} gives an answer that can't be read", effects.place.name),
            )
            .detail(&printed.stdout)),
        },
        _ => Err(unexpected(&format!("look at `{path}`"), &effects.place.name, &printed.stderr)),
    }
}

/// Reads the script's answer: a line of numbers and names, then the link's goal or the digest.
fn parse(printed: &[u8]) -> Option<FileStatus> {
    let text = String::from_utf8_lossy(printed);
    let (line, rest) = text.split_once('\n')?;
    let fields: Vec<&str> = line.split(':').collect();
    let &[mode, size, uid, gid, owner, group] = fields.as_slice() else { return None };
    let mode = u32::from_str_radix(mode, 16).ok()?;
    let file_type = match mode & 0o170_000 {
        0o100_000 => FileType::File,
        0o040_000 => FileType::Directory,
        0o120_000 => FileType::Link,
        _ => FileType::Other,
    };
    // An owner without a name is called by its number.
    let named = |name: &str, number: &str| if name == "UNKNOWN" { number.to_owned() } else { name.to_owned() };
    Some(FileStatus {
        file_type,
        digest: if file_type == FileType::File {
            format!("sha256:{}", rest.trim()).parse::<Digest>().ok()
        } else {
            None
        },
        size: size.parse().ok()?,
        mode: mode & 0o7777,
        owner: named(owner, uid),
        group: named(group, gid),
        link: (file_type == FileType::Link).then(|| rest.strip_suffix('\n').unwrap_or(rest).to_owned()),
    })
}
