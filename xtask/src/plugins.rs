//! Builds the plugins and the binary that carries them.
//!
//! Three stages, each left out if nothing it depends on has changed: guests are compiled and made into components;
//! the host's own engine code precompiles those; the binary is built with the results embedded.

mod stamp;
mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{process, workspace};
use stamp::Stamp;

/// The plugins that come with Launchway.
const PLUGINS: &[&str] = &["haproxy", "health", "ssh"];

/// How big a component of ours may be, in bytes: 250 KiB.
const SIZE_LIMIT: usize = 250 * 1024;

/// Finds a toolchain for plugins; gets what it lacks if that is possible.
pub(crate) fn prepare() -> Result<()> {
    toolchain::find().map(drop)
}

/// Builds the plugins and precompiles them; returns the folder to embed.
pub(crate) fn build_plugins(verbose: bool) -> Result<PathBuf> {
    embed(&components(verbose)?, Profile::Dev)
}

/// Builds `launchway` with its plugins; returns the binary's path.
pub(crate) fn build(release: bool) -> Result<PathBuf> {
    let profile = if release { Profile::Release } else { Profile::Dev };
    let folder = embed(&components(true)?, profile)?;
    let mut cargo = profile.build("launchway");
    cargo.env("LAUNCHWAY_EMBED", &folder);
    process::run(&mut cargo)?;
    Ok(profile.binary("launchway"))
}

/// Writes the schemas of all kinds, as their types say.
pub(crate) fn write_schemas() -> Result<()> {
    for name in PLUGINS {
        let mut cargo = process::cargo();
        cargo.args([
            "run",
            "--quiet",
            "--locked",
            "--package",
            &package(name),
            "--example",
            &format!("{name}-schemas"),
        ]);
        process::run(clean(&mut cargo).current_dir(workspace::root().join("plugins")))?;
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Profile {
    Dev,
    Release,
}

impl Profile {
    /// Returns the command that builds a program of the main workspace.
    ///
    /// Of the whole workspace, so that all programs and tests share one build of their dependencies.
    fn build(self, binary: &str) -> Command {
        let mut cargo = process::cargo();
        cargo.args(["build", "--locked", "--workspace", "--bin", binary, "--manifest-path"]);
        cargo.arg(workspace::root().join("Cargo.toml"));
        if self == Self::Release {
            cargo.arg("--release");
        }
        cargo
    }

    fn binary(self, name: &str) -> PathBuf {
        let folder = if self == Self::Release { "release" } else { "debug" };
        workspace::target().join(folder).join(name)
    }
}

fn package(plugin: &str) -> String {
    format!("launchway-plugin-{plugin}")
}

/// Compiles the plugins and makes components of them; returns their files.
fn components(verbose: bool) -> Result<Vec<PathBuf>> {
    let folder = workspace::target().join("plugins");
    let files: Vec<PathBuf> = PLUGINS.iter().map(|name| folder.join(format!("{name}.wasm"))).collect();
    let root = workspace::root();
    let mut inputs = Stamp::new();
    for part in ["plugins", "sdk/rust", "wit"] {
        inputs.add_folder(&root.join(part))?;
    }
    inputs.add_bytes(include_bytes!("plugins.rs"));
    inputs.add_bytes(include_bytes!("plugins/toolchain.rs"));
    inputs.add_bytes(&toolchain::version());
    let stamp = folder.join("inputs");
    if inputs.matches(&stamp) && files.iter().all(|file| file.is_file()) {
        return Ok(files);
    }
    compile()?;
    for (name, file) in PLUGINS.iter().zip(&files) {
        let module =
            root.join(format!("plugins/target/{}/release/launchway_plugin_{name}.wasm", toolchain::WASM_TARGET));
        let component = encode(&module)?;
        if component.len() > SIZE_LIMIT {
            bail!("the component of `{name}` has {} bytes, and the limit is {SIZE_LIMIT}", component.len());
        }
        if verbose {
            eprintln!("plugin {name}: {} bytes", component.len());
        }
        write_if_changed(file, &component)?;
    }
    inputs.write(&stamp)?;
    Ok(files)
}

fn compile() -> Result<()> {
    let mut cargo = process::cargo();
    clean(&mut cargo);
    let mut cargo = toolchain::find()?.cargo(cargo);
    cargo.args(["build", "--release", "--locked", "--target", toolchain::WASM_TARGET]);
    for name in PLUGINS {
        cargo.args(["--package", &package(name)]);
    }
    cargo.args(["--config", &nameless_paths()]);
    // In the folder whose `.cargo/config.toml` has the linker's arguments.
    let folder = workspace::root().join("plugins");
    cargo.arg("--target-dir").arg(folder.join("target"));
    process::run(cargo.current_dir(folder))
}

/// Returns the configuration that keeps this machine's paths out of a component: it is the same wherever it is built.
fn nameless_paths() -> String {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo"))).unwrap_or_default();
    let flag = |from: PathBuf, to: &str| {
        let flag = format!("--remap-path-prefix={}={to}", from.display());
        // A JSON string is a TOML string, too.
        serde_json::Value::from(flag).to_string()
    };
    let flags = [flag(home.join("registry/src"), "/registry"), flag(workspace::root(), "/launchway")];
    format!("target.{}.rustflags=[{}]", toolchain::WASM_TARGET, flags.join(","))
}

/// Takes out what the caller says of the main build: it is not meant for the plugins'.
fn clean(cargo: &mut Command) -> &mut Command {
    const NAMES: &[&str] = &[
        "RUSTFLAGS",
        "RUSTDOCFLAGS",
        "MAKEFLAGS",
        "MFLAGS",
        "NUM_JOBS",
        "TARGET",
        "HOST",
        "OUT_DIR",
        "CARGO_MAKEFLAGS",
    ];
    const PREFIXES: &[&str] =
        &["RUSTC", "CARGO_BUILD_", "CARGO_TARGET_", "CARGO_ENCODED_", "CARGO_PROFILE_", "CARGO_CFG_"];
    for (key, _) in std::env::vars_os() {
        let key = key.to_string_lossy();
        if NAMES.contains(&key.as_ref()) || PREFIXES.iter().any(|prefix| key.starts_with(prefix)) {
            cargo.env_remove(key.as_ref());
        }
    }
    cargo
}

/// Makes a component of a core module that `wit-bindgen` prepared.
fn encode(module: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(module).with_context(|| format!("can't read {}", module.display()))?;
    wit_component::ComponentEncoder::default()
        .module(&bytes)
        .and_then(|encoder| encoder.validate(true).encode())
        .with_context(|| format!("can't make a component of {}", module.display()))
}

/// Precompiles components with the engine code of the same build; returns the folder with the results.
fn embed(components: &[PathBuf], profile: Profile) -> Result<PathBuf> {
    let mut cargo = profile.build("launchway-aot");
    process::run(cargo.arg("--quiet"))?;
    let compiler = profile.binary("launchway-aot");
    let folder = workspace::target().join("embed");
    let mut inputs = Stamp::new();
    inputs.add_file(&compiler)?;
    for component in components {
        inputs.add_file(component)?;
    }
    let stamp = folder.join("inputs");
    if inputs.matches(&stamp) {
        return Ok(folder);
    }
    // Beside its place first: a file that is the same stays, and with it the binary that embeds it.
    let fresh = tempfile::tempdir_in(workspace::target()).context("can't make a folder to precompile into")?;
    process::run(Command::new(&compiler).args(components).arg(fresh.path()))?;
    fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    for entry in fs::read_dir(fresh.path()).context("can't list what was precompiled")? {
        let entry = entry.context("can't list what was precompiled")?;
        let bytes = fs::read(entry.path()).with_context(|| format!("can't read {}", entry.path().display()))?;
        write_if_changed(&folder.join(entry.file_name()), &bytes)?;
    }
    inputs.write(&stamp)?;
    Ok(folder)
}

fn write_if_changed(file: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(file).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
    }
    fs::write(file, bytes).with_context(|| format!("can't write {}", file.display()))
}
