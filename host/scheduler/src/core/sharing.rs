//! What runs share: the store's answers, and when to ask again.

use std::ops::Range;

use launchway_model::{Answer, Timestamp};

use super::{Core, Mode};
use crate::permits::Answered;
use crate::protocol::{Command, CoreError};

/// How soon what others have is asked for again: each time twice as late, in milliseconds.
pub(super) const RETRY_MS: Range<u64> = 50..500;

impl Core {
    pub(super) fn answered(&mut self, answers: Vec<Answer>, now: Timestamp) -> Result<(), CoreError> {
        for answer in answers {
            match self.permits.answered(answer, now) {
                Answered::Starts(node) => {
                    self.retry_ms = RETRY_MS.start;
                    self.run(node, now)?;
                }
                Answered::Waits(waits) => self.commands.extend(waits.into_iter().map(Command::Tell)),
                Answered::Nothing => {}
            }
        }
        Ok(())
    }

    pub(super) fn retry(&mut self) {
        self.is_retrying = false;
        self.permits.retry();
    }

    /// Passes on what the store is to know, and sees to it that what it denied is asked for again.
    pub(super) fn tell_store(&mut self) {
        if self.mode == Mode::Finished {
            // What the run held ends with it.
            return;
        }
        if let Some(exchange) = self.permits.exchange() {
            self.commands.push(Command::Exchange(exchange));
        }
        if self.permits.waits_for_others() && !self.is_retrying {
            self.is_retrying = true;
            self.commands.push(Command::RetryAfter { ms: self.retry_ms });
            self.retry_ms = (self.retry_ms * 2).min(RETRY_MS.end);
        }
    }
}
