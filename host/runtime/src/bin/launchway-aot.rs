//! Precompiles components for embedding: `launchway-aot COMPONENT... FOLDER`.
//!
//! For each `NAME.wasm` the folder gets `NAME.cwasm` (code) and `NAME.json` (what it describes itself as), and, in the
//! end, `index.json`: a list of `{name, digest}` by name. `cargo xtask build` runs it; the same engine code in the same
//! build is what makes the results loadable.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use launchway_model::{Digest, PluginName};
use launchway_runtime::precompile;
use serde_json::json;

fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let Some(folder) = arguments.pop().filter(|_| !arguments.is_empty()) else {
        eprintln!("usage: launchway-aot COMPONENT... FOLDER");
        return ExitCode::from(2);
    };
    match run(&arguments, Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run(components: &[OsString], folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("can't make {}: {error}", folder.display()))?;
    let mut index: Vec<(PluginName, Digest)> = Vec::new();
    for component in components {
        index.push(embed(&PathBuf::from(component), folder)?);
    }
    index.sort();
    if let Some(pair) = index.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!("two components are named `{}`", pair[0].0));
    }
    let list: Vec<_> = index.iter().map(|(name, digest)| json!({ "name": name, "digest": digest })).collect();
    let text = serde_json::to_string_pretty(&list).map_err(|error| error.to_string())?;
    write(&folder.join("index.json"), format!("{text}\n").as_bytes())
}

fn embed(component: &Path, folder: &Path) -> Result<(PluginName, Digest), String> {
    let stem = component.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name = PluginName::new(stem).map_err(|error| format!("{}: {error}", component.display()))?;
    let bytes = fs::read(component).map_err(|error| format!("can't read {}: {error}", component.display()))?;
    let plugin = precompile(&name, component, &bytes).map_err(|error| match error.hint() {
        Some(hint) => format!("{error}\nhint: {hint}"),
        None => error.to_string(),
    })?;
    let info = serde_json::to_vec(&plugin.info).map_err(|error| error.to_string())?;
    write(&folder.join(format!("{name}.cwasm")), &plugin.cwasm)?;
    write(&folder.join(format!("{name}.json")), &info)?;
    Ok((name, plugin.digest))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| format!("can't write {}: {error}", path.display()))
}
