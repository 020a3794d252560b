//! What it costs to wait: a thousand checks of something that does not answer.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use launchway_harness::Project;
use serde_json::{Map, Value, json};

use crate::table::Table;

const STEPS: usize = 1_000;
/// Until all of them wait.
const BEFORE: Duration = Duration::from_secs(15);
const WATCHED: Duration = Duration::from_secs(20);
/// Linux counts processor time in hundredths of a second.
const TICKS: f64 = 100.0;

pub(crate) fn run() -> Result<()> {
    let project = Project::new()?;
    // Nothing listens at the first port.
    let with = json!({ "address": "127.0.0.1", "port": 1, "interval": "10m", "deadline": "1h" });
    let application = json!({ "application": "waiting", "version": "1",
        "components": { "answers": { "type": "health/tcp", "with": with } } });
    project.application(&serde_json::to_string(&application)?)?;
    let targets: Map<String, Value> = (0..STEPS).map(|n| (format!("t{n}"), json!({ "transport": "local" }))).collect();
    project.environment(&json!({ "environment": "test", "targets": targets }))?;

    let mut running = project.command(["deploy", "--yes", "--quiet"]).spawn().context("can't run the binary")?;
    let watched = watch(running.id());
    running.kill()?;
    running.wait()?;
    let table = Table::new(&["", "processor time"]);
    table.row(&[format!("{STEPS} steps wait"), format!("{:.2} %", watched? * 100.0)]);
    Ok(())
}

/// Returns how much of one core a process takes, from 0 to 1.
fn watch(pid: u32) -> Result<f64> {
    sleep(BEFORE);
    let (before, begin) = (ticks(pid)?, Instant::now());
    sleep(WATCHED);
    Ok((ticks(pid)? - before) / TICKS / begin.elapsed().as_secs_f64())
}

/// Returns the processor time a process has taken, in ticks.
fn ticks(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("it ended")?;
    // Fields 14 and 15; the program's name, in parentheses, may hold blanks.
    let fields: Vec<&str> = stat.rsplit_once(')').context("no such line")?.1.split_whitespace().collect();
    let field = |at: usize| fields.get(at).context("too few fields")?.parse::<f64>().context("no number");
    Ok(field(11)? + field(12)?)
}
