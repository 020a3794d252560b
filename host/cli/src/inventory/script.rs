//! Inventories that are programs.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use launchway_model::EnvironmentName;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::resolve::Failure;

/// How long a script may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(60);
/// How much it may print, in bytes.
const SIZE_LIMIT: u64 = 32 * 1024 * 1024;
/// How much of its complaint is shown, in bytes.
const COMPLAINT_LIMIT: u64 = 4096;

/// Runs a script in a folder, for so long at most; returns what it printed.
pub(super) async fn run(
    words: &[String],
    folder: &Path,
    environment: &EnvironmentName,
    timeout: Duration,
) -> Result<String, Failure> {
    let Some((program, arguments)) = words.split_first().filter(|(program, _)| !program.is_empty()) else {
        return Err(Failure::new("the script has no name", "give a program and its arguments"));
    };
    let fail = |error: std::io::Error| {
        let text = crate::error::io_text(&error);
        Failure::new(
            format!("can't run `{program}`: {text}"),
            "a file beside the environment's is written `./NAME`, and must be executable",
        )
    };
    // A name with a slash is one from the folder; where a child looks for it otherwise differs between systems.
    let path = if program.contains('/') { folder.join(program) } else { program.into() };
    let mut child = Command::new(path)
        .args(arguments)
        .current_dir(folder)
        .env("LAUNCHWAY_ENVIRONMENT", environment.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(fail)?;
    let mut group = Group(child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())));
    let (stdout, stderr) = (child.stdout.take().expect("it is piped"), child.stderr.take().expect("it is piped"));
    let all = async {
        let output = async {
            let mut bytes = Vec::new();
            stdout.take(SIZE_LIMIT + 1).read_to_end(&mut bytes).await?;
            Ok(bytes)
        };
        // What is printed beyond the limit ends the wait, not what comes of the rest.
        let (bytes, complaint) = tokio::try_join!(output, complaint(stderr))?;
        Ok::<_, std::io::Error>((bytes, complaint, child.wait().await?))
    };
    let (bytes, complaint, status) = match tokio::time::timeout(timeout, all).await {
        Ok(done) => done.map_err(fail)?,
        Err(_) => {
            return Err(Failure::new(
                format!("`{program}` gave no answer in {} s", timeout.as_secs()),
                "it must not ask questions: its standard input is empty",
            ));
        }
    };
    group.has_ended();
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(Failure::new(format!("`{program}` printed more than {} MiB", SIZE_LIMIT >> 20), HAND));
    }
    if !status.success() {
        let how =
            status.code().map_or_else(|| "was killed".to_owned(), |code| format!("ended with exit status {code}"));
        let said = if complaint.is_empty() { String::new() } else { format!(": {complaint}") };
        return Err(Failure::new(format!("`{program}` {how}{said}"), HAND));
    }
    String::from_utf8(bytes).map_err(|_| Failure::new(format!("`{program}` printed something that is no text"), HAND))
}

const HAND: &str = "run it by hand to see what it prints";

/// Reads all, keeps the beginning, on one line.
async fn complaint(mut source: impl AsyncRead + Unpin) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    (&mut source).take(COMPLAINT_LIMIT).read_to_end(&mut bytes).await?;
    tokio::io::copy(&mut source, &mut tokio::io::sink()).await?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Kills the script's whole process group when dropped, unless it has ended by itself.
struct Group(Option<Pid>);

impl Group {
    fn has_ended(&mut self) {
        // Its number may become somebody else's.
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // All of it may be gone already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sh(script: &str) -> Result<String, String> {
        let words = ["sh".to_owned(), "-c".to_owned(), script.to_owned()];
        let name = EnvironmentName::new("test").unwrap();
        run(&words, Path::new("/"), &name, Duration::from_secs(10)).await.map_err(|failure| failure.message)
    }

    #[tokio::test]
    async fn what_it_prints_is_the_answer() {
        assert_eq!(sh("printf \"$LAUNCHWAY_ENVIRONMENT\"; pwd").await.unwrap(), "test/\n");
        assert_eq!(
            sh("echo oh; echo 'no way' >&2; exit 3").await.unwrap_err(),
            "`sh` ended with exit status 3: no way"
        );
        assert_eq!(sh("kill -9 $$").await.unwrap_err(), "`sh` was killed");
        assert_eq!(sh("printf '\\377'").await.unwrap_err(), "`sh` printed something that is no text");
    }

    #[tokio::test]
    async fn one_that_prints_for_ever_is_ended() {
        let error = sh("while :; do printf '%65536s' x; done").await.unwrap_err();
        assert_eq!(error, "`sh` printed more than 32 MiB");
    }

    #[tokio::test]
    async fn one_that_does_not_end_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let words = ["sh", "-c", "echo $$ > group; sleep 1000 & sleep 1000"].map(str::to_owned);
        let name = EnvironmentName::new("test").unwrap();
        let timeout = Duration::from_secs(1);
        let failure = run(&words, folder.path(), &name, timeout).await.map(drop).unwrap_err();
        assert_eq!(failure.message, "`sh` gave no answer in 1 s");
        let group = std::fs::read_to_string(folder.path().join("group")).unwrap();
        let group = Pid::from_raw(group.trim().parse().unwrap()).unwrap();
        for _ in 0..500 {
            if rustix::process::test_kill_process_group(group).is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("something of it still runs");
    }
}
