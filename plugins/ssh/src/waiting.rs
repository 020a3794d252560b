//! Waiting for a service, as a token that survives a crash of the host.

use std::time::Duration;

use launchway_sdk::{Context, Failure, Outcome, Wait};

/// How far a start or a stop is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Waiting {
    pub(crate) stage: Stage,
    /// When the waiting began, in milliseconds of the step's clock.
    began: u64,
    /// Since when the service has been up without a break.
    up_since: Option<u64>,
    /// How often its supervisor had restarted it then.
    restarts: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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

    /// Returns it as a token: four words.
    fn token(&self) -> String {
        let stage = match self.stage {
            Stage::Stop => "stop",
            Stage::StopToStart => "stop-to-start",
            Stage::Start => "start",
        };
        let up_since = self.up_since.map_or_else(|| "-".to_owned(), |since| since.to_string());
        format!("{stage} {} {up_since} {}", self.began, self.restarts)
    }

    pub(crate) fn from_token(token: &str) -> Result<Self, Failure> {
        Self::read(token).ok_or_else(|| Failure::plugin("can't read the token"))
    }

    fn read(token: &str) -> Option<Self> {
        let mut words = token.split(' ');
        let stage = match words.next()? {
            "stop" => Stage::Stop,
            "stop-to-start" => Stage::StopToStart,
            "start" => Stage::Start,
            _ => return None,
        };
        let began = words.next()?.parse().ok()?;
        let up_since = match words.next()? {
            "-" => None,
            since => Some(since.parse().ok()?),
        };
        Some(Self { stage, began, up_since, restarts: words.next()?.parse().ok()? })
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
        // At least twice while it settles.
        let after_ms = (patience.settle.millis() / 2).clamp(100, 1_000);
        Ok(Outcome::Pending(Wait { token: self.token(), after_ms, message: message.to_owned() }))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Stage, Waiting};

    #[test]
    fn a_token_is_read_as_it_was_written() {
        for (stage, up_since) in [(Stage::Stop, None), (Stage::StopToStart, None), (Stage::Start, Some(7))] {
            let waiting = Waiting { stage, began: 5, up_since, restarts: 2 };
            assert_eq!(Waiting::read(&waiting.token()), Some(waiting));
        }
        for token in ["", "start", "start 1", "start 1 x 0", "wait 1 - 0"] {
            assert_eq!(Waiting::read(token), None, "{token}");
        }
    }
}
