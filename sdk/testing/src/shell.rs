//! A host that is this machine: a real shell and a real folder, so that a plugin's scripts are tested as they are.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use launchway_sdk::{
    Artifact, Command, Exit, Failure, FileOptions, FileStatus, FileType, Host, Level, Output, Part, Request, Response,
    Source, Text, Vantage, Written, wire,
};
use sha2::{Digest, Sha256};

/// The host of a folder.
pub(crate) struct ShellHost {
    /// The content of the instance's artifacts, by name.
    pub(crate) artifacts: BTreeMap<String, PathBuf>,
    /// Milliseconds; waiting moves it, and nobody sleeps.
    pub(crate) clock: RefCell<u64>,
}

/// Runs a script of a case in its folder.
pub(crate) fn run_script(script: &str, root: &Path) -> Result<(), String> {
    let output = shell(&["/bin/sh".into(), "-eu".into(), "-c".into(), script.into()])
        .current_dir(root)
        .output()
        .map_err(|error| format!("can't run /bin/sh: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].map(|stream| String::from_utf8_lossy(&stream).into_owned());
    Err(format!("{}\n{}", output.status, said.concat()))
}

fn shell(argv: &[String]) -> std::process::Command {
    let mut command = std::process::Command::new(&argv[0]);
    command.args(&argv[1..]).env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

/// Returns the digest of a file's content.
pub(crate) fn digest_of(path: &Path) -> std::io::Result<String> {
    Ok(digest(&std::fs::read(path)?))
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Fills secrets in: the value of `pw` is `secret-pw`.
fn filled(text: &Text) -> String {
    let part = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Secret(name) => format!("secret-{name}"),
    };
    text.parts().iter().map(part).collect()
}

fn failed(what: &str) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::target(format!("{what}: {error}"))
}

impl Host for ShellHost {
    fn log(&self, _: Level, _: &str) {}
    fn progress(&self, _: Option<f32>, _: &str) {}

    fn elapsed(&self) -> Duration {
        Duration::from_millis(*self.clock.borrow())
    }

    fn exec(&self, command: &Command) -> Result<Output, Failure> {
        if command.as_user.is_some() {
            return Err(Failure::plugin("a case that is run for real can't run as somebody else"));
        }
        let mut process = shell(&command.argv);
        process.envs(command.env.iter().map(|(name, value)| (name, filled(value))));
        if let Some(cwd) = &command.cwd {
            process.current_dir(cwd);
        }
        process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process.spawn().map_err(failed("can't start it"))?;
        let stdin = filled(&command.stdin);
        let mut pipe = child.stdin.take().expect("it is piped");
        let output = std::thread::scope(|scope| {
            // A command that does not read its input closes it.
            scope.spawn(move || pipe.write_all(stdin.as_bytes()));
            child.wait_with_output()
        });
        let output = output.map_err(failed("can't wait for it"))?;
        let exit = match (output.status.code(), output.status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, signal) => Exit::Signal(signal.unwrap_or_default().to_string()),
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Output { exit, stdout: text(&output.stdout), stderr: text(&output.stderr) })
    }

    fn put(&self, source: &Source, path: &str, options: &FileOptions) -> Result<Written, Failure> {
        let bytes = match source {
            Source::Artifact(name) => {
                let file = self.artifacts.get(name).ok_or_else(|| Failure::plugin(format!("no artifact {name}")))?;
                std::fs::read(file).map_err(failed("can't read the artifact"))?
            }
            Source::Bytes(bytes) => bytes.clone(),
            Source::Text(text) => filled(text).into_bytes(),
        };
        let written = |changed| Ok(Written { changed, digest: digest(&bytes) });
        let mode = std::fs::metadata(path).ok().map(|metadata| metadata.permissions().mode() & 0o7777);
        let same_mode = options.mode.is_none_or(|wanted| mode == Some(wanted));
        if same_mode && std::fs::read(path).is_ok_and(|found| found == bytes) {
            return written(false);
        }
        let new = format!("{path}.new");
        std::fs::write(&new, &bytes).map_err(failed("can't write the file"))?;
        if let Some(mode) = options.mode.or(mode) {
            std::fs::set_permissions(&new, std::fs::Permissions::from_mode(mode)).map_err(failed("can't chmod"))?;
        }
        std::fs::rename(&new, path).map_err(failed("can't move the file"))?;
        written(true)
    }

    fn read(&self, path: &str, limit: u64, _: Option<&str>) -> Result<Option<Vec<u8>>, Failure> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Some(bytes.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX)).collect())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("can't read the file")(error)),
        }
    }

    fn stat(&self, path: &str, _: Option<&str>) -> Result<Option<FileStatus>, Failure> {
        let metadata = match std::fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("can't stat the file")(error)),
        };
        let file_type = match metadata.file_type() {
            kind if kind.is_file() => FileType::File,
            kind if kind.is_dir() => FileType::Directory,
            kind if kind.is_symlink() => FileType::Link,
            _ => FileType::Other,
        };
        let link = std::fs::read_link(path).ok().map(|link| link.to_string_lossy().into_owned());
        Ok(Some(wire::Status {
            file_type,
            digest: (file_type == FileType::File).then(|| digest_of(Path::new(path)).ok()).flatten(),
            size: metadata.len(),
            mode: metadata.permissions().mode() & 0o7777,
            owner: String::new(),
            group: String::new(),
            link,
        }))
    }

    fn send(&self, request: &Request) -> Result<Response, Failure> {
        Err(Failure::plugin(format!("a case that is run for real can't ask {}", request.url)))
    }

    fn download(&self, request: &Request, _: &str) -> Result<Artifact, Failure> {
        Err(Failure::plugin(format!("a case that is run for real can't ask {}", request.url)))
    }

    fn connect(&self, address: &str, _: u16, _: Duration, _: Vantage) -> Result<(), Failure> {
        Err(Failure::plugin(format!("a case that is run for real can't ask {address}")))
    }
}
