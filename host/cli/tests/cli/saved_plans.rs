//! Plans in files: run as they were shown, once, and only while nothing has moved.

use std::fs;

use crate::place::Place;

const FILE: &str = "file: { type: ssh/file, with: { path: \"${folder}/file\", file: content, parents: true } }\n";

fn place() -> Option<Place> {
    let place = Place::with(FILE);
    place.write("content", "one");
    place.has_plugins().then_some(place)
}

#[test]
fn a_saved_plan_runs_once() {
    let Some(place) = place() else { return };
    place.run(&["plan", "-o", "a plan"]).exits(0).tells("launchway deploy");
    place.run(&["deploy", "a plan", "--yes"]).exits(0);
    assert_eq!(place.read("file").as_deref(), Some("one"));
    place.run(&["deploy", "a plan", "--yes"]).exits(6).tells("used already, by run 1").tells("new one");
}

#[test]
fn a_plan_is_refused_when_what_it_came_from_has_moved() {
    let Some(place) = place() else { return };
    place.run(&["plan", "-o", "plan"]).exits(0);
    place.write("content", "two");
    place.run(&["deploy", "plan", "--yes"]).exits(6).tells("release's files");
    place.write("content", "one");
    let environment = place.environment("local");
    place.write("environments/local.yaml", &format!("{environment}# changed\n"));
    place.run(&["deploy", "plan", "--yes"]).exits(6).tells("environment's files");
    place.write("environments/local.yaml", &environment);
    place.run(&["deploy", "--yes"]).exits(0);
    let refused = place.run(&["deploy", "plan", "--yes", "--json"]).exits(6);
    assert_eq!(refused.json()["error"]["code"], "stale-plan");
}

#[test]
fn what_is_no_plan_or_was_edited_is_refused() {
    let Some(place) = place() else { return };
    place.run(&["deploy", "nowhere", "--yes"]).exits(2).tells("nowhere");
    place.write("plan", "{}");
    place.run(&["deploy", "plan", "--yes"]).exits(2).tells("no saved plan");
    place.run(&["plan", "-o", "plan"]).exits(0);
    let text = fs::read_to_string(place.path("plan")).expect("it was written");
    place.write("plan", &text.replace("deployed/file", "deployed/elsewhere"));
    place.run(&["deploy", "plan", "--yes"]).exits(6).tells("was changed after it was saved");
    assert_eq!(place.read("elsewhere"), None);
}
