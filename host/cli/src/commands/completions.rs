use clap::CommandFactory;
use serde_json::json;

use crate::args::{Cli, CompletionsArgs};
use crate::console::Console;
use crate::error::Result;
use crate::exit::Exit;

/// Prints a completion script.
pub(super) fn run(console: Console, args: &CompletionsArgs) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "launchway", &mut script);
    let script = String::from_utf8_lossy(&script);
    if console.json {
        let document = json!({ "shell": args.shell.to_string(), "script": script });
        console.data(&launchway_report::document(&document))?;
    } else {
        console.data(&script)?;
    }
    Ok(Exit::Done)
}
