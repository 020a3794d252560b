//! Asking before acting.

use std::io::{self, BufRead, IsTerminal};

use crate::console::{Console, complain};
use crate::error::{CliError, Result};
use crate::exit::Exit;

/// Returns whether the user says yes. Where nobody can answer, `--yes` must have said so.
pub(crate) fn confirm(console: Console, yes: bool, question: &str) -> Result<()> {
    if yes {
        return Ok(());
    }
    if console.json || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(CliError::usage("confirmation", "nobody is here to confirm it")
            .hint("run it with --yes, or look at it first with `launchway plan`"));
    }
    complain(&format!("{} [y/N] ", console.paint_err.bold(question)));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    match (read, answer.trim().to_lowercase().as_str()) {
        (Ok(_), "y" | "yes") => Ok(()),
        _ => Err(CliError::new(Exit::Stopped, "declined", "not confirmed; nothing was done")),
    }
}
