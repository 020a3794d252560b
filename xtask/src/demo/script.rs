//! What the demo does, and says, in order.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use launchway_harness::Binary;
use serde_json::Value;

use super::claims;
use super::stage::Stage;
use crate::{packages, plugins};

/// The components that differ between releases 1.0 and 1.1, and the service that restarts because of one of them.
const CHANGED: [&str; 4] = ["app", "app-service", "migrations", "schema"];

/// Runs the demo.
pub(crate) fn run(local: bool, binary: Option<PathBuf>) -> Result<()> {
    packages::setup()?;
    let binary = Binary::new(match binary {
        Some(binary) => std::path::absolute(binary)?,
        None => plugins::build(false)?,
    });
    let mut stage = if local { Stage::local(binary)? } else { Stage::best(binary)? };

    say("Shop 1.0 goes to three hosts on which nothing is yet");
    stage.release("1.0")?;
    stage.show(&["deploy", "--yes"], 0)?;
    fact(&format!("the shop answers: {}", stage.front_page("1.0")?));

    say("Shop 1.1 has a new application and a new column in the database");
    stage.release("1.1")?;
    stage.show(&["deploy", "--yes"], 0)?;
    let page = stage.front_page("1.1")?;
    ensure!(page.contains("oar: 20"), "the shop shows no prices: {page}");
    fact(&format!("the shop answers: {page}"));
    let ran = claims::components_of_last_run(&stage)?;
    ensure!(ran == CHANGED.map(str::to_owned).into(), "steps ran for {ran:?} instead of {CHANGED:?}");
    fact("database, proxy and configuration ran no step");

    say("Deploying it again finds nothing to do");
    let runs = claims::count_runs(&stage)?;
    stage.show(&["deploy", "--yes"], 0)?;
    ensure!(claims::count_runs(&stage)? == runs, "a deploy without changes made a run");
    fact("no run was made, no host was asked");
    let before = stage.json(&["status"])?;

    say("Shop 1.2 is broken: its migration works, its health check does not");
    stage.release("1.2")?;
    stage.show(&["deploy", "--yes"], 3)?;
    let failed = claims::failed_steps_of_last_run(&stage)?;
    ensure!(!failed.is_empty(), "no step failed");
    ensure!(failed.iter().all(|step| step.starts_with("app-service@")), "these failed: {failed:?}");
    stage.show(&["status"], 0)?;

    say("Rolling back restores what that run touched; a migration is never taken back");
    stage.show(&["rollback", "--yes"], 0)?;
    fact(&format!("the shop answers: {}", stage.front_page("1.1")?));
    claims::equal_but_for_the_migration(&before, &stage.json(&["status"])?)?;
    fact("the status is the one from before, but for run numbers, times and the kept migration");

    say("Undeploying leaves nothing");
    stage.show(&["undeploy", "--yes"], 0)?;
    let after: Value = stage.json(&["status"])?;
    ensure!(after["instances"].as_array().is_some_and(Vec::is_empty), "still recorded: {}", after["instances"]);
    stage.check_nothing_is_left()?;
    fact("no file, no process, no record");

    say("Every claim held.");
    Ok(())
}

/// Prints what happens next. Narration and the tool's own output share one stream, so that they stay in order.
fn say(text: &str) {
    print!("\n\x1b[1m# {text}\x1b[0m\n");
    flush();
}

/// Prints something that was checked.
fn fact(text: &str) {
    println!("\x1b[32m✓\x1b[0m {text}");
    flush();
}

fn flush() {
    // Nobody reads along: then there is nobody to tell.
    let _ = std::io::stdout().flush();
}
