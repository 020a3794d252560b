//! Asking before acting.

use std::io::{self, BufRead, IsTerminal};

use launchway_report::inline;

use crate::console::{Console, complain};
use crate::error::{CliError, Result};
use crate::exit::Exit;

/// Returns whether the user says yes. Where nobody can answer, `--yes` must have said so.
pub(crate) fn confirm(console: Console, yes: bool, question: &str) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !can_ask(console) {
        return Err(CliError::usage("confirmation", "nobody is here to confirm it")
            .hint("run it with --yes, or look at it first with `launchway plan`"));
    }
    match answer(console, question) {
        true => Ok(()),
        false => Err(CliError::new(Exit::Stopped, "declined", "not confirmed; nothing was done")),
    }
}

/// Whether somebody is at the terminal who could answer.
pub(crate) fn can_ask(console: Console) -> bool {
    !console.json && io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks, and returns whether the answer is yes.
pub(crate) fn answer(console: Console, question: &str) -> bool {
    complain(&format!("{} [y/N] ", console.paint_err.bold(inline(question))));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}
