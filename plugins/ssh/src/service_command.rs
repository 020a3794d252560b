//! A service that commands of its own start and stop.

use std::collections::BTreeMap;

use launchway_sdk::{Command, Context, Failure, Outcome, Run, Text, tail};
use serde::{Deserialize, Serialize};

use crate::service::Action;
use crate::waiting::{Patience, Stage, Waiting};

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Payload {
    pub(crate) action: Action,
    pub(crate) commands: Commands,
    pub(crate) patience: Patience,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Commands {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start: Option<Run>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stop: Option<Run>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reload: Option<Run>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restart: Option<Run>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<Run>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) env: BTreeMap<String, Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cwd: Option<String>,
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub(crate) as_user: Option<String>,
}

impl Commands {
    /// Whether the service is up; none where nothing tells.
    pub(crate) fn is_up(&self, context: &Context<'_>) -> Result<Option<bool>, Failure> {
        let Some(status) = &self.status else { return Ok(None) };
        Ok(Some(context.exec(&self.command(status).quiet())?.success()))
    }

    fn command(&self, run: &Run) -> Command {
        let mut command = run.command().as_user(self.as_user.as_deref());
        command.env = self.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        command.cwd = self.cwd.clone();
        command
    }
}

impl Payload {
    pub(crate) fn apply(&self, context: &Context<'_>) -> Result<Outcome, Failure> {
        let is_up = self.commands.is_up(context)?;
        match self.action {
            Action::Start if is_up == Some(true) => self.restart(context),
            Action::Start => self.start(context),
            Action::Stop if is_up == Some(false) => Ok(Outcome::unchanged_with("it was down")),
            Action::Stop => {
                self.run(context, &self.commands.stop, "stop")?;
                self.wait(context, Waiting::new(context, Stage::Stop))
            }
            Action::Reload if is_up == Some(false) => {
                context.warn("it is down: starting it instead of reloading it");
                self.start(context)
            }
            Action::Reload => {
                self.run(context, &self.commands.reload, "reload")?;
                self.wait(context, Waiting::new(context, Stage::Start))
            }
            Action::Enable => Ok(Outcome::unchanged_with("only systemd starts it with the machine")),
        }
    }

    pub(crate) fn poll(&self, context: &Context<'_>, token: &str) -> Result<Outcome, Failure> {
        self.wait(context, Waiting::from_token(token)?)
    }

    fn start(&self, context: &Context<'_>) -> Result<Outcome, Failure> {
        self.run(context, &self.commands.start, "start")?;
        self.wait(context, Waiting::new(context, Stage::Start))
    }

    fn restart(&self, context: &Context<'_>) -> Result<Outcome, Failure> {
        if self.commands.restart.is_some() {
            self.run(context, &self.commands.restart, "restart")?;
            return self.wait(context, Waiting::new(context, Stage::Start));
        }
        self.run(context, &self.commands.stop, "stop")?;
        self.wait(context, Waiting::new(context, Stage::StopToStart))
    }

    /// Looks once whether it is where it shall be.
    fn wait(&self, context: &Context<'_>, mut waiting: Waiting) -> Result<Outcome, Failure> {
        let Some(is_up) = self.commands.is_up(context)? else {
            return match waiting.stage {
                Stage::Stop => Ok(Outcome::changed_with("stopped")),
                Stage::StopToStart => self.start(context),
                Stage::Start => Ok(Outcome::changed_with("started; without `status` nobody knows whether it is up")),
            };
        };
        let over = waiting.is_over(context, self.patience);
        match (waiting.stage, is_up) {
            (Stage::Stop, false) => return Ok(Outcome::changed_with("it is down")),
            (Stage::StopToStart, false) => return self.start(context),
            (Stage::Start, true) if waiting.is_settled(context, self.patience, 0) => {
                return Ok(Outcome::changed_with("it is up"));
            }
            (Stage::Start, false) if waiting.was_up() => {
                return Err(self.explained(context, Failure::tool("it came up and died")));
            }
            (Stage::Stop | Stage::StopToStart, true) if over => {
                let message = format!("it is still up {} after it was told to stop", self.patience.timeout);
                return Err(self.explained(context, Failure::tool(message)));
            }
            (Stage::Start, false) if over => {
                let message = format!("it is not up after {}", self.patience.timeout);
                return Err(self.explained(context, Failure::tool(message)));
            }
            _ => {}
        }
        waiting.pending(self.patience, if is_up { "it is up" } else { "it is down" })
    }

    fn run(&self, context: &Context<'_>, run: &Option<Run>, name: &str) -> Result<(), Failure> {
        let Some(run) = run else {
            return Err(Failure::configuration(format!("`{name}` is missing")));
        };
        let command = self.commands.command(run).timeout(Some(self.patience.timeout.duration()));
        context.exec(&command)?.check(&format!("`{name}`")).map(|_| ())
    }

    /// Adds what `status` printed.
    fn explained(&self, context: &Context<'_>, failure: Failure) -> Failure {
        let Some(status) = &self.commands.status else { return failure };
        match context.exec(&self.commands.command(status).quiet()) {
            Ok(output) => {
                let said = [&output.stdout, &output.stderr].map(|stream| tail(stream.trim_end(), 2_000));
                failure.detail(said.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n"))
            }
            Err(_) => failure,
        }
    }
}
