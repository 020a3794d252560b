//! Waiting for a service, as a token that survives a crash of the host.

use std::time::Duration;

use launchway_sdk::{Context, Failure, Outcome, Wait};
use serde::{Deserialize, Serialize};

/// How far a start or a stop is.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub(crate) stage: Stage,
    /// When the waiting began, in milliseconds of the step's clock.
    began: u64,
    /// Since when the service has been up without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    up_since: Option<u64>,
    /// How often its supervisor had restarted it then.
    #[serde(default)]
    restarts: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    /// Until it is down; then the step is done.
    Stop,
    /// Until it is down; then it is started.
    StopToStart,
    /// Until it is up and stays up.
    Start,
}

/// How long a service may take, and how long it has to stay up.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) settle: launchway_sdk::Span,
    pub(crate) timeout: launchway_sdk::Span,
}

impl Waiting {
    pub(crate) fn new(context: &Context<'_>, stage: Stage) -> Self {
        Self { stage, began: millis(context.elapsed()), up_since: None, restarts: 0 }
    }

    pub(crate) fn from_token(token: &str) -> Result<Self, Failure> {
        launchway_sdk::from_json(token).map_err(|error| Failure::plugin(format!("can't read the token: {error}")))
    }

    /// Whether the service has taken too long.
    pub(crate) fn is_over(&self, context: &Context<'_>, patience: Patience) -> bool {
        millis(context.elapsed()).saturating_sub(self.began) >= patience.timeout.millis()
    }

    /// Notes that the service is up; says whether it has been so for long enough.
    pub(crate) fn is_settled(&mut self, context: &Context<'_>, patience: Patience, restarts: u64) -> bool {
        let now = millis(context.elapsed());
        match self.up_since {
            Some(since) if restarts == self.restarts => now.saturating_sub(since) >= patience.settle.millis(),
            _ => {
                (self.up_since, self.restarts) = (Some(now), restarts);
                patience.settle.millis() == 0
            }
        }
    }

    /// Notes that the service is not up.
    pub(crate) fn is_down(&mut self) {
        self.up_since = None;
    }

    pub(crate) fn was_up(&self) -> bool {
        self.up_since.is_some()
    }

    /// Returns the outcome that asks the host to come back.
    pub(crate) fn pending(&self, patience: Patience, message: &str) -> Result<Outcome, Failure> {
        let token =
            serde_json::to_string(self).map_err(|error| Failure::plugin(format!("can't write the token: {error}")))?;
        // At least twice while it settles.
        let after_ms = (patience.settle.millis() / 2).clamp(100, 1_000);
        Ok(Outcome::Pending(Wait { token, after_ms, message: message.to_owned() }))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
