//! A project on disk: where it is, and what its main file says.

use std::path::{Path, PathBuf};

use launchway_model::Sources;
use launchway_model::config::{Application, Parsed, parse_application};

use crate::error::{CliError, Result};

/// The file that makes a folder a project.
pub(crate) const FILE: &str = "launchway.yaml";
/// The largest project file that is read, in bytes.
const SIZE_LIMIT: u64 = 16 * 1024 * 1024;

/// A project whose main file was read.
pub(crate) struct Project {
    pub dir: PathBuf,
    pub application: Parsed<Application>,
    /// The main file as it was read.
    pub text: String,
}

impl Project {
    /// Reads the main file of the project in a folder found by [`find`].
    pub(crate) fn load(dir: PathBuf, sources: &mut Sources) -> Result<Self> {
        let text = read_text(&dir.join(FILE))?;
        let parsed = parse_application(sources, FILE, &text);
        let application = parsed.map_err(|findings| CliError::findings(sources, findings))?;
        Ok(Self { dir, application, text })
    }
}

/// Returns the folder of the project: the one asked for, or the nearest above it that has a `launchway.yaml`.
pub(crate) fn find(directory: Option<&Path>) -> Result<PathBuf> {
    let start = directory.unwrap_or(Path::new("."));
    let absolute = start.canonicalize().map_err(|error| CliError::file("open", start, &error))?;
    if !absolute.is_dir() {
        return Err(CliError::usage("file", format!("{} is not a folder", start.display())));
    }
    let found = absolute.ancestors().find(|folder| folder.join(FILE).is_file());
    found.map(Path::to_path_buf).ok_or_else(|| {
        CliError::usage("no-project", format!("no {FILE} in {} or above it", absolute.display()))
            .hint("`launchway init` writes one; `-C DIR` looks elsewhere")
    })
}

/// Reads a text file of the project.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    let fail = |error: std::io::Error| CliError::file("read", path, &error);
    let about = std::fs::metadata(path).map_err(fail)?;
    // A pipe or a device may never end. Reading a folder fails by itself.
    if !about.is_file() && !about.is_dir() {
        return Err(CliError::usage("file", format!("{} is no regular file", path.display())));
    }
    let size = about.len();
    if size > SIZE_LIMIT {
        return Err(CliError::usage("file", format!("{} is too large: {size} bytes", path.display())));
    }
    let bytes = std::fs::read(path).map_err(fail)?;
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
        CliError::usage("file", format!("{} is not UTF-8 text (line {line})", path.display()))
    })
}
