//! Plugins that a project brings, with the real binary: what it grants, what is kept of them, what is wrong with them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use launchway_harness::{Output, Project};
use launchway_hostile::{Guest, component_of};
use serde_json::json;

/// A project with a plugin `acme.wasm`, and this machine as its target.
fn project(name: &str, plugin: impl AsRef<[u8]>, components: &str) -> Project {
    let project = Project::new().expect("the binary is there");
    project.write("acme.wasm", plugin).expect("it can be written");
    let environment = json!({ "environment": "test", "defaults": { "transport": "local" }, "targets": { "here": {} } });
    project.environment(&environment).expect("it can be written");
    application(&project, &format!("{{ {name}: ./acme.wasm }}"), components);
    project
}

fn application(project: &Project, plugins: &str, components: &str) {
    let text = format!("application: acme\nversion: '1'\nplugins: {plugins}\ncomponents: {components}\n");
    project.application(&text).expect("it can be written");
}

fn run(project: &Project, arguments: &[&str]) -> Output {
    project.run(arguments).expect("it runs")
}

#[test]
fn what_is_not_granted_is_refused_and_what_to_write_is_said() {
    let components = "{ a: { type: hostile/any } }";
    let project = project("hostile", Guest::default().component(), components);
    for command in [["validate", "--json"].as_slice(), &["deploy", "--yes"]] {
        let refused = run(&project, command).exits(6);
        let refused = refused.says("plugin `hostile` uses `http` (").says("which is not granted");
        refused.says("add `http`, `net`, `secrets`, `target` to `grant` of `hostile` under `plugins`");
    }
    let granted = "{ hostile: { file: ./acme.wasm, grant: [http, net, secrets, target] } }";
    application(&project, granted, components);
    run(&project, &["validate"]).exits(0);
    run(&project, &["deploy", "--yes"]).exits(0).says("a@here");
}

#[test]
fn a_plugin_is_compiled_once() {
    let project = project("idle", component_of("idle"), "{ a: { type: idle/nothing } }");
    run(&project, &["deploy", "--yes"]).exits(0);
    let kept = || {
        let folder = fs::read_dir(project.outside("home/.cache/launchway/aot")).expect("there is a cache");
        let files: Vec<PathBuf> = folder.map(|entry| entry.expect("it can be listed").path()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let status = fs::metadata(&files[0]).expect("it is there");
        // A file that is compiled anew takes the place of the old one.
        (files[0].clone(), status.ino(), status.mtime_nsec())
    };
    let first = kept();
    run(&project, &["deploy", "--yes"]).exits(0);
    assert_eq!(kept(), first);
}

#[test]
fn what_is_no_plugin_is_told() {
    let project = project("acme", "#!/bin/sh\nexit 0\n", "{ a: { type: acme/thing } }");
    let garbage = run(&project, &["validate"]).exits(2).says("plugin `acme`: ").says("acme.wasm is ");
    garbage.says("not a WebAssembly component").says("wasm-tools component new");
    let mut component = component_of("idle");
    component.truncate(component.len() / 2);
    project.write("acme.wasm", component).expect("it can be written");
    run(&project, &["validate"]).exits(2).says("plugin `acme`");
    fs::remove_file(project.path("acme.wasm")).expect("it is there");
    run(&project, &["deploy", "--yes"]).exits(2).says("plugin `acme`: can't read ").says("acme.wasm");
}

#[test]
fn a_saved_plan_is_refused_when_a_plugin_has_changed() {
    let mut component = component_of("idle");
    let project = project("idle", &component, "{ a: { type: idle/nothing } }");
    run(&project, &["plan", "-o", "plan"]).exits(0);
    // A section of its own that says nothing: the same plugin by another digest.
    component.extend_from_slice(b"\0\x02\x01x");
    project.write("acme.wasm", &component).expect("it can be written");
    let refused = run(&project, &["deploy", "plan", "--yes"]).exits(6);
    refused.says("a plugin has changed since the plan was made").says("make a new plan");
    run(&project, &["plan", "-o", "plan"]).exits(0);
    run(&project, &["deploy", "plan", "--yes"]).exits(0);
}

#[test]
fn what_a_plugin_deployed_outlives_its_place_in_the_project() {
    let project = project("idle", component_of("idle"), "{ a: { type: idle/nothing } }");
    run(&project, &["deploy", "--yes"]).exits(0);
    run(&project, &["plugin", "list"]).exits(0).says("idle 0.1.0 (project)");

    // The component goes, and the plugin with it.
    fs::remove_file(project.path("acme.wasm")).expect("it is there");
    project.application("application: acme\nversion: '2'\ncomponents: {}\n").expect("it can be written");
    run(&project, &["plugin", "list"]).exits(0).says("idle (kept): the project has it no more; run 1 was the last");
    let listed = run(&project, &["plugin", "list", "--json"]).exits(0).json().expect("it is JSON");
    let kept = listed["plugins"].as_array().expect("a list").iter().find(|plugin| plugin["source"] == "kept");
    assert_eq!(kept.expect("it is listed")["grant"], json!([]), "it may do no more than it could");
    run(&project, &["status", "--refresh"]).exits(0);
    run(&project, &["deploy", "--yes"]).exits(0).says("a@here");
    let gone = run(&project, &["status", "--json"]).exits(0).json().expect("it is JSON");
    assert_eq!(gone["instances"], json!([]), "{gone}");

    // And comes back by it, as the run found it and as the release had it.
    run(&project, &["rollback", "--yes"]).exits(0).says("a@here");
    run(&project, &["undeploy", "--yes"]).exits(0).says("a@here");
    run(&project, &["rollback", "--to", "1", "--yes"]).exits(0).says("a@here");

    // A store that has lost it says so.
    let blobs = project.path(".launchway/blobs/sha256");
    fs::remove_dir_all(&blobs).expect("it is there");
    fs::create_dir(&blobs).expect("it can be made");
    run(&project, &["undeploy", "--yes"]).exits(2).says("backup");
}
