//! Real deployments to a folder of this machine.

use std::fs;

use crate::place::Place;

/// A file, and a command that needs it.
fn components(content: &str, command: &str) -> String {
    format!(
        "file: {{ type: ssh/file, with: {{ path: \"${{folder}}/file\", content: \"{content}\", parents: true }} }}\n\
         command: {{ type: ssh/command, needs: [file], with: {{ run: \"{command}\", cwd: \"${{folder}}\" }} }}\n"
    )
}

#[test]
fn deploy_upgrade_and_undeploy() {
    let place = Place::with(&components("one", "cat file >> log"));
    if !place.has_plugins() {
        return;
    }
    place.run(&["plan"]).exits(0).gives("Plan: 2 to create, 0 to update, 0 to delete, 0 unchanged");
    place.run(&["plan", "--exit-code"]).exits(10);
    assert!(!place.path(".launchway").exists(), "a plan leaves no traces");
    place.run(&["deploy"]).exits(2).tells("--yes");
    assert_eq!(place.read("file"), None, "nothing happens unless somebody says yes");
    place.run(&["deploy", "--yes"]).exits(0).tells("2 created");
    assert_eq!((place.read("file").as_deref(), place.read("log").as_deref()), (Some("one"), Some("one")));

    let again = place.run(&["deploy"]).exits(0).tells("Nothing to do");
    assert_eq!(again.stdout, "");
    place.run(&["plan", "--exit-code"]).exits(0);
    assert_eq!(place.run(&["runs", "--json"]).exits(0).json()["runs"].as_array().map(Vec::len), Some(1));

    place.application("2", &components("two", "cat file >> log"));
    let plan = place.run(&["plan"]).exits(0).gives("1 to update").gives("1 unchanged").gives("\"one\" → \"two\"");
    assert_eq!(plan.stdout, place.run(&["plan"]).exits(0).stdout);
    place.run(&["deploy", "--yes"]).exits(0).tells("1 updated");
    let status = place.run(&["status", "--json"]).exits(0).json();
    assert_eq!((&status["version"], status["instances"].as_array().map(Vec::len)), (&"2".into(), Some(2)));
    place.run(&["status"]).exits(0).gives("shop 2 on local").gives("ssh/file");
    place.run(&["show", "2"]).exits(0).gives("done").gives("file@here");
    place.run(&["show", "2", "--json"]).exits(0).json();
    place.run(&["show", "2", "--step", "nope"]).exits(2).tells("nope");

    place.run(&["undeploy", "--yes"]).exits(0).tells("2 deleted");
    assert_eq!(place.read("file"), None);
    place.run(&["undeploy", "--yes"]).exits(0).tells("Nothing to do");
    place.run(&["status"]).exits(0).gives("not deployed");
}

#[test]
fn a_plan_says_why() {
    let place = Place::with(&components("one", "cat file >> log"));
    if !place.has_plugins() {
        return;
    }
    place.run(&["plan", "--why", "file"]).exits(0).gives("file@here is created\n  because it is new");
    let command = place.run(&["plan", "--why", "command@here"]).exits(0);
    command.gives("file, which it needs").gives("The longest way");
    assert!(!place.path(".launchway").exists(), "asking leaves no traces");
    place.run(&["deploy", "--yes"]).exits(0);
    place.application("2", &components("two", "cat file >> log"));
    place.run(&["plan", "--why", "file"]).exits(0).gives("content: \"one\" → \"two\"");
    place
        .run(&["plan", "--why", "command"])
        .exits(0)
        .gives("nothing differs\n  last changed by run 1 (deploy), ended 2");
    let json = place.run(&["plan", "--why", "command", "--json"]).exits(0).json();
    assert_eq!((&json["schema"], &json["unchanged"][0]["last"]["run"]), (&1.into(), &1.into()));
    place.run(&["plan", "--why", "comand"]).exits(2).tells("no component `comand`").tells("did you mean `command`?");
    let error = place.run(&["plan", "--why", "file@hre", "--json"]).exits(2).json();
    assert_eq!(error["error"]["code"], "unknown-instance");
    let part = place.run(&["graph", "--all", "--to", "file"]).exits(0).gives("file@here");
    assert!(!part.stdout.contains("command@here"), "{}", part.stdout);
    place.run(&["graph", "--all", "--from", "file", "--format", "mermaid"]).exits(0).gives("command@here");
    place.run(&["graph", "--all", "--from", "comand"]).exits(2).tells("did you mean `command`?");
    place.run(&["plan", "--why", "file", "-o", "x"]).exits(2).tells("cannot be used with");
}

#[test]
fn a_failure_is_shown_with_its_output_and_the_way_on() {
    let place = Place::with(&components("one", "echo all is well"));
    if !place.has_plugins() {
        return;
    }
    place.run(&["deploy", "--yes"]).exits(0);
    let before = place.run(&["status", "--json"]).exits(0).json();
    place.application("2", &components("two", "echo ::set-env name=X::y; echo the disk is full >&2; exit 3"));
    let said =
        place.run(&["deploy", "--yes"]).exits(3).tells("the disk is full").tells("command@here").tells("rollback 2");
    assert!(said.stderr.lines().all(|line| !line.trim_start().starts_with("::")), "{}", said.stderr);
    place.run(&["show", "2", "--step", "command@here", "--log"]).exits(0).gives("the disk is full");
    let shown = place.run(&["show", "2", "--log"]).exits(0).stdout;
    assert_eq!(shown.matches("| the disk is full").count(), 1, "{shown}");
    place.run(&["show", "2"]).exits(0).gives("the disk is full");
    assert_eq!(place.read("file").as_deref(), Some("two"));
    place.run(&["rollback", "--yes"]).exits(0);
    assert_eq!(place.read("file").as_deref(), Some("one"));
    let after = place.run(&["status", "--json"]).exits(0).json();
    assert_eq!(after["version"], before["version"]);
    assert_eq!(after["release"], before["release"]);
}

#[test]
fn an_earlier_release_is_deployed_without_its_files() {
    let components = "file: { type: ssh/file, with: { path: \"${folder}/file\", template: conf/file.j2, parents: true } }\n\
                      tree: { type: ssh/directory, needs: [file], with: { path: \"${folder}/tree\", directory: tree } }\n";
    let place = Place::with(components);
    if !place.has_plugins() {
        return;
    }
    place.write("conf/file.j2", "old {{ version }}");
    place.write("tree/a", "a");
    place.run(&["deploy", "--yes"]).exits(0);
    place.write("conf/file.j2", "new {{ version }}");
    place.application("2", components);
    place.run(&["plan"]).exits(0).gives("-old 1").gives("+new 2");
    place.run(&["deploy", "--yes"]).exits(0);
    assert_eq!(place.read("file").as_deref(), Some("new 2"));
    fs::remove_dir_all(place.path("conf")).expect("a folder");
    fs::remove_dir_all(place.path("tree")).expect("a folder");
    place.run(&["plan"]).exits(2).tells("no such file: conf/file.j2");
    place.run(&["rollback", "--to", "1", "--yes"]).exits(0);
    assert_eq!((place.read("file").as_deref(), place.read("tree/a").as_deref()), (Some("old 1"), Some("a")));
    place.run(&["rollback", "--to", "9", "--yes"]).exits(2).tells("never deployed");
}

#[test]
fn files_outside_the_project_are_refused() {
    let place = Place::new();
    if !place.has_plugins() {
        return;
    }
    place.write("environments/local.yaml", &place.environment("local"));
    fs::write(place.path("../secret"), "x").expect("a file");
    std::os::unix::fs::symlink("../secret", place.path("link")).expect("a link");
    fs::create_dir(place.path("folder")).expect("a folder");
    place.write("confg", "x");
    for (file, why) in [
        ("../secret", "leads out of the project"),
        ("link", "leads out of the project"),
        ("/etc/hostname", "absolute path"),
        ("folder", "is a folder"),
        ("config", "did you mean `confg`"),
    ] {
        let component = format!("file: {{ type: ssh/file, with: {{ path: \"${{folder}}/a\", file: {file} }} }}\n");
        place.application("1", &component);
        place.run(&["plan"]).exits(2).tells(why).tells("launchway.yaml:4");
    }
}

#[test]
fn a_run_as_a_stream_of_json() {
    let place = Place::with(&components("one", "echo hello; exit 1"));
    if !place.has_plugins() {
        return;
    }
    place.run(&["deploy", "--json"]).exits(2);
    let lines = place.run(&["deploy", "--yes", "--json"]).exits(3).lines();
    let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!((events.first(), events.last()), (Some(&"planned"), Some(&"summary")));
    let output = lines.iter().find(|line| line["event"] == "output").expect("the output is there");
    assert_eq!(output["text"], "hello");
    let last = lines.last().expect("there is one");
    assert_eq!((&last["outcome"], &last["exit_code"]), (&"failed".into(), &3.into()));
    assert_eq!(last["failed"].as_array().map(Vec::len), Some(1));
    place.application("1", &components("one", "true"));
    place.run(&["deploy", "--yes", "--quiet"]).exits(0);
    let lines = place.run(&["deploy", "--json"]).exits(0).lines();
    assert_eq!(lines.last().expect("there is one")["outcome"], "unchanged");
}

#[test]
fn values_from_the_command_line_come_first() {
    let place = Place::with(
        "file: { type: ssh/file, with: { path: \"${folder}/${name}\", content: \"${version}\", parents: true } }\n",
    );
    if !place.has_plugins() {
        return;
    }
    place.run(&["plan"]).exits(2).tells("name");
    place.run(&["deploy", "--yes", "--version", "1.10", "--set", "name=given"]).exits(0);
    assert_eq!(place.read("given").as_deref(), Some("1.10"));
}

#[test]
fn a_secret_that_cannot_be_read_is_found_before_anything_is_touched() {
    let place = Place::with(
        "file: { type: ssh/file, with: { path: \"${folder}/file\", content: \"${secret.pw}\", parents: true } }\n",
    );
    if !place.has_plugins() {
        return;
    }
    let environment = place.environment("local");
    place.write("environments/local.yaml", &format!("{environment}secrets: {{ pw: {{ env: PW }} }}\n"));
    let plan = place.run(&["plan"]).exits(0);
    let said = format!("{}{}", plan.stdout, plan.stderr);
    assert_eq!(said.matches("rotat").count(), 1, "{said}");
    place.run(&["deploy", "--yes"]).exits(2).tells("secret `pw`").tells("`PW` is not set").tells("hint: ");
    let error = place.run(&["deploy", "--yes", "--json"]).exits(2).json();
    assert_eq!(error["error"]["code"], "secret");
    assert_eq!(place.run(&["runs", "--json"]).exits(0).json()["runs"], serde_json::json!([]));
    let with = place.command(&["deploy", "--yes"]).env("PW", "hunter22").output().expect("the binary starts");
    crate::place::Said::of(with).exits(0);
    assert_eq!(place.read("file").as_deref(), Some("hunter22"));
    place.run(&["undeploy", "--yes"]).exits(0);

    place.application("1", "file: { type: ssh/file, with: { path: \"${folder}/file\", content: x, parents: true } }\n");
    let password = "escalation: { method: sudo, password: pw }";
    let environment = environment.replace("transport: local", &format!("transport: local, {password}"));
    place.write("environments/local.yaml", &format!("{environment}secrets: {{ pw: {{ env: PW }} }}\n"));
    place.run(&["deploy", "--yes"]).exits(2).tells("secret `pw`");
    assert_eq!(place.read("file"), None);
}

#[test]
fn a_state_of_parts_does_not_pass_for_a_version() {
    let place = Place::with(&components("one", "true"));
    if !place.has_plugins() {
        return;
    }
    place.run(&["deploy", "--yes"]).exits(0);
    place.run(&["status"]).exits(0).gives("shop 1 on local\n");
    place.application("2", &components("two", "exit 3"));
    place.run(&["deploy", "--yes", "--component", "file"]).exits(0);
    place.run(&["status"]).exits(0).gives("shop 1 on local, not complete: 1 of version 2\n");
    place.run(&["deploy", "--yes"]).exits(3);
    place.run(&["status"]).exits(0).gives("not complete: 1 uncertain; ").gives("the last run (3) failed\n");
    assert_eq!(place.run(&["status", "--json"]).exits(0).json()["complete"], false);
    place.application("2", &components("two", "true"));
    place.run(&["deploy", "--yes"]).exits(0);
    assert_eq!(place.run(&["status", "--json"]).exits(0).json()["complete"], true);
    place.run(&["undeploy", "--yes", "--component", "command"]).exits(0);
    place.run(&["status"]).exits(0).gives("shop 2 on local, not complete: the last run (5) removed a part\n");
}

#[test]
fn looking_at_secrets_makes_no_key() {
    let place = Place::with(&components("one", "true"));
    if !place.has_plugins() {
        return;
    }
    place.run(&["deploy", "--yes"]).exits(0);
    let keys = place.path(".launchway/keys");
    fs::remove_dir_all(&keys).expect("a deployment makes one");
    for command in [&["plan"][..], &["graph"], &["validate", "-e", "local"]] {
        place.run(command).exits(0);
        assert!(!keys.exists(), "{command:?}");
    }
}
