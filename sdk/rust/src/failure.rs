//! How failures are made.

use std::fmt;

use crate::{Failure, Fault};

/// How much of what a tool said goes into a failure, in bytes.
const DETAIL_LIMIT: usize = 4 * 1024;

impl Failure {
    fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into(), detail: None, retryable: false }
    }

    /// Returns a failure that a change of the configuration heals.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::new(Fault::Configuration, message)
    }

    /// Returns a failure for something that the target lacks or has in the way.
    pub fn target(message: impl Into<String>) -> Self {
        Self::new(Fault::Target, message)
    }

    /// Returns a failure of a tool that ran.
    pub fn tool(message: impl Into<String>) -> Self {
        Self::new(Fault::Tool, message)
    }

    pub fn network(message: impl Into<String>) -> Self {
        Self::new(Fault::Network, message)
    }

    /// Returns a failure of the plugin itself: a bug.
    pub fn plugin(message: impl Into<String>) -> Self {
        Self::new(Fault::Plugin, message)
    }

    /// Adds what the tool said, its last part if it is long.
    #[must_use]
    pub fn detail(mut self, detail: impl AsRef<str>) -> Self {
        let detail = tail(detail.as_ref().trim_end(), DETAIL_LIMIT);
        if !detail.trim().is_empty() {
            self.detail = Some(detail.to_owned());
        }
        self
    }

    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configuration => "configuration",
            Self::Target => "target",
            Self::Tool => "tool",
            Self::Network => "network",
            Self::Plugin => "plugin",
        })
    }
}

/// Returns the last whole lines of a text that fit the limit, in bytes; at least the end of its last line.
pub fn tail(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut start = text.len() - limit;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let end = &text[start..];
    match end.find('\n') {
        Some(newline) if newline + 1 < end.len() => &end[newline + 1..],
        _ => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_has_whole_lines_and_characters() {
        assert_eq!(tail("one\ntwo", 100), "one\ntwo");
        assert_eq!(tail("one\ntwo\nthree", 8), "three");
        assert_eq!(tail("äöü", 3), "ü");
    }

    #[test]
    fn an_empty_detail_is_none() {
        assert_eq!(Failure::tool("exited with 1").detail(" \n").detail, None);
    }
}
