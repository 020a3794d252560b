//! `ssh/command`: runs a command when its definition changes.

use std::collections::BTreeMap;

use launchway_sdk::{
    Change, Command, Context, Exit, Failure, Kind, Outcome, Output, Phase, Problem, Proposal, Report, ResourceResult,
    ResourceStatus, RollbackRule, Run, Setting, Span, Step, Text, Usage, Verdict, tail,
};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shared::{cwd_problem, env_problems, user_problem};

pub(crate) struct RunCommand;

#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct Properties {
    /// What to run: a script for `/bin/sh -eu`, or a list of a program and its arguments.
    run: Run,
    /// Do not run if this succeeds: a script or a list, as for `run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    unless: Option<Run>,
    /// Do not run if this path exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    creates: Option<String>,
    /// What to run when the component is removed: a script or a list, as for `run`. Without it, nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<Run>,
    /// Environment variables; they may hold secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, Text>,
    /// What the command reads on its standard input; it may hold secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin: Option<Text>,
    /// The folder to run in.
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<String>,
    /// Run as this user.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    as_user: Option<String>,
    /// How long the command may take, such as `30s` or `5m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Setting<Span>>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Payload {
    action: Action,
    with: Properties,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    Run,
    Undo,
}

impl Kind for RunCommand {
    type Properties = Properties;
    type Payload = Payload;

    const SUMMARY: &'static str = "Runs a command when its definition changes, and another one when it goes.";
    const USAGE: Usage = Usage::Both;
    // What a command did is rarely undone by running an older one: a migration, say.
    const ON_ROLLBACK: RollbackRule = RollbackRule::Keep;

    fn validate(properties: &Properties) -> Vec<Problem> {
        let mut problems = properties.run.problems("/run");
        problems.extend(properties.unless.iter().flat_map(|run| run.problems("/unless")));
        problems.extend(properties.undo.iter().flat_map(|run| run.problems("/undo")));
        problems.extend(env_problems(&properties.env));
        problems.extend(cwd_problem(properties.cwd.as_deref()));
        problems.extend(properties.as_user.as_deref().and_then(|user| user_problem("/as", user)));
        if properties.creates.as_deref().is_some_and(|path| !path.starts_with('/')) {
            problems.push(Problem::new("/creates", "the path must be absolute"));
        }
        problems
    }

    fn plan(proposal: &Proposal<Properties>) -> Result<Vec<Step<Payload>>, Vec<Problem>> {
        let properties = &proposal.instance().properties;
        Ok(match &proposal.change {
            Change::Delete(_) => undo(properties).into_iter().collect(),
            Change::Create(_) | Change::Update { .. } | Change::Refresh(_) | Change::Act(_) => vec![run(properties)],
        })
    }

    fn apply(context: &Context<'_>, payload: Payload) -> Result<Outcome, Failure> {
        let Payload { action, with } = payload;
        let run = match (action, &with.undo) {
            (Action::Run, _) => &with.run,
            (Action::Undo, Some(undo)) => undo,
            (Action::Undo, None) => return Ok(Outcome::unchanged_with("there is nothing to undo it with")),
        };
        if action == Action::Run
            && let Some(reason) = with.guard(context)?
        {
            return Ok(Outcome::unchanged_with(reason));
        }
        with.verdict(context.exec(&with.command(run))?)?;
        Ok(Outcome::changed_with(format!("ran {run}")))
    }

    fn probe(context: &Context<'_>, payload: Payload) -> Result<Verdict, Failure> {
        if payload.action == Action::Run && payload.with.guard(context)?.is_some() {
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
            return Ok(Report::new("a command without `unless` or `creates` leaves nothing to compare"));
        }
        let (summary, status) = match properties.guard(context)? {
            Some(reason) => (reason, ResourceStatus::Unchanged),
            None => ("it would run again".to_owned(), ResourceStatus::Changed),
        };
        let resource = ResourceResult { name: properties.run.to_string(), status, message: Some(summary.clone()) };
        Ok(Report { summary, resources: vec![resource] })
    }
}

fn run(properties: &Properties) -> Step<Payload> {
    let guarded = properties.unless.is_some() || properties.creates.is_some();
    let payload = Payload { action: Action::Run, with: properties.clone() };
    Step::new(Phase::Start, "run", format!("Run {}", properties.run), payload)
        .idempotent(guarded)
        .timeout(step_timeout(properties))
}

fn undo(properties: &Properties) -> Option<Step<Payload>> {
    let summary = format!("Undo: run {}", properties.undo.as_ref()?);
    let payload = Payload { action: Action::Undo, with: properties.clone() };
    let step = Step::new(Phase::Remove, "undo", summary, payload);
    Some(step.idempotent(false).timeout(step_timeout(properties)))
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
        command.env = self.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
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
        let said = [&output.stdout, &output.stderr].map(|stream| tail(stream.trim_end(), 2_000));
        let said = said.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
        Err(Failure::tool(message).detail(said))
    }
}
