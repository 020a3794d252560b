//! What a step asks of the world, as plain data.

use std::time::Duration;

use crate::failure::tail;
pub use crate::wire::{Exit, FileOptions, FileType, Output, Status as FileStatus, Written};
use crate::{Failure, Text, Vantage};

/// A command on the target.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Command {
    pub argv: Vec<String>,
    pub env: Vec<(String, Text)>,
    pub cwd: Option<String>,
    pub stdin: Text,
    pub as_user: Option<String>,
    pub timeout: Option<Duration>,
    /// Keep what it prints out of the step's log.
    pub quiet: bool,
}

impl Command {
    /// Returns a program with its arguments.
    pub fn new<W: Into<String> + Clone>(argv: &[W]) -> Self {
        Self { argv: argv.iter().cloned().map(Into::into).collect(), ..Self::default() }
    }

    /// Returns a shell script; [`Command::args`] gives it parameters.
    pub fn script(script: &str) -> Self {
        Self::new(&["/bin/sh", "-eu", "-c", script, "sh"])
    }

    #[must_use]
    pub fn args<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.argv.extend(words.into_iter().map(Into::into));
        self
    }

    #[must_use]
    pub fn as_user(mut self, user: Option<&str>) -> Self {
        self.as_user = user.map(str::to_owned);
        self
    }

    #[must_use]
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// Keeps what it prints out of the step's log: for questions that the plugin asks for itself.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.quiet = true;
        self
    }

    /// Returns what may hold secrets.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &Text> {
        self.env.iter().map(|(_, text)| text).chain([&self.stdin])
    }
}

impl Output {
    pub fn success(&self) -> bool {
        self.exit == Exit::Code(0)
    }

    /// Returns the last part of what it printed to both streams.
    pub fn said(&self) -> String {
        const LIMIT: usize = 2_000;
        let mut said = tail(self.stdout.trim_end(), LIMIT).to_owned();
        let errors = tail(self.stderr.trim_end(), LIMIT);
        if !said.is_empty() && !errors.is_empty() {
            said.push('\n');
        }
        said.push_str(errors);
        said
    }

    /// Returns the failure for a command that ended with anything but 0.
    ///
    /// What it printed to its standard error is the detail, or to its standard output where that is empty.
    pub fn check(self, what: &str) -> Result<Self, Failure> {
        if self.success() {
            return Ok(self);
        }
        let said = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let message = match &self.exit {
            Exit::Code(code) => format!("{what} exited with {code}"),
            Exit::Signal(signal) => format!("{what} was killed by signal {signal}"),
            Exit::TimedOut => format!("{what} did not end in time"),
        };
        Err(Failure::tool(message).detail(said))
    }
}

/// What a file's content comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// An artifact of the instance, by the property's name.
    Artifact(String),
    Bytes(Vec<u8>),
    Text(Text),
}

/// An HTTP request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, Text)>,
    pub body: Option<Vec<u8>>,
    pub timeout: Option<Duration>,
    /// How many redirects to follow; 0 returns them.
    pub redirects: u32,
    pub tls: Tls,
    pub from: Vantage,
}

/// How a server's certificate is checked.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Tls {
    /// PEM certificates to trust in addition to the system's.
    pub authorities: Option<String>,
    /// Accept any certificate.
    pub insecure: bool,
}

pub use crate::bindings::launchway::plugin::http::Response;
