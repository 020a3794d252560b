//! What a way to reach a target must be able to do.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use launchway_model::Failure;
use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) type TransportFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A way to reach one target.
pub(crate) trait Transport: Send + Sync {
    /// Starts a POSIX script; connects first if need be.
    fn start<'a>(&'a self, script: &'a str, start: Start) -> TransportFuture<'a, Result<Process, Failure>>;

    /// Returns why no answer will come any more, or none if the target is still there.
    fn lost(&self) -> TransportFuture<'_, Option<Failure>>;

    /// Opens and closes a connection from the target's own network.
    fn connect<'a>(
        &'a self,
        address: &'a str,
        port: u16,
        timeout: Duration,
    ) -> TransportFuture<'a, Result<(), Failure>>;

    /// Opens a way to an address of the target's own network; none where that is the host's own.
    fn forward<'a>(&'a self, address: &'a str, port: u16) -> TransportFuture<'a, Result<Option<Forward>, Failure>>;
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Start {
    /// Whether something is going to be written to its standard input.
    pub(crate) stdin: bool,
    /// It ends another process, so must not wait for one to end.
    pub(crate) urgent: bool,
}

/// A script that runs on a target. Dropping it closes its streams, no more.
pub(crate) struct Process {
    pub(crate) stdin: Option<Box<dyn AsyncWrite + Send + Sync + Unpin>>,
    pub(crate) stdout: Box<dyn AsyncRead + Send + Sync + Unpin>,
    pub(crate) stderr: Box<dyn AsyncRead + Send + Sync + Unpin>,
    /// Resolves when the script's own shell has ended.
    pub(crate) exit: Pin<Box<dyn Future<Output = ProcessEnd> + Send + Sync>>,
}

/// How the script's own shell ended, as far as the transport can tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ProcessEnd {
    Status(i32),
    /// Killed, or the connection is gone.
    Gone,
}

/// A local socket whose connections come out at the target's side. Closed when dropped.
pub(crate) struct Forward {
    pub(crate) socket: std::path::PathBuf,
    pub(crate) _open: Box<dyn Send + Sync>,
}
