//! Runs that are stopped, and runs that meet.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use launchway_model::{Digest, Holder, RunId, Timestamp};
use launchway_store::{LEASE_MS, NewRun, Store};
use rustix::process::{Pid, Signal, kill_process};

use crate::place::{Place, Said};

/// Two commands; the first one says that it has begun and then waits for a file.
const COMPONENTS: &str = "\
first: { type: ssh/command, with: { run: \"echo begun; until test -e '${folder}/go'; do sleep 0.05; done\" } }
second: { type: ssh/command, needs: [first], with: { run: \"touch '${folder}/second'\" } }
";

/// Starts a deployment, and returns once its first command has begun.
fn begin(place: &Place) -> (Child, BufReader<std::process::ChildStdout>) {
    begin_with(place, place.command(&["deploy", "--yes", "--json"]))
}

fn begin_with(place: &Place, mut command: Command) -> (Child, BufReader<std::process::ChildStdout>) {
    std::fs::create_dir_all(place.deployed("")).expect("a folder");
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
    send(child, Signal::INT);
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it is there");
}

/// Reads on until the run knows that it is to stop.
fn until_stopping(lines: &mut BufReader<std::process::ChildStdout>) {
    let mut line = String::new();
    while !line.contains("stop-requested") {
        line.clear();
        assert_ne!(lines.read_line(&mut line).expect("it can be read"), 0, "it ended early");
    }
}

#[test]
fn a_stopped_run_says_the_command_that_goes_on() {
    let place =
        Place::with(&COMPONENTS.replace("touch '${folder}/second'", "echo ${version} ${name} >'${folder}/second'"));
    if !place.has_plugins() {
        return;
    }
    let set = "name=\"it's\"";
    let given = ["deploy", "--yes", "--json", "-C", ".", "--store", "a store", "--version", "1.5", "--set", set];
    let (child, mut lines) = begin_with(&place, place.command(&given));
    interrupt(&child);
    until_stopping(&mut lines);
    std::fs::write(place.deployed("go"), "").expect("a file");
    let said = end(child, lines).exits(5);
    let summary: serde_json::Value =
        serde_json::from_str(said.stdout.lines().last().expect("there is one")).expect("it is JSON");
    let next = summary["next"][0]["command"].as_str().expect("a command");
    let script = format!("launchway() {{ '{}' \"$@\" --yes; }}\n{next}", env!("CARGO_BIN_EXE_launchway"));
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(script).current_dir(place.path("")).stdin(Stdio::null());
    shell.env("HOME", place.path("../home"));
    Said::of(shell.output().expect("a shell runs")).exits(0);
    assert_eq!(place.read("second").as_deref(), Some("1.5 it's\n"));
}

#[test]
fn a_terminal_that_goes_away_stops_a_run_unless_it_was_to_outlive_it() {
    let place = Place::with(COMPONENTS);
    if !place.has_plugins() {
        return;
    }
    let (child, mut lines) = begin(&place);
    send(&child, Signal::HUP);
    until_stopping(&mut lines);
    std::fs::write(place.deployed("go"), "").expect("a file");
    end(child, lines).exits(5);

    std::fs::remove_file(place.deployed("go")).expect("it is there");
    place.application("2", &COMPONENTS.replace("echo begun", "echo again; echo begun"));
    let plain = place.command(&[]);
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg("trap '' HUP; exec \"$0\" deploy --yes --json").arg(plain.get_program());
    shell.current_dir(place.path("")).env_clear().stdin(Stdio::null());
    shell.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let (child, lines) = begin_with(&place, shell);
    send(&child, Signal::HUP);
    std::fs::write(place.deployed("go"), "").expect("a file");
    end(child, lines).exits(0);
}

#[test]
fn a_run_that_loses_its_lease_is_told_from_a_bug() {
    let place = Place::with(COMPONENTS);
    if !place.has_plugins() {
        return;
    }
    let (child, lines) = begin(&place);
    let store = Store::open(place.path(".launchway")).expect("it is there");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later");
    let later = Timestamp(now.as_millis() as u64 + 2 * LEASE_MS);
    let plan = store.run(RunId(1), later).expect("it can be read").expect("it is there").plan;
    let holder = Holder { user: "ada".to_owned(), host: "ci".to_owned(), url: None };
    let other = NewRun {
        plan: Arc::new(plan),
        plan_digest: Digest::of(b""),
        holder,
        started: later,
        saved_plan: false,
        ignore_requires: false,
    };
    // Whether it may run does not matter: a holder that is silent for too long has lost its lease.
    drop(store.begin_run(other));
    std::fs::write(place.deployed("go"), "").expect("a file");
    let said = end(child, lines).exits(7).tells("lost its lease").tells("hint: `launchway runs` shows");
    assert_eq!(said.stderr.matches("lease").count(), 1, "{}", said.stderr);
    assert!(said.stdout.contains("\"exit_code\":7"), "{}", said.stdout);
}

#[test]
fn the_first_interrupt_stops_at_the_next_safe_point() {
    let place = Place::with(COMPONENTS);
    if !place.has_plugins() {
        return;
    }
    let (child, mut lines) = begin(&place);
    interrupt(&child);
    until_stopping(&mut lines);
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
    let (child, mut lines) = begin(&place);
    interrupt(&child);
    until_stopping(&mut lines);
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

/// Runs a command on a terminal of its own, and types something there once it has asked.
fn on_a_terminal(place: &Place, arguments: &str, typed: &[u8]) -> Option<Said> {
    if !std::path::Path::new("/usr/bin/script").exists() {
        println!("skipped: there is no /usr/bin/script");
        return None;
    }
    let line = format!("exec '{}' {arguments}", env!("CARGO_BIN_EXE_launchway"));
    let command = place.command(&[]);
    let mut script = std::process::Command::new("/usr/bin/script");
    script.args(["-qefc", &line, "/dev/null"]).current_dir(place.path("")).env_clear();
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
    script.env("NO_COLOR", "1").env("SHELL", "/bin/sh");
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut shown = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut stdin = child.stdin.take().expect("it is piped");
    let mut text = Vec::new();
    if !typed.is_empty() {
        while !text.ends_with(b"[y/N] ") {
            let before = text.len();
            shown.read_until(b' ', &mut text).expect("it can be read");
            assert_ne!(text.len(), before, "it did not ask: {}", String::from_utf8_lossy(&text));
        }
        stdin.write_all(typed).expect("it listens");
    }
    shown.read_to_end(&mut text).expect("it can be read");
    let code = child.wait().expect("it ends").code().unwrap_or(-1);
    Some(Said { code, stdout: String::from_utf8_lossy(&text).into_owned(), stderr: String::new() })
}

#[test]
fn an_interrupt_is_an_answer_and_no_yes() {
    let place = Place::with(COMPONENTS);
    if !place.has_plugins() {
        return;
    }
    let Some(said) = on_a_terminal(&place, "deploy", b"\x03") else { return };
    said.exits(5).gives("nothing was done");
    assert_eq!(place.run(&["runs", "--json"]).exits(0).json()["runs"], serde_json::json!([]));
}

#[test]
fn without_colours_nothing_is_drawn_on_a_terminal() {
    let place = Place::with("quick: { type: ssh/command, with: { run: \"true\" } }\n");
    if !place.has_plugins() {
        return;
    }
    let Some(said) = on_a_terminal(&place, "deploy", b"y\n") else { return };
    let said = said.exits(0).gives("Done:");
    assert!(!said.stdout.contains('\u{1b}'), "{}", said.stdout);
}
