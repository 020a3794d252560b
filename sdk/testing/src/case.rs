//! What a case file says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use launchway_sdk::wire;
use serde::Deserialize;
use serde_json::Value;

use crate::scripted::Call;

/// A case: one file.
pub struct Case {
    /// The kind it is for: its folder's name.
    pub kind: String,
    /// The file's name.
    pub name: String,
    pub(crate) content: Content,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Content {
    /// What it shows, for people.
    #[serde(rename = "about")]
    _about: String,
    /// Run the steps for real, with this machine's shell, in a new folder; `{root}` in texts stands for it.
    #[serde(default)]
    pub(crate) shell: bool,
    /// Programs without which the case can't be run for real; it is left out then, which is said.
    #[serde(default)]
    pub(crate) requires: Vec<String>,
    /// A script that prepares the folder.
    pub(crate) given: Option<String>,
    /// Proposals, one after the other.
    pub(crate) rounds: Vec<Round>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Round {
    pub(crate) change: ChangeName,
    pub(crate) instance: InstanceData,
    /// For an update.
    pub(crate) previous: Option<InstanceData>,
    #[serde(default)]
    pub(crate) causes: Vec<CauseData>,
    /// What is wrong, instead of steps.
    #[serde(default)]
    pub(crate) problems: Vec<ProblemData>,
    #[serde(default)]
    pub(crate) steps: Vec<StepData>,
    /// A script that must succeed in the end.
    pub(crate) check: Option<String>,
    /// Looks at what is there, one after the other, once all that is done.
    #[serde(default)]
    pub(crate) inspections: Vec<InspectionData>,
}

/// A look at what is there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InspectionData {
    /// A script that changes something first.
    pub(crate) after: Option<String>,
    /// The calls that it makes and what they answer; for one that is not run for real.
    pub(crate) calls: Option<Vec<Call>>,
    /// What it finds, resource by resource: `changed /etc/a: its content differs`.
    pub(crate) finds: Vec<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ChangeName {
    Create,
    Update,
    Delete,
    Refresh,
    Act,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstanceData {
    #[serde(default = "default_version")]
    pub(crate) version: String,
    pub(crate) with: Value,
    /// Artifacts by property.
    #[serde(default)]
    pub(crate) artifacts: BTreeMap<String, ArtifactData>,
}

pub(crate) fn default_version() -> String {
    "1.0".to_owned()
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ArtifactData {
    /// The file's name, or when run for real its path below the folder.
    pub(crate) file: PathBuf,
    /// Made up if not given.
    pub(crate) digest: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CauseData {
    Property(String),
    Artifact(String),
    Secret(String),
    Subscription { component: String, word: String },
    Dirty,
    Request(String),
}

impl From<&CauseData> for wire::Cause {
    fn from(cause: &CauseData) -> Self {
        match cause.clone() {
            CauseData::Property(at) => Self::Property(at),
            CauseData::Artifact(name) => Self::Artifact(name),
            CauseData::Secret(name) => Self::Secret(name),
            CauseData::Subscription { component, word } => Self::Subscription(wire::Subscription { component, word }),
            CauseData::Dirty => Self::Dirty,
            CauseData::Request(request) => Self::Request(request),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProblemData {
    #[serde(default)]
    pub(crate) at: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepData {
    pub(crate) name: String,
    pub(crate) phase: String,
    pub(crate) summary: String,
    #[serde(default = "default_idempotent")]
    pub(crate) idempotent: bool,
    /// Compared if given.
    pub(crate) timeout_ms: Option<u64>,
    /// The calls that it makes and what they answer; without it, and when not run for real, the step is not run.
    pub(crate) calls: Option<Vec<Call>>,
    /// Compared if given.
    pub(crate) outcome: Option<OutcomeData>,
}

fn default_idempotent() -> bool {
    true
}

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OutcomeData {
    /// The summary.
    Changed(String),
    Unchanged(String),
    NotRun(String),
    /// Whose fault it is, and why: `tool: exited with 3`.
    Failed(String),
}

/// Reads all cases below a folder, in order.
pub fn load_cases(folder: &Path) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for kind in children(folder)? {
        for file in children(&kind)? {
            let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            let content = serde_saphyr::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
            cases.push(Case { kind: name(&kind), name: name(&file), content });
        }
    }
    Ok(cases)
}

fn children(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = paths.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
    paths.sort();
    Ok(paths)
}
