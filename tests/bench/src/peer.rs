//! Programs to measure beside, where they are installed.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// Finds a program, or says that it is not measured and how it could be.
pub(crate) fn find(name: &str, how: &str) -> Option<PathBuf> {
    let found =
        env::split_paths(&env::var_os("PATH").unwrap_or_default()).map(|dir| dir.join(name)).find(|p| p.is_file());
    if found.is_none() {
        println!("{name} is not installed and so not measured ({how})\n");
    }
    found
}

/// Returns terraform in a folder, without plugins to download or questions to ask.
pub(crate) fn terraform(program: &std::path::Path, folder: &std::path::Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("TF_CLI_CONFIG_FILE", "/dev/null").env("CHECKPOINT_DISABLE", "1");
    command.env("HOME", folder);
    command
}
