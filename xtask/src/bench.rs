//! Runs the benchmarks with a release build.

use std::process::Command;

use anyhow::Result;

use crate::{packages, plugins, process, workspace};

/// Builds with the release profile and runs `launchway-bench`, which prints its figures.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    packages::setup()?;
    let binary = plugins::build(true)?;
    // All of the workspace, as every build does: with other features on its dependencies they would be built again.
    let mut cargo = process::cargo();
    cargo.args(["build", "--release", "--locked", "--workspace", "--bin", "launchway-bench"]);
    process::run(cargo.current_dir(workspace::root()))?;
    let mut bench = Command::new(workspace::target().join("release/launchway-bench"));
    process::run(bench.args(arguments).env("LAUNCHWAY_BIN", binary))
}
