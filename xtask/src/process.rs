//! Programs that are run, each shown before it runs.

use std::ffi::OsStr;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Returns the cargo that runs this program.
///
/// It does not see what that one says of this program: build scripts that look at it, such as ring's, would run anew
/// each time a build is started the other way.
pub(crate) fn cargo() -> Command {
    const PREFIXES: [&str; 5] = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"];
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (key, _) in std::env::vars_os() {
        if PREFIXES.iter().any(|prefix| key.to_string_lossy().starts_with(prefix)) {
            cargo.env_remove(key);
        }
    }
    cargo
}

/// Prints a command, runs it and fails if it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {}", shown(command));
    let status = command.status().with_context(|| format!("can't run {}", name(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", name(command));
    }
    Ok(())
}

/// Whether a program can be started and answers well; what it prints is thrown away.
pub(crate) fn answers(program: &str, argument: &str) -> bool {
    Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn shown(command: &Command) -> String {
    let folder = command.get_current_dir().map(|dir| format!("cd {} && ", quoted(dir.as_os_str())));
    let variables = command
        .get_envs()
        .filter_map(|(key, value)| value.map(|value| format!("{}={} ", key.to_string_lossy(), quoted(value))));
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(quoted);
    let variables: String = variables.collect();
    format!("{}{variables}{}", folder.unwrap_or_default(), words.collect::<Vec<_>>().join(" "))
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
