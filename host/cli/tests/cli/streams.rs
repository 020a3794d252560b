//! Standard output and standard error, and those who stop reading them.

use std::io::Read;
use std::process::Stdio;

use crate::place::{Place, Said};

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    for command in [&["schema"][..], &["completions", "zsh"], &["--help"], &["plan", "--nope", "--json"]] {
        let mut child =
            place.command(command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        drop(child.stdout.take());
        let mut complaints = String::new();
        child.stderr.take().expect("it is piped").read_to_string(&mut complaints).expect("it is text");
        let code = child.wait().expect("it ends").code();
        let expected = if command.contains(&"--nope") { 2 } else { 0 };
        assert_eq!(code, Some(expected), "{command:?}: {complaints}");
        assert!(!complaints.contains("panicked") && !complaints.contains("bug"), "{complaints}");
    }
}

#[test]
fn nobody_reading_at_all_is_no_error() {
    let place = Place::new();
    let mut child =
        place.command(&["status"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().expect("it ends").code(), Some(2));
}

#[test]
fn a_full_disk_under_standard_output_is_told() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        println!("skipped: there is no /dev/full here");
        return;
    };
    let place = Place::new();
    let output = place.command(&["schema"]).stdout(full).output().expect("it starts");
    Said::of(output).exits(1).tells("can't write to standard output");
}
