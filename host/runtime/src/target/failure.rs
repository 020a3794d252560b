//! Failures that more than one part of this module tells of.

use launchway_model::{Failure, Fault};

/// How much of a tool's words goes into a failure's detail, in bytes.
const DETAIL_LIMIT: usize = 4096;

/// Begins a failure that trying again won't cure.
pub(crate) fn failure(fault: Fault, message: impl Into<String>) -> Failure {
    Failure { fault, message: message.into(), detail: None, hint: None, retryable: false }
}

pub(crate) trait FailureExt {
    fn hint(self, hint: impl Into<String>) -> Self;
    /// Adds what a tool said, if it said anything.
    fn detail(self, said: &[u8]) -> Self;
    fn retryable(self) -> Self;
}

impl FailureExt for Failure {
    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    fn detail(self, said: &[u8]) -> Self {
        let end = &said[said.len().saturating_sub(DETAIL_LIMIT)..];
        let text = String::from_utf8_lossy(end).trim().to_owned();
        Self { detail: (!text.is_empty()).then_some(text), ..self }
    }

    fn retryable(self) -> Self {
        Self { retryable: true, ..self }
    }
}
