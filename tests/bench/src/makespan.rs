//! Four hosts whose steps take two seconds each: how close a run comes to its critical path.

use anyhow::Result;
use launchway_harness::{Hosts, Project};

use crate::measure::measure;
use crate::table::{Table, time};

const HOSTS: u8 = 4;
/// Steps in a row on each host.
const STEPS: usize = 5;
const SECONDS: usize = 2;

pub(crate) fn run() -> Result<()> {
    let Some(hosts) = Hosts::start(HOSTS)? else { return Ok(()) };
    let project = Project::new()?;
    project.environment(&hosts.environment("test"))?;
    let components: String = (0..STEPS)
        .map(|n| {
            let before = n.checked_sub(1).map(|before| format!("{{ component: c{before}, scope: same-target }}"));
            let needs = before.unwrap_or_default();
            format!("  c{n}: {{ type: ssh/command, needs: [{needs}], with: {{ run: sleep {SECONDS} }} }}\n")
        })
        .collect();
    project.application(&format!("application: slow\nversion: '1'\ncomponents:\n{components}"))?;
    let usage = measure(&project.command(["deploy", "--yes", "--quiet"]))?;
    // From the start of the program to its end: reading, planning and connecting count.
    let path = (STEPS * SECONDS) as f64;
    let table = Table::new(&["", "time", "above the critical path"]);
    let what = format!("{HOSTS} hosts, {STEPS} steps of {SECONDS} s in a row on each");
    table.row(&[what, time(usage.seconds), format!("{:+.1} %", (usage.seconds / path - 1.0) * 100.0)]);
    Ok(())
}
