//! Targets from inventories: what is answered, what is refused, what is pinned.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::place::{Place, Said};

/// A project whose environment has this inventory.
fn place(inventory: &Value) -> Place {
    let place = Place::new();
    place.application(
        "1",
        "file: { type: ssh/file, with: { path: \"${folder}/${target.name}\", content: \"${size}\", parents: true } }",
    );
    environment(&place, inventory, &json!({}));
    place
}

fn environment(place: &Place, inventory: &Value, targets: &Value) {
    let environment = json!({
        "environment": "local",
        "defaults": { "transport": "local" },
        "targets": targets,
        "inventory": inventory,
        "dictionaries": [{ "folder": place.deployed("x").parent(), "size": 1 }],
    });
    place.write("environments/local.yaml", &format!("{environment:#}"));
}

/// Writes a script that prints a text.
fn script(place: &Place, answer: &str) {
    program(place, &format!("cat <<'END'\n{answer}\nEND"));
}

fn program(place: &Place, commands: &str) {
    place.write("environments/hosts.sh", &format!("#!/bin/sh\n{commands}\n"));
    let path = place.path("environments/hosts.sh");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is there");
}

/// Returns the targets by name.
fn listed(said: &Said) -> Vec<(String, Value)> {
    let document = said.json();
    let targets = document["targets"].as_array().expect("it is a list");
    targets.iter().map(|target| (target["name"].as_str().expect("a text").to_owned(), target.clone())).collect()
}

fn scripted() -> Value {
    json!([{ "script": "./hosts.sh" }])
}

#[test]
fn answers_and_the_environments_own_targets_are_merged() {
    let inventory = json!([
        { "script": ["./hosts.sh", "local"], "labels": { "role": "web", "dc": "eu" } },
        { "terraform": { "file": "tf.json", "output": "db" } },
        { "ssh_config": ["shop-*", "!shop-old"], "labels": { "role": "app" } },
    ]);
    let place = place(&inventory);
    environment(&place, &inventory, &json!({ "web1": { "port": 2022, "labels": { "rack": "7" } }, "own": {} }));
    program(&place, r#"echo "{\"targets\":{\"web1\":{\"address\":\"h1\",\"port\":22,\"labels\":{\"dc\":\"$1\"}}}}""#);
    place.write("environments/tf.json", r#"{"db": {"sensitive": false, "type": "string", "value": {"db1": "h2"}}}"#);
    fs::create_dir_all(place.path("../home/.ssh/more")).expect("a folder");
    place.write("../home/.ssh/config", "Include more/*\nHost shop-1 shop-old other\n");
    place.write("../home/.ssh/more/a", "Host shop-2\n  HostName 198.18.0.2\n");

    let targets = listed(&place.run(&["targets", "--json"]).exits(0));
    let names: Vec<&str> = targets.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["db1", "own", "shop-1", "shop-2", "web1"]);
    let web1 = &targets[4].1;
    assert_eq!((&web1["address"], &web1["port"]), (&json!("h1"), &json!(2022)), "what the file says wins");
    assert_eq!(web1["labels"], json!({ "role": "web", "dc": "local", "rack": "7" }));
    assert_eq!(web1["inventory"], "script ./hosts.sh local");
    assert_eq!((&targets[1].1["inventory"], &targets[3].1["address"]), (&Value::Null, &json!("shop-2")));
    let said = place.run(&["targets"]).exits(0);
    assert!(
        said.stdout.contains("db1     this machine                            output db of tf.json"),
        "{}",
        said.stdout
    );
}

#[test]
fn what_is_wrong_in_an_answer_is_shown_at_its_place() {
    let place = place(&scripted());
    let cases = [
        ("{\"targets\": {\"-oProxyCommand=x\": {}}}", "begin with `-`"),
        ("{\"targets\": {\"-a\": {\"address\": \"h\"}}}", "begin with `-`"),
        ("{\"targets\": {\"a\": {\"address\": \"-oProxyCommand=x\"}}}", "begin with `-`"),
        ("{\"targets\": {\"a\": {\"address\": \"h\", \"adress\": \"h\"}}}", "adress"),
        ("{\"targets\": {\"a\": {}, \"a\": {}}}", "twice"),
        ("{\"targets\": {\"a\": {\"ssh\": {}}}}", "ssh"),
        ("{\"targets\": {\"\\u001b[31m\": {}}}", "U+001B"),
        ("Traceback (most recent call last):", "script ./hosts.sh:1"),
        ("{\"targets\": {}, \"a\": 1}", "unknown property `a`"),
    ];
    for (answer, expected) in cases {
        script(&place, answer);
        let said = place.run(&["targets"]).exits(2).tells("script ./hosts.sh:1").tells(expected);
        assert!(!said.stderr.contains('\u{1b}'), "{:?}", said.stderr);
    }
    let error = place.run(&["targets", "--json"]).exits(2).json();
    assert_eq!(error["error"]["diagnostics"][0]["code"], "unknown-key", "{error}");
}

#[test]
fn an_inventory_that_fails_says_why_and_where_it_is_asked_for() {
    let place = place(&scripted());
    place
        .run(&["targets"])
        .exits(2)
        .tells("can't run `./hosts.sh`")
        .tells("environments/local.yaml")
        .tells("executable");
    program(&place, "printf 'no token\\n\\033[31m' >&2; exit 4");
    let said = place.run(&["plan"]).exits(2).tells("`./hosts.sh` ended with exit status 4: no token");
    assert!(!said.stderr.contains('\u{1b}'), "{:?}", said.stderr);
    environment(&place, &json!([{ "terraform": { "file": "none.tfstate" } }]), &json!({}));
    place.run(&["targets"]).exits(2).tells("none.tfstate");
    environment(&place, &json!([{ "ssh_config": "*" }]), &json!({}));
    place.run(&["targets"]).exits(2).tells(".ssh/config");
    environment(&place, &json!([{ "script": "./hosts.sh", "ssh_config": "*" }, {}]), &json!({}));
    for command in [["targets"], ["validate"]] {
        let said = place.run(&command).exits(2).tells("exactly one of `script`, `ssh_config` and `terraform`");
        assert_eq!(said.stderr.matches("several items of the list").count(), 2, "{}", said.stderr);
    }
    environment(&place, &json!([{ "scirpt": "./hosts.sh" }]), &json!({}));
    place.run(&["targets"]).exits(2).tells("scirpt").tells("script");
}

#[test]
fn one_name_in_two_inventories_is_an_error() {
    let inventory = json!([{ "script": "./hosts.sh" }, { "script": ["./hosts.sh", "again"] }]);
    let place = place(&inventory);
    script(&place, "{\"targets\": {\"a\": {}}}");
    place.run(&["targets"]).exits(2).tells("two inventories have a target `a`").tells("first here").tells("again here");
}

#[test]
fn nothing_is_removed_because_an_inventory_has_nothing() {
    let place = place(&scripted());
    if !place.has_plugins() {
        return;
    }
    script(&place, "{\"targets\": {\"a\": {}, \"b\": {}}}");
    place.run(&["deploy", "--yes"]).exits(0);
    assert!(place.read("a").is_some() && place.read("b").is_some());
    for command in [["plan"].as_slice(), &["deploy", "--yes"], &["undeploy", "--yes"], &["targets"]] {
        script(&place, "{\"targets\": {}}");
        place.run(command).exits(2).tells("script ./hosts.sh has no targets").tells("allow_empty: true");
        program(&place, "exit 1");
        place.run(command).exits(2).tells("exit status 1");
    }
    assert!(place.read("a").is_some() && place.read("b").is_some());
    // One that is gone is removed as if it had been taken out of the file.
    script(&place, "{\"targets\": {\"a\": {}}}");
    place.run(&["deploy", "--yes"]).exits(0);
    assert!(place.read("a").is_some() && place.read("b").is_none());
    script(&place, "{\"targets\": {}}");
    environment(&place, &json!([{ "script": "./hosts.sh", "allow_empty": true }]), &json!({}));
    place.run(&["deploy", "--yes"]).exits(0);
    assert_eq!(place.read("a"), None);
}

#[test]
fn a_plan_is_of_the_answers_that_it_was_made_from() {
    let place = place(&scripted());
    if !place.has_plugins() {
        return;
    }
    script(&place, "{\"targets\": {\"b\": {\"values\": {\"size\": 3}}, \"a\": {}}}");
    let first = place.run(&["plan", "--json"]).exits(0).stdout;
    // Neither the order nor the form matters.
    script(&place, "{\"targets\":\n{\"a\": {}, \"b\": {\"values\": {\"size\": 3}}}}");
    assert_eq!(place.run(&["plan", "--json"]).exits(0).stdout, first);
    place.run(&["plan", "-o", "plan"]).exits(0);

    script(&place, "{\"targets\": {\"b\": {\"values\": {\"size\": 4}}, \"c\": {}}}");
    let refused = place.run(&["deploy", "plan", "--yes"]).exits(6);
    refused.tells("the inventory's targets have changed (a is gone, b differs, c is new) since the plan was made");
    assert_eq!(place.read("b"), None);

    script(&place, "{\"targets\": {\"a\": {}, \"b\": {\"values\": {\"size\": 3}}}}");
    place.run(&["deploy", "plan", "--yes"]).exits(0);
    assert_eq!((place.read("a").as_deref(), place.read("b").as_deref()), (Some("1"), Some("3")));
}

#[test]
fn values_of_an_answer_are_no_templates() {
    let place = place(&scripted());
    if !place.has_plugins() {
        return;
    }
    script(&place, r#"{"targets": {"a": {"values": {"size": "${secret.password} $${x}"}}}}"#);
    place.run(&["deploy", "--yes"]).exits(0);
    assert_eq!(place.read("a").as_deref(), Some("${secret.password} $${x}"));
}

#[test]
fn validating_runs_no_script() {
    let place = place(&scripted());
    if !place.has_plugins() {
        return;
    }
    program(&place, "touch ../ran; echo '{\"targets\": {\"a\": {}}}'");
    place.run(&["validate"]).exits(0);
    place.run(&["validate", "-e", "local"]).exits(0).tells("scripts of inventories are not run");
    assert!(!place.path("ran").exists());
    place.run(&["plan"]).exits(0);
    assert!(place.path("ran").exists());
    // Files are read.
    place.write("environments/tf.json", r#"{"hosts": {"value": {"a": {"port": 0}}}}"#);
    environment(&place, &json!([{ "terraform": { "file": "tf.json", "output": "hosts" } }]), &json!({}));
    place.run(&["validate", "-e", "local"]).exits(2).tells("output hosts of tf.json").tells("port");
}
