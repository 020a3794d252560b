//! Asking before acting.

use std::io::{self, BufRead, IsTerminal};

use launchway_report::inline;
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
    if !can_ask(console) {
        return Err(CliError::usage("confirmation", "nobody is here to confirm it")
            .hint("run it with --yes, or look at it first with `launchway plan`"));
    }
    let question = prompt(console, question);
    match is_yes(&runtime.block_on(answer(&question))) {
        true => Ok(()),
        false => Err(CliError::new(Exit::Stopped, "declined", "not confirmed; nothing was done")),
    }
}

/// Whether somebody is at the terminal who could answer.
pub(crate) fn can_ask(console: Console) -> bool {
    !console.json && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks while a run goes on, which takes interrupts itself; returns whether the answer is yes.
pub(crate) fn agrees(console: Console, question: &str) -> bool {
    complain(&prompt(console, question));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).is_ok() && is_yes(&answer)
}

fn prompt(console: Console, question: &str) -> String {
    format!("{} [y/N] ", console.paint_err.bold(inline(question)))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
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
