//! Installs what a fresh machine lacks.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::process;

/// A program that the tests and the demo use, and the Debian package that has it.
const PROGRAMS: &[(&str, &str)] = &[
    ("/usr/sbin/sshd", "openssh-server"),
    ("/usr/bin/ssh", "openssh-client"),
    ("/usr/bin/unshare", "util-linux"),
    ("/usr/sbin/ip", "iproute2"),
    ("/usr/bin/python3", "python3"),
    ("/usr/bin/sudo", "sudo"),
    ("/usr/bin/zstd", "zstd"),
    ("/usr/bin/unzip", "unzip"),
];

const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Installs the WebAssembly target and the Debian packages; says what it did and what it could not do.
pub(crate) fn setup() -> Result<()> {
    add_wasm_target();
    install_packages();
    Ok(())
}

/// Asks rustup for the WebAssembly target. Where that can't be had, the plugin build has a second way.
fn add_wasm_target() {
    let listed = Command::new("rustup").args(["target", "list", "--installed"]).stderr(Stdio::null()).output();
    match listed {
        Ok(output) if String::from_utf8_lossy(&output.stdout).lines().any(|line| line == WASM_TARGET) => {}
        Ok(_) => {
            if let Err(error) = process::run(Command::new("rustup").args(["target", "add", WASM_TARGET])) {
                eprintln!("note: {error:#}; the plugin build will look for another toolchain");
            }
        }
        Err(_) => eprintln!("note: rustup is not there; the plugin build will look for {WASM_TARGET} itself"),
    }
}

/// Installs the Debian packages that are missing, where that is possible.
pub(crate) fn install_packages() {
    let missing: Vec<&str> =
        PROGRAMS.iter().filter(|(path, _)| !Path::new(path).exists()).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return;
    }
    let list = missing.join(" ");
    if !launchway_harness::is_root() || !process::answers("apt-get", "--version") {
        eprintln!("note: these Debian packages are missing, and only root could install them: {list}");
        eprintln!("note: tests that need them say so and are skipped; the demo uses the local transport");
        return;
    }
    eprintln!("Installing Debian packages: {list}");
    let install = || {
        let mut command = Command::new("apt-get");
        command.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&missing);
        command.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        process::run(&mut command)
    };
    // A fresh machine may have no package lists yet, an old one stale ones.
    let updated = || process::run(Command::new("apt-get").args(["update", "-qq"]));
    if let Err(error) = install().or_else(|_| updated().and_then(|()| install())) {
        eprintln!("note: {error:#}; tests that need {list} are skipped");
    }
}
