//! What is forgotten, and what is taken over.

use std::fs;

use crate::place::Place;

fn file(name: &str) -> String {
    format!("{name}: {{ type: ssh/file, with: {{ path: \"${{folder}}/{name}\", content: {name} }} }}\n")
}

/// A place with three files that are wanted, and the folder to put them in.
fn three() -> Option<Place> {
    let place = Place::with(&["one", "two", "three"].map(file).concat());
    fs::create_dir_all(place.deployed("")).expect("a folder");
    place.has_plugins().then_some(place)
}

#[test]
fn what_is_forgotten_stays_where_it_is() {
    let Some(place) = three() else { return };
    place.run(&["forget", "--target", "here", "--yes"]).exits(2).tells("nothing of shop is recorded");
    assert!(!place.path(".launchway").exists(), "a refusal leaves no traces");
    place.run(&["deploy", "--yes"]).exits(0);
    place.run(&["forget"]).exits(2);
    place.run(&["forget", "one@here"]).exits(2).tells("--yes");
    place.run(&["forget", "ona@here", "--yes"]).exits(2).tells("did you mean `one@here`?");
    place.run(&["forget", "--target", "there", "--yes"]).exits(2).tells("no target matches `there`");
    let said = place.run(&["forget", "one@here", "--yes"]).exits(0);
    said.tells("one@here is forgotten").tells("1 forgotten, 0 steps");
    assert_eq!(place.read("one").as_deref(), Some("one"));
    place.run(&["plan", "--exit-code"]).exits(10).gives("1 to create").gives("2 unchanged");
    place.run(&["runs"]).exits(0).gives("forget");
    place.run(&["show", "2"]).exits(0).gives("one@here is forgotten");
    let shown = place.run(&["show", "2", "--json"]).exits(0).json();
    assert_eq!(shown["forgotten"][0]["component"], "one");
    place.run(&["rollback", "--yes"]).exits(6).tells("launchway adopt");

    let lines = place.run(&["forget", "--component", "t*", "--yes", "--json"]).exits(0).lines();
    let last = lines.last().expect("a summary");
    assert_eq!((&last["event"], &last["forgotten"]), (&"summary".into(), &2.into()));
    place.run(&["status"]).exits(0).gives("not deployed");
    assert_eq!(place.read("two").as_deref(), Some("two"));
}

#[test]
fn what_is_there_is_taken_over() {
    let Some(place) = three() else { return };
    let plan = place.run(&["adopt", "--yes"]).exits(0).tells("is not there, and left to be created");
    plan.tells("Nothing to take over");
    assert!(place.run(&["runs", "--json"]).exits(0).json()["runs"].as_array().is_some_and(Vec::is_empty));
    fs::write(place.deployed("one"), "one").expect("a file");
    fs::write(place.deployed("two"), "too").expect("a file");
    place.run(&["adopt"]).exits(2).tells("one@here is taken over as it is").tells("--yes");
    let lines = place.run(&["adopt", "--yes", "--json"]).exits(0).lines();
    let inspected: Vec<_> = lines.iter().filter(|line| line["event"] == "inspected").collect();
    let told = |line: &&serde_json::Value| format!("{} {}", line["component"], line["recorded"]).replace('"', "");
    assert_eq!(inspected.iter().map(told).collect::<Vec<_>>(), ["one confirmed", "three left", "two differs"]);
    assert_eq!(lines.last().expect("a summary")["adopted"], 2);
    assert_eq!(place.read("two").as_deref(), Some("too"), "nothing is touched");
    let plan = place.run(&["plan"]).exits(0).gives("1 to create, 1 to update").gives("1 unchanged");
    plan.gives("two: its content differs");
    place.run(&["status"]).exits(0).gives("run 1 took it over as it was");
    place.run(&["status", "--refresh"]).exits(10).gives("1 drifted, 1 ok");
    place.run(&["show", "1"]).exits(0).gives("two@here is taken over and differs");
    place.run(&["deploy", "--yes"]).exits(0).tells("1 created, 1 updated");
    assert_eq!(place.read("two").as_deref(), Some("two"));
    place.run(&["status", "--refresh"]).exits(0).gives("3 ok");
    place.run(&["adopt", "--yes"]).exits(0).tells("Nothing to take over");
}

#[test]
fn a_state_that_was_lost_is_taken_over_from_what_is_there() {
    let Some(place) = three() else { return };
    place.run(&["deploy", "--yes"]).exits(0);
    fs::remove_dir_all(place.path(".launchway")).expect("it is there");
    place.run(&["adopt", "--yes"]).exits(0).tells("3 taken over");
    place.run(&["plan", "--exit-code"]).exits(0).gives("Nothing to do");
    place.run(&["status"]).exits(0).gives("shop 1 on local");
}
