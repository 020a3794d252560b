//! A program's time and memory, as the kernel counts them.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// Starts a program without copying this one and asks the kernel what it used. In Python because the standard library
/// of Rust has no way to ask.
const WAIT: &str = r#"
import json, os, sys, time
begin = time.monotonic()
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ, file_actions=[
    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    (os.POSIX_SPAWN_OPEN, 2, sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
])
_, status, usage = os.wait4(pid, 0)
print(json.dumps({
    "seconds": time.monotonic() - begin,
    "kib": usage.ru_maxrss,
    "code": os.waitstatus_to_exitcode(status),
}))
"#;

/// What one run of a program took.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Usage {
    pub(crate) seconds: f64,
    /// The most memory it had at once, in KiB. Not below the 10 MiB or so of what starts it.
    pub(crate) kib: u64,
    code: i32,
}

impl Usage {
    pub(crate) fn mib(&self) -> f64 {
        self.kib as f64 / 1024.0
    }
}

/// Runs a command that must end well, and measures it.
pub(crate) fn measure(command: &Command) -> Result<Usage> {
    let complaints = tempfile::NamedTempFile::new().context("can't make a file")?;
    let mut wrapped = Command::new(launchway_harness::python());
    wrapped.args(["-c", WAIT]).arg(complaints.path()).arg(command.get_program()).args(command.get_args());
    // The measured command's own environment and folder: empty where it asked for that.
    wrapped.env_clear().stdin(Stdio::null());
    wrapped.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
    let output = wrapped.output().context("can't run Python")?;
    ensure!(output.status.success(), "can't measure: {}", String::from_utf8_lossy(&output.stderr));
    let usage: Usage = serde_json::from_slice(&output.stdout).context("no figures")?;
    ensure!(
        usage.code == 0,
        "{:?} ended with {}: {}",
        command.get_program(),
        usage.code,
        std::fs::read_to_string(complaints.path()).unwrap_or_default()
    );
    Ok(usage)
}

/// Measures so many runs and returns the one in the middle, by time.
pub(crate) fn median(runs: usize, command: impl Fn() -> Command) -> Result<Usage> {
    let mut usages = (0..runs).map(|_| measure(&command())).collect::<Result<Vec<_>>>()?;
    usages.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    usages.get(runs / 2).copied().context("nothing was measured")
}
