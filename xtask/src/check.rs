//! Tests and linting, over all cargo workspaces of the checkout.

use std::path::Path;

use anyhow::Result;

use crate::{packages, plugins, process, workspace};

/// Runs every test. The main workspace comes last, so that its runner's summary ends the output.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    packages::setup()?;
    let binary = plugins::build(false)?;
    let embedded = plugins::build_plugins(false)?;
    let (main, others) = split_manifests();
    if arguments.is_empty() {
        for manifest in &others {
            let mut cargo = process::cargo();
            cargo.args(["test", "--quiet", "--locked", "--manifest-path"]).arg(manifest);
            process::run(&mut cargo)?;
        }
    }
    let mut cargo = process::cargo();
    if process::answers("cargo-nextest", "--version") {
        cargo.args(["nextest", "run"]);
    } else {
        eprintln!("note: cargo-nextest is not installed; running `cargo test` instead");
        cargo.arg("test");
    }
    cargo.args(["--workspace", "--locked", "--manifest-path"]).arg(&main).args(arguments);
    // The same variables as in the build before, or cargo would build the binary again, without plugins.
    cargo.env("LAUNCHWAY_EMBED", embedded).env("LAUNCHWAY_BIN", binary);
    process::run(&mut cargo)
}

/// Checks formatting and runs clippy.
pub(crate) fn lint() -> Result<()> {
    for manifest in workspace::manifests() {
        process::run(process::cargo().args(["fmt", "--all", "--check", "--manifest-path"]).arg(&manifest))?;
    }
    for manifest in workspace::manifests() {
        process::run(&mut clippy(&manifest))?;
    }
    Ok(())
}

fn clippy(manifest: &Path) -> std::process::Command {
    let mut cargo = process::cargo();
    cargo.args(["clippy", "--quiet", "--workspace", "--all-targets", "--locked", "--manifest-path"]).arg(manifest);
    cargo.args(["--", "-D", "warnings"]);
    cargo
}

fn split_manifests() -> (std::path::PathBuf, Vec<std::path::PathBuf>) {
    let mut manifests = workspace::manifests();
    (manifests.remove(0), manifests)
}
