//! Builds the plugins and the binary that carries them.

use std::path::PathBuf;

use anyhow::{Result, bail};

/// Builds the plugins and precompiles them; returns the folder to embed.
pub(crate) fn build_plugins(_verbose: bool) -> Result<PathBuf> {
    bail!("not here yet")
}

/// Builds `launchway` with its plugins; returns the binary's path.
pub(crate) fn build(_release: bool) -> Result<PathBuf> {
    build_plugins(true)
}
