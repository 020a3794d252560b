//! The crates depend on one another in one direction only, and the pure ones on nothing that acts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Which crates of the host a crate may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("launchway-model", &[]),
    ("launchway-planner", &["launchway-model"]),
    ("launchway-scheduler", &["launchway-model"]),
    ("launchway-store", &["launchway-model"]),
    ("launchway-runtime", &["launchway-model"]),
    ("launchway-report", &["launchway-model"]),
    (
        "launchway-cli",
        &[
            "launchway-model",
            "launchway-planner",
            "launchway-scheduler",
            "launchway-store",
            "launchway-runtime",
            "launchway-report",
        ],
    ),
];

/// What would let a crate do what it is not for.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("launchway-model", &["tokio", "jiff", "rusqlite", "reqwest", "wasmtime", "openssh", "anyhow", "tempfile"]),
    ("launchway-planner", &["tokio", "jiff", "rusqlite", "reqwest", "wasmtime", "openssh", "anyhow", "tempfile"]),
    ("launchway-scheduler", &["rusqlite", "reqwest", "wasmtime", "openssh", "anyhow"]),
    ("launchway-store", &["tokio", "reqwest", "wasmtime", "openssh", "anyhow"]),
    ("launchway-runtime", &["rusqlite"]),
    ("launchway-report", &["tokio", "rusqlite", "reqwest", "wasmtime", "openssh", "anyhow"]),
];

/// Returns each package's dependencies, those of its tests and build scripts left out.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let list = |value: &Value| value.as_array().cloned().expect("it is a list");
    let name = |value: &Value| value["name"].as_str().expect("it has a name").to_owned();
    let packages = list(&metadata["packages"]);
    packages
        .iter()
        .map(|package| {
            let all = list(&package["dependencies"]);
            let normal = all.iter().filter(|dependency| dependency["kind"].is_null()).map(name).collect();
            (name(package), normal)
        })
        .collect()
}

#[test]
fn crates_depend_on_one_another_as_designed() {
    let dependencies = dependencies();
    let host: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    for (name, allowed) in ALLOWED {
        let used = dependencies.get(*name).unwrap_or_else(|| panic!("there is no crate {name}"));
        for dependency in used.iter().filter(|dependency| dependency.starts_with("launchway-")) {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
    let known = |name: &&String| name.starts_with("launchway-") && host.contains(name.as_str());
    assert_eq!(dependencies.keys().filter(known).count(), ALLOWED.len());
}

#[test]
fn pure_crates_can_not_act() {
    let dependencies = dependencies();
    for (name, forbidden) in FORBIDDEN {
        let used = dependencies.get(*name).unwrap_or_else(|| panic!("there is no crate {name}"));
        let found: Vec<_> = forbidden.iter().filter(|dependency| used.contains(**dependency)).collect();
        assert!(found.is_empty(), "{name} must not depend on {found:?}");
    }
}
