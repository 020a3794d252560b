//! `ssh/service`: a service under systemd, or under commands of its own.

use std::collections::BTreeMap;

use launchway_sdk::{
    Cause, Change, Command, Context, Failure, FileOptions, Instance, Kind, Outcome, Phase, Problem, ProjectFile,
    Proposal, Report, ResourceResult, ResourceStatus, Run, Setting, Source, Span, Step, Template, Text, Usage,
};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::service_command::Commands;
use crate::service_systemd::Systemd;
use crate::shared::{cwd_problem, env_problems, remove_file, user_problem};
use crate::waiting::Patience;

pub(crate) struct Service;

#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct Properties {
    /// What runs the service. Without it: `systemd` where a unit is given, else `command`.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<Provider>,
    /// systemd: the unit, such as `shop-api.service`.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
    /// systemd: a file of the project that becomes the unit's file in `/etc/systemd/system`.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<ProjectFile>,
    /// systemd: a template of the project that becomes the unit's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<Template>,
    /// systemd: whether it starts with the machine; true if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    enable: Option<bool>,
    /// command: starts the service and ends; a script for `/bin/sh -eu`, or a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Run>,
    /// command: stops the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<Run>,
    /// command: makes the service read its configuration again.
    #[serde(skip_serializing_if = "Option::is_none")]
    reload: Option<Run>,
    /// command: restarts the service; without it, it is stopped and started.
    #[serde(skip_serializing_if = "Option::is_none")]
    restart: Option<Run>,
    /// command: succeeds as long as the service is up. Without it, nobody waits for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Run>,
    /// command: environment variables; they may hold secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, Text>,
    /// command: the folder to run in.
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<String>,
    /// Act as this user.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    as_user: Option<String>,
    /// How long it has to stay up before it counts as started.
    #[serde(default = "default_settle")]
    settle: Setting<Span>,
    /// How long it may take to come up, or to go down.
    #[serde(default = "default_timeout")]
    timeout: Setting<Span>,
}

fn default_settle() -> Setting<Span> {
    Setting(Span::from_secs(1))
}

fn default_timeout() -> Setting<Span> {
    Setting(Span::from_secs(60))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Provider {
    Systemd,
    Command,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Payload {
    action: Action,
    with: Properties,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// Puts the unit's file in place.
    WriteUnit,
    RemoveUnit,
    /// Starts it; if it is up already, it is restarted, since it may run what was there before.
    Start,
    Stop,
    Reload,
    /// Makes it start with the machine, or not.
    Enable,
}

impl Kind for Service {
    type Properties = Properties;
    type Payload = Payload;

    const SUMMARY: &'static str = "Starts, stops, reloads and restarts a service, and watches that it stays up.";
    const USAGE: Usage = Usage::Component;

    fn validate(properties: &Properties) -> Vec<Problem> {
        let mut problems = match properties.provider() {
            Provider::Systemd => properties.systemd_problems(),
            Provider::Command => properties.command_problems(),
        };
        problems.extend(properties.as_user.as_deref().and_then(|user| user_problem("/as", user)));
        problems
    }

    fn plan(proposal: &Proposal<Properties>) -> Result<Vec<Step<Payload>>, Vec<Problem>> {
        let instance = proposal.instance();
        let mut steps = Vec::new();
        match &proposal.change {
            Change::Create(_) | Change::Act(_) => {
                steps.extend(unit_file(instance)?);
                steps.push(act(Phase::Start, Action::Start, instance));
            }
            Change::Delete(_) => {
                steps.push(act(Phase::Stop, Action::Stop, instance));
                steps.extend(remove_unit_file(&instance.properties));
            }
            Change::Refresh(_) => match reaction(proposal)? {
                // All in `start`: whether it has to be done at all may be known only then.
                Reaction::Restart => steps.push(act(Phase::Start, Action::Start, instance)),
                Reaction::Reload => steps.push(act(Phase::Start, Action::Reload, instance)),
                Reaction::Enable | Reaction::Nothing => {}
            },
            Change::Update { previous, .. } if previous.properties.identity() != instance.properties.identity() => {
                steps.push(act(Phase::Stop, Action::Stop, previous));
                steps.extend(remove_unit_file(&previous.properties));
                steps.extend(unit_file(instance)?);
                steps.push(act(Phase::Start, Action::Start, instance));
            }
            Change::Update { previous, .. } => match reaction(proposal)? {
                Reaction::Restart => {
                    steps.push(act(Phase::Stop, Action::Stop, previous));
                    if instance.properties.unit_source().is_none() {
                        steps.extend(remove_unit_file(&previous.properties));
                    }
                    steps.extend(unit_file(instance)?);
                    steps.push(act(Phase::Start, Action::Start, instance));
                }
                Reaction::Reload => steps.push(act(Phase::Start, Action::Reload, instance)),
                Reaction::Enable => steps.push(act(Phase::Start, Action::Enable, instance)),
                Reaction::Nothing => {}
            },
        }
        Ok(steps)
    }

    fn apply(context: &Context<'_>, payload: Payload) -> Result<Outcome, Failure> {
        let Payload { action, with } = &payload;
        match action {
            Action::WriteUnit => with.write_unit(context),
            Action::RemoveUnit => with.remove_unit(context),
            _ => match with.provider() {
                Provider::Systemd => with.systemd().apply(context, *action),
                Provider::Command => with.commands().apply(context, *action),
            },
        }
    }

    fn poll(context: &Context<'_>, payload: Payload, token: &str) -> Result<Outcome, Failure> {
        match payload.with.provider() {
            Provider::Systemd => payload.with.systemd().poll(context, token),
            Provider::Command => payload.with.commands().poll(context, token),
        }
    }

    fn inspect(context: &Context<'_>, properties: Properties) -> Result<Report, Failure> {
        let (name, is_up) = match properties.provider() {
            Provider::Systemd => {
                let unit = properties.unit();
                let output =
                    context.exec(&Command::new(&["systemctl", "is-active", "--quiet", "--", &unit]).quiet())?;
                (unit, output.success())
            }
            Provider::Command => match properties.commands().is_up(context)? {
                Some(is_up) => (context.instance().component.clone(), is_up),
                None => return Ok(Report::new("a service without `status` can't be asked")),
            },
        };
        let (status, summary) =
            if is_up { (ResourceStatus::Unchanged, "it is up") } else { (ResourceStatus::Changed, "it is down") };
        let resource = ResourceResult { name, status, message: Some(summary.to_owned()) };
        Ok(Report { summary: summary.to_owned(), resources: vec![resource] })
    }
}

/// What the causes of a change ask of a running service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Reaction {
    Nothing,
    Enable,
    Reload,
    Restart,
}

fn reaction(proposal: &Proposal<Properties>) -> Result<Reaction, Vec<Problem>> {
    let properties = &proposal.instance().properties;
    let mut all = Reaction::Nothing;
    for cause in &proposal.causes {
        let one = match cause {
            Cause::Subscription(subscription) => match subscription.word.as_str() {
                "restart" => Reaction::Restart,
                "reload" if properties.provider() == Provider::Command && properties.reload.is_none() => {
                    return Err(vec![
                        Problem::new(
                            "",
                            format!("`{}` asks it to reload, and it has no `reload`", subscription.component),
                        )
                        .hint("give `reload`, or subscribe with `restart`"),
                    ]);
                }
                "reload" => Reaction::Reload,
                word => {
                    return Err(vec![
                        Problem::new("", format!("a service can't `{word}`, as `{}` asks", subscription.component))
                            .hint("subscribe with `reload` or `restart`"),
                    ]);
                }
            },
            Cause::Property(at) if at == "/enable" => Reaction::Enable,
            Cause::Request(request) if request == "reload" => Reaction::Reload,
            Cause::Property(_) | Cause::Artifact(_) | Cause::Secret(_) | Cause::Dirty | Cause::Request(_) => {
                Reaction::Restart
            }
        };
        all = all.max(one);
    }
    Ok(all)
}

impl Properties {
    fn provider(&self) -> Provider {
        let default = if self.unit.is_some() { Provider::Systemd } else { Provider::Command };
        self.provider.unwrap_or(default)
    }

    /// Returns what makes it the same service before and after an update.
    fn identity(&self) -> (Provider, String) {
        (self.provider(), self.unit())
    }

    /// Returns the unit with its suffix.
    fn unit(&self) -> String {
        const SUFFIXES: [&str; 6] = [".service", ".socket", ".timer", ".target", ".path", ".mount"];
        let unit = self.unit.clone().unwrap_or_default();
        if unit.is_empty() || SUFFIXES.iter().any(|suffix| unit.ends_with(suffix)) { unit } else { unit + ".service" }
    }

    /// Returns the name of the artifact that becomes the unit's file.
    fn unit_source(&self) -> Option<&'static str> {
        match self {
            _ if self.provider() == Provider::Command => None,
            Self { file: Some(_), .. } => Some("file"),
            Self { template: Some(_), .. } => Some("template"),
            _ => None,
        }
    }

    fn patience(&self) -> Patience {
        Patience { settle: self.settle.0, timeout: self.timeout.0 }
    }

    fn systemd(&self) -> Systemd {
        Systemd {
            unit: self.unit(),
            enable: self.enable.unwrap_or(true),
            as_user: self.as_user.clone(),
            patience: self.patience(),
        }
    }

    fn commands(&self) -> Commands<'_> {
        Commands {
            start: self.start.as_ref(),
            stop: self.stop.as_ref(),
            reload: self.reload.as_ref(),
            restart: self.restart.as_ref(),
            status: self.status.as_ref(),
            env: &self.env,
            cwd: self.cwd.as_deref(),
            as_user: self.as_user.as_deref(),
            patience: self.patience(),
        }
    }

    fn write_unit(&self, context: &Context<'_>) -> Result<Outcome, Failure> {
        let Some(artifact) = self.unit_source() else {
            return Err(Failure::plugin("the instance has no file for the unit"));
        };
        let path = unit_path(&self.unit());
        let options = FileOptions { mode: Some(0o644), as_user: self.as_user.clone(), ..FileOptions::default() };
        let written = context.put(&Source::Artifact(artifact.to_owned()), &path, &options)?;
        // Even if the file is the same: an earlier attempt may have ended before the reload.
        self.systemd().daemon_reload(context)?;
        Ok(match written.changed {
            true => Outcome::changed_with(format!("wrote {path}")),
            false => Outcome::unchanged_with(format!("{path} was in place")),
        })
    }

    fn remove_unit(&self, context: &Context<'_>) -> Result<Outcome, Failure> {
        let path = unit_path(&self.unit());
        let removed = remove_file(context, &path, self.as_user.as_deref())?;
        self.systemd().daemon_reload(context)?;
        Ok(match removed {
            true => Outcome::changed_with(format!("removed {path}")),
            false => Outcome::unchanged_with(format!("{path} was not there")),
        })
    }

    fn systemd_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let usable = |c: char| c.is_ascii_alphanumeric() || ":_.\\@-".contains(c);
        match &self.unit {
            None => problems.push(Problem::new("", "`unit` is missing: which one does systemd run?")),
            Some(unit) if unit.is_empty() || unit.starts_with('-') || !unit.chars().all(usable) => {
                problems.push(Problem::new("/unit", "this is no name of a unit").hint("such as `shop-api.service`"));
            }
            Some(_) => {}
        }
        if self.file.is_some() && self.template.is_some() {
            problems.push(Problem::new("/template", "there is `file` already"));
        }
        let foreign = [
            ("start", self.start.is_some()),
            ("stop", self.stop.is_some()),
            ("reload", self.reload.is_some()),
            ("restart", self.restart.is_some()),
            ("status", self.status.is_some()),
            ("env", !self.env.is_empty()),
            ("cwd", self.cwd.is_some()),
        ];
        problems.extend(foreign_problems(&foreign, "command"));
        problems
    }

    fn command_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.start.is_none() && self.stop.is_none() && self.provider.is_none() {
            let problem = Problem::new("", "it says neither what systemd runs nor how to start it");
            return vec![problem.hint("give `unit`, or `start` and `stop`")];
        }
        for (name, run) in [("start", &self.start), ("stop", &self.stop)] {
            if run.is_none() {
                problems.push(Problem::new("", format!("`{name}` is missing")));
            }
        }
        let runs = [
            ("/start", &self.start),
            ("/stop", &self.stop),
            ("/reload", &self.reload),
            ("/restart", &self.restart),
            ("/status", &self.status),
        ];
        problems.extend(runs.into_iter().flat_map(|(at, run)| run.iter().flat_map(move |run| run.problems(at))));
        problems.extend(env_problems(&self.env));
        problems.extend(cwd_problem(self.cwd.as_deref()));
        let foreign = [
            ("unit", self.unit.is_some()),
            ("file", self.file.is_some()),
            ("template", self.template.is_some()),
            ("enable", self.enable.is_some()),
        ];
        problems.extend(foreign_problems(&foreign, "systemd"));
        problems
    }
}

fn foreign_problems(properties: &[(&str, bool)], provider: &str) -> Vec<Problem> {
    let foreign = properties.iter().filter(|(_, given)| *given);
    foreign
        .map(|(name, _)| Problem::new(format!("/{name}"), format!("`{name}` is for `provider: {provider}` only")))
        .collect()
}

fn unit_path(unit: &str) -> String {
    format!("/etc/systemd/system/{unit}")
}

fn unit_file(instance: &Instance<Properties>) -> Result<Option<Step<Payload>>, Vec<Problem>> {
    let properties = &instance.properties;
    let Some(artifact) = properties.unit_source() else { return Ok(None) };
    if instance.artifact(artifact).is_none() {
        return Err(vec![Problem::new(format!("/{artifact}"), "the release does not have this file")]);
    }
    let summary = format!("Write {}", unit_path(&properties.unit()));
    let payload = Payload { action: Action::WriteUnit, with: properties.clone() };
    Ok(Some(Step::new(Phase::Install, "unit-file", summary, payload)))
}

fn remove_unit_file(properties: &Properties) -> Option<Step<Payload>> {
    properties.unit_source()?;
    let summary = format!("Remove {}", unit_path(&properties.unit()));
    let payload = Payload { action: Action::RemoveUnit, with: properties.clone() };
    Some(Step::new(Phase::Remove, "remove-unit-file", summary, payload))
}

fn act(phase: Phase, action: Action, instance: &Instance<Properties>) -> Step<Payload> {
    let properties = &instance.properties;
    let subject = match properties.provider() {
        Provider::Systemd => properties.unit(),
        Provider::Command => instance.component.clone(),
    };
    let (name, verb) = match action {
        Action::Start => ("start", "Start"),
        Action::Stop => ("stop", "Stop"),
        Action::Reload => ("reload", "Reload"),
        Action::Enable if properties.enable == Some(false) => ("enable", "Disable"),
        Action::Enable | Action::WriteUnit | Action::RemoveUnit => ("enable", "Enable"),
    };
    let payload = Payload { action, with: properties.clone() };
    // Twice: a restart may first wait for the stop.
    let timeout = properties.timeout.duration().saturating_mul(2).saturating_add(properties.settle.duration());
    let margin = Span::from_secs(60).duration();
    Step::new(phase, name, format!("{verb} {subject}"), payload).timeout(Some(timeout.saturating_add(margin)))
}
