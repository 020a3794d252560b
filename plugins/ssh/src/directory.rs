//! `ssh/directory`: a tree of the release, as an exact mirror or in addition to what is there.

use launchway_sdk::{
    Change, Context, Directory, Failure, FileOptions, Instance, Kind, Outcome, OwnedPath, Phase, Problem, Proposal,
    Source, Step, Usage, file_name, parent, path_problems,
};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shared::{Ownership, has_changed, script};

pub(crate) struct Mirror;

#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct Properties {
    /// Where the tree goes. Missing folders on the way are created.
    path: OwnedPath,
    /// A folder of the project.
    directory: Directory,
    /// Whether the folder becomes an exact copy: anything else in it is removed. Otherwise other files stay.
    #[serde(default = "default_exact")]
    exact: bool,
    /// Whose files they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// Which group's files they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// Write as this user.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    as_user: Option<String>,
}

fn default_exact() -> bool {
    true
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Payload {
    action: Action,
    /// The name of the unpacked tree while it is on its way.
    tree: String,
    with: Properties,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    /// Uploads and unpacks the tree beside its place.
    Stage,
    /// Puts the tree in place.
    Mirror,
    Remove,
}

impl Kind for Mirror {
    type Properties = Properties;
    type Payload = Payload;

    const SUMMARY: &'static str = "Puts a folder of the project in place, as an exact mirror or in addition.";
    const USAGE: Usage = Usage::Component;

    fn validate(properties: &Properties) -> Vec<Problem> {
        let mut problems = path_problems("/path", &properties.path);
        problems.extend(properties.ownership().problems());
        problems
    }

    fn plan(proposal: &Proposal<Properties>) -> Result<Vec<Step<Payload>>, Vec<Problem>> {
        let instance = proposal.instance();
        Ok(match &proposal.change {
            Change::Delete(_) => vec![remove(Phase::Remove, "remove", &instance.properties)],
            Change::Update { previous, .. } if previous.properties.path != instance.properties.path => {
                let mut steps = deploy(instance)?;
                steps.push(remove(Phase::Start, "remove-old", &previous.properties));
                steps
            }
            _ => deploy(instance)?,
        })
    }

    fn apply(context: &Context<'_>, payload: Payload) -> Result<Outcome, Failure> {
        let Payload { action, tree, with } = &payload;
        let (path, ownership) = (&with.path, with.ownership());
        let place = place(path);
        match action {
            Action::Stage => stage(context, &place, tree, &ownership),
            Action::Mirror => {
                let script = if with.exact { script!("directory-exact") } else { script!("directory-additive") };
                let output = ownership.script(context, script, &[&place, tree, path])?;
                Ok(match has_changed(&output)? {
                    true => Outcome::changed_with(format!("{path} is up to date")),
                    false => Outcome::unchanged_with(format!("{path} was up to date")),
                })
            }
            Action::Remove => {
                let exact = if with.exact { "1" } else { "0" };
                let output = ownership.script(context, script!("directory-remove"), &[&place, path, exact])?;
                Ok(match has_changed(&output)? {
                    true => Outcome::changed_with(format!("removed {path}")),
                    false => Outcome::unchanged_with(format!("{path} was not there")),
                })
            }
        }
    }
}

impl Properties {
    fn ownership(&self) -> Ownership {
        Ownership { owner: self.owner.clone(), group: self.group.clone(), as_user: self.as_user.clone() }
    }

    fn payload(&self, action: Action, tree: &str) -> Payload {
        Payload { action, tree: tree.to_owned(), with: self.clone() }
    }
}

fn deploy(instance: &Instance<Properties>) -> Result<Vec<Step<Payload>>, Vec<Problem>> {
    let properties = &instance.properties;
    let Some(artifact) = instance.artifact("directory") else {
        return Err(vec![Problem::new("/directory", "the release does not have this folder")]);
    };
    let hex = artifact.digest.rsplit(':').next().unwrap_or_default();
    let tree = format!("tree-{}", hex.chars().take(16).collect::<String>());
    let path = &properties.path;
    let mirror = if properties.exact { "Mirror" } else { "Add" };
    Ok(vec![
        Step::new(
            Phase::Stage,
            "upload",
            format!("Upload {} for {path}", properties.directory),
            properties.payload(Action::Stage, &tree),
        ),
        Step::new(
            Phase::Install,
            "mirror",
            format!("{mirror} {} to {path}", properties.directory),
            properties.payload(Action::Mirror, &tree),
        ),
    ])
}

fn remove(phase: Phase, name: &str, properties: &Properties) -> Step<Payload> {
    let path = &properties.path;
    let summary = if properties.exact { format!("Remove {path}") } else { format!("Remove our files from {path}") };
    Step::new(phase, name, summary, properties.payload(Action::Remove, ""))
}

/// Returns the hidden folder beside a path that keeps what is on its way there: on the same file system.
fn place(path: &str) -> String {
    format!("{}/.{}.launchway", parent(path).trim_end_matches('/'), file_name(path))
}

fn stage(context: &Context<'_>, place: &str, tree: &str, ownership: &Ownership) -> Result<Outcome, Failure> {
    let output = ownership.script(context, script!("directory-prepare"), &[place, tree])?;
    if !has_changed(&output)? {
        return Ok(Outcome::unchanged_with("it is uploaded"));
    }
    let options = FileOptions { mode: Some(0o600), as_user: ownership.as_user.clone(), ..FileOptions::default() };
    context.put(&Source::Artifact("directory".to_owned()), &format!("{place}/upload"), &options)?;
    ownership.script(context, script!("directory-unpack"), &[place, tree, &ownership.chown_argument()])?;
    Ok(Outcome::changed_with("uploaded"))
}
