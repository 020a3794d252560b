//! `health/command`: a command on the target ends as it should.

use launchway_sdk::{
    Command, Context, Exit, Failure, Kind, Outcome, Pairs, Patience, Problem, Proposal, Report, Run, RunRule, Step,
    Text, Try, Usage, user_problems,
};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::Deserialize;

pub(crate) struct CommandCheck;

#[derive(Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct Properties {
    /// What to run: a script for `/bin/sh -eu`, or a list of a program and its arguments.
    run: Run,
    /// The exit status that says that all is well.
    #[serde(default)]
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 0, max = 255)))]
    exit: i32,
    /// A text that its standard output must contain.
    #[serde(skip_serializing_if = "Option::is_none")]
    contains: Option<String>,
    /// Environment variables; they may hold secrets.
    #[serde(default)]
    env: Pairs<Text>,
    /// The folder to run in.
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<String>,
    /// Run as this user.
    #[serde(rename = "as")]
    as_user: Option<String>,
    #[serde(flatten)]
    patience: Patience,
}

impl Kind for CommandCheck {
    type Properties = Properties;
    type Payload = Properties;

    const SUMMARY: &'static str = "Checks that a command on the target ends as it should.";
    const USAGE: Usage = Usage::Action;
    const RUN: RunRule = RunRule::WithNeeds;

    fn validate(properties: &Properties) -> Vec<Problem> {
        let mut problems = properties.run.problems("/run");
        if properties.cwd.as_deref().is_some_and(|cwd| !cwd.starts_with('/')) {
            problems.push(Problem::new("/cwd", "the folder must be an absolute path"));
        }
        problems.extend(user_problems("/as", properties.as_user.as_deref()));
        problems.extend(properties.patience.problems());
        problems
    }

    fn plan(proposal: &Proposal<'_, Properties>) -> Result<Vec<Step>, Vec<Problem>> {
        let properties = &proposal.instance().properties;
        Ok(properties.patience.step(proposal, format!("Check by {}", properties.run)))
    }

    fn apply(context: &Context<'_>, check: Properties) -> Result<Outcome, Failure> {
        check.patience.first(context, || check.run(context))
    }

    fn poll(context: &Context<'_>, check: Properties, token: &str) -> Result<Outcome, Failure> {
        check.patience.next(context, token, || check.run(context))
    }
}

impl Properties {
    fn run(&self, context: &Context<'_>) -> Try {
        let timeout = Some(self.patience.timeout().duration());
        let output = context.exec(&Command {
            env: self.env.to_vec(),
            cwd: self.cwd.clone(),
            ..self.run.command().as_user(self.as_user.as_deref()).timeout(timeout)
        })?;
        let message = match &output.exit {
            Exit::Code(code) if *code != self.exit => format!("exited with {code} instead of {}", self.exit),
            Exit::Code(code) => match &self.contains {
                Some(text) if !output.stdout.contains(text.as_str()) => format!("printed no `{text}`"),
                _ => return Ok(Report::new(format!("exited with {code}"))),
            },
            Exit::Signal(signal) => format!("was killed by signal {signal}"),
            Exit::TimedOut => format!("did not end within {}", self.patience.timeout()),
        };
        Err(Failure::tool(message).detail(output.said()))
    }
}
