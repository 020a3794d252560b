//! A service that commands of its own start and stop.

use launchway_sdk::{Command, Context, Failure, Fault, Outcome, Pairs, Run, Text};

use crate::service::Action;
use crate::waiting::{Patience, Stage, Waiting};

/// A service's commands, and how it is treated.
pub(crate) struct Commands<'a> {
    pub(crate) start: Option<&'a Run>,
    pub(crate) stop: Option<&'a Run>,
    pub(crate) reload: Option<&'a Run>,
    pub(crate) restart: Option<&'a Run>,
    pub(crate) status: Option<&'a Run>,
    pub(crate) env: &'a Pairs<Text>,
    pub(crate) cwd: Option<&'a str>,
    pub(crate) as_user: Option<&'a str>,
    pub(crate) patience: Patience,
}

impl Commands<'_> {
    /// Whether the service is up; none where nothing tells.
    pub(crate) fn is_up(&self, context: &Context<'_>) -> Result<Option<bool>, Failure> {
        let Some(status) = self.status else { return Ok(None) };
        Ok(Some(context.exec(&self.command(status).quiet())?.success()))
    }

    fn command(&self, run: &Run) -> Command {
        let mut command = run.command().as_user(self.as_user);
        command.env = self.env.to_vec();
        command.cwd = self.cwd.map(str::to_owned);
        command
    }

    pub(crate) fn apply(&self, context: &Context<'_>, action: Action) -> Result<Outcome, Failure> {
        let is_up = self.is_up(context)?;
        match action {
            Action::Start if is_up == Some(true) => self.restart(context),
            Action::Start => self.start(context),
            Action::Stop if is_up == Some(false) => Ok(Outcome::unchanged_with("it was down")),
            Action::Stop => {
                self.run(context, self.stop, "stop")?;
                self.wait(context, Waiting::new(context, Stage::Stop))
            }
            Action::TryStop => match self.run(context, self.stop, "stop") {
                Ok(()) => Ok(Outcome::changed_with("stopped")),
                Err(failure) if failure.fault == Fault::Tool => {
                    context.warn(&format!("{}; it may have been down", failure.message));
                    Ok(Outcome::unchanged_with("it may have been down"))
                }
                Err(failure) => Err(failure),
            },
            Action::Reload if is_up == Some(false) => {
                context.warn("it is down: starting it instead of reloading it");
                self.start(context)
            }
            Action::Reload => {
                self.run(context, self.reload, "reload")?;
                self.wait(context, Waiting::new(context, Stage::Start))
            }
            Action::Enable | Action::Disable => Ok(Outcome::unchanged_with("only systemd starts it with the machine")),
        }
    }

    pub(crate) fn poll(&self, context: &Context<'_>, token: &str) -> Result<Outcome, Failure> {
        self.wait(context, Waiting::from_token(token)?)
    }

    fn start(&self, context: &Context<'_>) -> Result<Outcome, Failure> {
        self.run(context, self.start, "start")?;
        self.wait(context, Waiting::new(context, Stage::Start))
    }

    fn restart(&self, context: &Context<'_>) -> Result<Outcome, Failure> {
        if self.restart.is_some() {
            self.run(context, self.restart, "restart")?;
            return self.wait(context, Waiting::new(context, Stage::Start));
        }
        self.run(context, self.stop, "stop")?;
        self.wait(context, Waiting::new(context, Stage::StopToStart))
    }

    /// Looks once whether it is where it shall be.
    fn wait(&self, context: &Context<'_>, mut waiting: Waiting) -> Result<Outcome, Failure> {
        let Some(is_up) = self.is_up(context)? else {
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

    fn run(&self, context: &Context<'_>, run: Option<&Run>, name: &str) -> Result<(), Failure> {
        let Some(run) = run else {
            return Err(Failure::configuration(format!("`{name}` is missing")));
        };
        let command = self.command(run).timeout(Some(self.patience.timeout.duration()));
        context.exec(&command)?.check(&format!("`{name}`")).map(|_| ())
    }

    /// Adds what `status` printed.
    fn explained(&self, context: &Context<'_>, failure: Failure) -> Failure {
        let Some(status) = self.status else { return failure };
        match context.exec(&self.command(status).quiet()) {
            Ok(output) => failure.detail(output.said()),
            Err(_) => failure,
        }
    }
}
