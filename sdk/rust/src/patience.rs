//! Trying again: how often, how long, and how many good answers it takes.

use std::time::Duration;

use serde::Deserialize;

use crate::{Change, Context, Failure, Fault, Outcome, Phase, Problem, Proposal, Report, Setting, Span, Step, Wait};

/// When a check gives up, and when it is content: the properties that all checks have, flattened into their own.
///
/// The host waits between two tries, with a token that says how far the check is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(schemars::JsonSchema))]
pub struct Patience {
    /// How many failed tries are forgiven; as many as fit into the deadline if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    retries: Option<Setting<u32>>,
    /// How long to wait between two tries.
    #[serde(default = "default_interval")]
    interval: Setting<Span>,
    /// How many good answers in a row it takes.
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

fn default_interval() -> Setting<Span> {
    Setting(Span::from_secs(1))
}

fn default_successes() -> Setting<u32> {
    Setting(1)
}

fn default_deadline() -> Setting<Span> {
    Setting(Span::from_secs(60))
}

fn default_timeout() -> Setting<Span> {
    Setting(Span::from_secs(5))
}

/// What became of the tries so far; the token between two of them.
#[derive(PartialEq, Eq, Debug)]
struct Progress {
    tries: u32,
    /// Good answers in a row.
    good: u32,
    failed: u32,
    /// When the first try began, in milliseconds of the step's clock.
    began: u64,
}

impl Progress {
    /// Returns it as a token: four numbers.
    fn token(&self) -> String {
        format!("{} {} {} {}", self.tries, self.good, self.failed, self.began)
    }

    fn read(token: &str) -> Option<Self> {
        let mut words = token.split(' ');
        let mut number = || words.next()?.parse::<u64>().ok();
        let small = |number: u64| u32::try_from(number).ok();
        let (tries, good, failed) = (small(number()?)?, small(number()?)?, small(number()?)?);
        Some(Self { tries, good, failed, began: number()? })
    }
}

/// One try: what was seen, or how it is not as it should be.
pub type Try = Result<Report, Failure>;

impl Patience {
    /// Returns how long one try may take.
    pub fn timeout(self) -> Span {
        self.timeout.0
    }

    /// Makes the first try.
    pub fn first(self, context: &Context<'_>, answer: impl FnOnce() -> Try) -> Result<Outcome, Failure> {
        let began = millis(context.elapsed());
        self.go_on(context, Progress { tries: 0, good: 0, failed: 0, began }, answer)
    }

    /// Makes another try after the host has waited.
    pub fn next(self, context: &Context<'_>, token: &str, answer: impl FnOnce() -> Try) -> Result<Outcome, Failure> {
        let progress = Progress::read(token).ok_or_else(|| Failure::plugin("can't read the token"))?;
        self.go_on(context, progress, answer)
    }

    fn go_on(
        self,
        context: &Context<'_>,
        mut progress: Progress,
        answer: impl FnOnce() -> Try,
    ) -> Result<Outcome, Failure> {
        let answer = answer();
        progress.tries += 1;
        let message = match answer {
            Ok(seen) => {
                progress.good += 1;
                if progress.good >= self.successes.0 {
                    return Ok(Outcome::Unchanged(seen));
                }
                format!("{} ({} of {} times in a row)", seen.summary, progress.good, self.successes.0)
            }
            // Nothing will be better the next time.
            Err(failure) if matches!(failure.fault, Fault::Configuration | Fault::Plugin) => return Err(failure),
            Err(failure) => {
                progress.good = 0;
                progress.failed += 1;
                if self.retries.is_some_and(|retries| progress.failed > retries.0) {
                    return Err(self.given_up(failure, &progress));
                }
                let message = failure.message.clone();
                if self.is_late(context, &progress) {
                    return Err(self.given_up(failure, &progress));
                }
                message
            }
        };
        if self.is_late(context, &progress) {
            return Err(Failure::tool(format!("{message}, and that is too few within {}", self.deadline.0)));
        }
        context.info(&format!("try {}: {message}", progress.tries));
        Ok(Outcome::Pending(Wait { token: progress.token(), after_ms: self.interval.millis(), message }))
    }

    /// Whether the next try would begin after the deadline.
    fn is_late(self, context: &Context<'_>, progress: &Progress) -> bool {
        let spent = millis(context.elapsed()).saturating_sub(progress.began);
        spent.saturating_add(self.interval.millis()) > self.deadline.millis()
    }

    fn given_up(self, failure: Failure, progress: &Progress) -> Failure {
        let message = match progress.tries {
            1 => failure.message,
            tries => format!("{} after {tries} tries", failure.message),
        };
        Failure { message, ..failure }
    }

    /// Returns the one step of a check.
    pub fn step<P>(self, proposal: &Proposal<'_, P>, summary: String) -> Vec<Step> {
        if matches!(proposal.change, Change::Delete(_)) {
            return Vec::new();
        }
        let margin = Duration::from_secs(30);
        let timeout = self.deadline.duration().saturating_add(self.timeout.duration()).saturating_add(margin);
        vec![Step::of(proposal.instance(), Phase::Verify, "check", summary).timeout(Some(timeout))]
    }

    /// Returns what is wrong with it beyond the schema.
    pub fn problems(self) -> Vec<Problem> {
        let zero = [("/interval", self.interval.0), ("/timeout", self.timeout.0)];
        let zero = zero.into_iter().filter(|(_, span)| span.millis() == 0);
        zero.map(|(at, _)| Problem::new(at, "it must be longer than nothing")).collect()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Progress;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        let progress = Progress { tries: 3, good: 1, failed: 2, began: 4_000 };
        assert_eq!(Progress::read(&progress.token()), Some(progress));
        for token in ["", "1 2 3", "a b c d", "99999999999 0 0 0"] {
            assert_eq!(Progress::read(token), None, "{token}");
        }
    }
}
