//! `ssh/file`: a file with its content, mode and owner.

use launchway_sdk::{
    Artifact, Change, Command, Context, Failure, FileMode, FileType, Instance, Kind, Outcome, OwnedPath, Phase,
    Problem, ProjectFile, Proposal, Report, ResourceResult, ResourceStatus, Source, Step, Template, Text, Usage,
    parent, path_problems,
};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shared::{Ownership, remove_file};

pub(crate) struct PutFile;

#[derive(Clone, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct Properties {
    /// Where the file goes. A symbolic link there is replaced, not followed.
    path: OwnedPath,
    /// The content itself; it may hold secrets. Exactly one of `content`, `file` and `template` is given.
    content: Option<Text>,
    /// A file of the project with the content.
    file: Option<ProjectFile>,
    /// A template of the project, rendered for each target.
    template: Option<Template>,
    /// Permission bits in octal, such as `"0640"`. Without it, those of an existing file stay.
    mode: Option<FileMode>,
    /// Whose file it is.
    owner: Option<String>,
    /// Which group's file it is.
    group: Option<String>,
    /// Write as this user.
    #[serde(rename = "as")]
    as_user: Option<String>,
    /// Create the folders on the way, if they are missing. They stay when the file goes.
    #[serde(default)]
    parents: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Payload {
    Put(Put),
    Remove {
        path: String,
        #[serde(rename = "as")]
        as_user: Option<String>,
    },
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Put {
    path: String,
    /// The property that names the artifact; none where the content is given.
    artifact: Option<String>,
    content: Option<Text>,
    mode: Option<FileMode>,
    ownership: Ownership,
    parents: bool,
}

impl Kind for PutFile {
    type Properties = Properties;
    type Payload = Payload;

    const SUMMARY: &'static str = "Puts a file in place: given content, a file of the project, or a rendered template.";
    const USAGE: Usage = Usage::Component;

    fn validate(properties: &Properties) -> Vec<Problem> {
        let mut problems = path_problems("/path", &properties.path);
        let given = [
            ("content", properties.content.is_some()),
            ("file", properties.file.is_some()),
            ("template", properties.template.is_some()),
        ];
        let mut given = given.iter().filter(|(_, given)| *given).map(|(name, _)| *name);
        match (given.next(), given.next()) {
            (None, _) => problems
                .push(Problem::new("", "the file has no content").hint("give one of `content`, `file` and `template`")),
            (Some(one), Some(other)) => {
                problems.push(Problem::new(format!("/{other}"), format!("there is `{one}` already")));
            }
            (Some(_), None) => {}
        }
        if properties.mode.as_ref().is_some_and(|mode| mode.bits().is_none()) {
            problems.push(Problem::new("/mode", "expected permission bits in octal, such as \"0640\""));
        }
        problems.extend(properties.ownership().problems());
        problems
    }

    fn plan(proposal: &Proposal<Properties>) -> Result<Vec<Step<Payload>>, Vec<Problem>> {
        let instance = proposal.instance();
        Ok(match &proposal.change {
            Change::Delete(_) => vec![remove(Phase::Remove, "remove", &instance.properties)],
            Change::Update { previous, .. } if previous.properties.path != instance.properties.path => {
                vec![put(instance)?, remove(Phase::Start, "remove-old", &previous.properties)]
            }
            _ => vec![put(instance)?],
        })
    }

    fn apply(context: &Context<'_>, payload: Payload) -> Result<Outcome, Failure> {
        match payload {
            Payload::Put(put) => put.apply(context),
            Payload::Remove { path, as_user } => Ok(match remove_file(context, &path, as_user.as_deref())? {
                true => Outcome::changed_with(format!("removed {path}")),
                false => Outcome::unchanged_with(format!("{path} was not there")),
            }),
        }
    }

    fn inspect(context: &Context<'_>, properties: Properties) -> Result<Report, Failure> {
        let expected = properties.file.as_ref().and_then(|_| context.artifact("file"));
        let difference = difference(context, &properties, expected)?;
        let status = if difference.is_some() { ResourceStatus::Changed } else { ResourceStatus::Unchanged };
        let summary = difference.clone().unwrap_or_else(|| "as it should be".to_owned());
        let resource = ResourceResult { name: properties.path.0, status, message: difference };
        Ok(Report { summary, resources: vec![resource] })
    }
}

impl Properties {
    fn ownership(&self) -> Ownership {
        Ownership { owner: self.owner.clone(), group: self.group.clone(), as_user: self.as_user.clone() }
    }
}

fn put(instance: &Instance<Properties>) -> Result<Step<Payload>, Vec<Problem>> {
    let properties = &instance.properties;
    let named = [("file", properties.file.is_some()), ("template", properties.template.is_some())];
    let artifact = named.into_iter().find(|(_, given)| *given).map(|(name, _)| name);
    if let Some(name) = artifact
        && instance.artifact(name).is_none()
    {
        return Err(vec![Problem::new(format!("/{name}"), "the release does not have this file")]);
    }
    let path = properties.path.0.clone();
    let summary = format!("Write {path}");
    let payload = Payload::Put(Put {
        path,
        artifact: artifact.map(str::to_owned),
        content: properties.content.clone().filter(|_| artifact.is_none()),
        mode: properties.mode.clone(),
        ownership: properties.ownership(),
        parents: properties.parents,
    });
    Ok(Step::new(Phase::Install, "put", summary, payload))
}

fn remove(phase: Phase, name: &str, properties: &Properties) -> Step<Payload> {
    let path = properties.path.0.clone();
    let summary = format!("Remove {path}");
    Step::new(phase, name, summary, Payload::Remove { path, as_user: properties.as_user.clone() })
}

impl Put {
    fn apply(&self, context: &Context<'_>) -> Result<Outcome, Failure> {
        if self.parents {
            let folder = Command::new(&["mkdir", "-p", "--", parent(&self.path)]);
            context.exec(&folder.as_user(self.ownership.as_user.as_deref()).quiet())?.check("mkdir")?;
        }
        let source = match &self.artifact {
            Some(name) => Source::Artifact(name.clone()),
            None => Source::Text(self.content.clone().unwrap_or_default()),
        };
        let written = context.put(&source, &self.path, &self.ownership.file_options(self.mode.as_ref()))?;
        Ok(match written.changed {
            true => Outcome::changed_with(format!("wrote {}", self.path)),
            false => Outcome::unchanged_with(format!("{} was in place", self.path)),
        })
    }
}

/// Returns what is different on the target, as far as that can be told without the content's secrets.
fn difference(
    context: &Context<'_>,
    properties: &Properties,
    expected: Option<&Artifact>,
) -> Result<Option<String>, Failure> {
    let Some(status) = context.stat(&properties.path, properties.as_user.as_deref())? else {
        return Ok(Some("it is missing".to_owned()));
    };
    if status.file_type != FileType::File {
        return Ok(Some("it is no regular file".to_owned()));
    }
    if let (Some(expected), Some(found)) = (expected, &status.digest)
        && expected.digest != *found
    {
        return Ok(Some("its content differs".to_owned()));
    }
    if let Some(bits) = properties.mode.as_ref().and_then(FileMode::bits)
        && bits != status.mode & 0o7777
    {
        return Ok(Some(format!("its mode is {:04o} instead of {bits:04o}", status.mode & 0o7777)));
    }
    for (what, wanted, found) in
        [("owner", &properties.owner, &status.owner), ("group", &properties.group, &status.group)]
    {
        if let Some(wanted) = wanted
            && wanted != found
        {
            return Ok(Some(format!("its {what} is {found} instead of {wanted}")));
        }
    }
    Ok(None)
}
