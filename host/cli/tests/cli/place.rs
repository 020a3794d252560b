//! A throw-away project, and the binary run in it with nothing of this machine's environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Place {
    folder: TempDir,
}

/// What came of a call.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    /// Makes an empty project folder with a home folder beside it.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("launchway cli ").tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("home")).expect("a folder");
        fs::create_dir(folder.path().join("project")).expect("a folder");
        Self { folder }
    }

    /// Makes a project of one environment, `local`, whose one target is this machine; `${folder}` is where to deploy.
    pub(crate) fn with(components: &str) -> Self {
        let place = Self::new();
        place.application("1", components);
        place.write("environments/local.yaml", &place.environment("local"));
        place
    }

    pub(crate) fn application(&self, version: &str, components: &str) {
        let indented: String = components.lines().map(|line| format!("  {line}\n")).collect();
        self.write("launchway.yaml", &format!("application: shop\nversion: \"{version}\"\ncomponents:\n{indented}"));
    }

    /// Returns the text of an environment with one local target.
    pub(crate) fn environment(&self, name: &str) -> String {
        let folder = serde_json::to_string(&self.folder.path().join("deployed")).expect("a path that is text");
        format!(
            "environment: {name}\ndefaults: {{ transport: local }}\ntargets: {{ here: {{}} }}\ndictionaries: [{{ folder: {folder} }}]\n"
        )
    }

    /// Lets markers be kept.
    pub(crate) fn with_markers(&self) {
        let on = self.environment("local").replace("transport: local", "transport: local, markers: on");
        self.write("environments/local.yaml", &on);
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join("project").join(relative)
    }

    /// Returns a path in the folder that is deployed to.
    pub(crate) fn deployed(&self, relative: &str) -> PathBuf {
        self.folder.path().join("deployed").join(relative)
    }

    pub(crate) fn read(&self, relative: &str) -> Option<String> {
        fs::read_to_string(self.deployed(relative)).ok()
    }

    pub(crate) fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("it is in the project")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_in(&self.path(""), arguments)
    }

    pub(crate) fn command_in(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_launchway"));
        command.args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
        command.env("PATH", "/usr/bin:/bin").env("HOME", self.folder.path().join("home")).env("TZ", "UTC");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        Said::of(self.command(arguments).output().expect("the binary starts"))
    }

    /// Whether the binary under test carries plugins. Says so if not: then there is nothing to deploy with.
    pub(crate) fn has_plugins(&self) -> bool {
        let list = self.command_in(&self.folder.path().join("home"), &["plugin", "list", "--json"]).output();
        let list = Said::of(list.expect("the binary starts")).exits(0).json();
        let found = list["plugins"].as_array().is_some_and(|plugins| !plugins.is_empty());
        assert!(
            found || std::env::var_os("LAUNCHWAY_REQUIRE_PLUGINS").is_none(),
            "the binary was built without plugins, and LAUNCHWAY_REQUIRE_PLUGINS is set"
        );
        if !found {
            println!("skipped: the binary was built without plugins (`cargo xtask build` builds one with them)");
        }
        found
    }
}

impl Said {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap_or(-1);
        Self { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        for trace in ["panicked at", "stack backtrace", "bug in launchway"] {
            assert!(!self.stderr.contains(trace), "{}", self.stderr);
        }
        self
    }

    /// Panics unless standard error has this text.
    #[track_caller]
    pub(crate) fn tells(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no {text:?} in:\n{}", self.stderr);
        self
    }

    /// Panics unless standard output has this text.
    #[track_caller]
    pub(crate) fn gives(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no {text:?} in:\n{}", self.stdout);
        self
    }

    /// Reads standard output as one document, which must begin with its schema version.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let begin: String = self.stdout.chars().filter(|c| !c.is_whitespace()).take(12).collect();
        assert_eq!(begin, "{\"schema\":1,", "{}", self.stdout);
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}:\n{}", self.stdout))
    }

    /// Reads standard output as lines, the first of which must begin with the schema version.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        assert!(self.stdout.starts_with("{\"schema\":1,"), "{}", self.stdout);
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
    }
}
