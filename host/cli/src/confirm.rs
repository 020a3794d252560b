//! Asking before acting.

use std::io::{self, BufRead, IsTerminal};

use tokio::signal::unix::{SignalKind, signal};

use crate::adapters::LazyRuntime;
use crate::console::{Console, complain};
use crate::error::{CliError, Result};
use crate::exit::Exit;

/// Returns whether the user says yes. Where nobody can answer, `--yes` must have said so.
pub(crate) fn confirm(runtime: &LazyRuntime, console: Console, yes: bool, question: &str) -> Result<()> {
    if yes {
        return Ok(());
    }
    if console.json || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(CliError::usage("confirmation", "nobody is here to confirm it")
            .hint("run it with --yes, or look at it first with `launchway plan`"));
    }
    let question = format!("{} [y/N] ", console.paint_err.bold(question));
    match runtime.block_on(answer(&question)).trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CliError::new(Exit::Stopped, "declined", "not confirmed; nothing was done")),
    }
}

/// Asks, and reads a line; an interrupt is an answer, too, and no yes.
async fn answer(question: &str) -> String {
    // Whoever sees the question may interrupt at once.
    let interrupt = signal(SignalKind::interrupt());
    complain(question);
    let read = tokio::task::spawn_blocking(|| {
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map(|_| answer)
    });
    let Ok(mut interrupt) = interrupt else {
        return read.await.ok().and_then(Result::ok).unwrap_or_default();
    };
    tokio::select! {
        answer = read => answer.ok().and_then(Result::ok).unwrap_or_default(),
        _ = interrupt.recv() => {
            complain("\n");
            String::new()
        }
    }
}
