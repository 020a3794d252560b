//! `ssh/command`: runs a command when its definition changes.

use launchway_sdk::{
    Change, Command, Context, Exit, Failure, Instance, Kind, Outcome, Output, Pairs, Phase, Problem, Proposal, Report,
    ResourceResult, ResourceStatus, RollbackRule, Run, Setting, Span, Step, Text, Usage, Verdict, user_problems,
};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::Deserialize;

use crate::shared::{check_cwd, check_env, check_run};

pub(crate) struct RunCommand;

#[derive(Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct Properties {
    /// What to run: a script for `/bin/sh -eu`, or a list of a program and its arguments.
    run: Run,
    /// Do not run if this succeeds; as for `run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    unless: Option<Run>,
    /// Do not run if this path exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    creates: Option<String>,
    /// What to run when the component is removed, as for `run`; nothing if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<Run>,
    /// Environment variables; they may hold secrets.
    #[serde(default)]
    env: Pairs<Text>,
    /// Its standard input; it may hold secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin: Option<Text>,
    /// The folder to run in.
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<String>,
    /// Named locks to hold: in one store, one step at a time has each.
    // A list, as the schema says; read by code that is there already.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_family = "wasm"), schemars(with = "Option<Locks>"))]
    locks: Option<Run>,
    /// Run as this user.
    #[serde(rename = "as")]
    as_user: Option<String>,
    /// How long it may take, such as `30s` or `5m`; 10m if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Setting<Span>>,
}

/// What `locks` may be.
#[cfg(not(target_family = "wasm"))]
struct Locks;

#[cfg(not(target_family = "wasm"))]
impl JsonSchema for Locks {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Locks".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "array", "items": { "type": "string" }, "trigger": false })
    }
}

impl Kind for RunCommand {
    type Properties = Properties;
    type Payload = Properties;

    const SUMMARY: &'static str = "Runs a command when its definition changes, and another one when it goes.";
    const USAGE: Usage = Usage::Both;
    // What a command did is rarely undone by running an older one: a migration, say.
    const ON_ROLLBACK: RollbackRule = RollbackRule::Keep;

    fn validate(properties: &Properties) -> Vec<Problem> {
        let mut problems = properties.run.problems("/run");
        check_run(&mut problems, "/unless", properties.unless.as_ref());
        check_run(&mut problems, "/undo", properties.undo.as_ref());
        check_env(&mut problems, &properties.env);
        check_cwd(&mut problems, properties.cwd.as_deref());
        problems.extend(user_problems("/as", properties.as_user.as_deref()));
        if properties.creates.as_deref().is_some_and(|path| !path.starts_with('/')) {
            problems.push(Problem::new("/creates", "the path must be absolute"));
        }
        problems
    }

    fn plan(proposal: &Proposal<'_, Properties>) -> Result<Vec<Step>, Vec<Problem>> {
        Ok(match &proposal.change {
            Change::Delete(_) => undo(proposal.instance()).into_iter().collect(),
            // What has run has nothing to restart.
            _ if proposal.is_only_asked() => Vec::new(),
            Change::Create(_) | Change::Update { .. } | Change::Refresh(_) | Change::Act(_) => {
                vec![run(proposal.instance())]
            }
        })
    }

    fn apply(context: &Context<'_>, properties: Properties) -> Result<Outcome, Failure> {
        let run = match (context.step_name(), &properties.undo) {
            ("run", _) => &properties.run,
            ("undo", Some(undo)) => undo,
            _ => return Err(context.unknown_step()),
        };
        if context.step_name() == "run"
            && let Some(reason) = properties.guard(context)?
        {
            return Ok(Outcome::unchanged_with(reason));
        }
        properties.verdict(context.exec(&properties.command(run))?)?;
        Ok(Outcome::changed_with(format!("ran {run}")))
    }

    fn probe(context: &Context<'_>, properties: Properties) -> Result<Verdict, Failure> {
        if context.step_name() == "run" && properties.guard(context)?.is_some() {
            return Ok(Verdict::Done);
        }
        Ok(if context.is_idempotent() {
            Verdict::SafeToRerun
        } else {
            Verdict::CannotTell("the command may have run; `unless` or `creates` would tell".to_owned())
        })
    }

    fn inspect(context: &Context<'_>, properties: Properties) -> Result<Report, Failure> {
        if properties.unless.is_none() && properties.creates.is_none() {
            return Ok(Report::new("without `unless` or `creates` there is nothing to compare"));
        }
        let (summary, status) = match properties.guard(context)? {
            Some(reason) => (reason, ResourceStatus::Unchanged),
            // Its guard says that it did not run: to who takes things over, it is not there.
            None => ("it would run again".to_owned(), ResourceStatus::Failed),
        };
        let resource = ResourceResult { name: properties.run.to_string(), status, message: Some(summary.clone()) };
        Ok(Report { summary, resources: vec![resource] })
    }
}

fn run(instance: &Instance<'_, Properties>) -> Step {
    let properties = &instance.properties;
    let guarded = properties.unless.is_some() || properties.creates.is_some();
    step(instance, Phase::Start, "run", format!("Run {}", properties.run), guarded)
}

fn undo(instance: &Instance<'_, Properties>) -> Option<Step> {
    let properties = &instance.properties;
    let summary = format!("Undo: run {}", properties.undo.as_ref()?);
    Some(step(instance, Phase::Remove, "undo", summary, false))
}

fn step(instance: &Instance<'_, Properties>, phase: Phase, name: &str, summary: String, idempotent: bool) -> Step {
    let properties = &instance.properties;
    Step::of(instance, phase, name, summary).idempotent(idempotent).timeout(step_timeout(properties)).locks(
        match &properties.locks {
            Some(Run::Program(names)) => names.clone(),
            _ => Vec::new(),
        },
    )
}

/// Leaves the guards and the connection their time: the command itself is bounded by `timeout`.
fn step_timeout(properties: &Properties) -> Option<std::time::Duration> {
    const MARGIN: Span = Span::from_secs(60);
    Some(properties.timeout?.duration().saturating_mul(2).saturating_add(MARGIN.duration()))
}

impl Properties {
    fn command(&self, run: &Run) -> Command {
        let mut command =
            run.command().as_user(self.as_user.as_deref()).timeout(self.timeout.map(|timeout| timeout.duration()));
        command.env = self.env.to_vec();
        command.cwd = self.cwd.clone();
        command.stdin = self.stdin.clone().unwrap_or_default();
        command
    }

    /// Returns why there is nothing to run.
    fn guard(&self, context: &Context<'_>) -> Result<Option<String>, Failure> {
        if let Some(path) = &self.creates
            && context.stat(path, self.as_user.as_deref())?.is_some()
        {
            return Ok(Some(format!("{path} is there")));
        }
        let Some(unless) = &self.unless else { return Ok(None) };
        let mut question = self.command(unless).quiet();
        question.stdin = Text::default();
        let output = context.exec(&question)?;
        match output.exit {
            Exit::Code(0) => Ok(Some(format!("`unless` succeeded: {unless}"))),
            Exit::Code(_) => Ok(None),
            Exit::Signal(_) | Exit::TimedOut => output.check("`unless`").map(|_| None),
        }
    }

    /// Returns the failure for a command that did not end well.
    fn verdict(&self, output: Output) -> Result<(), Failure> {
        let message = match &output.exit {
            Exit::Code(0) => return Ok(()),
            Exit::Code(code) => format!("exited with {code}"),
            Exit::Signal(signal) => format!("was killed by signal {signal}"),
            Exit::TimedOut => match self.timeout {
                Some(timeout) => format!("did not end within {}", timeout.0),
                None => "did not end in time".to_owned(),
            },
        };
        Err(Failure::tool(message).detail(output.said()))
    }
}
