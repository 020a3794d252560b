//! Guests from `tests/artifacts`, built on demand and turned into components.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wasmparser::{ExternalKind, Parser, Payload};
use wit_component::ComponentEncoder;

const TARGET: &str = "wasm32-unknown-unknown";

/// The hostile guest, with what it is to do where nobody can ask it for anything.
#[derive(Default, Clone, Copy)]
pub struct Guest<'a> {
    /// What `describe` does.
    pub describe: Option<&'a str>,
    /// What `_initialize` does.
    pub start: Option<&'a str>,
    /// The allocator acts while arguments are lowered.
    pub alloc: bool,
    /// `_initialize` is the core module's start function too.
    pub start_section: bool,
}

impl Guest<'_> {
    /// Returns the guest as a component.
    pub fn component(&self) -> Vec<u8> {
        let mut module = module("hostile");
        for (mark, value) in [("@describe:", self.describe), ("@start:", self.start)] {
            if let Some(value) = value {
                write_mark(&mut module, mark, value);
            }
        }
        if self.alloc {
            write_mark(&mut module, "@alloc:", "acts");
        }
        if self.start_section {
            module = with_start_section(&module);
        }
        encode(&module)
    }
}

/// Returns another guest of `tests/artifacts` as a component.
pub fn component_of(name: &str) -> Vec<u8> {
    encode(&module(name))
}

fn encode(module: &[u8]) -> Vec<u8> {
    let mut encoder = ComponentEncoder::default();
    let encoder = encoder.validate(true).module(module).expect("the guest has its world in it");
    encoder.encode().expect("the guest fits its world")
}

/// Builds the guests, which takes cargo a moment if nothing changed, and returns one as a core module.
fn module(name: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = match env::var_os("LAUNCHWAY_GUESTS") {
        Some(folder) => PathBuf::from(folder),
        None => build(&root, name),
    };
    let path = folder.join(format!("{name}.wasm"));
    fs::read(&path).unwrap_or_else(|error| panic!("can't read {}: {error}", path.display()))
}

fn build(root: &Path, name: &str) -> PathBuf {
    let target_dir = root.join("target/guests");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--release", "--quiet", "--locked", "--target", TARGET, "--package", name, "--manifest-path"])
        .arg(root.join("tests/artifacts/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target_dir);
    // What the outer cargo says of the host's build must not reach the guests'.
    for (key, _) in env::vars_os() {
        let text = key.to_string_lossy();
        let foreign = text.starts_with("CARGO_") || text.starts_with("RUST") || text == "MAKEFLAGS";
        if foreign && text != "CARGO_HOME" && text != "RUSTUP_HOME" && text != "RUSTUP_TOOLCHAIN" {
            cargo.env_remove(&key);
        }
    }
    let output = cargo.output().expect("cargo runs, since it runs this test");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "the guests don't build (is {TARGET} installed? see `cargo xtask setup`):\n{stderr}"
    );
    target_dir.join(TARGET).join("release")
}

/// Overwrites the 16 bytes behind a mark.
fn write_mark(module: &mut [u8], mark: &str, value: &str) {
    let at = module.windows(mark.len()).position(|window| window == mark.as_bytes()).expect("the guest has the mark");
    let place = &mut module[at + mark.len()..at + mark.len() + 16];
    place.fill(b'.');
    place[..value.len()].copy_from_slice(value.as_bytes());
}

/// Makes the function that is exported as `_initialize` the start function.
fn with_start_section(module: &[u8]) -> Vec<u8> {
    let mut function = None;
    let mut after_exports = None;
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ExportSection(section) = payload.expect("the guest is valid") {
            after_exports = Some(section.range().end);
            function = section
                .into_iter()
                .flatten()
                .find(|export| export.name == "_initialize" && export.kind == ExternalKind::Func)
                .map(|export| export.index);
        }
    }
    let (at, mut index) = (after_exports.expect("the guest has exports"), function.expect("one is `_initialize`"));
    let mut leb = Vec::new();
    while index >= 0x80 {
        leb.push(index as u8 | 0x80);
        index >>= 7;
    }
    leb.push(index as u8);
    let mut patched = module[..at].to_vec();
    patched.push(8);
    patched.push(leb.len() as u8);
    patched.extend(leb);
    patched.extend_from_slice(&module[at..]);
    patched
}
