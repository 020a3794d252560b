//! Ctrl-C, and two at a time.

use std::fs;

use crate::site::{Journal, Site};

const WAITING: &str = r#"
application: waiting
version: "1"
components:
  wait:
    type: ssh/command
    with: { run: ": >'${folder}/begun'; until test -e '${folder}/go'; do sleep 0.05; done" }
  later: { type: ssh/file, needs: [wait], with: { path: "${folder}/later", content: text } }
  last: { type: ssh/file, after: [later], with: { path: "${folder}/last", content: text } }
"#;

#[test]
fn an_interrupt_stops_at_the_next_safe_point_and_the_next_deploy_goes_on() {
    let Some(site) = Site::new(1) else { return };
    site.application(WAITING);
    let mut running = site.project.start(["deploy", "--yes", "--json"]).expect("it starts");
    running.wait_for(|line| line.contains("step-started") && line.contains("wait@host1")).expect("it begins");
    running.interrupt().expect("it can be interrupted");
    running.wait_for(|line| line.contains("stop-requested")).expect("it takes notice");
    fs::write(site.folder().join("go"), "").expect("it can be written");
    let output = running.finish().expect("it ends").exits(5);
    let journal = Journal::of(&output);
    assert_eq!(journal.places("step-finished", "wait").len(), 1, "the running step ended");
    assert!(journal.places("step-started", "last").is_empty(), "nothing new began");
    assert_eq!(site.deployed("last"), None);

    let journal = site.deploy(0);
    assert!(journal.places("step-started", "wait").is_empty(), "what was committed is not done again");
    assert_eq!(site.deployed("last").as_deref(), Some("text"));
}

#[test]
fn after_an_interrupt_it_says_how_to_go_on() {
    let Some(site) = Site::new(1) else { return };
    site.application(WAITING);
    let running = site.project.start(["deploy", "--yes"]).expect("it starts");
    site.wait_until_deployed("begun");
    running.interrupt().expect("it can be interrupted");
    while !site.run(&["show", "1", "--json"]).exits(0).stdout().contains("stop-requested") {}
    fs::write(site.folder().join("go"), "").expect("it can be written");
    running.finish().expect("it ends").exits(5).says("launchway deploy").says("launchway rollback 1");
}

#[test]
fn a_second_interrupt_aborts() {
    let Some(site) = Site::new(1) else { return };
    site.application(WAITING);
    let mut running = site.project.start(["deploy", "--yes", "--json"]).expect("it starts");
    running.wait_for(|line| line.contains("step-started") && line.contains("wait@host1")).expect("it begins");
    running.interrupt().expect("it can be interrupted");
    running.wait_for(|line| line.contains("stop-requested")).expect("it takes notice");
    running.interrupt().expect("it can be interrupted");
    running.finish().expect("it ends").exits(5);
    assert!(site.recorded().contains(&("wait@host1".to_owned(), "dirty".to_owned())));
}

#[test]
fn two_runs_at_a_time_are_refused() {
    let Some(site) = Site::new(1) else { return };
    site.application(WAITING);
    let mut running = site.project.start(["deploy", "--yes", "--json"]).expect("it starts");
    running.wait_for(|line| line.contains("step-started")).expect("it begins");
    site.run(&["deploy", "--yes"]).exits(7);
    site.run(&["status"]).exits(0);
    fs::write(site.folder().join("go"), "").expect("it can be written");
    running.finish().expect("it ends").exits(0);
    assert_eq!(site.deploy(0).count("step-started"), 0);
}
