//! Where the binary under test is.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The program under test.
#[derive(Clone, Debug)]
pub struct Binary(PathBuf);

impl Binary {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// Finds `launchway`: where `LAUNCHWAY_BIN` says, else beside the running test.
pub fn find_binary() -> Result<Binary> {
    let path = match std::env::var_os("LAUNCHWAY_BIN") {
        Some(path) => PathBuf::from(path),
        None => beside_this_program()?,
    };
    ensure!(path.is_file(), "{} is not there; `cargo xtask build` makes it", path.display());
    Ok(Binary(path))
}

/// Tests lie in `target/PROFILE/deps`, other programs in `target/PROFILE`.
fn beside_this_program() -> Result<PathBuf> {
    let program = std::env::current_exe().context("can't tell where this program is")?;
    let folder = program.parent().context("this program lies in no folder")?;
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    Ok(folder.join("launchway"))
}
