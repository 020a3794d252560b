//! Why a command ended without doing what it was asked for.

use std::path::Path;

use launchway_model::{Diagnostics, Sources};
use launchway_report::UnknownName;

use crate::exit::Exit;

/// Something to tell the user, and the exit code that goes with it.
#[derive(Debug)]
pub(crate) struct CliError {
    pub exit: Exit,
    /// A stable word for scripts.
    pub code: &'static str,
    /// A sentence's beginning: lowercase, without a full stop.
    pub message: String,
    pub hint: Option<String>,
    /// What is wrong in files; shown in place of the message.
    pub findings: Option<Box<(Sources, Diagnostics)>>,
}

pub(crate) type Result<T, E = CliError> = std::result::Result<T, E>;

impl CliError {
    pub(crate) fn new(exit: Exit, code: &'static str, message: impl Into<String>) -> Self {
        Self { exit, code, message: message.into(), hint: None, findings: None }
    }

    /// Wrong usage or configuration.
    pub(crate) fn usage(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, code, message)
    }

    /// A name that a plan does not know.
    pub(crate) fn unknown(code: &'static str, unknown: UnknownName) -> Self {
        Self { hint: unknown.hint, ..Self::usage(code, unknown.message) }
    }

    /// Something that is not the user's fault.
    pub(crate) fn internal(error: &dyn std::error::Error) -> Self {
        Self::new(Exit::Internal, "internal", chain(error))
    }

    /// A file or a folder that can't be read or written.
    pub(crate) fn file(what: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::usage("file", format!("can't {what} {}: {}", path.display(), io_text(error)))
    }

    /// What is wrong in files.
    pub(crate) fn findings(sources: &Sources, findings: Diagnostics) -> Self {
        let count = findings.iter().count();
        let message = match findings.iter().next() {
            Some(first) if count == 1 => first.message.clone(),
            _ => format!("{count} problems in the configuration"),
        };
        let mut error = Self::usage("configuration", message);
        error.findings = Some(Box::new((sources.clone(), findings)));
        error
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Returns an error with its causes, as one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some libraries repeat their cause in their own text; SQLite puts a number before it.
        let numbered = cause_text.strip_prefix("Error code ").and_then(|rest| rest.split_once(": "));
        if !text.contains(numbered.map_or(cause_text.as_str(), |(_, said)| said)) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    without_numbers(&without_temporaries(&text))
}

/// Returns an I/O error without the operating system's number.
pub(crate) fn io_text(error: &std::io::Error) -> String {
    without_numbers(&without_temporaries(&error.to_string()))
}

/// Leaves out the names of temporary files: nobody asked for those, and they are gone already.
fn without_temporaries(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, path)) = rest.split_once(" at path \"") {
        let Some((_, after)) = path.split_once('"') else { break };
        out.push_str(before);
        rest = after;
    }
    out + rest
}

/// Leaves out the numbers that the standard library puts behind the system's words.
fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(" (os error ") {
        let Some(end) = rest[at..].find(')') else { break };
        out.push_str(&rest[..at]);
        rest = &rest[at + end + 1..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_numbers_are_left_out() {
        let missing = std::io::Error::from_raw_os_error(2);
        assert_eq!(io_text(&missing), "No such file or directory");
        assert_eq!(without_numbers("a (os error 2): b (os error 13)!"), "a: b!");
        assert_eq!(without_numbers("a (os error "), "a (os error ");
    }

    #[test]
    fn temporary_files_are_left_out() {
        let nowhere = tempfile::NamedTempFile::new_in("/no/such/folder").expect_err("there is no such folder");
        assert_eq!(io_text(&nowhere), "No such file or directory");
        assert_eq!(chain(&nowhere), "No such file or directory");
        assert_eq!(without_temporaries("a at path \"/b/.tmp\": c at path \""), "a: c at path \"");
    }
}
