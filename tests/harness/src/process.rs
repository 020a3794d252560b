//! Programs that are started, watched and always ended.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};

use crate::Output;

/// How long anything may take before a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program whose output is read along. It is killed when dropped.
pub struct Running {
    child: Child,
    title: String,
    lines: Receiver<Vec<u8>>,
    stdout: Vec<u8>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    /// Starts a command; its standard input is empty.
    pub fn start(mut command: Command) -> Result<Self> {
        let title = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("can't run {title}"))?;
        let stdout = child.stdout.take().context("the program has no standard output")?;
        let mut stderr = child.stderr.take().context("the program has no standard error")?;
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut line = Vec::new();
            while matches!(reader.read_until(b'\n', &mut line), Ok(1..)) {
                if sender.send(std::mem::take(&mut line)).is_err() {
                    return;
                }
            }
        });
        let stderr = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What could be read before an error is still worth showing.
            let _ = stderr.read_to_end(&mut bytes);
            bytes
        });
        Ok(Self { child, title, lines, stdout: Vec::new(), stderr: Some(stderr) })
    }

    /// Reads on until a line of the standard output is the wanted one.
    pub fn wait_for(&mut self, wanted: impl Fn(&str) -> bool) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.stdout.extend_from_slice(&line);
                    let line = String::from_utf8_lossy(&line).into_owned();
                    if wanted(&line) {
                        return Ok(line);
                    }
                }
                Err(RecvTimeoutError::Timeout) => bail!("{} did not print what was awaited", self.title),
                Err(RecvTimeoutError::Disconnected) => {
                    bail!("{} ended its output: {}", self.title, String::from_utf8_lossy(&self.stdout))
                }
            }
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.child.id() as i32).context("the program has no process id")?;
        rustix::process::kill_process(pid, signal).with_context(|| format!("can't signal {}", self.title))
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&self) -> Result<()> {
        self.signal(Signal::KILL)
    }

    /// Interrupts it as Ctrl-C does.
    pub fn interrupt(&self) -> Result<()> {
        self.signal(Signal::INT)
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Result<Output> {
        let deadline = Instant::now() + 4 * PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.stdout.extend_from_slice(&line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => bail!("{} does not end", self.title),
            }
        }
        let status = self.child.wait().with_context(|| format!("can't wait for {}", self.title))?;
        let stderr = self.stderr.take().map(|reader| reader.join().unwrap_or_default()).unwrap_or_default();
        Ok(Output::new(std::mem::take(&mut self.title), status, std::mem::take(&mut self.stdout), stderr))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// Kills a child and everything below it, and reaps it.
pub(crate) fn end(child: &mut Child) -> Option<ExitStatus> {
    if let Ok(Some(status)) = child.try_wait() {
        return Some(status);
    }
    let mut family = descendants(child.id());
    family.push(child.id());
    for pid in family.into_iter().filter_map(|pid| Pid::from_raw(pid as i32)) {
        // It may have ended by itself meanwhile.
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
    child.wait().ok()
}

/// Returns the processes below this one, parents before children.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| Some((pid, parent(pid)?)))
        .collect();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

/// Reads a process's parent; the program's name before it may hold blanks and parentheses.
fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}
