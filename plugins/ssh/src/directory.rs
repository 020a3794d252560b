//! `ssh/directory`: a tree of the release, as an exact mirror or in addition to what is there.

use launchway_sdk::{
    Change, Context, Directory, Failure, FileOptions, FileType, Instance, Kind, Outcome, OwnedPath, Phase, Problem,
    Proposal, Report, Setting, Source, Span, Step, Usage, file_name, parent, path_problems,
};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::Deserialize;

use crate::shared::{Look, Ownership, findings, has_changed, missing, script, within};

pub(crate) struct Mirror;

#[derive(Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct Properties {
    /// Where the tree goes. Missing folders on the way are created.
    #[cfg_attr(not(target_family = "wasm"), schemars(extend("writes" = { "tree": "exact" })))]
    path: OwnedPath,
    /// A folder of the project.
    directory: Directory,
    /// Whether the folder becomes an exact copy: anything else in it is removed.
    #[serde(default = "default_exact")]
    exact: bool,
    /// Whose files they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// Which group's files they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// Write as this user.
    #[serde(rename = "as")]
    as_user: Option<String>,
    /// How long each of its steps may take; 10m if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Setting<Span>>,
}

fn default_exact() -> bool {
    true
}

impl Kind for Mirror {
    type Properties = Properties;
    type Payload = Properties;

    const SUMMARY: &'static str = "Puts a folder of the project in place, as an exact mirror or in addition.";
    const USAGE: Usage = Usage::Component;

    fn validate(properties: &Properties) -> Vec<Problem> {
        let mut problems = path_problems("/path", &properties.path);
        properties.ownership().check(&mut problems);
        problems
    }

    fn plan(proposal: &Proposal<'_, Properties>) -> Result<Vec<Step>, Vec<Problem>> {
        let instance = proposal.instance();
        let steps = match &proposal.change {
            Change::Delete(_) => vec![remove(Phase::Remove, "remove", instance)],
            _ if proposal.is_only_asked() => Vec::new(),
            Change::Update { previous, .. } if previous.properties.path != instance.properties.path => {
                let mut steps = deploy(instance)?;
                steps.push(remove(Phase::Start, "remove-old", previous));
                steps
            }
            _ => deploy(instance)?,
        };
        Ok(within(instance.properties.timeout, steps))
    }

    fn apply(context: &Context<'_>, properties: Properties) -> Result<Outcome, Failure> {
        let (path, ownership) = (&properties.path, properties.ownership());
        let place = place(path);
        match context.step_name() {
            "upload" => stage(context, &place, &tree(context)?, &ownership),
            "mirror" => {
                let script = if properties.exact { script!("directory-exact") } else { script!("directory-additive") };
                let output = ownership.script(context, &with_looks(script), &[&place, &tree(context)?, path])?;
                Ok(Outcome::of(has_changed(&output)?, format!("{path} is up to date")))
            }
            "remove" | "remove-old" => {
                let exact = if properties.exact { "1" } else { "0" };
                let output = ownership.script(context, script!("directory-remove"), &[&place, path, exact])?;
                Ok(Outcome::of(has_changed(&output)?, format!("{path} is gone")))
            }
            _ => Err(context.unknown_step()),
        }
    }

    fn inspect(context: &Context<'_>, properties: Properties) -> Result<Report, Failure> {
        let path = &properties.path;
        let Some(status) = context.stat(path, properties.as_user.as_deref())? else {
            return Ok(findings(vec![missing(path.0.clone())]));
        };
        let mut look = Look::default();
        if status.file_type != FileType::Directory {
            look.differs("it is no folder");
            return Ok(findings(vec![look.result(path.0.clone())]));
        }
        let exact = if properties.exact { "1" } else { "0" };
        // It says whether it is known how the tree looked when it was put there, and then what looks otherwise now.
        let script = with_looks(script!("directory-inspect"));
        let output = properties.ownership().script(context, &script, &[&place(path), &tree(context)?, path, exact])?;
        let mut lines = output.stdout.lines();
        match lines.next().unwrap_or_default() {
            "" => {}
            "other" => look.differs("another tree was put there"),
            _ => look.cannot_tell("nothing is kept of what was put there"),
        }
        let mut resources = vec![look.result(path.0.clone())];
        resources.extend(lines.map(|name| {
            let mut file = Look::default();
            file.differs("it is not as it was put there");
            file.result(format!("{path}/{name}"))
        }));
        Ok(findings(resources))
    }
}

impl Properties {
    fn ownership(&self) -> Ownership {
        Ownership { owner: self.owner.clone(), group: self.group.clone(), as_user: self.as_user.clone() }
    }
}

fn deploy(instance: &Instance<'_, Properties>) -> Result<Vec<Step>, Vec<Problem>> {
    let properties = &instance.properties;
    if instance.artifact("directory").is_none() {
        return Err(vec![Problem::new("/directory", "the release does not have this folder")]);
    }
    let Properties { path, directory, .. } = properties;
    let mirror = if properties.exact { "Mirror" } else { "Add" };
    Ok(vec![
        Step::of(instance, Phase::Stage, "upload", format!("Upload {directory} for {path}")),
        Step::of(instance, Phase::Install, "mirror", format!("{mirror} {directory} to {path}")),
    ])
}

/// Adds two functions to a script. `looks` prints how what is named on standard input looks, NUL-separated names below the
/// present folder: a line each of type and mode, owner, group and size, then of each file's checksum. `keep_looks` keeps
/// that, from a file `new`, beside the name of the tree.
fn with_looks(script: &str) -> String {
    String::from(script!("directory-looks")) + script
}

fn remove(phase: Phase, name: &str, instance: &Instance<'_, Properties>) -> Step {
    let properties = &instance.properties;
    let path = &properties.path;
    let summary = if properties.exact { format!("Remove {path}") } else { format!("Remove our files from {path}") };
    Step::of(instance, phase, name, summary)
}

/// Returns the name of the unpacked tree while it is on its way.
fn tree(context: &Context<'_>) -> Result<String, Failure> {
    let Some(artifact) = context.artifact("directory") else {
        return Err(Failure::plugin("the instance has no folder"));
    };
    let hex = artifact.digest.rsplit(':').next().unwrap_or_default();
    Ok(format!("tree-{}", hex.get(..16).unwrap_or(hex)))
}

/// Returns the hidden folder beside a path that keeps what is on its way there, on the same file system, and how what was
/// put there looked.
fn place(path: &str) -> String {
    format!("{}/.{}.launchway", parent(path).trim_end_matches('/'), file_name(path))
}

fn stage(context: &Context<'_>, place: &str, tree: &str, ownership: &Ownership) -> Result<Outcome, Failure> {
    let output = ownership.script(context, script!("directory-prepare"), &[place, tree])?;
    if !has_changed(&output)? {
        return Ok(Outcome::unchanged_with("uploaded"));
    }
    let options = FileOptions { mode: Some(0o600), as_user: ownership.as_user.clone(), ..FileOptions::default() };
    context.put(&Source::Artifact("directory".to_owned()), &format!("{place}/upload"), &options)?;
    ownership.script(context, script!("directory-unpack"), &[place, tree, &ownership.chown_argument()])?;
    Ok(Outcome::changed_with("uploaded"))
}
