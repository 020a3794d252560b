//! What counts as a change, and what follows from one.

use std::fs;

use serde_json::json;

use crate::site::Site;

const TWO_FILES: &str = r#"
application: files
version: "1"
components:
  kept: { type: ssh/file, with: { path: "${folder}/${target.name}-kept", content: kept } }
  gone: { type: ssh/file, with: { path: "${folder}/${target.name}-gone", content: gone } }
"#;

#[test]
fn without_changes_nothing_runs_and_nothing_is_connected_to() {
    let Some(mut site) = Site::new(2) else { return };
    site.application(TWO_FILES);
    assert_eq!(site.deploy(0).count("instance-committed"), 4);
    let status = site.status();
    site.hosts.crash(0);
    site.hosts.crash(1);
    site.run(&["deploy"]).exits(0);
    assert_eq!(site.deploy(0).count("step-started"), 0);
    site.run(&["plan", "--exit-code"]).exits(0);
    assert_eq!(site.status(), status);
    let runs = site.run(&["runs", "--json"]).exits(0).json().expect("it is JSON");
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1), "{runs}");
}

#[test]
fn planning_twice_gives_the_same_bytes_and_touches_nothing() {
    let Some(mut site) = Site::new(3) else { return };
    site.application(TWO_FILES);
    let plans = |site: &Site| {
        let saved = |name: &str| {
            site.run(&["plan", "-o", name]).exits(0);
            fs::read(site.project.path(name)).expect("it was written")
        };
        assert_eq!(saved("one.plan"), saved("two.plan"));
        let shown = || site.run(&["plan", "--json"]).exits(0).stdout;
        assert_eq!(shown(), shown());
    };
    site.hosts.crash(0);
    plans(&site);
    site.hosts.boot(0).expect("it boots");
    assert!(site.deployed("host1-kept").is_none());
    site.deploy(0);
    site.application(&TWO_FILES.replace("content: gone", "content: other"));
    plans(&site);
    site.run(&["plan", "--exit-code"]).exits(10);
    assert_eq!(site.deployed("host3-gone").as_deref(), Some("gone"));
}

#[test]
fn a_saved_plan_runs_once_and_not_after_the_state_moved() {
    let Some(site) = Site::new(1) else { return };
    site.application(TWO_FILES);
    site.run(&["plan", "-o", "first.plan"]).exits(0);
    site.run(&["plan", "-o", "second.plan"]).exits(0);
    site.run(&["deploy", "--yes", "first.plan"]).exits(0);
    assert_eq!(site.deployed("host1-kept").as_deref(), Some("kept"));
    site.run(&["deploy", "--yes", "first.plan"]).exits(6);
    site.run(&["deploy", "--yes", "second.plan"]).exits(6);
}

#[test]
fn a_component_taken_out_of_the_application_is_removed() {
    let Some(site) = Site::new(2) else { return };
    site.application(TWO_FILES);
    site.deploy(0);
    assert_eq!(site.deployed("host2-gone").as_deref(), Some("gone"));
    let without: String =
        TWO_FILES.lines().filter(|line| !line.contains("gone:")).map(|line| format!("{line}\n")).collect();
    site.application(&without);
    let journal = site.deploy(0);
    assert!(journal.places("step-started", "kept").is_empty());
    assert_eq!((site.deployed("host1-gone"), site.deployed("host2-gone")), (None, None));
    assert_eq!(site.deployed("host1-kept").as_deref(), Some("kept"));
    assert_eq!(site.recorded().len(), 2);
}

#[test]
fn another_type_is_a_removal_by_the_old_and_a_creation_by_the_new() {
    let Some(site) = Site::new(1) else { return };
    let application = |what: &str| format!("application: types\nversion: \"1\"\ncomponents:\n  it: {what}\n");
    site.application(&application(r#"{ type: ssh/file, with: { path: "${folder}/it", content: text } }"#));
    site.deploy(0);
    assert_eq!(site.deployed("it").as_deref(), Some("text"));
    site.application(&application(
        r#"{ type: ssh/command, with: { run: "test ! -e '${folder}/it'; echo ran >'${folder}/other'", undo: "rm '${folder}/other'" } }"#,
    ));
    let journal = site.deploy(0);
    assert_eq!(journal.count("instance-committed"), 2);
    assert_eq!((site.deployed("it"), site.deployed("other").as_deref()), (None, Some("ran\n")));
    site.application(&application(r#"{ type: ssh/file, with: { path: "${folder}/it", content: back } }"#));
    site.deploy(0);
    assert_eq!((site.deployed("it").as_deref(), site.deployed("other")), (Some("back"), None));
}

#[test]
fn an_empty_environment_and_an_empty_application_are_no_errors() {
    let Some(site) = Site::new(1) else { return };
    site.environment(|environment| environment["targets"] = json!({}));
    site.application(TWO_FILES);
    site.run(&["validate"]).exits(0);
    site.run(&["plan"]).exits(0);
    site.run(&["deploy", "--yes"]).exits(0);
    assert!(site.recorded().is_empty());
    site.environment(|_| {});
    site.application("application: files\nversion: \"2\"\n");
    site.run(&["deploy", "--yes"]).exits(0);
    assert!(site.recorded().is_empty());
}

#[test]
fn a_target_that_left_the_environment_is_cleaned_up_at_its_recorded_address() {
    let Some(site) = Site::new(2) else { return };
    site.application(TWO_FILES);
    site.deploy(0);
    site.environment(|environment| {
        environment["targets"].as_object_mut().expect("it is an object").remove("host2");
    });
    site.deploy(0);
    assert_eq!((site.deployed("host2-kept"), site.deployed("host1-kept").as_deref()), (None, Some("kept")));
}

#[test]
fn only_what_is_asked_for_is_touched() {
    let Some(site) = Site::new(2) else { return };
    site.application(TWO_FILES);
    site.run(&["deploy", "--yes", "--component", "kept", "--target", "host2"]).exits(0);
    assert_eq!((site.deployed("host2-kept").as_deref(), site.deployed("host1-kept")), (Some("kept"), None));
    site.run(&["deploy", "--yes", "--component", "!kept"]).exits(0);
    assert_eq!((site.deployed("host1-gone").as_deref(), site.deployed("host1-kept")), (Some("gone"), None));
    site.run(&["deploy", "--yes", "--component", "nobody"]).exits(2).says("nobody");
    site.deploy(0);
    assert_eq!(site.recorded().len(), 4);
}
