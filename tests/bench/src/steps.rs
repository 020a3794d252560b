//! Steps that do nothing, through a plugin's call and the durable journal, on one core; and how soon the program ends
//! after the last of them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use launchway_harness::Project;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::measure::measure;
use crate::table::{Table, time};
use crate::{guest, peer};

/// Steps in a row on each target.
const CHAIN: usize = 10;
const TARGETS: usize = 2_000;
const AT_ONCE: usize = 64;

/// A line of the event stream, as far as it matters here.
#[derive(Deserialize)]
struct Line {
    event: String,
    /// Milliseconds since 1970.
    at: Option<u64>,
}

pub(crate) fn run() -> Result<()> {
    let Some(taskset) = peer::find("taskset", "the package util-linux has it") else { return Ok(()) };
    let project = project()?;
    measure(&project.command(["plan", "-o", "steps.plan", "--quiet"]))?;
    let deploy = project.command(["deploy", "steps.plan", "--yes", "--json"]);
    let mut pinned = Command::new(taskset);
    pinned.args(["-c", "0"]).arg(deploy.get_program()).args(deploy.get_args()).env_clear();
    pinned.envs(deploy.get_envs().filter_map(|(name, value)| Some((name, value?))));
    pinned.current_dir(project.path("")).stdin(Stdio::null()).stdout(Stdio::piped());

    let mut running = pinned.spawn().context("can't run taskset")?;
    let out = running.stdout.take().context("its output is piped")?;
    let (mut first, mut last, mut finished) = (None, 0, 0);
    for line in BufReader::new(out).lines() {
        let Line { event, at } = serde_json::from_str(&line?).context("no event")?;
        match (event.as_str(), at) {
            ("run-started", Some(at)) => first = Some(at),
            ("step-finished", Some(at)) => {
                finished += 1;
                last = at;
            }
            _ => {}
        }
    }
    let status = running.wait()?;
    let end = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    ensure!(status.success(), "the deployment ended with {status}");
    ensure!(finished == CHAIN * TARGETS, "{finished} steps were finished");
    let seconds = last.saturating_sub(first.context("the run never started")?) as f64 / 1e3;

    let table = Table::new(&["", "", "fdatasync of this disk"]);
    let rate = format!("{:.0} a second", finished as f64 / seconds);
    table.row(&[format!("{finished} steps, {AT_ONCE} at once, one core"), rate, time(fdatasync(&project)?)]);
    let tail = Duration::from_millis(end.saturating_sub(last));
    println!("\nfrom the end of the last step to the exit of the program: {}", time(tail.as_secs_f64()));
    Ok(())
}

fn project() -> Result<Project> {
    let project = Project::new()?;
    guest::idle(&project.path(""))?;
    let components: Map<String, Value> = (0..CHAIN)
        .map(|n| {
            let before = n.checked_sub(1).map(|n| json!({ "component": format!("c{n}"), "scope": "same-target" }));
            let needs: Vec<Value> = before.into_iter().collect();
            (format!("c{n}"), json!({ "type": "idle/nothing", "needs": needs }))
        })
        .collect();
    let plugins = json!({ "idle": { "file": "idle.wasm" } });
    let application = json!({ "application": "steps", "version": "1", "plugins": plugins, "components": components });
    project.application(&serde_json::to_string(&application)?)?;
    let targets: Map<String, Value> =
        (0..TARGETS).map(|n| (format!("t{n}"), json!({ "transport": "local" }))).collect();
    project.environment(&json!({ "environment": "test", "max_steps": AT_ONCE, "targets": targets }))?;
    // The first command compiles the plugin.
    measure(&project.command(["validate"]))?;
    Ok(project)
}

/// Returns how long this disk takes to make a small write durable, in seconds: the one in the middle of many.
fn fdatasync(project: &Project) -> Result<f64> {
    const WRITES: usize = 101;
    let mut file = std::fs::File::create(project.outside("synced"))?;
    let mut times = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        file.write_all(&[0; 4096])?;
        let begin = Instant::now();
        file.sync_data()?;
        times.push(begin.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[WRITES / 2])
}
