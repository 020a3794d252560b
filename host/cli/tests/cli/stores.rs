//! Stores that are not what they should be, and what is still told of them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;

use crate::place::{Place, Said};

const FILE: &str = "file: { type: ssh/file, with: { path: \"${folder}/file\", content: x, parents: true } }\n";

/// Somebody who owns nothing.
const NOBODY: u32 = 65_534;

#[test]
fn a_store_without_its_database_is_refused() {
    let place = Place::with(FILE);
    if !place.has_plugins() {
        return;
    }
    place.run(&["deploy", "--yes"]).exits(0);
    fs::write(place.path(".launchway/launchway.db"), "").expect("a file");
    for command in [&["status"][..], &["runs"], &["plan"], &["deploy", "--yes"]] {
        place.run(command).exits(2).tells("missing or empty").tells("restore it from a backup");
    }
}

#[test]
fn a_file_in_place_of_the_store_is_told() {
    let place = Place::with(FILE);
    place.run(&["status", "--store", "launchway.yaml"]).exits(2).tells("`launchway.yaml` is not a folder");
}

#[test]
fn a_store_that_can_only_be_read_is_read() {
    let place = Place::with(FILE);
    if !place.has_plugins() {
        return;
    }
    place.run(&["deploy", "--yes"]).exits(0);
    let store = place.path(".launchway");
    set_modes(&store, 0o555, 0o444);
    fs::set_permissions(place.path("..").canonicalize().expect("a folder"), fs::Permissions::from_mode(0o755))
        .expect("modes");
    let root = rustix::process::getuid().is_root();
    if root {
        chown(place.path("../home"), Some(NOBODY), Some(NOBODY)).expect("root may");
    }
    let run = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        if root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output().map(Said::of)
    };
    // The folder it was built in may be for its owner only.
    match run(&["--version"]) {
        Ok(_) => {}
        Err(error) => return println!("skipped: nobody else can run the binary: {error}"),
    }
    run(&["status"]).expect("it starts").exits(0).gives("shop 1 on local\n");
    run(&["runs"]).expect("it starts").exits(0).gives("done");
    run(&["show", "1"]).expect("it starts").exits(0).gives("file@here");
    run(&["plan"]).expect("it starts").exits(0).gives("Nothing to do");
    run(&["undeploy", "--yes"]).expect("it starts").exits(2).tells("Permission denied");
    set_modes(&store, 0o755, 0o644);
    fs::write(store.join("launchway.db-wal"), "what was written last").expect("a file");
    set_modes(&store, 0o555, 0o444);
    run(&["status"]).expect("it starts").exits(2).tells("it is read-only").tells("hint: ");
    set_modes(&store, 0o755, 0o644);
}

fn set_modes(path: &Path, folder: u32, file: u32) {
    let is_folder = path.is_dir();
    if is_folder {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("modes");
        for entry in fs::read_dir(path).expect("a folder") {
            set_modes(&entry.expect("an entry").path(), folder, file);
        }
    }
    fs::set_permissions(path, fs::Permissions::from_mode(if is_folder { folder } else { file })).expect("modes");
}
