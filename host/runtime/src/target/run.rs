//! Runs one script on a target to its end and tells how that came.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use launchway_model::{Failure, Fault, Stream};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};
use zeroize::Zeroizing;

use super::cleanup::Cleanup;
use super::escalation;
use super::failure::{FailureExt as _, failure};
use super::scan::{Ended, Mark, Piece, Scanner};
use super::transport::{Process, ProcessEnd, Start, Transport};
use super::wrapper::{self, Become, Prepared, Work};
use crate::Exit;

/// After how long without a sign of a script to ask whether its shell has ended.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the last output of a command that was killed may be on its way.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// How long a channel may take to close after the last word; a process left behind that holds the output would keep it
/// open for good.
const CLOSING: Duration = Duration::from_millis(500);

/// Changing users asks nobody anything, so it is quick or it hangs.
const ESCALATION_LIMIT: Duration = Duration::from_secs(30);

/// How long the end of a dropped command may take.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// How much of what a login says before the script runs is kept, in bytes.
const PREAMBLE_LIMIT: usize = 8 * 1024;

/// Where scripts run.
#[derive(Clone)]
pub(crate) struct Place {
    /// For people.
    pub(crate) name: Arc<str>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) cleanup: Cleanup,
}

/// What goes to the standard input.
pub(crate) enum Feed {
    Nothing,
    Bytes(Zeroizing<Vec<u8>>),
    Source {
        /// Sent at once.
        head: Vec<u8>,
        /// Sent when the gate opens.
        source: Box<dyn AsyncRead + Send + Sync + Unpin>,
        gate: oneshot::Receiver<()>,
    },
}

/// Takes output as it comes.
pub(crate) type Take<'a> = &'a mut (dyn FnMut(Stream, &[u8]) + Send);

/// Runs a piece of work. Dropping the future kills a program that runs.
pub(crate) async fn run(
    place: &Place,
    work: &Work,
    as_user: Option<Arc<Become>>,
    feed: Feed,
    timeout: Option<Duration>,
    take: Take<'_>,
) -> Result<Exit, Failure> {
    let nonce = nonce()?;
    let prepared = wrapper::prepare(&nonce, work, as_user.as_deref());
    let killable = matches!(work, Work::Program { .. });
    let mut live = Live::start(place, &nonce, prepared, as_user, feed, killable, false).await?;
    let folder = match work {
        Work::Program { cwd, .. } => cwd.as_deref().unwrap_or_default(),
        Work::Script(_) => "",
    };
    let Some(timeout) = timeout else {
        live.follow(take).await?;
        return live.conclude(folder).await;
    };
    match tokio::time::timeout(timeout, live.follow(take)).await {
        Ok(followed) => {
            followed?;
            live.conclude(folder).await
        }
        Err(_) => {
            // What has not started yet may still start: dropping sees to its end.
            if let Some((group, pid)) = live.running {
                live.killable = false;
                let as_user = live.as_user.clone();
                let killed = async {
                    kill(place, group, pid, as_user).await;
                    tokio::time::sleep(LAST_OUTPUT).await;
                };
                tokio::select! {
                    _ = live.follow(take) => {}
                    () = killed => {}
                }
            }
            Ok(Exit::TimedOut)
        }
    }
}

/// Ends a running command, as well as that is possible.
async fn kill(place: &Place, group: bool, pid: u32, as_user: Option<Arc<Become>>) {
    let Ok(nonce) = nonce() else { return };
    let prepared = wrapper::kill(&nonce, group, pid, as_user.as_deref());
    let all = async {
        let mut live = Live::start(place, &nonce, prepared, as_user, Feed::Nothing, false, true).await?;
        live.follow(&mut |_, _| {}).await
    };
    // Nobody is left to tell of a failure: the target is gone, or so is the command.
    let _ = tokio::time::timeout(KILL_LIMIT, all).await;
}

fn nonce() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| failure(Fault::Plugin, format!("the system gives no random numbers: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// One output stream of a script.
struct Output {
    source: Option<Box<dyn AsyncRead + Send + Sync + Unpin>>,
    scanner: Scanner,
    begun: bool,
    ended: Option<Ended>,
    buffer: Vec<u8>,
}

impl Output {
    fn new(source: Box<dyn AsyncRead + Send + Sync + Unpin>, nonce: &str) -> Self {
        Self {
            source: Some(source),
            scanner: Scanner::new(nonce),
            begun: false,
            ended: None,
            buffer: vec![0; 32 * 1024],
        }
    }

    /// Whether nothing more is expected.
    fn is_over(&self) -> bool {
        self.source.is_none() || self.ended.is_some()
    }

    /// Reads once. Cancel-safe.
    async fn read(&mut self) -> usize {
        let Some(source) = &mut self.source else { return 0 };
        match source.read(&mut self.buffer).await {
            Ok(count) if count > 0 => count,
            // An error of a pipe is its end: what matters is whether the end's mark came.
            _ => {
                self.source = None;
                0
            }
        }
    }
}

/// A script under way.
struct Live {
    place: Place,
    as_user: Option<Arc<Become>>,
    stdout: Output,
    stderr: Output,
    exit: Pin<Box<dyn Future<Output = ProcessEnd> + Send + Sync>>,
    end: Option<ProcessEnd>,
    feeding: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>>,
    begun: Arc<Notify>,
    no_escalation: bool,
    preamble: Vec<u8>,
    running: Option<(bool, u32)>,
    /// Whether something must be killed if nobody waits for it any more.
    killable: bool,
}

impl Live {
    async fn start(
        place: &Place,
        nonce: &str,
        prepared: Prepared,
        as_user: Option<Arc<Become>>,
        feed: Feed,
        killable: bool,
        urgent: bool,
    ) -> Result<Self, Failure> {
        let Prepared { script, password_line, header } = prepared;
        let stdin = password_line.is_some() || !header.is_empty() || !matches!(feed, Feed::Nothing);
        let Process { stdin, stdout, stderr, exit } = place.transport.start(&script, Start { stdin, urgent }).await?;
        let begun = Arc::new(Notify::new());
        let feeding = stdin.map(|stdin| {
            let (begun, escalated) = (begun.clone(), as_user.is_some());
            Box::pin(async move {
                let begun = async move {
                    if escalated {
                        begun.notified().await;
                    }
                };
                write_all(stdin, password_line, begun, header, feed).await
            }) as _
        });
        Ok(Self {
            place: place.clone(),
            as_user,
            stdout: Output::new(stdout, nonce),
            stderr: Output::new(stderr, nonce),
            exit,
            end: None,
            feeding,
            begun,
            no_escalation: false,
            preamble: Vec::new(),
            running: None,
            killable,
        })
    }

    /// Hands on output until the script has said its last word. Cancel-safe.
    ///
    /// The shell's end is not asked for before its output has ended: an SSH server may tell of it first, and with the
    /// answer the session is closed, and what is still on its way is lost.
    async fn follow(&mut self, take: Take<'_>) -> Result<(), Failure> {
        let patience = Instant::now() + PATIENCE;
        let give_up = self.as_user.as_ref().map(|_| Instant::now() + ESCALATION_LIMIT);
        while !(self.stdout.is_over() && self.stderr.is_over()) {
            let begun = self.stdout.begun || self.stderr.begun;
            let silent = !begun && Instant::now() >= patience;
            let wake = if silent { give_up } else { Some(patience) }.filter(|_| !begun);
            tokio::select! {
                count = self.stdout.read(), if !self.stdout.is_over() => {
                    self.take_in(Stream::Stdout, count, take);
                }
                count = self.stderr.read(), if !self.stderr.is_over() => {
                    self.take_in(Stream::Stderr, count, take);
                    if let Some(as_user) = &self.as_user && !self.stderr.begun {
                        escalation::refused_already(&self.place.name, as_user, &self.preamble)?;
                    }
                }
                end = &mut self.exit, if silent => {
                    self.end = Some(end);
                    break;
                }
                fed = feed(&mut self.feeding), if self.feeding.is_some() => {
                    self.feeding = None;
                    fed.map_err(|error| failure(Fault::Configuration, format!("can't read what is to be sent: {error}")))?;
                }
                () = sleep_until(wake.unwrap_or(patience)), if wake.is_some() => {
                    if !silent || give_up.is_none_or(|at| Instant::now() < at) {
                        continue;
                    }
                    let user = self.as_user.as_ref().map_or("", |as_user| &as_user.user);
                    let message = format!("no answer on {} when becoming user `{user}`", self.place.name);
                    return Err(failure(Fault::Target, message).detail(&self.preamble)
                        .hint("something asks a question that nobody can answer; see whether it works by hand without a terminal"));
                }
            }
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            let output = self.output(stream);
            let rest = output.scanner.finish();
            if output.begun && output.ended.is_none() && !rest.is_empty() {
                take(stream, &rest);
            }
        }
        Ok(())
    }

    fn output(&mut self, stream: Stream) -> &mut Output {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// Sorts what was just read into output and marks.
    fn take_in(&mut self, stream: Stream, count: usize, take: Take<'_>) {
        let Self { stdout, stderr, preamble, running, no_escalation, begun: notify, .. } = self;
        let output = match stream {
            Stream::Stdout => stdout,
            Stream::Stderr => stderr,
        };
        let Output { scanner, begun, ended, buffer, .. } = output;
        scanner.push(&buffer[..count], |piece| match piece {
            Piece::Data(_) if ended.is_some() => {}
            Piece::Data(bytes) if *begun => take(stream, bytes),
            Piece::Data(bytes) => {
                let room = PREAMBLE_LIMIT.saturating_sub(preamble.len());
                preamble.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Piece::Mark(Mark::Begun) => {
                *begun = true;
                if stream == Stream::Stderr {
                    notify.notify_one();
                }
            }
            Piece::Mark(Mark::NoEscalation) => *no_escalation = true,
            Piece::Mark(Mark::Running { group, pid }) => *running = Some((group, pid)),
            Piece::Mark(Mark::Ended(end)) => *ended = Some(end),
        });
    }

    /// Says what became of the script.
    async fn conclude(&mut self, folder: &str) -> Result<Exit, Failure> {
        match self.stderr.ended.or(self.stdout.ended) {
            Some(ended) => {
                self.killable = false;
                if self.end.is_none() {
                    // The session is not free for another command before its channel is closed.
                    let exit = std::mem::replace(&mut self.exit, Box::pin(std::future::pending()));
                    tokio::spawn(tokio::time::timeout(CLOSING, exit));
                }
                match ended {
                    Ended::Status(status) => Ok(exit(status)),
                    Ended::NoFolder => Err(failure(
                        Fault::Configuration,
                        format!("can't enter the working folder `{folder}` on {}", self.place.name),
                    )
                    .hint("it must be there, and the user must be allowed into it")),
                }
            }
            None => Err(self.explain().await),
        }
    }

    /// Finds out why the script did not say how it ended.
    async fn explain(&mut self) -> Failure {
        let name = &self.place.name;
        if let Some(lost) = self.place.transport.lost().await {
            self.killable = false;
            return lost;
        }
        if self.stderr.begun || self.stdout.begun {
            return failure(Fault::Target, format!("the shell that watches over the command was killed on {name}"))
                .hint("look for what kills processes there, such as a lack of memory");
        }
        self.killable = false;
        if self.end.is_none() {
            self.end = tokio::time::timeout(CLOSING, &mut self.exit).await.ok();
        }
        match &self.as_user {
            Some(as_user) if self.no_escalation => escalation::missing(name, as_user),
            Some(as_user) => escalation::refused(name, as_user, &self.preamble),
            None => {
                let how = match self.end {
                    Some(ProcessEnd::Status(status)) => format!(" (exit status {status})"),
                    _ => String::new(),
                };
                failure(Fault::Target, format!("the login on {name} runs no commands{how}"))
                    .detail(&self.preamble)
                    .hint("the user's login shell must be able to run /bin/sh")
            }
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if !self.killable {
            return;
        }
        let (place, as_user) = (self.place.clone(), self.as_user.take());
        let running = self.running;
        let source = self.stderr.source.take();
        let scanner = std::mem::replace(&mut self.stderr.scanner, Scanner::new(""));
        self.place.cleanup.spawn(async move {
            let running = match (running, source) {
                (Some(running), _) => Some(running),
                // It may be about to start: only once it has is there something to kill.
                (None, Some(source)) => {
                    tokio::time::timeout(KILL_LIMIT, wait_for_start(source, scanner)).await.ok().flatten()
                }
                (None, None) => None,
            };
            if let Some((group, pid)) = running {
                kill(&place, group, pid, as_user).await;
            }
        });
    }
}

async fn wait_for_start(
    mut source: Box<dyn AsyncRead + Send + Sync + Unpin>,
    mut scanner: Scanner,
) -> Option<(bool, u32)> {
    let mut buffer = [0; 4096];
    let mut running = None;
    while running.is_none() {
        let count = source.read(&mut buffer).await.ok().filter(|&count| count > 0)?;
        scanner.push(&buffer[..count], |piece| {
            if let Piece::Mark(Mark::Running { group, pid }) = piece {
                running = Some((group, pid));
            }
        });
    }
    running
}

async fn feed(feeding: &mut Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>>) -> io::Result<()> {
    match feeding {
        Some(feeding) => feeding.await,
        None => Ok(()),
    }
}

/// Writes all that belongs on the standard input. An error is one of the source: a reader that went away is none.
async fn write_all(
    mut stdin: Box<dyn AsyncWrite + Send + Sync + Unpin>,
    password_line: Option<Zeroizing<Vec<u8>>>,
    begun: impl Future<Output = ()> + Send + Sync,
    header: Zeroizing<Vec<u8>>,
    feed: Feed,
) -> io::Result<()> {
    if let Some(line) = password_line
        && (stdin.write_all(&line).await.is_err() || stdin.flush().await.is_err())
    {
        return Ok(());
    }
    begun.await;
    if stdin.write_all(&header).await.is_err() {
        return Ok(());
    }
    match feed {
        Feed::Nothing => {}
        Feed::Bytes(bytes) => {
            let _ = stdin.write_all(&bytes).await;
        }
        Feed::Source { head, mut source, gate } => {
            if stdin.write_all(&head).await.is_err() || stdin.flush().await.is_err() || gate.await.is_err() {
                return Ok(());
            }
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let count = source.read(&mut buffer).await?;
                if count == 0 || stdin.write_all(&buffer[..count]).await.is_err() {
                    break;
                }
            }
        }
    }
    // Dropping closes the pipe.
    let _ = stdin.flush().await;
    Ok(())
}

/// Reads an exit status the way shells tell it. A program that ends itself with 129 to 159 looks like a killed one.
fn exit(status: i32) -> Exit {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
        "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF",
        "WINCH", "IO", "PWR", "SYS",
    ];
    match usize::try_from(status - 129).ok().and_then(|index| NAMES.get(index)) {
        Some(name) => Exit::Signal((*name).to_owned()),
        None => Exit::Code(status),
    }
}
