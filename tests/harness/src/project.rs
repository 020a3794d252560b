//! A throw-away project and the binary run in it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Binary, Output, Running, Sandbox, find_binary};

/// A project in a temporary folder, with a home folder of its own.
pub struct Project {
    binary: Binary,
    folder: TempDir,
    variables: Vec<(String, String)>,
    prefix: Vec<String>,
}

impl Project {
    /// Makes an empty project for the binary under test.
    pub fn new() -> Result<Self> {
        Self::with_binary(find_binary()?)
    }

    pub fn with_binary(binary: Binary) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("launchway-").tempdir().context("can't make a folder")?;
        for name in ["project", "home", "tmp"] {
            fs::create_dir(folder.path().join(name)).context("can't make a folder")?;
        }
        Ok(Self { binary, folder, variables: Vec::new(), prefix: Vec::new() })
    }

    /// Runs the binary inside a sandbox.
    pub fn inside(mut self, sandbox: &Sandbox) -> Self {
        self.prefix = sandbox.entrance(&self.path(""));
        self
    }

    /// Sets an environment variable for the binary.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Returns a path in the project's folder.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join("project").join(relative)
    }

    /// Returns a folder outside the project that is removed with it: a place to deploy to.
    pub fn outside(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Returns the folder that holds everything: project, store, home.
    pub fn everything(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the project, with the folders above it.
    pub fn write(&self, relative: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.path(relative);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("can't make {}", parent.display()))?;
        }
        fs::write(&path, content).with_context(|| format!("can't write {}", path.display()))?;
        Ok(path)
    }

    /// Writes an executable file of the project.
    pub fn write_program(&self, relative: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.write(relative, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }

    /// Writes `launchway.yaml`.
    pub fn application(&self, yaml: &str) -> Result<()> {
        self.write("launchway.yaml", yaml).map(drop)
    }

    /// Writes an environment: JSON, which is YAML too and needs no quoting rules.
    pub fn environment(&self, environment: &Value) -> Result<()> {
        let name = environment["environment"].as_str().context("the environment has no name")?;
        let text = serde_json::to_string_pretty(environment).context("the environment is no JSON")?;
        self.write(format!("environments/{name}.yaml"), text).map(drop)
    }

    /// Returns the command line, with nothing in its environment but what a program needs.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut words = self.prefix.iter().map(OsStr::new).chain([self.binary.path().as_os_str()]);
        let mut command = Command::new(words.next().expect("there is at least the binary"));
        command.args(words).args(arguments);
        command
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.folder.path().join("home"))
            .env("TMPDIR", self.folder.path().join("tmp"))
            .env("LANG", "C.UTF-8")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.path(""));
        command
    }

    /// Starts the binary.
    pub fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<Running> {
        Running::start(self.command(arguments))
    }

    /// Runs the binary to its end.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<Output> {
        self.start(arguments)?.finish()
    }
}
