//! The machine Launchway runs on as a target.

use std::process::Stdio;
use std::time::Duration;

use launchway_model::{Failure, Fault};
use tokio::process::Command;

use super::failure::{FailureExt as _, failure};
use super::transport::{Forward, Process, ProcessEnd, Start, Transport, TransportFuture};

/// What one argument of a program may have on Linux, in bytes, less what a shell before it may add.
pub(crate) const ARGUMENT_LIMIT: usize = 128 * 1024 - 64;

/// What a login would set; the rest of Launchway's environment is its own business.
const KEPT_VARIABLES: [&str; 10] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "XDG_RUNTIME_DIR"];

/// Runs scripts by the local shell.
#[derive(Debug)]
pub(crate) struct Local;

impl Transport for Local {
    fn start<'a>(&'a self, script: &'a str, start: Start) -> TransportFuture<'a, Result<Process, Failure>> {
        Box::pin(async move {
            if script.len() > ARGUMENT_LIMIT {
                return Err(too_long(script.len()));
            }
            let kept = std::env::vars_os().filter(|(name, _)| {
                name.to_str().is_some_and(|name| KEPT_VARIABLES.contains(&name) || name.starts_with("LC_"))
            });
            let mut child = Command::new("/bin/sh")
                .arg("-c")
                .arg(script)
                .env_clear()
                .envs(kept)
                .stdin(if start.stdin { Stdio::piped() } else { Stdio::null() })
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                // Ctrl-C is for Launchway, which decides what to end.
                .process_group(0)
                .spawn()
                .map_err(|error| failure(Fault::Target, format!("can't start /bin/sh: {error}")))?;
            let stdin = child.stdin.take().map(|stdin| Box::new(stdin) as _);
            let stdout = child.stdout.take().expect("it is piped");
            let stderr = child.stderr.take().expect("it is piped");
            let exit = async move {
                match child.wait().await {
                    Ok(status) => status.code().map_or(ProcessEnd::Gone, ProcessEnd::Status),
                    Err(_) => ProcessEnd::Gone,
                }
            };
            Ok(Process { stdin, stdout: Box::new(stdout), stderr: Box::new(stderr), exit: Box::pin(exit) })
        })
    }

    fn lost(&self) -> TransportFuture<'_, Option<Failure>> {
        Box::pin(async { None })
    }

    fn connect<'a>(
        &'a self,
        address: &'a str,
        port: u16,
        timeout: Duration,
    ) -> TransportFuture<'a, Result<(), Failure>> {
        Box::pin(crate::net::connect(address, port, timeout))
    }

    fn forward<'a>(&'a self, _: &'a str, _: u16) -> TransportFuture<'a, Result<Option<Forward>, Failure>> {
        Box::pin(async { Ok(None) })
    }
}

/// Returns the failure of a script that is too long for one argument of a program.
pub(crate) fn too_long(length: usize) -> Failure {
    failure(Fault::Configuration, format!("the command is too long for the target: {length} bytes"))
        .hint("give large texts on standard input or in a file")
}
