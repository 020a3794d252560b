//! A toolchain that compiles for WebAssembly.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::process;

pub(super) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Debian's packages of a Rust that is new enough, with the sources of the standard library, and of a linker.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld"];

pub(super) enum Toolchain {
    /// The one in use has the target's standard library.
    Current,
    /// Debian's has its sources, and builds it along.
    Debian { linker: PathBuf },
}

/// Finds a toolchain; gets what it lacks if that is possible.
pub(super) fn find() -> Result<Toolchain> {
    if has_standard_library() {
        return Ok(Toolchain::Current);
    }
    let added = process::run(Command::new("rustup").args(["target", "add", WASM_TARGET]));
    if added.is_ok() && has_standard_library() {
        return Ok(Toolchain::Current);
    }
    eprintln!("note: {WASM_TARGET} is not to be had from rustup; looking for Debian's toolchain");
    if debian().is_none() && rustix::process::geteuid().is_root() {
        let mut install = Command::new("apt-get");
        install.args(["install", "--yes", "--no-install-recommends"]).args(DEBIAN_PACKAGES);
        process::run(install.env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    match debian() {
        Some(toolchain) => Ok(toolchain),
        None => bail!(
            "no toolchain compiles for {WASM_TARGET}: run `rustup target add {WASM_TARGET}`, or as root on Debian \
             `apt-get install {}`",
            DEBIAN_PACKAGES.join(" ")
        ),
    }
}

/// Returns what the compiler in use says of its version; another one makes other components.
pub(super) fn version() -> Vec<u8> {
    Command::new(rustc()).arg("--version").output().map(|output| output.stdout).unwrap_or_default()
}

fn rustc() -> String {
    std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned())
}

fn has_standard_library() -> bool {
    let asked = Command::new(rustc()).args(["--print", "target-libdir", "--target", WASM_TARGET]).output();
    asked.is_ok_and(|output| {
        output.status.success() && Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir()
    })
}

fn debian() -> Option<Toolchain> {
    let sources = sysroot("/usr/bin/rustc")?.join("lib/rustlib/src/rust/library/std/Cargo.toml");
    if !Path::new("/usr/bin/cargo").exists() || !sources.exists() {
        return None;
    }
    // Debian's Rust comes without a linker for WebAssembly; the toolchain in use has one, or LLVM's package.
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let own = sysroot(&rustc()).map(|sysroot| sysroot.join("lib/rustlib").join(triple).join("bin/rust-lld"));
    let linkers = own.into_iter().chain([PathBuf::from("/usr/bin/wasm-ld")]);
    linkers.into_iter().find(|linker| linker.exists()).map(|linker| Toolchain::Debian { linker })
}

fn sysroot(rustc: &str) -> Option<PathBuf> {
    let output = Command::new(rustc).args(["--print", "sysroot"]).output().ok()?;
    output.status.success().then(|| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

impl Toolchain {
    /// Returns the cargo to build with, where another one is needed than the one in use.
    pub(super) fn cargo(&self, current: Command) -> Command {
        let Self::Debian { linker } = self else { return current };
        let mut cargo = Command::new("/usr/bin/cargo");
        for (key, value) in current.get_envs() {
            match value {
                Some(value) => cargo.env(key, value),
                None => cargo.env_remove(key),
            };
        }
        cargo
            .env("PATH", "/usr/bin:/bin")
            .env("RUSTC", "/usr/bin/rustc")
            // It is a stable release, and only a nightly one may build the standard library.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_UNSTABLE_BUILD_STD", "std,panic_abort")
            .env("CARGO_UNSTABLE_BUILD_STD_FEATURES", "optimize_for_size")
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        cargo
    }
}
