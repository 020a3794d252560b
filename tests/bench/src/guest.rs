//! The plugin whose steps do nothing, built for this run.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What `plugins/.cargo/config.toml` says.
const LINKER: &str = "-Clink-arg=-zstack-size=65536 -Clink-arg=--initial-memory=262144";

/// Builds the component `idle` into a folder and returns its path.
pub(crate) fn idle(folder: &Path) -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../artifacts/Cargo.toml");
    let target = manifest.with_file_name("target");
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--release", "--locked", "--target", "wasm32-unknown-unknown", "--package", "idle"])
        .arg("--manifest-path")
        .arg(&manifest)
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        // As plugins are built, or each call pays for a memory that is larger than what stays resident.
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", LINKER)
        .status()
        .context("can't run cargo")?;
    ensure!(built.success(), "the guest does not build: {built}");
    let module = std::fs::read(target.join("wasm32-unknown-unknown/release/idle.wasm")).context("no guest")?;
    let component = wit_component::ComponentEncoder::default().validate(true).module(&module)?.encode()?;
    let path = folder.join("idle.wasm");
    std::fs::write(&path, component).context("can't write the guest")?;
    Ok(path)
}
