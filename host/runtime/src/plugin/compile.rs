//! Compiling in a child process that can be limited and killed.

use std::process::ExitCode;

/// Compiles the component on standard input to standard output; the main function of the compiling child.
pub fn compile_child_main() -> ExitCode {
    ExitCode::FAILURE
}
