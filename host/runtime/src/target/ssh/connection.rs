//! The connection to one target: made when first needed, made anew when it was lost, shared by all steps.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use launchway_model::{Failure, Fault};
use openssh::Stdio;
use tempfile::TempDir;
use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::diagnosis::{self, Diagnosis};
use super::forward;
use super::guard::Guard;
use super::master::Master;
use super::settings::Settings;
use crate::net::{place, timed_out};
use crate::target::cleanup::Cleanup;
use crate::target::failure::{FailureExt as _, failure};
use crate::target::local::{ARGUMENT_LIMIT, too_long};
use crate::target::shell::for_any_login_shell;
use crate::target::transport::{Forward, Process, ProcessEnd, Start, Transport, TransportFuture};

/// A default sshd allows ten sessions on a connection; the others are for ending processes.
const SESSIONS: usize = 8;

/// How often a server that seems to have too many logins under way is tried.
const ATTEMPTS: u32 = 9;

/// How long a refused session is tried again: an ended one may take a moment to be free.
const SESSION_PATIENCE: Duration = Duration::from_secs(15);

/// What all connections share.
pub(crate) struct Shared {
    control_dir: PathBuf,
    /// In place of a control folder whose name does not fit.
    substitute: OnceLock<TempDir>,
    /// Its permits are for connections under way.
    throttle: Semaphore,
    pub(super) guard: Guard,
    next: AtomicU64,
    closing: AtomicBool,
    pub(crate) cleanup: Cleanup,
}

impl Shared {
    pub(crate) fn new(control_dir: PathBuf, connect_concurrency: usize, cleanup: Cleanup) -> Self {
        Self {
            control_dir,
            substitute: OnceLock::new(),
            throttle: Semaphore::new(connect_concurrency.max(1)),
            guard: Guard::default(),
            next: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            cleanup,
        }
    }

    /// Returns the names of a new connection's configuration and control socket.
    pub(super) fn paths(&self) -> Result<(PathBuf, PathBuf), Failure> {
        let dir = self.dir().map_err(|error| {
            failure(Fault::Configuration, format!("can't make a folder for the sockets of connections: {error}"))
        })?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Ok((dir.join(format!("f{number}")), dir.join(format!("c{number}"))))
    }

    fn dir(&self) -> std::io::Result<&Path> {
        if fits(&self.control_dir) {
            return Ok(&self.control_dir);
        }
        if self.substitute.get().is_none() {
            // Whoever comes second drops his own.
            let _ = self.substitute.set(tempfile::Builder::new().prefix("launchway-").tempdir_in("/tmp")?);
        }
        Ok(self.substitute.get().map_or(&self.control_dir, TempDir::path))
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    /// No connection is made from now on.
    pub(crate) fn begin_closing(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// All connections have ended.
    pub(crate) fn closed(&self) {
        self.guard.close();
    }
}

/// One target, or several with the same settings.
pub(crate) struct Ssh {
    settings: Settings,
    shared: Arc<Shared>,
    sessions: Arc<Semaphore>,
    /// For ending processes.
    urgent: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    master: Option<Arc<Master>>,
    /// The last failure to connect, for those who waited for that attempt.
    failed: Option<(Instant, Failure)>,
}

impl Ssh {
    pub(crate) fn new(settings: Settings, shared: Arc<Shared>) -> Self {
        Self {
            settings,
            shared,
            sessions: Arc::new(Semaphore::new(SESSIONS)),
            urgent: Arc::new(Semaphore::new(1)),
            state: Mutex::default(),
        }
    }

    /// Ends the connection, if there is one.
    pub(crate) async fn close(&self) {
        if let Some(master) = self.state.lock().await.master.take() {
            master.stop();
            master.ended().await;
        }
    }

    /// Returns the connection; makes it if need be.
    async fn master(&self) -> Result<Arc<Master>, Failure> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        if let Some(master) = &state.master
            && !master.has_ended()
        {
            return Ok(master.clone());
        }
        state.master = None;
        if let Some((at, failure)) = &state.failed
            && *at >= asked
        {
            return Err(failure.clone());
        }
        match self.connect().await {
            Ok(master) => {
                let master = Arc::new(master);
                state.master = Some(master.clone());
                Ok(master)
            }
            Err(failure) => {
                state.failed = Some((Instant::now(), failure.clone()));
                Err(failure)
            }
        }
    }

    async fn connect(&self) -> Result<Master, Failure> {
        self.settings.check_identity()?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let permit = permit(&self.shared.throttle).await;
            if self.shared.is_closing() {
                return Err(failure(Fault::Network, "the run is over"));
            }
            let connected = Master::connect(&self.settings, &self.shared).await;
            drop(permit);
            match connected {
                Ok(master) => return Ok(master),
                Err(Diagnosis::Crowded(_)) if attempt < ATTEMPTS => tokio::time::sleep(backoff(attempt)).await,
                Err(Diagnosis::Crowded(failure) | Diagnosis::Final(failure)) => return Err(failure),
            }
        }
    }

    /// Returns the connection only if there is one.
    async fn present(&self) -> Option<Arc<Master>> {
        self.state.lock().await.master.clone().filter(|master| !master.has_ended())
    }

    fn lost_by(&self, master: &Master) -> Failure {
        diagnosis::lost(&self.settings, &master.words())
    }

    /// Opens a session on a connection, waiting while the server has too many.
    async fn open(&self, master: &Master, line: &str, stdin: bool) -> Result<Opened, Failure> {
        let begun = Instant::now();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut command = openssh::Session::to_raw_command(master.session.clone(), line);
            command.stdin(if stdin { Stdio::piped() } else { Stdio::null() });
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let spawned = tokio::select! {
                spawned = command.spawn() => spawned,
                // The command may have been handed over: to try again could be to run it twice.
                () = master.ended() => return Err(self.lost_by(master)),
            };
            match spawned {
                Ok(child) => return Ok(Opened::Child(Box::new(child))),
                Err(openssh::Error::Disconnected) => return Ok(Opened::Gone),
                Err(error) if is_refused(&error) && begun.elapsed() < SESSION_PATIENCE => {
                    tokio::time::sleep(backoff(attempt) / 10).await;
                }
                Err(error) => {
                    let message = format!("can't open a session on {}", self.settings.login());
                    return Err(failure(Fault::Network, message).detail(chain(&error).as_bytes()).retryable());
                }
            }
        }
    }
}

enum Opened {
    Child(Box<openssh::Child<Arc<openssh::Session>>>),
    /// The connection was gone before the command was handed over.
    Gone,
}

impl Transport for Ssh {
    fn start<'a>(&'a self, script: &'a str, start: Start) -> TransportFuture<'a, Result<Process, Failure>> {
        Box::pin(async move {
            let line = for_any_login_shell(script);
            if line.len() > ARGUMENT_LIMIT {
                return Err(too_long(line.len()));
            }
            let sessions = if start.urgent { &self.urgent } else { &self.sessions };
            let permit = sessions.clone().acquire_owned().await.expect("it is never closed");
            let mut lost = None;
            // A connection may have been lost since its last use, which shows only now.
            for _ in 0..3 {
                let master = match start.urgent {
                    true => self.present().await.ok_or_else(|| failure(Fault::Network, "the connection is gone"))?,
                    false => self.master().await?,
                };
                match self.open(&master, &line, start.stdin).await? {
                    Opened::Child(mut child) => {
                        let stdin = child.stdin().take().map(|stdin| Box::new(stdin) as _);
                        let stdout = child.stdout().take().expect("it is piped");
                        let stderr = child.stderr().take().expect("it is piped");
                        let exit = Box::pin(async move {
                            let _permit = permit;
                            end_of((*child).wait().await)
                        });
                        return Ok(Process { stdin, stdout: Box::new(stdout), stderr: Box::new(stderr), exit });
                    }
                    Opened::Gone => {
                        let _ = tokio::time::timeout(Duration::from_millis(200), master.ended()).await;
                        lost = Some(self.lost_by(&master));
                        master.stop();
                        master.ended().await;
                    }
                }
            }
            Err(lost.expect("the loop ran at least once"))
        })
    }

    fn lost(&self) -> TransportFuture<'_, Option<Failure>> {
        Box::pin(async move {
            let Some(master) = self.state.lock().await.master.clone() else {
                return Some(failure(Fault::Network, "the connection is gone").retryable());
            };
            let answers = async { master.session.check().await.is_ok() };
            match tokio::time::timeout(Duration::from_secs(1), answers).await {
                Ok(true) => {
                    // A client whose server just went away still answers for a moment.
                    let _ = tokio::time::timeout(Duration::from_millis(200), master.ended()).await;
                }
                _ => {
                    let _ = tokio::time::timeout(Duration::from_millis(500), master.ended()).await;
                    return Some(self.lost_by(&master));
                }
            }
            master.has_ended().then(|| self.lost_by(&master))
        })
    }

    fn connect<'a>(
        &'a self,
        address: &'a str,
        port: u16,
        timeout: Duration,
    ) -> TransportFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let master = self.master().await?;
            let before = master.words().len();
            match tokio::time::timeout(timeout, forward::connect(&master.control, address, port)).await {
                Ok(Ok(true)) => Ok(()),
                Ok(Ok(false)) => Err(self.refused(&master, before, address, port).await),
                Ok(Err(error)) => {
                    let message =
                        format!("can't connect from {} to {}: {error}", self.settings.login(), place(address, port));
                    Err(failure(Fault::Network, message).retryable())
                }
                Err(_) => Err(timed_out(&place(address, port), timeout)),
            }
        })
    }

    fn forward<'a>(&'a self, address: &'a str, port: u16) -> TransportFuture<'a, Result<Option<Forward>, Failure>> {
        Box::pin(async move {
            let master = self.master().await?;
            let (_, socket) = self.shared.paths()?;
            forward::open(&master, &socket, address, port, &self.shared.cleanup).await.map(Some).map_err(|error| {
                let message = format!("can't reach {} from {}", place(address, port), self.settings.login());
                failure(Fault::Network, message).detail(chain(&error).as_bytes()).retryable()
            })
        })
    }
}

impl Ssh {
    /// The failure of a connection that the target could not make; the client's log says why, a moment later.
    async fn refused(&self, master: &Master, before: usize, address: &str, port: u16) -> Failure {
        let mut words = master.words();
        for _ in 0..10 {
            if words.len() != before {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            words = master.words();
        }
        let why =
            words.lines().rev().find_map(|line| line.split_once("open failed: ")).map_or("", |(_, why)| why.trim());
        let (at, from) = (place(address, port), self.settings.login());
        let message = if why.contains("refused") {
            format!("{at} refuses connections from {from}")
        } else if why.contains("prohibited") {
            format!("{from} allows no forwarding, so {at} can't be reached from there")
        } else {
            format!("can't connect from {from} to {at}: {why}").trim_end_matches([':', ' ']).to_owned()
        };
        failure(Fault::Network, message).retryable()
    }
}

async fn permit(semaphore: &Semaphore) -> SemaphorePermit<'_> {
    semaphore.acquire().await.expect("it is never closed")
}

/// How long to wait before another attempt: longer each time, and never for all at the same moment.
fn backoff(attempt: u32) -> Duration {
    let mut random = [0];
    // Without randomness it is still a wait.
    let _ = rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty());
    let base = Duration::from_millis(100) * 2_u32.pow(attempt.min(5));
    base / 2 + base * u32::from(random[0]) / 256
}

fn is_refused(error: &openssh::Error) -> bool {
    let openssh::Error::SshMux(cause) = error else { return false };
    cause.to_string().contains("refused by peer")
}

fn end_of(result: Result<std::process::ExitStatus, openssh::Error>) -> ProcessEnd {
    match result {
        Ok(status) => status.code().map_or(ProcessEnd::Gone, ProcessEnd::Status),
        // What the crate makes of an exit status of 127.
        Err(openssh::Error::Remote(_)) => ProcessEnd::Status(127),
        Err(_) => ProcessEnd::Gone,
    }
}

/// Writes an error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Whether the names of sockets in a folder are short and plain enough for the client.
fn fits(control_dir: &Path) -> bool {
    /// A socket's name has 107 bytes at most, of which the client needs some for a temporary one.
    const LIMIT: usize = 72;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let bytes = control_dir.as_os_str().as_encoded_bytes();
    bytes.len() <= LIMIT && bytes.iter().all(plain)
}
