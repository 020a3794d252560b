//! Runs the benchmarks with a release build.

use anyhow::Result;

use crate::{packages, plugins, process, workspace};

/// Builds with the release profile and runs `launchway-bench`, which prints its figures.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    packages::setup()?;
    let binary = plugins::build(true)?;
    let mut cargo = process::cargo();
    cargo.args(["run", "--release", "--locked", "--package", "launchway-bench", "--"]).args(arguments);
    cargo.current_dir(workspace::root()).env("LAUNCHWAY_BIN", binary);
    process::run(&mut cargo)
}
