//! The compiling child of these tests, as the hidden subcommand of `launchway` is of the command.

use std::process::ExitCode;

fn main() -> ExitCode {
    launchway_runtime::compile_child_main()
}
