//! One SSH client that holds a connection, over which sessions are opened by its control socket.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use launchway_model::Fault;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connection::Shared;
use super::diagnosis::{self, Diagnosis};
use super::settings::Settings;
use crate::target::failure::{FailureExt as _, failure};

/// How much of the client's words is kept, in bytes.
const LOG_LIMIT: usize = 16 * 1024;

/// How often to look whether the client is through with the login.
const LOOK_EVERY: Duration = Duration::from_millis(4);

/// What a login may take beyond the time to connect: its two ends may be slow machines under load.
const LOGIN_TIME: Duration = Duration::from_secs(30);

/// How long the last words of an ended client may be on their way.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A connection. The client ends when this is dropped.
pub(super) struct Master {
    pub(super) session: Arc<openssh::Session>,
    pub(super) control: PathBuf,
    log: Arc<Log>,
    ended: CancellationToken,
    stop: CancellationToken,
}

impl Master {
    /// Connects and logs in.
    pub(super) async fn connect(settings: &Settings, shared: &Arc<Shared>) -> Result<Self, Diagnosis> {
        let (configuration, control) = shared.paths().map_err(Diagnosis::Final)?;
        let text = settings.client_configuration().map_err(Diagnosis::Final)?;
        write_private(&configuration, &text).map_err(|error| {
            let message = format!("can't write {}: {error}", configuration.display());
            Diagnosis::Final(failure(Fault::Configuration, message))
        })?;
        let mut child = command(settings, &configuration, &control).spawn().map_err(|error| {
            Diagnosis::Final(match error.kind() {
                ErrorKind::NotFound => {
                    failure(Fault::Configuration, "the SSH client `ssh` is not installed where launchway runs")
                        .hint("install OpenSSH's client, or put it on the PATH")
                }
                _ => failure(Fault::Configuration, format!("can't start the SSH client: {error}")),
            })
        })?;
        let log = Arc::new(Log::default());
        let stderr = child.stderr.take().expect("it is piped");
        let words = tokio::spawn(log.clone().gather(stderr));
        let stop = CancellationToken::new();
        let ended = CancellationToken::new();
        tokio::spawn(watch_over(child, shared.clone(), stop.clone(), ended.clone(), control.clone()));
        let stop_if_dropped = stop.clone().drop_guard();

        let deadline = Instant::now()
            + Duration::from_secs(settings.connect_timeout.into()) * (1 + settings.jump.len() as u32)
            + LOGIN_TIME;
        while !control.exists() {
            tokio::select! {
                () = ended.cancelled() => {
                    let _ = tokio::time::timeout(LAST_WORDS, words).await;
                    return Err(diagnosis::connecting(settings, &log.text()));
                }
                () = tokio::time::sleep_until(deadline) => {
                    return Err(Diagnosis::Final(diagnosis::no_answer(settings).detail(log.text().as_bytes())));
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        // It was for the login only.
        let _ = std::fs::remove_file(&configuration);
        let session = Arc::new(openssh::Session::resume_mux(control.clone().into_boxed_path(), None));
        Ok(Self { session, control, log, ended, stop: stop_if_dropped.disarm() })
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Resolves when the client has ended.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Ends the client without waiting.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Returns what the client has said so far.
    pub(super) fn words(&self) -> String {
        self.log.text()
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn command(settings: &Settings, configuration: &std::path::Path, control: &std::path::Path) -> Command {
    let mut command = Command::new("ssh");
    command.arg("-F").arg(configuration);
    command.args(["-M", "-N", "-T", "-x", "-S"]).arg(control);
    command.args(["-o", "ClearAllForwardings=yes", "-o", "RemoteCommand=none", "-o", "RequestTTY=no"]);
    if let Some(user) = &settings.user {
        command.args(["-l", user]);
    }
    if let Some(port) = settings.port {
        command.args(["-p", &port.to_string()]);
    }
    if !settings.jump.is_empty() {
        command.args(["-J", &settings.jump.join(",")]);
    }
    command
        .args(["--", &settings.address])
        .env("LC_ALL", "C")
        .env("SSH_ASKPASS_REQUIRE", "never")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // Ctrl-C is for Launchway, which decides when connections end.
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// Waits for the client's end, or brings it about.
async fn watch_over(
    mut child: Child,
    shared: Arc<Shared>,
    stop: CancellationToken,
    ended: CancellationToken,
    control: PathBuf,
) {
    let pid = child.id();
    if let Some(pid) = pid {
        shared.guard.add(pid);
    }
    tokio::select! {
        _ = child.wait() => {}
        // It holds nothing that is worth a farewell, and the run should end promptly.
        () = stop.cancelled() => {
            // With the clients that lead through jump hosts. The number is still its own: nobody has waited for it.
            if let Some(group) = pid.and_then(|pid| Pid::from_raw(pid.cast_signed())) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = child.kill().await;
        }
    }
    let _ = std::fs::remove_file(control);
    if let Some(pid) = pid
        && !shared.is_closing()
    {
        shared.guard.remove(pid);
    }
    ended.cancel();
}

fn write_private(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}

/// The last words of a client.
#[derive(Debug, Default)]
struct Log(Mutex<Vec<u8>>);

impl Log {
    async fn gather(self: Arc<Self>, mut source: impl AsyncRead + Unpin) {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = source.read(&mut buffer).await {
            let mut log = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            log.extend_from_slice(&buffer[..count]);
            if log.len() > 2 * LOG_LIMIT {
                let surplus = log.len() - LOG_LIMIT;
                log.drain(..surplus);
            }
        }
    }

    fn text(&self) -> String {
        let log = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        String::from_utf8_lossy(&log).replace('\r', "")
    }
}
