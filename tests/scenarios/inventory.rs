//! Targets that others know of: an SSH client's configuration, a script, Terraform.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::site::Site;

const APPLICATION: &str = r#"
application: shop
version: "1"
components:
  file: { type: ssh/file, with: { path: "${folder}/${target.name}", content: "${target.labels.role} ${size}" } }
"#;

/// A state as Terraform 1.11 writes it, with one output.
fn recorded_state(output: &Value) -> Value {
    json!({
        "version": 4,
        "terraform_version": "1.11.4",
        "serial": 2,
        "lineage": "73ac2989-7664-0006-c7b7-9e36768adafe",
        "outputs": { "launchway_targets": { "value": output, "type": "dynamic" } },
        "resources": [],
        "check_results": null,
    })
}

/// Lets Terraform write its state, with the targets as an output of a resource: none where it is not installed.
fn apply(site: &Site, output: &Value) -> Option<()> {
    let module = format!(
        "resource \"terraform_data\" \"hosts\" {{ input = jsondecode({text:?}) }}\n\
         output \"launchway_targets\" {{ value = terraform_data.hosts.output }}\n",
        text = output.to_string(),
    );
    let main = site.project.write("terraform/main.tf", module).expect("it can be written");
    for arguments in [["init", "-no-color"].as_slice(), &["apply", "-auto-approve", "-no-color"]] {
        let mut terraform = Command::new("terraform");
        terraform.args(arguments).current_dir(main.parent().expect("it is in a folder"));
        terraform.env("TF_CLI_CONFIG_FILE", "/dev/null").env("CHECKPOINT_DISABLE", "1");
        let said = terraform.output().ok()?;
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    }
    Some(())
}

#[test]
fn targets_of_three_inventories_are_deployed_to_and_removed_from() {
    let Some(site) = Site::new(3) else { return };
    site.application(APPLICATION);
    let [ssh, script, terraform] = [0, 1, 2].map(|index| site.hosts.address(index));
    site.project
        .write("ssh_config", format!("Host app-*\n  User nobody-else\nHost app-1\n  HostName {ssh}\n"))
        .unwrap();
    let answer = |targets: Value| {
        let text = format!("#!/usr/bin/env python3\nprint({:?})\n", json!({ "targets": targets }).to_string());
        site.project.write_program("environments/hosts.py", text).expect("it can be written");
    };
    answer(json!({ "web-1": { "address": script, "labels": { "role": "web" }, "values": { "size": "${x}" } } }));
    let output = json!({ "db-1": { "address": terraform, "labels": { "role": "db" } } });
    if apply(&site, &output).is_none() {
        let state = recorded_state(&output).to_string();
        site.project.write("terraform/terraform.tfstate", state).expect("it can be written");
    }
    site.environment(|environment| {
        let user = Command::new("id").arg("-un").output().expect("it runs").stdout;
        environment["defaults"]["user"] = String::from_utf8_lossy(&user).trim().into();
        environment["defaults"]["ssh"]["config_file"] = "ssh_config".into();
        environment["dictionaries"][0]["size"] = "small".into();
        environment["targets"] = json!({});
        environment["inventory"] = json!([
            { "ssh_config": "app-?", "labels": { "role": "app" } },
            { "script": "./hosts.py" },
            { "terraform": { "file": "../terraform/terraform.tfstate" } },
        ]);
    });
    site.run(&["targets"]).exits(0).says("script ./hosts.py").says("launchway_targets of ../terraform/");
    let plan = || site.run(&["plan", "--json"]).exits(0).stdout();
    assert_eq!(plan(), plan());
    site.deploy(0);
    assert_eq!(site.deployed("app-1").as_deref(), Some("app small"));
    assert_eq!(site.deployed("web-1").as_deref(), Some("web ${x}"), "what is answered is no template");
    assert_eq!(site.deployed("db-1").as_deref(), Some("db small"));
    site.run(&["plan", "--exit-code"]).exits(0);

    // It answers nothing, or fails: that is no wish to remove anything.
    answer(json!({}));
    site.run(&["deploy", "--yes"]).exits(2).says("script ./hosts.py has no targets").says("allow_empty");
    site.project.write_program("environments/hosts.py", "#!/bin/sh\necho 'token expired' >&2\nexit 1\n").unwrap();
    site.run(&["deploy", "--yes"]).exits(2).says("token expired");
    assert!(site.deployed("web-1").is_some());

    // Another host takes its place: the one that is gone is removed from where it was.
    answer(json!({ "web-2": { "address": script, "labels": { "role": "web" } } }));
    site.run(&["deploy", "--yes"]).exits(0).says("1 created, 1 deleted");
    assert_eq!((site.deployed("web-1"), site.deployed("web-2").as_deref()), (None, Some("web small")));
    site.run(&["undeploy", "--yes"]).exits(0);
    assert_eq!(fs::read_dir(site.folder()).expect("it is there").count(), 0);
}
