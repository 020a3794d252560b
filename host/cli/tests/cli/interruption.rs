//! Runs that are stopped, and runs that meet.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::place::{Place, Said};

/// Two commands; the first one says that it has begun and then waits for a file.
const COMPONENTS: &str = "\
first: { type: ssh/command, with: { run: \"echo begun; until test -e '${folder}/go'; do sleep 0.05; done\" } }
second: { type: ssh/command, needs: [first], with: { run: \"touch '${folder}/second'\" } }
";

/// Starts a deployment, and returns once its first command has begun.
fn begin(place: &Place) -> (Child, BufReader<std::process::ChildStdout>) {
    std::fs::create_dir_all(place.deployed("")).expect("a folder");
    let mut command = place.command(&["deploy", "--yes", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    while !line.contains("\"begun\"") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).expect("it can be read"), 0, "it ended early");
    }
    (child, lines)
}

fn end(mut child: Child, lines: BufReader<std::process::ChildStdout>) -> Said {
    let rest: Vec<String> = lines.lines().map(|line| line.expect("it is text")).collect();
    let stderr = std::io::read_to_string(child.stderr.take().expect("it is piped")).expect("it is text");
    let code = child.wait().expect("it ends").code().unwrap_or(-1);
    Said { code, stdout: rest.join("\n"), stderr }
}

fn interrupt(child: &Child) {
    let pid = Pid::from_child(child);
    kill_process(pid, Signal::INT).expect("it is there");
}

#[test]
fn the_first_interrupt_stops_at_the_next_safe_point() {
    let place = Place::with(COMPONENTS);
    if !place.has_plugins() {
        return;
    }
    let (child, mut lines) = begin(&place);
    interrupt(&child);
    let mut line = String::new();
    while !line.contains("stop-requested") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).expect("it can be read"), 0, "it ended early");
    }
    std::fs::write(place.deployed("go"), "").expect("a file");
    end(child, lines).exits(5).gives("\"outcome\":\"stopped\"");
    assert_eq!(place.read("second"), None, "nothing new was begun");
    place.run(&["status"]).exits(0).gives("first");
    place.run(&["deploy", "--yes"]).exits(0);
    assert!(place.read("second").is_some(), "the next deployment goes on");
}

#[test]
fn the_second_interrupt_aborts() {
    let place = Place::with(COMPONENTS);
    if !place.has_plugins() {
        return;
    }
    let (child, lines) = begin(&place);
    interrupt(&child);
    let mut lines = lines;
    let mut line = String::new();
    while !line.contains("stop-requested") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).expect("it can be read"), 0, "it ended early");
    }
    interrupt(&child);
    end(child, lines).exits(5).gives("aborted");
    place.run(&["runs"]).exits(0).gives("stopped");
}

#[test]
fn a_second_run_finds_the_environment_locked() {
    let place = Place::with(COMPONENTS);
    if !place.has_plugins() {
        return;
    }
    let (child, lines) = begin(&place);
    place.run(&["deploy", "--yes"]).exits(7).tells("run 1");
    let refused = place.run(&["deploy"]).exits(7).tells("run 1");
    assert!(!refused.stderr.contains("Plan:"), "{}", refused.stderr);
    place.run(&["plan"]).exits(0).tells("run 1 is changing it");
    place.run(&["runs"]).exits(0).gives("running");
    let status = place.run(&["status"]).exits(0).gives("run 1 is changing it");
    assert!(!status.stdout.contains("uncertain"), "{}", status.stdout);
    let status = place.run(&["status", "--json"]).exits(0).json();
    assert_eq!((&status["complete"], &status["instances"][0]["state"]), (&false.into(), &"changing".into()));
    std::fs::write(place.deployed("go"), "").expect("a file");
    end(child, lines).exits(0);
}
