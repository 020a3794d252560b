//! A service that systemd runs.

use launchway_sdk::{Command, Context, Exit, Failure, Outcome, Output, ResourceResult};

use crate::service::Action;
use crate::shared::{Look, missing};
use crate::waiting::{Patience, Stage, Waiting};

/// A unit, and how it is treated.
pub(crate) struct Systemd {
    pub(crate) unit: String,
    pub(crate) enable: bool,
    pub(crate) as_user: Option<String>,
    pub(crate) patience: Patience,
}

/// What systemd says of a unit.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct State {
    load: String,
    active: String,
    sub: String,
    result: String,
    kind: String,
    can_reload: bool,
    restarts: u64,
    enabled: String,
}

impl Systemd {
    pub(crate) fn apply(&self, context: &Context<'_>, action: Action) -> Result<Outcome, Failure> {
        match action {
            Action::Start => {
                self.set_enabled(context)?;
                self.start(context)
            }
            Action::Stop | Action::TryStop => self.stop(context),
            Action::Reload => self.reload(context),
            Action::Enable => {
                self.set_enabled(context)?;
                Ok(Outcome::changed_with(if self.enable { "enabled" } else { "disabled" }))
            }
            Action::Disable => self.disable(context),
        }
    }

    pub(crate) fn poll(&self, context: &Context<'_>, token: &str) -> Result<Outcome, Failure> {
        self.wait(context, Waiting::from_token(token)?)
    }

    /// Makes systemd read its units again.
    pub(crate) fn daemon_reload(&self, context: &Context<'_>) -> Result<(), Failure> {
        self.systemctl(context, &["daemon-reload"]).map(|_| ())
    }

    /// Compares what systemd says with what is wanted.
    pub(crate) fn look(&self, context: &Context<'_>) -> Result<ResourceResult, Failure> {
        let state = self.state(context)?;
        if state.load == "not-found" {
            return Ok(missing(self.unit.clone()));
        }
        let mut look = Look::default();
        let ran = state.kind == "oneshot" && state.result == "success" && state.active == "inactive";
        if !ran && !matches!(state.active.as_str(), "active" | "reloading") {
            look.differs(&format!("it is {} ({}) instead of active", state.active, state.sub));
        }
        // Only one of the two is what was asked for; `static`, `indirect` and their like are neither.
        match (state.enabled.as_str(), self.enable) {
            ("disabled", true) => look.differs("it does not start with the machine"),
            ("enabled", false) => look.differs("it starts with the machine"),
            _ => {}
        }
        Ok(look.result(self.unit.clone()))
    }

    fn set_enabled(&self, context: &Context<'_>) -> Result<(), Failure> {
        let verb = if self.enable { "enable" } else { "disable" };
        self.systemctl(context, &[verb, "--quiet", "--", &self.unit]).map(|_| ())
    }

    fn disable(&self, context: &Context<'_>) -> Result<Outcome, Failure> {
        if self.state(context)?.load == "not-found" {
            return Ok(self.absent());
        }
        self.systemctl(context, &["disable", "--quiet", "--", &self.unit])?;
        Ok(Outcome::changed_with("disabled"))
    }

    fn absent(&self) -> Outcome {
        Outcome::unchanged_with(format!("there is no unit {}", self.unit))
    }

    fn start(&self, context: &Context<'_>) -> Result<Outcome, Failure> {
        let waiting = Waiting::new(context, Stage::Start);
        // A unit that failed too often would be refused; one that never ran has nothing to reset.
        let reset = Command::new(&["systemctl", "reset-failed", "--", &self.unit]);
        context.exec(&reset.as_user(self.as_user.as_deref()).quiet())?;
        let output = context.exec(&self.command(&["restart", "--", &self.unit]))?;
        if let Err(failure) = checked(output, "systemctl restart") {
            return Err(self.explained(context, failure));
        }
        self.wait(context, waiting)
    }

    fn stop(&self, context: &Context<'_>) -> Result<Outcome, Failure> {
        let state = self.state(context)?;
        if state.load == "not-found" && state.active != "active" {
            return Ok(self.absent());
        }
        let was_up = state.active != "inactive" && state.active != "failed";
        self.systemctl(context, &["stop", "--", &self.unit])?;
        Ok(Outcome::of(was_up, "it is down"))
    }

    fn reload(&self, context: &Context<'_>) -> Result<Outcome, Failure> {
        let state = self.state(context)?;
        if state.active != "active" {
            context.warn("it is down: starting it instead of reloading it");
            return self.start(context);
        }
        if !state.can_reload {
            return Err(Failure::configuration(format!(
                "{} can't reload; subscribe with `restart`, or give the unit an ExecReload",
                self.unit
            )));
        }
        self.systemctl(context, &["reload", "--", &self.unit])?;
        self.wait(context, Waiting::new(context, Stage::Start))
    }

    /// Looks once whether it is up, and has been so for long enough.
    fn wait(&self, context: &Context<'_>, mut waiting: Waiting) -> Result<Outcome, Failure> {
        let state = self.state(context)?;
        let over = waiting.is_over(context, self.patience);
        match state.active.as_str() {
            "active" | "reloading" => {
                if waiting.is_settled(context, self.patience, state.restarts) {
                    return Ok(Outcome::changed_with("it is up"));
                }
                if over {
                    return Err(self.explained(context, Failure::tool("it does not stay up")));
                }
            }
            "inactive" if state.kind == "oneshot" && state.result == "success" => {
                return Ok(Outcome::changed_with("it ran to its end"));
            }
            "activating" | "deactivating" if !over => waiting.is_down(),
            "activating" | "deactivating" => {
                let message = if waiting.was_up() || state.restarts > 0 || state.sub == "auto-restart" {
                    "it dies again and again".to_owned()
                } else {
                    format!("it is not up after {}", self.patience.timeout)
                };
                return Err(self.explained(context, Failure::tool(message)));
            }
            _ if state.load == "not-found" => {
                return Err(Failure::configuration(format!("there is no unit {}", self.unit)));
            }
            _ => {
                let how = if waiting.was_up() { "it came up and died" } else { "it did not come up" };
                return Err(self.explained(context, Failure::tool(format!("{how} ({})", state.result))));
            }
        }
        waiting.pending(self.patience, &format!("{} ({})", state.active, state.sub))
    }

    fn state(&self, context: &Context<'_>) -> Result<State, Failure> {
        const WANTED: &str = "--property=LoadState,ActiveState,SubState,Result,Type,CanReload,NRestarts,UnitFileState";
        let output = context.exec(&Command::new(&["systemctl", "show", WANTED, "--", &self.unit]).quiet())?;
        Ok(State::read(&checked(output, "systemctl show")?.stdout))
    }

    /// Adds what systemd and the journal say of the unit.
    fn explained(&self, context: &Context<'_>, failure: Failure) -> Failure {
        const SCRIPT: &str = "systemctl status --no-pager --full --lines=0 -- \"$1\" 2>&1 || :\n\
            journalctl --no-pager --quiet --output=short-iso --lines=20 --unit=\"$1\" 2>&1 || :";
        let question = Command::script(SCRIPT).args([self.unit.as_str()]).as_user(self.as_user.as_deref()).quiet();
        match context.exec(&question) {
            Ok(output) if !output.stdout.trim().is_empty() => failure.detail(output.stdout),
            _ => failure,
        }
    }

    fn systemctl(&self, context: &Context<'_>, words: &[&str]) -> Result<Output, Failure> {
        checked(context.exec(&self.command(words))?, &format!("systemctl {}", words.first().unwrap_or(&"")))
    }

    fn command(&self, words: &[&str]) -> Command {
        // It must never ask for a password: nobody is there to answer.
        let command = Command::new(&["systemctl", "--no-ask-password"]).args(words.iter().copied());
        command.as_user(self.as_user.as_deref()).timeout(Some(self.patience.timeout.duration()))
    }
}

fn checked(output: Output, what: &str) -> Result<Output, Failure> {
    const HINT: &str = "a service that systemd does not run takes `provider: command`";
    if output.exit == Exit::Code(127) {
        return Err(Failure::target("systemctl is not installed on this target").detail(HINT));
    }
    const ABSENT: [&str; 2] = ["System has not been booted with systemd", "Failed to connect to bus"];
    if output.stderr.lines().any(|line| ABSENT.iter().any(|text| line.starts_with(text))) {
        return Err(Failure::target("systemd does not run on this target").detail(HINT));
    }
    output.check(what)
}

impl State {
    fn read(text: &str) -> Self {
        let mut state = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            let field = match key {
                "LoadState" => &mut state.load,
                "ActiveState" => &mut state.active,
                "SubState" => &mut state.sub,
                "Result" => &mut state.result,
                "Type" => &mut state.kind,
                "UnitFileState" => &mut state.enabled,
                "CanReload" => {
                    state.can_reload = value == "yes";
                    continue;
                }
                "NRestarts" => {
                    state.restarts = value.parse().unwrap_or(0);
                    continue;
                }
                _ => continue,
            };
            value.clone_into(field);
        }
        state
    }
}
