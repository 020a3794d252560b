//! What is on the targets, and what is recorded of them.

use std::fs;

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
    site.environment(|environment| environment["defaults"]["markers"] = json!("on"));
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
