//! Installs what a fresh machine lacks.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::{plugins, process};

/// A program that the tests and the demo use, and the Debian package that has it.
const PROGRAMS: &[(&str, &str)] = &[
    ("/usr/sbin/sshd", "openssh-server"),
    ("/usr/bin/ssh", "openssh-client"),
    ("/usr/bin/unshare", "util-linux"),
    ("/usr/sbin/ip", "iproute2"),
    ("/usr/bin/python3", "python3"),
    ("/usr/bin/socat", "socat"),
    ("/usr/bin/sudo", "sudo"),
    ("/usr/bin/doas", "doas"),
    ("/usr/sbin/haproxy", "haproxy"),
    ("/usr/bin/zstd", "zstd"),
    ("/usr/bin/unzip", "unzip"),
    ("/usr/bin/systemctl", "systemd"),
];

/// Installs the WebAssembly target and the Debian packages; says what it did and what it could not do.
pub(crate) fn setup() -> Result<()> {
    install_packages();
    plugins::prepare()
}

/// Installs the Debian packages that are missing, where that is possible.
fn install_packages() {
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
