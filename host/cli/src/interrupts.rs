//! SIGINT, SIGTERM and SIGHUP while a run goes on.

use std::io;

use launchway_scheduler::Control;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;

use crate::console::{Console, complain};

/// The signals that end a run: the first stops it, the second aborts it.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Interrupts {
    /// Listens from here on; until then a signal ends the process.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            // Under `nohup` nobody wants to know of it; listening would end that.
            hangup: if hangups_are_ignored() { None } else { signal(SignalKind::hangup()).ok() },
        })
    }

    /// Passes on what comes, until nobody takes it any more.
    pub(crate) async fn pass_on(mut self, console: Console, control: UnboundedSender<Control>) {
        let mut count = 0;
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
                Some(()) = next(&mut self.hangup) => {}
            }
            count += 1;
            let request = if count == 1 {
                if !console.quiet {
                    complain("\nStopping at the next safe point; once more aborts.\n");
                }
                Control::Stop
            } else {
                Control::Abort
            };
            if control.send(request).is_err() {
                return;
            }
        }
    }
}

/// Waits for a signal that may not be listened to.
async fn next(signal: &mut Option<Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => None,
    }
}

/// Whether this process was started to outlive its terminal.
fn hangups_are_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Signals count from 1, and this one is the first.
    mask.is_some_and(|mask| mask & 1 != 0)
}
