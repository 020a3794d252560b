//! What a program printed and how it ended.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The output of a program that has ended.
#[derive(Clone, Debug)]
pub struct Output {
    title: String,
    status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Output {
    pub(crate) fn new(title: String, status: ExitStatus, stdout: Vec<u8>, stderr: Vec<u8>) -> Self {
        Self { title, status, stdout, stderr }
    }

    /// Returns the exit code; a program killed by a signal counts as a shell does.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Returns both streams, for messages and for searches.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout(), self.stderr())
    }

    /// Fails unless it ended with this exit code.
    pub fn expect(self, code: i32) -> Result<Self> {
        ensure!(
            self.code() == code,
            "{} ended with {} instead of {code}\n--- stdout\n{}--- stderr\n{}",
            self.title,
            self.code(),
            shortened(&self.stdout()),
            shortened(&self.stderr())
        );
        Ok(self)
    }

    /// Panics unless it ended with this exit code and without the traces of a bug.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        self.clone().expect(code).unwrap_or_else(|error| panic!("{error:#}"));
        let text = self.text();
        for trace in ["panicked at", "RUST_BACKTRACE", "stack backtrace", "internal error"] {
            assert!(!text.contains(trace), "{} shows {trace:?}:\n{}", self.title, shortened(&text));
        }
        self
    }

    /// Panics unless both streams together hold this text.
    #[track_caller]
    pub fn says(self, wanted: &str) -> Self {
        let text = self.text();
        assert!(text.contains(wanted), "{} does not say {wanted:?}:\n{}", self.title, shortened(&text));
        self
    }

    /// Reads the standard output as one JSON document.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.stdout)
            .with_context(|| format!("{} printed no JSON: {}", self.title, shortened(&self.stdout())))
    }

    /// Reads the standard output as lines of JSON.
    pub fn json_lines(&self) -> Result<Vec<Value>> {
        self.stdout
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| {
                serde_json::from_slice(line)
                    .with_context(|| format!("{} printed no JSON: {}", self.title, String::from_utf8_lossy(line)))
            })
            .collect()
    }

    /// Returns the events of this kind, of a run's output as lines of JSON.
    pub fn events(&self, kind: &str) -> Result<Vec<Value>> {
        Ok(self.json_lines()?.into_iter().filter(|line| line["event"] == kind).collect())
    }
}

fn shortened(text: &str) -> String {
    const LIMIT: usize = 8000;
    match text.char_indices().rev().nth(LIMIT) {
        Some((start, _)) => format!("…{}", &text[start..]),
        None => text.to_owned(),
    }
}
