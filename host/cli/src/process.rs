//! The process from its first to its last moment.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::args::Cli;
use crate::commands;
use crate::console::{Console, complain, error_json, write_out};
use crate::error::CliError;
use crate::exit::Exit;

/// The hidden first argument with which the binary starts itself to compile a plugin in a process of its own.
pub(crate) const COMPILE_PLUGIN: &str = "__compile-plugin";

pub(crate) fn main() -> ExitCode {
    set_panic_hook();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|argument| argument == COMPILE_PLUGIN) {
        return launchway_runtime::compile_child_main();
    }
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &arguments).into(),
    };
    let console = Console::new(&cli.global);
    // A bug ends as an error of its own: the hook has already said what there is to say.
    let result = std::panic::catch_unwind(|| commands::run(&cli, console));
    match result {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(error)) => console.error(&error).into(),
        Err(_) => {
            if console.json {
                let error = CliError::new(Exit::Internal, "internal", "this is a bug in launchway");
                // As above.
                let _ = write_out(&error_json(&error));
            }
            Exit::Internal.into()
        }
    }
}

/// Shows help, the version, or what is wrong with the arguments.
fn usage(error: &clap::Error, arguments: &[OsString]) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that went away has what it wanted.
            let _ = error.print();
            Exit::Done
        }
        _ => {
            if arguments.iter().any(|argument| argument == "--json") {
                let text = error.render().to_string();
                // What it is about may take several lines; tips and the usage come after an empty one.
                let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
                let message = lines.join(" ").trim_start_matches("error: ").to_owned();
                // As above.
                let _ = write_out(&error_json(&CliError::usage("usage", message)));
            }
            // As above.
            let _ = error.print();
            Exit::Usage
        }
    }
}

/// Makes a bug a short message in place of a backtrace, unless one is asked for.
fn set_panic_hook() {
    let wants_backtrace = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| !value.is_empty() && value != "0");
    if wants_backtrace {
        return;
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
        let what = panic
            .payload()
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.payload().downcast_ref::<String>().cloned())
            .unwrap_or_default();
        complain(&format!(
            "error: this is a bug in launchway{place}: {}\nhint: run it again with RUST_BACKTRACE=1 and report what it prints\n",
            launchway_report::inline(&what)
        ));
    }));
}
