//! Which state knows what is on a target.

use std::fs;
use std::path::PathBuf;

use crate::place::Place;

const FILE: &str = "file: { type: ssh/file, with: { path: \"${folder}/file\", content: one, parents: true } }";

fn deployed() -> Option<Place> {
    let place = Place::with(FILE);
    if !place.has_plugins() {
        return None;
    }
    place.with_markers();
    place.run(&["deploy", "--yes"]).exits(0);
    Some(place)
}

/// Returns the markers that this machine has.
fn markers(place: &Place) -> Vec<PathBuf> {
    let folder = place.path("../home/.launchway/markers");
    fs::read_dir(folder).map(|files| files.map(|file| file.expect("a file").path()).collect()).unwrap_or_default()
}

#[test]
fn a_marker_comes_with_the_first_instance_and_goes_with_the_last() {
    let Some(place) = deployed() else { return };
    let [marker] = &markers(&place)[..] else { panic!("one marker") };
    let text = fs::read_to_string(marker).expect("it can be read");
    assert!(text.contains("environment local\napplication shop\ntarget here\n"), "{text}");
    assert!(text.contains("serial 0\nfence 1\nbegan "), "{text}");
    place.application("2", &FILE.replace("one", "two"));
    place.run(&["deploy", "--yes"]).exits(0);
    assert!(fs::read_to_string(marker).expect("it can be read").contains("fence 2\n"));
    place.run(&["undeploy", "--yes"]).exits(0);
    assert!(!place.path("../home/.launchway").exists(), "nothing is left");
    place.run(&["deploy", "--yes"]).exits(0);
}

#[test]
fn a_host_that_was_replaced_is_not_guessed_about() {
    let Some(place) = deployed() else { return };
    fs::remove_dir_all(place.path("../home/.launchway")).expect("it is there");
    fs::remove_file(place.deployed("file")).expect("it is there");
    place.application("2", &FILE.replace("one", "two"));
    let said = place.run(&["deploy", "--yes"]).exits(6).tells("was here replaced?");
    said.tells("launchway forget --target here -e local");
    assert_eq!(place.read("file"), None, "nothing is touched");
    let status = place.run(&["status", "--json"]).exits(0).json();
    assert_eq!(status["instances"][0]["state"], "confirmed", "nothing became uncertain");
    let error = place.run(&["deploy", "--yes", "--json"]).exits(6).stdout;
    assert!(error.contains("\"code\":\"replaced\""), "{error}");
    place.run(&["show", "2"]).exits(0).gives("failed");
    place.run(&["forget", "--target", "here", "--yes"]).exits(0);
    place.run(&["deploy", "--yes"]).exits(0);
    assert_eq!(place.read("file").as_deref(), Some("two"));
}

#[test]
fn a_wrong_state_is_refused_until_somebody_takes_the_target_over() {
    let Some(place) = deployed() else { return };
    let store = place.path("other store");
    let other = ["--store", store.to_str().expect("a path that is text")];
    let with = |words: &[&'static str]| place.run(&[words, &other[..]].concat());
    let own = place.path(".launchway").canonicalize().expect("it is there");
    let refused = with(&["deploy", "--yes"]).exits(6).tells("wrong state");
    let said: String = refused.stderr.split_whitespace().collect();
    assert!(said.contains(&own.to_string_lossy().replace(' ', "")), "the other store is named: {said}");
    assert!(refused.stderr.contains("launchway adopt --target here -e local"), "{}", refused.stderr);
    with(&["adopt", "--target", "here", "--yes"]).exits(0).tells("here is taken over from another state");
    with(&["plan", "--exit-code"]).exits(0);
    place.application("2", &FILE.replace("one", "two"));
    with(&["deploy", "--yes"]).exits(0);
    place.run(&["deploy", "--yes"]).exits(6).tells("wrong state");
}

#[test]
fn a_state_from_a_backup_is_noticed() {
    let Some(place) = deployed() else { return };
    let copy = |from: &str, to: &str| {
        let (from, to) = (place.path(from), place.path(to));
        let status = std::process::Command::new("cp").arg("-a").args([&from, &to]).status();
        assert!(status.expect("cp runs").success());
    };
    copy(".launchway", "backup");
    place.application("2", &FILE.replace("one", "two"));
    place.run(&["deploy", "--yes"]).exits(0);
    fs::remove_dir_all(place.path(".launchway")).expect("it is there");
    copy("backup", ".launchway");
    place.run(&["deploy", "--yes"]).exits(6).tells("older than what was done on here");
    place.run(&["adopt", "--yes"]).exits(0);
    place.run(&["deploy", "--yes"]).exits(0);
}

#[test]
fn where_no_marker_can_be_kept_that_is_said_once_and_off_is_off() {
    let place = Place::with(FILE);
    if !place.has_plugins() {
        return;
    }
    place.with_markers();
    let home = place.path("../home");
    fs::remove_dir_all(&home).expect("it is there");
    fs::write(&home, "no folder").expect("a file");
    let said = place.run(&["deploy", "--yes"]).exits(0).tells("no marker can be kept on here").tells("markers: off");
    assert_eq!(said.stderr.matches("no marker can be kept").count(), 1);
    fs::remove_file(&home).expect("it is there");
    fs::create_dir(&home).expect("a folder");
    place.application("2", &FILE.replace("one", "two"));
    place.run(&["deploy", "--yes"]).exits(0);
    assert_eq!(markers(&place).len(), 1, "it is written as soon as it can be");
    place.write("environments/local.yaml", &place.environment("local"));
    fs::remove_dir_all(place.path("../home/.launchway")).expect("it is there");
    place.application("3", &FILE.replace("one", "three"));
    place.run(&["deploy", "--yes"]).exits(0);
    assert!(markers(&place).is_empty());
}
