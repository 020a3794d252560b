//! What a running step can do to the world: the seam between the sandbox and the transports.
//!
//! The plugin side (`plugin/`) turns guests' calls into these requests; the target side (`target/`, `http.rs`,
//! `secrets.rs`) carries them out. Neither knows the other.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use launchway_model::{Artifact, Digest, Failure, LogLevel, SecretName, Stream};

/// The future of an effect.
pub type EffectFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// The effects of one step on its one target.
///
/// Every method is cancel-safe in the sense that dropping its future stops the effect as far as that is possible:
/// a command on a target is killed.
pub trait Effects: Send + Sync {
    fn exec<'a>(&'a self, command: Command, sink: &'a dyn StepSink) -> EffectFuture<'a, CommandOutput>;
    fn put<'a>(&'a self, source: Source, path: &'a str, options: FileOptions) -> EffectFuture<'a, Written>;
    fn read<'a>(&'a self, path: &'a str, limit: u64, as_user: Option<&'a str>) -> EffectFuture<'a, Option<Vec<u8>>>;
    fn stat<'a>(&'a self, path: &'a str, as_user: Option<&'a str>) -> EffectFuture<'a, Option<FileStatus>>;
    fn send<'a>(&'a self, request: HttpRequest) -> EffectFuture<'a, HttpResponse>;
    fn download<'a>(&'a self, request: HttpRequest, file_name: &'a str) -> EffectFuture<'a, Artifact>;
    fn connect<'a>(&'a self, address: &'a str, port: u16, timeout: Duration, from: Vantage) -> EffectFuture<'a, ()>;
    /// Whether the secret exists and can be read; the value stays inside.
    fn check_secret<'a>(&'a self, name: &'a SecretName) -> EffectFuture<'a, ()>;
}

/// Where a step's output and log lines go. Called from async code: must not block for long.
pub trait StepSink: Send + Sync {
    /// Takes what a tool printed, secrets already redacted.
    fn output(&self, stream: Stream, bytes: &[u8]);
    /// Takes a line of the plugin's own.
    fn log(&self, level: LogLevel, message: &str);
    fn progress(&self, fraction: Option<f32>, message: &str);
}

/// A piece of a text that may hold secrets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    Text(String),
    Secret(SecretName),
}

/// A command on the target.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Command {
    /// Program and arguments; never empty.
    pub argv: Vec<String>,
    pub env: Vec<(String, Vec<Part>)>,
    pub cwd: Option<String>,
    pub stdin: Vec<Part>,
    pub as_user: Option<String>,
    pub timeout: Option<Duration>,
    /// Nothing of it goes to the sink.
    pub quiet: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Exit {
    Code(i32),
    /// A signal's name without `SIG`, or its number.
    Signal(String),
    TimedOut,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CommandOutput {
    pub exit: Exit,
    /// The last [`OUTPUT_TAIL`] bytes, secrets redacted.
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// How much of each output stream a guest gets, in bytes: its end.
pub const OUTPUT_TAIL: usize = 64 * 1024;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// An artifact of the step's instance; secret markers in it are filled in on the way.
    Artifact(Artifact),
    Bytes(Vec<u8>),
    Text(Vec<Part>),
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FileOptions {
    pub mode: Option<u32>,
    pub owner: Option<String>,
    pub group: Option<String>,
    pub as_user: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Written {
    pub changed: bool,
    /// Of the content before any secret was filled in.
    pub digest: Digest,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileType {
    File,
    Directory,
    Link,
    Other,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileStatus {
    pub file_type: FileType,
    /// Of a regular file's content.
    pub digest: Option<Digest>,
    /// In bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    pub owner: String,
    pub group: String,
    pub link: Option<String>,
}

/// From where a connection is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Vantage {
    Host,
    Target,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpRequest {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, Vec<Part>)>,
    pub body: Option<Vec<u8>>,
    pub timeout: Option<Duration>,
    pub redirects: u32,
    /// PEM certificates to trust in addition.
    pub authorities: Option<String>,
    pub insecure: bool,
    pub from: Vantage,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpResponse {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub truncated: bool,
}

/// How much of a response body a guest gets, in bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// Content-addressed bytes of releases.
pub trait Blobs: Send + Sync {
    /// Opens a blob for reading.
    fn open(&self, digest: &Digest) -> std::io::Result<std::fs::File>;
    /// Takes in a file, which is moved or copied, and returns its digest and size in bytes.
    fn insert(&self, file: &std::path::Path) -> std::io::Result<(Digest, u64)>;
}

/// The values of an environment's secrets.
pub trait SecretValues: Send + Sync {
    /// Returns the value, reading it if need be.
    fn value<'a>(&'a self, name: &'a SecretName) -> EffectFuture<'a, Arc<zeroize::Zeroizing<Vec<u8>>>>;
    /// Returns the values read so far, for redaction.
    fn known(&self) -> Vec<(SecretName, Arc<zeroize::Zeroizing<Vec<u8>>>)>;
}
