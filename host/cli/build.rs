//! Embeds the plugins that `cargo xtask build` precompiled, if there are any.
//!
//! `LAUNCHWAY_EMBED` names a folder with `index.json` (a list of `{name, digest}`), and `NAME.cwasm` and `NAME.json`
//! for each. Without it the binary has no plugins of its own, and says so.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-env-changed=LAUNCHWAY_EMBED");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("embedded.rs");
    let entries = match env::var_os("LAUNCHWAY_EMBED") {
        Some(folder) if !folder.is_empty() => embed(Path::new(&folder)),
        _ => String::new(),
    };
    let text = format!("pub(crate) static EMBEDDED: &[launchway_runtime::EmbeddedPlugin] = &[{entries}];\n");
    if let Err(error) = fs::write(&out, text) {
        panic!("can't write {}: {error}", out.display());
    }
}

fn embed(folder: &Path) -> String {
    let index = folder.join("index.json");
    println!("cargo::rerun-if-changed={}", index.display());
    let text = fs::read_to_string(&index).unwrap_or_else(|error| panic!("can't read {}: {error}", index.display()));
    let list: serde_json::Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{} is no JSON: {error}", index.display()));
    let list = list.as_array().unwrap_or_else(|| panic!("{} is no list", index.display()));
    let mut entries = String::new();
    for plugin in list {
        let field = |key: &str| plugin[key].as_str().unwrap_or_else(|| panic!("{}: no `{key}`", index.display()));
        let (name, digest) = (field("name"), field("digest"));
        let file = |extension: &str| {
            let path = folder.join(format!("{name}.{extension}"));
            println!("cargo::rerun-if-changed={}", path.display());
            path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        entries.push_str(&format!(
            "\n    launchway_runtime::EmbeddedPlugin {{ name: {name:?}, digest: {digest:?}, info_json: include_str!({:?}), cwasm: include_bytes!({:?}) }},",
            file("json"),
            file("cwasm"),
        ));
    }
    entries
}
