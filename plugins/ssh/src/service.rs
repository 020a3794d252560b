//! `ssh/service`: a service under systemd, or under commands of its own.

use launchway_sdk::{
    Cause, Change, Context, Failure, FileOptions, Instance, Kind, Outcome, Pairs, Phase, Problem, ProjectFile,
    Proposal, Report, Run, Setting, Source, Span, Step, Template, Text, Usage, user_problems,
};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::Deserialize;

use crate::service_command::Commands;
use crate::service_systemd::Systemd;
use crate::shared::{Look, check_cwd, check_env, check_run, findings, missing, remove_file};
use crate::waiting::Patience;

pub(crate) struct Service;

#[derive(Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct Properties {
    /// What runs the service; `systemd` where a unit is given, else `command`.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<Provider>,
    /// systemd: the unit, such as `shop-api.service`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_family = "wasm"), schemars(extend("writes" = { "unit": ["file", "template"] })))]
    unit: Option<String>,
    /// systemd: a file of the project for the unit, in `/etc/systemd/system`.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<ProjectFile>,
    /// systemd: a template of the project that becomes the unit's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<Template>,
    /// systemd: whether it starts with the machine; true if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    enable: Option<bool>,
    /// command: starts it and ends; a script for `/bin/sh -eu`, or a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Run>,
    /// command: stops the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<Run>,
    /// command: makes the service read its configuration again.
    #[serde(skip_serializing_if = "Option::is_none")]
    reload: Option<Run>,
    /// command: restarts it; if not given, it is stopped and started.
    #[serde(skip_serializing_if = "Option::is_none")]
    restart: Option<Run>,
    /// command: succeeds as long as the service is up. Without it, nobody waits for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Run>,
    /// command: environment variables; they may hold secrets.
    #[serde(default)]
    env: Pairs<Text>,
    /// command: the folder to run in.
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<String>,
    /// Act as this user.
    #[serde(rename = "as")]
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

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Provider {
    Systemd,
    Command,
}

/// What is done to a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action {
    /// Starts it; if it is up already, it is restarted, since it may run what was there before.
    Start,
    Stop,
    /// Stops it if it is up, where nobody knows whether it is.
    TryStop,
    Reload,
    /// Makes it start with the machine, or not.
    Enable,
    /// Makes it no longer start with the machine, before it is gone.
    Disable,
}

impl Action {
    const ALL: [Self; 6] = [Self::Start, Self::Stop, Self::TryStop, Self::Reload, Self::Enable, Self::Disable];

    /// Returns how a service is stopped. After a run that broke off it may be down, which a `stop` may call a failure.
    fn to_stop(proposal: &Proposal<'_, Properties>, instance: &Instance<'_, Properties>) -> Self {
        let is_known = instance.properties.provider() == Provider::Systemd || instance.properties.status.is_some();
        if is_known || !proposal.causes.contains(&Cause::Dirty) { Self::Stop } else { Self::TryStop }
    }

    /// Returns the name of the step that does it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::TryStop => "try-stop",
            Self::Reload => "reload",
            Self::Enable => "enable",
            Self::Disable => "disable",
        }
    }
}

const WRITE_UNIT: &str = "unit-file";
const REMOVE_UNIT: &str = "remove-unit-file";

impl Kind for Service {
    type Properties = Properties;
    type Payload = Properties;

    const SUMMARY: &'static str = "Starts, stops, reloads and restarts a service, and watches that it stays up.";
    const USAGE: Usage = Usage::Component;

    fn validate(properties: &Properties) -> Vec<Problem> {
        let mut problems = match properties.provider() {
            Provider::Systemd => properties.systemd_problems(),
            Provider::Command => properties.command_problems(),
        };
        problems.extend(user_problems("/as", properties.as_user.as_deref()));
        problems
    }

    fn plan(proposal: &Proposal<'_, Properties>) -> Result<Vec<Step>, Vec<Problem>> {
        let instance = proposal.instance();
        let mut steps = Vec::new();
        match &proposal.change {
            Change::Create(_) | Change::Act(_) => {
                steps.extend(unit_file(instance)?);
                steps.push(act(Phase::Start, Action::Start, instance));
            }
            Change::Delete(_) => {
                steps.push(act(Phase::Stop, Action::to_stop(proposal, instance), instance));
                steps.extend(disable(instance));
                steps.extend(remove_unit_file(instance));
            }
            Change::Refresh(_) => match reaction(proposal)? {
                // All in `start`: whether it has to be done at all may be known only then.
                Reaction::Restart => steps.push(act(Phase::Start, Action::Start, instance)),
                Reaction::Reload => steps.push(act(Phase::Start, Action::Reload, instance)),
                Reaction::Enable | Reaction::Nothing => {}
            },
            Change::Update { previous, .. } if previous.properties.identity() != instance.properties.identity() => {
                steps.push(act(Phase::Stop, Action::to_stop(proposal, previous), previous));
                steps.extend(disable(previous));
                steps.extend(remove_unit_file(previous));
                steps.extend(unit_file(instance)?);
                steps.push(act(Phase::Start, Action::Start, instance));
            }
            Change::Update { previous, .. } => match reaction(proposal)? {
                Reaction::Restart => {
                    steps.push(act(Phase::Stop, Action::to_stop(proposal, previous), previous));
                    if let (Some(remove), None) = (remove_unit_file(previous), instance.properties.unit_source()) {
                        steps.extend(disable(previous));
                        steps.push(remove);
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

    fn apply(context: &Context<'_>, properties: Properties) -> Result<Outcome, Failure> {
        let name = context.step_name();
        let action = Action::ALL.into_iter().find(|action| action.as_str() == name);
        match (action, properties.provider()) {
            (Some(action), Provider::Systemd) => properties.systemd().apply(context, action),
            (Some(action), Provider::Command) => properties.commands().apply(context, action),
            (None, _) if name == WRITE_UNIT => properties.write_unit(context),
            (None, _) if name == REMOVE_UNIT => properties.remove_unit(context),
            (None, _) => Err(context.unknown_step()),
        }
    }

    fn poll(context: &Context<'_>, properties: Properties, token: &str) -> Result<Outcome, Failure> {
        match properties.provider() {
            Provider::Systemd => properties.systemd().poll(context, token),
            Provider::Command => properties.commands().poll(context, token),
        }
    }

    fn inspect(context: &Context<'_>, properties: Properties) -> Result<Report, Failure> {
        match properties.provider() {
            Provider::Systemd => properties.look_at_unit(context),
            Provider::Command => {
                let Some(is_up) = properties.commands().is_up(context)? else {
                    return Ok(Report::new("a service without `status` can't be asked"));
                };
                let mut look = Look::default();
                if !is_up {
                    look.differs("it is down");
                }
                Ok(findings(vec![look.result(context.instance().component.clone())]))
            }
        }
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

fn reaction(proposal: &Proposal<'_, Properties>) -> Result<Reaction, Vec<Problem>> {
    let properties = &proposal.instance().properties;
    let mut all = Reaction::Nothing;
    for cause in proposal.causes {
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

    fn look_at_unit(&self, context: &Context<'_>) -> Result<Report, Failure> {
        let mut resources = vec![self.systemd().look(context)?];
        if let Some(artifact) = self.unit_source() {
            let path = unit_path(&self.unit());
            resources.push(match context.stat(&path, self.as_user.as_deref())? {
                None => missing(path),
                Some(status) => {
                    let mut look = Look::default();
                    look.content(&status, context.artifact(artifact));
                    look.result(path)
                }
            });
        }
        Ok(findings(resources))
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
        Ok(Outcome::of(written.changed, format!("{path} is in place")))
    }

    fn remove_unit(&self, context: &Context<'_>) -> Result<Outcome, Failure> {
        let path = unit_path(&self.unit());
        let removed = remove_file(context, &path, self.as_user.as_deref())?;
        self.systemd().daemon_reload(context)?;
        Ok(Outcome::of(removed, format!("{path} is gone")))
    }

    fn systemd_problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '.' | '\\' | '@' | '-');
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
        check_foreign(&mut problems, &foreign, "command");
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
        for (at, run) in [
            ("/start", &self.start),
            ("/stop", &self.stop),
            ("/reload", &self.reload),
            ("/restart", &self.restart),
            ("/status", &self.status),
        ] {
            check_run(&mut problems, at, run.as_ref());
        }
        check_env(&mut problems, &self.env);
        check_cwd(&mut problems, self.cwd.as_deref());
        let foreign = [
            ("unit", self.unit.is_some()),
            ("file", self.file.is_some()),
            ("template", self.template.is_some()),
            ("enable", self.enable.is_some()),
        ];
        check_foreign(&mut problems, &foreign, "systemd");
        problems
    }
}

/// Adds a problem for each property that is for the other provider.
fn check_foreign(problems: &mut Vec<Problem>, properties: &[(&str, bool)], provider: &str) {
    for (name, given) in properties {
        if *given {
            let message = format!("`{name}` is for `provider: {provider}` only");
            problems.push(Problem::new(format!("/{name}"), message));
        }
    }
}

fn unit_path(unit: &str) -> String {
    format!("/etc/systemd/system/{unit}")
}

fn unit_file(instance: &Instance<'_, Properties>) -> Result<Option<Step>, Vec<Problem>> {
    let properties = &instance.properties;
    let Some(artifact) = properties.unit_source() else { return Ok(None) };
    if instance.artifact(artifact).is_none() {
        return Err(vec![Problem::new(format!("/{artifact}"), "the release does not have this file")]);
    }
    let summary = format!("Write {}", unit_path(&properties.unit()));
    Ok(Some(Step::of(instance, Phase::Install, WRITE_UNIT, summary)))
}

fn remove_unit_file(instance: &Instance<'_, Properties>) -> Option<Step> {
    let properties = &instance.properties;
    properties.unit_source()?;
    let summary = format!("Remove {}", unit_path(&properties.unit()));
    Some(Step::of(instance, Phase::Remove, REMOVE_UNIT, summary))
}

/// Returns the step that undoes `enable`: while the unit's file, whoever brought it, is still there to say where.
fn disable(instance: &Instance<'_, Properties>) -> Option<Step> {
    let properties = &instance.properties;
    let starts_with_the_machine = properties.provider() == Provider::Systemd && properties.enable != Some(false);
    starts_with_the_machine.then(|| act(Phase::Stop, Action::Disable, instance))
}

fn act(phase: Phase, action: Action, instance: &Instance<'_, Properties>) -> Step {
    let properties = &instance.properties;
    let subject = match properties.provider() {
        Provider::Systemd => properties.unit(),
        Provider::Command => instance.component().to_owned(),
    };
    let verb = match action {
        Action::Start => "Start",
        Action::Stop | Action::TryStop => "Stop",
        Action::Reload => "Reload",
        Action::Enable if properties.enable != Some(false) => "Enable",
        Action::Enable | Action::Disable => "Disable",
    };
    // Twice: a restart may first wait for the stop.
    let timeout = properties.timeout.duration().saturating_mul(2).saturating_add(properties.settle.duration());
    let margin = Span::from_secs(60).duration();
    Step::of(instance, phase, action.as_str(), format!("{verb} {subject}"))
        .timeout(Some(timeout.saturating_add(margin)))
}
