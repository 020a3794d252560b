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

/// Returns the manifests of all cargo workspaces of the checkout, the main one first.
///
/// The plugins and the guests of the tests have their own: another target, another profile, another lock file.
pub(crate) fn manifests() -> Vec<PathBuf> {
    ["Cargo.toml", "plugins/Cargo.toml", "sdk/rust/Cargo.toml", "tests/artifacts/Cargo.toml"]
        .into_iter()
        .map(|path| root().join(path))
        .filter(|path| path.is_file())
        .collect()
}
