//! Tests and linting, over all cargo workspaces of the checkout.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::{packages, plugins, process, workspace};

/// Runs every test. The main workspace comes last, so that its runner's summary ends the output.
pub(crate) fn test(arguments: &[String]) -> Result<()> {
    packages::setup()?;
    let binary = plugins::build(false)?;
    let embedded = plugins::build_plugins(false)?;
    if arguments.is_empty() {
        let mut cargo = process::cargo();
        cargo.args(["test", "--quiet", "--locked", "--workspace", "--manifest-path"]);
        process::run(cargo.arg(workspace::plugins_manifest()))?;
    }
    let mut cargo = process::cargo();
    if process::answers("cargo-nextest", "--version") {
        cargo.args(["nextest", "run", "--no-fail-fast"]);
    } else {
        eprintln!("note: cargo-nextest is not installed; running `cargo test` instead");
        cargo.arg("test");
    }
    cargo.args(["--workspace", "--locked", "--manifest-path"]).arg(workspace::main_manifest()).args(arguments);
    // The same variable as in the build before, or cargo would build the binary again, without plugins.
    cargo.env("LAUNCHWAY_EMBED", embedded).env("LAUNCHWAY_BIN", binary).env("LAUNCHWAY_REQUIRE_PLUGINS", "1");
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        // The same cases each time; another seed looks further.
        cargo.env("PROPTEST_RNG_SEED", "20261123");
    }
    if std::env::var_os("CI").is_some() {
        // Elsewhere a test says that it needs a server or hosts; here it has to run.
        cargo.env("LAUNCHWAY_REQUIRE_SSHD", "1").env("LAUNCHWAY_REQUIRE_HOSTS", "1");
        if process::answers("npm", "--version") {
            cargo.env("LAUNCHWAY_REQUIRE_EDITOR", "1");
        }
    }
    process::run(&mut cargo)
}

/// Checks formatting and runs clippy.
pub(crate) fn lint() -> Result<()> {
    let manifests = [workspace::main_manifest(), workspace::plugins_manifest(), workspace::guests_manifest()];
    for manifest in &manifests {
        process::run(process::cargo().args(["fmt", "--all", "--check", "--manifest-path"]).arg(manifest))?;
    }
    let [main, plugins, guests] = &manifests;
    process::run(deny_warnings(clippy(main).arg("--all-targets")))?;
    process::run(deny_warnings(clippy(plugins).arg("--all-targets")))?;
    process::run(deny_warnings(clippy(guests).args(["--target", "wasm32-unknown-unknown"])))
}

fn clippy(manifest: &Path) -> Command {
    let mut cargo = process::cargo();
    cargo.args(["clippy", "--quiet", "--workspace", "--locked", "--manifest-path"]).arg(manifest);
    cargo
}

fn deny_warnings(cargo: &mut Command) -> &mut Command {
    cargo.args(["--", "-D", "warnings"])
}
