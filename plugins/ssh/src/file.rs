//! `ssh/file`: a file with its content, mode and owner.

use launchway_sdk::{
    Change, Command, Context, Failure, FileMode, FileStatus, FileType, Instance, Kind, Outcome, OwnedPath, Phase,
    Problem, ProjectFile, Proposal, Report, Setting, Source, Span, Step, Template, Text, Usage, parent, path_problems,
};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::Deserialize;

use crate::shared::{Look, Ownership, findings, missing, remove_file, within};

pub(crate) struct PutFile;

#[derive(Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct Properties {
    /// Where the file goes. A link there is replaced, not followed.
    path: OwnedPath,
    /// The content; it may hold secrets. Exactly one of `content`, `file` and `template` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Text>,
    /// A file of the project with the content.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<ProjectFile>,
    /// A template of the project, rendered for each target.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<Template>,
    /// Permission bits in octal, such as `"0640"`. Without it, those of an existing file stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<FileMode>,
    /// Whose file it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    /// Which group's file it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    /// Write as this user.
    #[serde(rename = "as")]
    as_user: Option<String>,
    /// Create missing folders on the way. They stay when the file goes.
    #[serde(default)]
    parents: bool,
    /// How long each of its steps may take; 10m if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Setting<Span>>,
}

impl Kind for PutFile {
    type Properties = Properties;
    type Payload = Properties;

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
        properties.ownership().check(&mut problems);
        problems
    }

    fn plan(proposal: &Proposal<'_, Properties>) -> Result<Vec<Step>, Vec<Problem>> {
        let instance = proposal.instance();
        let steps = match &proposal.change {
            Change::Delete(_) => vec![remove(Phase::Remove, "remove", instance)],
            _ if proposal.is_only_asked() => Vec::new(),
            Change::Update { previous, .. } if previous.properties.path != instance.properties.path => {
                vec![put(instance)?, remove(Phase::Start, "remove-old", previous)]
            }
            _ => vec![put(instance)?],
        };
        Ok(within(instance.properties.timeout, steps))
    }

    fn apply(context: &Context<'_>, properties: Properties) -> Result<Outcome, Failure> {
        let path = &properties.path;
        match context.step_name() {
            "put" => properties.put(context),
            "remove" | "remove-old" => {
                let removed = remove_file(context, path, properties.as_user.as_deref())?;
                Ok(Outcome::of(removed, format!("{path} is gone")))
            }
            _ => Err(context.unknown_step()),
        }
    }

    fn inspect(context: &Context<'_>, properties: Properties) -> Result<Report, Failure> {
        let found = match context.stat(&properties.path, properties.as_user.as_deref())? {
            Some(status) => properties.look(context, &status)?.result(properties.path.0),
            None => missing(properties.path.0),
        };
        Ok(findings(vec![found]))
    }
}

impl Properties {
    fn ownership(&self) -> Ownership {
        Ownership { owner: self.owner.clone(), group: self.group.clone(), as_user: self.as_user.clone() }
    }

    /// Returns the property that names the artifact with the content; none where the content itself is given.
    fn artifact(&self) -> Option<&'static str> {
        match self {
            Self { file: Some(_), .. } => Some("file"),
            Self { template: Some(_), .. } => Some("template"),
            _ => None,
        }
    }

    /// Compares what is there.
    fn look(&self, context: &Context<'_>, status: &FileStatus) -> Result<Look, Failure> {
        let mut look = Look::default();
        if status.file_type != FileType::File {
            look.differs("it is no regular file");
            return Ok(look);
        }
        look.traits(status, self.mode.as_ref(), &self.ownership());
        match (self.artifact(), self.content.as_ref().map(Text::as_plain)) {
            (Some(name), _) => look.content(status, context.artifact(name)),
            (None, Some(None)) => look.cannot_tell("its content holds secrets, and is not compared"),
            (None, content) => {
                let wanted = content.flatten().unwrap_or_default();
                let size = wanted.len() as u64;
                let same = status.size == size
                    && context
                        .read(&self.path, size, self.as_user.as_deref())?
                        .is_some_and(|found| found == wanted.as_bytes());
                if !same {
                    look.differs("its content differs");
                }
            }
        }
        Ok(look)
    }

    fn put(&self, context: &Context<'_>) -> Result<Outcome, Failure> {
        if self.parents {
            let folder = Command::new(&["mkdir", "-p", "--", parent(&self.path)]);
            context.exec(&folder.as_user(self.as_user.as_deref()).quiet())?.check("mkdir")?;
        }
        let source = match self.artifact() {
            Some(name) => Source::Artifact(name.to_owned()),
            None => Source::Text(self.content.clone().unwrap_or_default()),
        };
        let written = context.put(&source, &self.path, &self.ownership().file_options(self.mode.as_ref()))?;
        Ok(Outcome::of(written.changed, format!("{} is in place", self.path)))
    }
}

fn put(instance: &Instance<'_, Properties>) -> Result<Step, Vec<Problem>> {
    let properties = &instance.properties;
    if let Some(name) = properties.artifact()
        && instance.artifact(name).is_none()
    {
        return Err(vec![Problem::new(format!("/{name}"), "the release does not have this file")]);
    }
    Ok(Step::of(instance, Phase::Install, "put", format!("Write {}", properties.path)))
}

fn remove(phase: Phase, name: &str, instance: &Instance<'_, Properties>) -> Step {
    Step::of(instance, phase, name, format!("Remove {}", instance.properties.path))
}
