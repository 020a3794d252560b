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
