//! What is there, compared with what is recorded.

use std::fs;

use serde_json::{Value, json};

use crate::place::Place;

const COMPONENTS: &str = "file: { type: ssh/file, with: { path: \"${folder}/file\", content: one, mode: \"0640\", parents: true } }\n\
     tree: { type: ssh/directory, needs: [file], with: { path: \"${folder}/tree\", directory: tree } }\n\
     rendered: { type: ssh/file, needs: [file], with: { path: \"${folder}/rendered\", template: conf/r.j2, parents: true } }\n\
     command: { type: ssh/command, needs: [file], with: { run: \"true\" } }\n";

/// Returns what was found of a component.
fn found<'a>(status: &'a Value, component: &str) -> &'a Value {
    let instances = status["instances"].as_array().expect("a list");
    &instances.iter().find(|instance| instance["component"] == component).expect("it is recorded")["drift"]
}

#[test]
fn drift_is_told_by_resource_and_by_the_exit_code() {
    let place = Place::with(COMPONENTS);
    if !place.has_plugins() {
        return;
    }
    place.write("tree/a", "a");
    place.write("tree/sub/b", "b");
    place.write("conf/r.j2", "password {{ secret.word }}");
    let environment = place.environment("local") + "secrets: { word: { file: word } }\n";
    place.write("environments/local.yaml", &environment);
    place.write("environments/word", "open sesame");
    place.run(&["status", "--refresh"]).exits(0).gives("not deployed");
    assert!(!place.path(".launchway").exists(), "a look leaves no traces");
    place.run(&["deploy", "--yes"]).exits(0);
    assert_eq!(place.read("rendered").as_deref(), Some("password open sesame"));
    place.run(&["status", "--refresh"]).exits(0).gives("1 cannot tell, 3 ok");
    let status = place.run(&["status", "--refresh", "--json"]).exits(0).json();
    assert_eq!(status["drift"], json!({ "ok": 3, "drifted": 0, "cannot_tell": 1, "unreachable": 0 }));
    assert_eq!(found(&status, "rendered")["found"], "ok", "secrets are filled in where it is compared");
    assert_eq!(found(&status, "command")["found"], "cannot-tell");
    assert!(place.run(&["status", "--json"]).exits(0).json().get("drift").is_none());

    fs::write(place.deployed("file"), "two").expect("a file");
    fs::write(place.deployed("tree/sub/b"), "c").expect("a file");
    fs::write(place.deployed("rendered"), "password guess").expect("a file");
    let said = place.run(&["status", "--refresh"]).exits(10).gives("drifted");
    let said = said.gives("/file: its content differs").gives("tree/sub/b: it is not as it was put there");
    said.gives("3 drifted, 1 cannot tell");
    let status = place.run(&["status", "--refresh", "--json"]).exits(10).json();
    let file = found(&status, "file");
    assert_eq!((&file["found"], &file["resources"][0]["status"]), (&json!("drifted"), &json!("changed")));
    fs::remove_file(place.deployed("file")).expect("it is there");
    place.run(&["status", "--refresh"]).exits(10).gives("/file: it is missing");
    let runs = place.run(&["runs", "--json"]).exits(0).json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1), "a look is no run");
}
