//! What a running step acts through.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::json::{JsonError, from_json};
use crate::wire;
use crate::{
    Artifact, Command, Failure, FileOptions, FileStatus, Level, Output, Request, Response, Source, Text, Vantage,
    Written,
};

/// The world as a step sees it: the host's imports in a component, a script or a shell in a test.
pub trait Host {
    fn log(&self, level: Level, message: &str);
    fn progress(&self, fraction: Option<f32>, message: &str);
    fn elapsed(&self) -> Duration;
    fn exec(&self, command: &Command) -> Result<Output, Failure>;
    /// Runs a command that holds no secret: in a component this way opens none, and does not import how.
    fn exec_plain(&self, command: &Command) -> Result<Output, Failure> {
        self.exec(command)
    }
    fn put(&self, source: &Source, path: &str, options: &FileOptions) -> Result<Written, Failure>;
    fn read(&self, path: &str, limit: u64, as_user: Option<&str>) -> Result<Option<Vec<u8>>, Failure>;
    fn stat(&self, path: &str, as_user: Option<&str>) -> Result<Option<FileStatus>, Failure>;
    fn send(&self, request: &Request) -> Result<Response, Failure>;
    fn download(&self, request: &Request, file_name: &str) -> Result<Artifact, Failure>;
    fn connect(&self, address: &str, port: u16, timeout: Duration, from: Vantage) -> Result<(), Failure>;
}

/// What a context acts through.
///
/// In a component the type is known, so that imports which a plugin never calls are left out of it: they would be
/// asked of the operator as capabilities.
#[cfg(not(target_family = "wasm"))]
pub type HostRef<'a> = &'a dyn Host;
#[cfg(target_family = "wasm")]
pub type HostRef<'a> = &'a crate::ComponentHost;

/// A running step: its instance, and what it acts through.
pub struct Context<'a> {
    host: HostRef<'a>,
    instance: &'a wire::Instance,
    /// None while inspecting.
    step: Option<&'a wire::Step>,
}

impl<'a> Context<'a> {
    #[doc(hidden)]
    pub fn new(host: HostRef<'a>, instance: &'a wire::Instance, step: Option<&'a wire::Step>) -> Self {
        Self { host, instance, step }
    }

    /// Returns the instance as the contract has it: its properties are JSON text.
    pub fn instance(&self) -> &wire::Instance {
        self.instance
    }

    /// Returns the instance's properties.
    pub fn properties<P: DeserializeOwned>(&self) -> Result<P, Failure> {
        from_json(&self.instance.properties).map_err(unreadable)
    }

    /// Returns the artifact that a property names.
    pub fn artifact(&self, property: &str) -> Option<&Artifact> {
        self.instance.artifacts.iter().find(|artifact| artifact.name == property)
    }

    /// Whether a second run of the step does no harm.
    pub fn is_idempotent(&self) -> bool {
        self.step.is_none_or(|step| step.idempotent)
    }

    /// Returns the running step's name: what tells the steps of a kind apart.
    pub fn step_name(&self) -> &str {
        self.step.map_or("", |step| &step.name)
    }

    /// Returns the failure for a step that the kind does not know.
    pub fn unknown_step(&self) -> Failure {
        Failure::plugin(format!("there is no step `{}`", self.step_name()))
    }

    pub fn info(&self, message: &str) {
        self.host.log(Level::Info, message);
    }

    pub fn warn(&self, message: &str) {
        self.host.log(Level::Warn, message);
    }

    /// Says how far the step is: 0.0 to 1.0 where it is known.
    pub fn progress(&self, fraction: Option<f32>, message: &str) {
        self.host.progress(fraction, message);
    }

    /// Returns the time since the step's first attempt began, waiting included.
    pub fn elapsed(&self) -> Duration {
        self.host.elapsed()
    }

    /// Runs a command to its end.
    pub fn exec(&self, command: &Command) -> Result<Output, Failure> {
        self.host.exec(command)
    }

    /// Runs a command without secrets to its end. A plugin that runs no others need not ask for the capability `secrets`.
    pub fn exec_plain(&self, command: &Command) -> Result<Output, Failure> {
        if command.texts().any(Text::has_secrets) {
            return Err(Failure::plugin("a command with a secret has to be run as one"));
        }
        self.host.exec_plain(command)
    }

    /// Puts a file in place atomically, unless it is there already.
    pub fn put(&self, source: &Source, path: &str, options: &FileOptions) -> Result<Written, Failure> {
        self.host.put(source, path, options)
    }

    /// Returns the first bytes of a file; none where there is no file.
    pub fn read(&self, path: &str, limit: u64, as_user: Option<&str>) -> Result<Option<Vec<u8>>, Failure> {
        self.host.read(path, limit, as_user)
    }

    #[inline(never)]
    pub fn stat(&self, path: &str, as_user: Option<&str>) -> Result<Option<FileStatus>, Failure> {
        self.host.stat(path, as_user)
    }

    /// Sends a request to an origin which the grant names.
    pub fn send(&self, request: &Request) -> Result<Response, Failure> {
        self.host.send(request)
    }

    /// Streams a response body into the host's artifact store.
    pub fn download(&self, request: &Request, file_name: &str) -> Result<Artifact, Failure> {
        self.host.download(request, file_name)
    }

    /// Opens a TCP connection and closes it.
    pub fn connect(&self, address: &str, port: u16, timeout: Duration, from: Vantage) -> Result<(), Failure> {
        self.host.connect(address, port, timeout, from)
    }
}

#[cold]
#[inline(never)]
fn unreadable(error: JsonError) -> Failure {
    Failure::plugin(format!("can't read the properties: {error}"))
}
