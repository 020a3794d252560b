//! Where things are in the checkout.

use std::path::{Path, PathBuf};

/// Returns the checkout's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the checkout").to_owned()
}

/// Returns the folder that cargo builds the main workspace into.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// Returns the manifest of the main workspace.
pub(crate) fn main_manifest() -> PathBuf {
    root().join("Cargo.toml")
}

/// Returns the manifest of the plugins' workspace: another target, another profile, another lock file.
pub(crate) fn plugins_manifest() -> PathBuf {
    root().join("plugins/Cargo.toml")
}

/// Returns the manifest of the guests that tests use; they build for WebAssembly only.
pub(crate) fn guests_manifest() -> PathBuf {
    root().join("tests/artifacts/Cargo.toml")
}
