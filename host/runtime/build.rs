//! Hands the crate two names it can't ask for at run time: the platform it is built for, which plugins are compiled
//! for too, and the exact version of the compiler, which decides whether compiled code in a cache is still good.

use std::path::Path;

fn main() {
    // Cargo always sets both for build scripts.
    let target = std::env::var("TARGET").unwrap_or_default();
    let manifest = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let lock = Path::new(&manifest).join("../../Cargo.lock");
    let locked = std::fs::read_to_string(&lock).unwrap_or_default();
    let version = wasmtime_version(&locked);
    println!("cargo::rustc-env=LAUNCHWAY_TARGET={target}");
    println!("cargo::rustc-env=LAUNCHWAY_WASMTIME={version}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", lock.display());
}

/// Returns the locked version, or nothing, with which a cache is only less precise.
fn wasmtime_version(lock: &str) -> &str {
    let mut lines = lock.lines().skip_while(|line| *line != "name = \"wasmtime\"");
    lines.next();
    lines.next().and_then(|line| line.strip_prefix("version = ")).unwrap_or_default().trim_matches('"')
}
