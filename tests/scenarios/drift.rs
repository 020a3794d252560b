//! What others changed by hand, before it is written over.

use std::fs;

use serde_json::json;

use crate::site::Site;

const APPLICATION: &str = r#"
application: handmade
version: "1"
components:
  file: { type: ssh/file, on: role=a, with: { path: "${folder}/file-${target.name}", content: "one ${number}" } }
  tree: { type: ssh/directory, on: role=a, with: { path: "${folder}/tree-${target.name}", directory: tree, exact: true } }
  other: { type: ssh/file, on: role=b, with: { path: "${folder}/other", content: same } }
"#;

#[test]
fn what_was_changed_by_hand_is_told_and_written_over_or_left_alone() {
    let Some(site) = Site::new(2) else { return };
    let environment = |number: u32, drift: Option<&str>| {
        site.environment(|environment| {
            let dictionaries = environment["dictionaries"].as_array_mut().expect("the site has one");
            dictionaries.push(json!({ "number": number }));
            for (target, role) in [("host1", "a"), ("host2", "b")] {
                environment["targets"][target]["labels"] = json!({ "role": role });
            }
            if let Some(policy) = drift {
                environment["drift"] = json!(policy);
            }
        });
    };
    let deployed = site.folder();
    let (file, tree, other) = (deployed.join("file-host1"), deployed.join("tree-host1"), deployed.join("other"));
    let by_hand = |number: u32| {
        fs::write(&file, "by hand").expect("it can be written");
        fs::write(tree.join("stranger"), "").expect("it can be written");
        fs::write(&other, "by hand").expect("it can be written");
        site.project.write("tree/a", number.to_string()).expect("it can be written");
    };
    environment(1, None);
    site.project.write("tree/a", "1").expect("it can be written");
    site.application(APPLICATION);
    site.run(&["deploy", "--yes"]).exits(0);

    // Told, written over, and in the journal; what does not change is not looked at.
    by_hand(2);
    environment(2, None);
    let warned = site.run(&["deploy", "--yes"]).exits(0).says("changed by others: file@host1: ");
    assert!(warned.text().contains("tree@host1: ") && !warned.text().contains("other@host2"), "{}", warned.text());
    assert_eq!(site.deployed("file-host1").as_deref(), Some("one 2"));
    site.run(&["show", "2"]).exits(0).says("changed by others: tree@host1: ");
    let events = site.run(&["show", "2", "--json"]).exits(0).json().expect("it is JSON");
    let found = events["events"].as_array().expect("a list").iter().filter(|event| event["event"] == "drift-found");
    assert_eq!(found.count(), 2);

    // Refused before anything is touched.
    by_hand(3);
    environment(3, Some("fail"));
    let refused = site.run(&["deploy", "--yes"]).exits(6).says("file@host1: ").says("tree@host1: ");
    refused.says("`--drift overwrite`").says("`launchway status --refresh`");
    assert_eq!(site.deployed("file-host1").as_deref(), Some("by hand"));
    assert!(site.recorded().iter().all(|(_, state)| state == "confirmed"), "{:?}", site.recorded());
    site.run(&["undeploy", "--yes"]).exits(6);
    assert!(file.exists());

    // As asked for, nobody looks; gone by hand is gone.
    let forced = site.run(&["deploy", "--yes", "--drift", "overwrite"]).exits(0);
    assert!(!forced.text().contains("changed by others"), "{}", forced.text());
    assert_eq!(site.deployed("file-host1").as_deref(), Some("one 3"));
    fs::write(&other, "same").expect("it can be written");
    fs::remove_file(&file).expect("it is there");
    site.run(&["undeploy", "--yes"]).exits(0);
}
