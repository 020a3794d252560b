//! Arguments: what is wrong with them, help, and commands that need no project.

use crate::place::Place;

#[test]
fn help_and_version_go_to_standard_output() {
    let place = Place::new();
    place.run(&["--help"]).exits(0).gives("Usage: launchway");
    place.run(&["deploy", "--help"]).exits(0).gives("--yes");
    place.run(&["--version"]).exits(0).gives(concat!("launchway ", env!("CARGO_PKG_VERSION"), "\n"));
    place.run(&["-V"]).exits(0).gives("launchway ");
}

#[test]
fn wrong_arguments_are_usage_errors() {
    let place = Place::new();
    place.run(&[]).exits(2);
    place.run(&["deplyo"]).exits(2).tells("deploy");
    place.run(&["plan", "--nope"]).exits(2).tells("--nope");
    let said = place.run(&["show", "seven"]).exits(2).tells("seven").tells("`launchway runs` lists them");
    assert!(!said.stderr.contains("digit"), "{}", said.stderr);
    place.run(&["runs", "-n", "x"]).exits(2).tells("whole number");
    let error = place.run(&["show", "--json"]).exits(2).json();
    assert!(error["error"]["message"].as_str().is_some_and(|text| text.contains("not provided: <RUN>")), "{error}");
    place.run(&["rollback", "3", "--to", "1.0"]).exits(2).tells("cannot be used with");
    let said = place.run(&["plan", "--nope", "--json"]).exits(2);
    assert_eq!(said.json()["error"]["exit_code"], 2);
    assert!(said.json()["error"]["message"].as_str().is_some_and(|text| text.contains("--nope")));
}

#[test]
fn values_on_the_command_line_are_checked_before_anything_else() {
    let place = Place::new();
    place.run(&["plan", "--set", "nothing"]).exits(2).tells("KEY=VALUE");
    place.run(&["plan", "--set", "=1"]).exits(2).tells("KEY=VALUE");
    place.run(&["plan", "--set", "a=1", "--set", "a=2"]).exits(2).tells("twice");
}

#[test]
fn a_folder_without_a_project_is_told() {
    let place = Place::new();
    for command in [&["validate"][..], &["plan"], &["deploy"], &["status"], &["runs"], &["undeploy"], &["graph"]] {
        let said = place.run(command).exits(2).tells("no launchway.yaml").tells("launchway init");
        assert_eq!(said.stdout, "");
    }
    place.run(&["validate", "-C", "/no/such/folder"]).exits(2).tells("No such file");
    let said = place.run(&["status", "--json"]).exits(2);
    assert_eq!(said.json()["error"]["code"], "no-project");
}

#[test]
fn every_shell_has_completions() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        place.run(&["completions", shell]).exits(0).gives("launchway").gives("rollback");
    }
    let script = place.run(&["completions", "bash", "--json"]).exits(0).json();
    assert!(script["script"].as_str().is_some_and(|script| script.contains("launchway")));
    place.run(&["completions", "tcsh"]).exits(2);
}

#[test]
fn schemas_are_json_schemas() {
    let place = Place::new();
    for (of, key) in [("application", "components"), ("environment", "targets")] {
        let said = place.run(&["schema", of]).exits(0);
        let schema: serde_json::Value = serde_json::from_str(&said.stdout).expect("it is JSON");
        assert!(schema["$schema"].as_str().is_some_and(|draft| draft.contains("2020-12")), "{schema}");
        assert!(schema["properties"][key].is_object(), "{schema}");
    }
    place.run(&["schema", "--write"]).exits(2).tells("no launchway.yaml");
    let place = Place::with("a: { type: ssh/file, with: { path: /x, content: y } }\n");
    place.run(&["schema", "--write"]).exits(0).tells("# yaml-language-server: $schema=../.environment.schema.json");
    for (of, file) in [("application", ".launchway.schema.json"), ("environment", ".environment.schema.json")] {
        let written = std::fs::read_to_string(place.path(file)).expect("it was written");
        assert_eq!(written, place.run(&["schema", of]).exits(0).stdout);
    }
    let files = place.run(&["schema", "--write", "--json"]).exits(0).json();
    assert_eq!(files["files"].as_array().map(Vec::len), Some(2));
    place.run(&["schema", "environment", "--write"]).exits(2).tells("cannot be used with");
    let default = place.run(&["schema"]).exits(0).stdout;
    assert_eq!(default, place.run(&["schema", "application"]).exits(0).stdout);
}

#[test]
fn an_unknown_plugin_is_told() {
    let place = Place::new();
    let said = place.run(&["plugin", "info", "nope", "--json"]).exits(2);
    assert_eq!(said.json()["error"]["code"], "unknown-plugin");
    place.run(&["plugin", "list"]).exits(0);
}
