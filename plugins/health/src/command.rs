//! `health/command`: a command on the target ends as it should.

use std::collections::BTreeMap;

use launchway_sdk::{
    Command, Context, Exit, Failure, Kind, Outcome, Problem, Proposal, Run, RunRule, Setting, Span, Step, Text, Usage,
    tail,
};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::patience::{Patience, Try, default_deadline, default_interval, default_successes, default_timeout};

pub(crate) struct CommandCheck;

#[derive(Clone, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct Properties {
    /// What to run: a script for `/bin/sh -eu`, or a list of a program and its arguments.
    run: Run,
    /// The exit status that says that all is well.
    #[serde(default)]
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 0, max = 255)))]
    exit: i32,
    /// A text that its standard output must contain.
    contains: Option<String>,
    /// Environment variables; they may hold secrets.
    #[serde(default)]
    env: BTreeMap<String, Text>,
    /// The folder to run in.
    cwd: Option<String>,
    /// Run as this user.
    #[serde(rename = "as")]
    as_user: Option<String>,
    /// How many failed tries are forgiven; as many as fit into the deadline if not given.
    retries: Option<Setting<u32>>,
    /// How long to wait between two tries.
    #[serde(default = "default_interval")]
    interval: Setting<Span>,
    /// How many good runs in a row it takes.
    #[serde(default = "default_successes")]
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 1)))]
    successes: Setting<u32>,
    /// How long it may take in total.
    #[serde(default = "default_deadline")]
    deadline: Setting<Span>,
    /// How long one try may take.
    #[serde(default = "default_timeout")]
    timeout: Setting<Span>,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Payload {
    run: Run,
    exit: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contains: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cwd: Option<String>,
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    as_user: Option<String>,
    patience: Patience,
}

impl Kind for CommandCheck {
    type Properties = Properties;
    type Payload = Payload;

    const SUMMARY: &'static str = "Checks that a command on the target ends as it should.";
    const USAGE: Usage = Usage::Action;
    const RUN: RunRule = RunRule::WithNeeds;

    fn validate(properties: &Properties) -> Vec<Problem> {
        let mut problems = properties.run.problems("/run");
        if properties.cwd.as_deref().is_some_and(|cwd| !cwd.starts_with('/')) {
            problems.push(Problem::new("/cwd", "the folder must be an absolute path"));
        }
        problems.extend(properties.patience().problems());
        problems
    }

    fn plan(proposal: &Proposal<Properties>) -> Result<Vec<Step<Payload>>, Vec<Problem>> {
        let properties = &proposal.instance().properties;
        let patience = properties.patience();
        let payload = Payload {
            run: properties.run.clone(),
            exit: properties.exit,
            contains: properties.contains.clone(),
            env: properties.env.clone(),
            cwd: properties.cwd.clone(),
            as_user: properties.as_user.clone(),
            patience,
        };
        Ok(patience.step(proposal, format!("Check by {}", properties.run), payload))
    }

    fn apply(context: &Context<'_>, payload: Payload) -> Result<Outcome, Failure> {
        payload.patience.first(context, || payload.run(context))
    }

    fn poll(context: &Context<'_>, payload: Payload, token: &str) -> Result<Outcome, Failure> {
        payload.patience.next(context, token, || payload.run(context))
    }
}

impl Properties {
    fn patience(&self) -> Patience {
        Patience {
            retries: self.retries.map(|retries| retries.0),
            interval: self.interval.0,
            successes: self.successes.0,
            deadline: self.deadline.0,
            timeout: self.timeout.0,
        }
    }
}

impl Payload {
    fn run(&self, context: &Context<'_>) -> Try {
        let timeout = Some(self.patience.timeout.duration());
        let output = context.exec(&Command {
            env: self.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            cwd: self.cwd.clone(),
            ..self.run.command().as_user(self.as_user.as_deref()).timeout(timeout)
        })?;
        let message = match &output.exit {
            Exit::Code(code) if *code != self.exit => format!("exited with {code} instead of {}", self.exit),
            Exit::Code(code) => match &self.contains {
                Some(text) if !output.stdout.contains(text.as_str()) => format!("printed no `{text}`"),
                _ => return Ok(format!("exited with {code}")),
            },
            Exit::Signal(signal) => format!("was killed by signal {signal}"),
            Exit::TimedOut => format!("did not end within {}", self.patience.timeout),
        };
        let said = [&output.stdout, &output.stderr].map(|stream| tail(stream.trim_end(), 2_000));
        let said = said.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n");
        Err(Failure::tool(message).detail(said))
    }
}
