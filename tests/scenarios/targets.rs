//! What is on the targets, and what is recorded of them.

use std::fs;
use std::path::Path;
use std::process::Command;

use launchway_harness::Project;
use serde_json::{Value, json};

use crate::site::Site;

const APPLICATION: &str = r#"
application: shop
version: "1"
components:
  file: { type: ssh/file, with: { path: "${folder}/${target.name}", content: text } }
  other: { type: ssh/file, on: n=1, with: { path: "${folder}/other", content: other } }
"#;

fn found(status: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let instances = status["instances"].as_array().expect("it is a list");
    let name = |of: &Value| format!("{}@{}", text(&of["component"]), text(&of["target"]));
    instances.iter().map(|instance| (name(instance), text(&instance["drift"]["found"]))).collect()
}

#[test]
fn what_has_drifted_is_told_from_what_can_not_be_reached() {
    let Some(mut site) = Site::new(3) else { return };
    site.application(APPLICATION);
    site.deploy(0);
    site.run(&["status", "--refresh"]).exits(0).says("4 ok");
    fs::write(site.folder().join("host1"), "other").expect("it can be written");
    site.hosts.crash(1);
    let status = site.run(&["status", "--refresh", "--json"]).exits(10).json().expect("it is JSON");
    let expected =
        [("file@host1", "drifted"), ("file@host2", "unreachable"), ("file@host3", "ok"), ("other@host1", "ok")];
    assert_eq!(found(&status), expected.map(|(name, word)| (name.to_owned(), word.to_owned())));
    assert_eq!(status["drift"], json!({ "ok": 2, "drifted": 1, "cannot_tell": 0, "unreachable": 1 }));
    fs::write(site.folder().join("host1"), "text").expect("it can be written");
    site.run(&["status", "--refresh"]).exits(0).says("refuses connections");
}

#[test]
fn a_target_that_is_gone_for_good_is_forgotten_and_what_is_back_is_taken_over() {
    let Some(mut site) = Site::new(2) else { return };
    site.application(APPLICATION);
    site.deploy(0);
    site.hosts.crash(0);
    site.run(&["forget", "--target", "host1", "--yes"]).exits(0).says("2 forgotten");
    assert_eq!(site.recorded(), [("file@host2".to_owned(), "confirmed".to_owned())]);
    site.run(&["adopt", "--yes"]).exits(0).says("file@host1 is left to be created: unreachable");
    site.hosts.boot(0).expect("it comes back");
    fs::remove_file(site.folder().join("other")).expect("it is there");
    site.run(&["adopt", "--target", "host1", "--yes"]).exits(0).says("1 taken over").says("other@host1 is not there");
    site.run(&["deploy", "--yes"]).exits(0).says("1 created");
    site.run(&["plan", "--exit-code"]).exits(0);
}

#[test]
fn a_replaced_host_is_noticed_before_any_other_is_changed() {
    let Some(site) = Site::new(2) else { return };
    site.application(APPLICATION);
    site.deploy(0);
    let marker = |index| site.hosts.home(index).join(".launchway/markers");
    let count = |index| fs::read_dir(marker(index)).map_or(0, Iterator::count);
    assert_eq!((count(0), count(1)), (1, 1));
    fs::remove_dir_all(marker(1)).expect("it is there");
    site.application(&APPLICATION.replace("content: text", "content: new"));
    site.run(&["deploy", "--yes"]).exits(6).says("was host2 replaced?");
    assert_eq!(site.deployed("host1").as_deref(), Some("text"), "nothing is touched");
    site.run(&["deploy", "--yes", "--target", "host1"]).exits(0);
    site.run(&["forget", "--target", "host2", "--yes"]).exits(0);
    site.run(&["deploy", "--yes"]).exits(0).says("1 created");
    assert_eq!(site.deployed("host2").as_deref(), Some("new"));
    site.run(&["undeploy", "--yes"]).exits(0);
    assert_eq!((count(0), count(1)), (0, 0), "what has no instance has no marker");
}

#[test]
fn a_host_that_is_away_is_no_replaced_one() {
    let Some(mut site) = Site::new(2) else { return };
    site.application(APPLICATION);
    site.environment(|environment| environment["failures"] = json!({ "on_failure": "continue" }));
    site.deploy(0);
    site.hosts.crash(1);
    site.application(&APPLICATION.replace("content: text", "content: new"));
    site.run(&["deploy", "--yes"]).exits(3).says("refuses connections");
    assert_eq!(site.deployed("host1").as_deref(), Some("new"));
    site.hosts.boot(1).expect("it comes back");
    site.run(&["deploy", "--yes"]).exits(0);
    assert_eq!(site.deployed("host2").as_deref(), Some("new"));
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status().expect("cp runs");
    assert!(status.success());
}

#[test]
fn hosts_of_another_state_are_refused_until_they_are_taken_over() {
    let Some(site) = Site::new(2) else { return };
    site.application(APPLICATION);
    site.deploy(0);
    // A second checkout of the same project, which knows nothing of what the first one did.
    let other = Project::new().expect("the binary is there");
    for file in ["launchway.yaml", "environments/test.yaml"] {
        other.write(file, fs::read(site.project.path(file)).expect("it is there")).expect("it can be written");
    }
    let run = |arguments: &[&str]| other.run(arguments).expect("it runs");
    let refused = run(&["deploy", "--yes"]).exits(6).says("wrong state").says("launchway adopt --target host");
    let whole: String = refused.stderr().split_whitespace().collect();
    let store = site.project.path(".launchway").canonicalize().expect("it is there");
    assert!(whole.contains(&*store.to_string_lossy()), "the other store is named: {whole}");
    run(&["adopt", "--yes"]).exits(0).says("host2: it is of another state").says("3 taken over");
    run(&["deploy", "--yes"]).exits(0);
    site.application(&APPLICATION.replace("content: text", "content: new"));
    site.run(&["deploy", "--yes"]).exits(6).says("wrong state");
    assert_eq!(site.deployed("host1").as_deref(), Some("text"), "nothing is touched");
    // Another application, or the same one in another environment, is none of its business.
    site.application(&APPLICATION.replace("application: shop", "application: other").replace("/other", "/third"));
    site.run(&["deploy", "--yes", "--component", "other"]).exits(0);
}

#[test]
fn a_state_from_a_backup_is_refused_until_somebody_decides() {
    let Some(site) = Site::new(1) else { return };
    site.application(APPLICATION);
    site.deploy(0);
    let (store, backup) = (site.project.path(".launchway"), site.project.path("backup"));
    copy(&store, &backup);
    site.application(&APPLICATION.replace("content: text", "content: new"));
    site.deploy(0);
    fs::remove_dir_all(&store).expect("it is there");
    copy(&backup, &store);
    site.run(&["deploy", "--yes"])
        .exits(6)
        .says("older than what was done on host1")
        .says("launchway adopt --target host1");
    // What was refused is a run, too, but no decision.
    site.run(&["deploy", "--yes"]).exits(6).says("older than what was done on host1");
    site.run(&["adopt", "--yes"]).exits(0).says("a newer state is kept");
    site.run(&["deploy", "--yes"]).exits(0);
    site.run(&["plan", "--exit-code"]).exits(0);
}

#[test]
fn a_home_of_no_use_a_killed_run_and_no_marker_at_all_are_no_reason_to_refuse() {
    let Some(mut site) = Site::new(1) else { return };
    site.application(APPLICATION);
    let marks = site.hosts.home(0).join(".launchway/markers");
    // From before there were markers.
    site.environment(|environment| environment["defaults"]["markers"] = json!("off"));
    site.deploy(0);
    assert!(!marks.exists());
    site.environment(|_| {});
    let application = APPLICATION
        .replace("{ path: \"${folder}/other\", content: other }", "{ path: \"${folder}/other\", content: new }");
    site.application(&application);
    site.deploy(0);
    assert_eq!(fs::read_dir(&marks).map_or(0, Iterator::count), 1, "it comes with the next change");
    // A run that is killed at once after it marked.
    let waiting = "\n  wait: { type: ssh/command, with: { run: \": >'${folder}/begun'; sleep 600\" } }\n";
    site.application(&(application.clone() + waiting));
    let running = site.project.start(["deploy", "--yes"]).expect("it starts");
    site.wait_until_deployed("begun");
    running.kill().expect("it can be killed");
    drop(running.finish());
    site.application(&(application.clone() + &waiting.replace("sleep 600", "true")));
    site.deploy(0);
    // Nothing is to be done: nobody is asked.
    site.hosts.crash(0);
    site.run(&["deploy", "--yes"]).exits(0);
    site.hosts.boot(0).expect("it comes back");
    site.run(&["undeploy", "--yes"]).exits(0);
    assert!(!marks.exists());
    site.deploy(0);
}
