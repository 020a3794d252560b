//! Ends SSH clients when Launchway itself is killed.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

/// Remembers the clients' process groups and, when its standard input ends, ends them.
const SCRIPT: &str = r#"p=
while read -r what pid; do
  case $what in
    +) p="$p $pid" ;;
    -) q=; for i in $p; do [ "$i" = "$pid" ] || q="$q $i"; done; p=$q ;;
  esac
done
for i in $p; do kill -s TERM -- "-$i"; done"#;

/// A small shell that outlives a killed Launchway for a moment. Started with the first client.
#[derive(Debug, Default)]
pub(super) struct Guard(Mutex<Option<Child>>);

impl Guard {
    /// Takes a client in. Without a guard one could stay behind after a crash, which is no reason to fail.
    pub(super) fn add(&self, pid: u32) {
        self.tell("+", pid);
    }

    /// Forgets a client that has ended.
    pub(super) fn remove(&self, pid: u32) {
        self.tell("-", pid);
    }

    /// Ends the guard: all clients have ended.
    pub(super) fn close(&self) {
        if let Some(mut shell) = self.shell().take() {
            let _ = shell.kill();
            let _ = shell.wait();
        }
    }

    fn tell(&self, what: &str, pid: u32) {
        let mut shell = self.shell();
        if shell.is_none() {
            *shell = Command::new("/bin/sh")
                .args(["-c", SCRIPT])
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .process_group(0)
                .spawn()
                .ok();
        }
        if let Some(stdin) = shell.as_mut().and_then(|shell| shell.stdin.as_mut()) {
            let _ = writeln!(stdin, "{what} {pid}");
        }
    }

    fn shell(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // What is still running is the shell's to end: its input closes here.
        if let Some(mut shell) = self.shell().take() {
            drop(shell.stdin.take());
            let _ = shell.wait();
        }
    }
}
