//! A small file on each target that says which state knows what is there.
//!
//! It lies in the login user's home, in `.launchway/markers`, private to him. One script compares and writes it, so that it
//! costs one command.

use std::sync::Arc;

use launchway_model::{ApplicationName, Digest, EnvironmentName, Failure, Lineage, TargetName, Timestamp};

use super::effects::TargetEffects;
use super::exec::{script, unexpected};
use super::shell::quote;
use crate::Exit;

/// How much of a marker is read, in bytes.
const LIMIT: usize = 16 * 1024;

/// What a state says of itself on a target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Marker {
    pub environment: EnvironmentName,
    pub application: ApplicationName,
    pub target: TargetName,
    pub lineage: Lineage,
    /// Of the state when the run began that wrote it.
    pub serial: u64,
    /// Of that run; grows with every run.
    pub fence: u64,
    /// When that run began. A state from a backup counts its fences anew, but not from the same moments.
    pub began: Timestamp,
    /// The fences of earlier runs of this state and when those began, the latest first; older ones may be left out.
    pub earlier: Arc<[(u64, Timestamp)]>,
    /// Where the state is kept, for people.
    pub store: String,
}

/// A marker as it was found, by whomever it was written.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct FoundMarker {
    pub lineage: String,
    pub fence: u64,
    /// None in one from before that was written down.
    pub began: Option<Timestamp>,
    pub store: String,
}

impl FoundMarker {
    /// Whether a run wrote it that a state does not know of, by the fences of that state's last runs.
    pub fn is_newer(&self, known: &[(u64, Timestamp)]) -> bool {
        let (Some((last, _)), Some((first, _))) = (known.first(), known.last()) else { return true };
        let is_known = |began| known.contains(&(self.fence, began));
        self.fence > *last || (self.fence >= *first && self.began.is_some_and(|began| !is_known(began)))
    }
}

/// When a marker is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Marking {
    /// Where there is none, or an earlier one of the same state.
    First,
    /// Over an earlier one of the same state; there has to be one.
    Again,
    /// Over whatever is there.
    Anyway,
}

/// What became of a marker that was to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Marked {
    Written,
    /// There is no place for it; why, as far as somebody said.
    Unwritable(String),
    /// There is none where there has to be one.
    Absent,
    /// It is of another state.
    Foreign(FoundMarker),
    /// It is of a later run of the same state.
    Newer(FoundMarker),
}

impl Marker {
    /// Returns the script's beginning: where the marker is.
    fn place(&self) -> String {
        let names = [self.environment.as_str(), self.application.as_str(), self.target.as_str()].join("\0");
        let hex = Digest::of(names.as_bytes()).hex();
        format!("LC_ALL=C; export LC_ALL\nd=${{HOME:-/}}/.launchway/markers\nf=$d/{}\n", &hex[..32])
    }

    fn content(&self) -> String {
        let Self { environment, application, target, lineage: Lineage(lineage), serial, fence, began, store, .. } =
            self;
        let began = began.0;
        let store: String = store.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!(
            "launchway-marker 1\nenvironment {environment}\napplication {application}\ntarget {target}\n\
             lineage {lineage}\nserial {serial}\nfence {fence}\nbegan {began}\nstore {store}\n"
        )
    }
}

const MARK: &str = r#"l= n=0 b=
if [ -f "$f" ]; then
  while IFS=' ' read -r key value; do
    case $key in lineage) l=$value ;; fence) n=$value ;; began) b=$value ;; esac
  done <"$f"
  case $n in ''|*[!0-9]*) n=0 ;; esac
fi
if [ "$when" != anyway ]; then
  if [ ! -f "$f" ]; then
    if [ "$when" = again ]; then echo absent; exit; fi
  elif [ "$l" != "$lineage" ]; then echo foreign; cat "$f"; exit
  elif [ "$n" -gt "$fence" ] || [ "$n" -eq "$fence" ]; then echo newer; cat "$f"; exit
  elif [ "$n" -ge "$first" ] && [ -n "$b" ]; then
    case " $runs " in *" $n:$b "*) ;; *) echo newer; cat "$f"; exit ;; esac
  fi
fi
umask 077
{ mkdir -p -- "$d" && printf %s "$content" >"$f.$$" && mv -f -- "$f.$$" "$f"; } || { echo unwritable; exit; }
echo written
"#;

/// Compares a target's marker with what is expected, and writes it if that allows it.
pub(crate) async fn mark(effects: &TargetEffects, marker: &Marker, when: Marking) -> Result<Marked, Failure> {
    let when = match when {
        Marking::First => "first",
        Marking::Again => "again",
        Marking::Anyway => "anyway",
    };
    let first = marker.earlier.last().map_or(marker.fence, |(fence, _)| *fence);
    let runs: Vec<String> = marker.earlier.iter().map(|(fence, began)| format!("{fence}:{}", began.0)).collect();
    let head = format!(
        "{}when={when}\nlineage={}\nfence={}\nfirst={first}\nruns='{}'\ncontent={}\n",
        marker.place(),
        quote(&marker.lineage.0),
        marker.fence,
        runs.join(" "),
        quote(&marker.content())
    );
    let printed = script(effects, head + MARK, None, LIMIT).await?;
    let stdout = String::from_utf8_lossy(&printed.stdout);
    let (word, rest) = stdout.split_once('\n').unwrap_or_default();
    match (printed.exit, word) {
        (Exit::Code(0), "written") => Ok(Marked::Written),
        (Exit::Code(0), "absent") => Ok(Marked::Absent),
        (Exit::Code(0), "foreign") => Ok(Marked::Foreign(found(rest))),
        (Exit::Code(0), "newer") => Ok(Marked::Newer(found(rest))),
        (Exit::Code(0), "unwritable") => {
            let said = String::from_utf8_lossy(&printed.stderr);
            Ok(Marked::Unwritable(said.lines().next().unwrap_or_default().to_owned()))
        }
        _ => Err(unexpected("look for the marker", &effects.place.name, &printed.stderr)),
    }
}

/// Returns the marker that is there.
pub(crate) async fn read(effects: &TargetEffects, marker: &Marker) -> Result<Option<FoundMarker>, Failure> {
    let text = marker.place() + "[ ! -f \"$f\" ] || cat \"$f\"\n";
    let printed = script(effects, text, None, LIMIT).await?;
    match printed.exit {
        Exit::Code(0) if printed.stdout.is_empty() => Ok(None),
        Exit::Code(0) => Ok(Some(found(&String::from_utf8_lossy(&printed.stdout)))),
        _ => Err(unexpected("read the marker", &effects.place.name, &printed.stderr)),
    }
}

/// Removes the marker, and the folders that this leaves empty.
pub(crate) async fn unmark(effects: &TargetEffects, marker: &Marker) -> Result<(), Failure> {
    let text = marker.place() + "rm -f -- \"$f\"\nrmdir -- \"$d\" \"${d%/*}\" 2>/dev/null || :\n";
    let printed = script(effects, text, None, LIMIT).await?;
    match printed.exit {
        Exit::Code(0) => Ok(()),
        _ => Err(unexpected("remove the marker", &effects.place.name, &printed.stderr)),
    }
}

fn found(text: &str) -> FoundMarker {
    let mut marker = FoundMarker::default();
    for (key, value) in text.lines().filter_map(|line| line.split_once(' ')) {
        match key {
            "lineage" => value.clone_into(&mut marker.lineage),
            "fence" => marker.fence = value.parse().unwrap_or(0),
            "began" => marker.began = value.parse().ok().map(Timestamp),
            "store" => value.clone_into(&mut marker.store),
            _ => {}
        }
    }
    marker
}
