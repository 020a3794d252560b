//! How planning grows with the number of instances.

use anyhow::Result;
use launchway_harness::Project;
use serde_json::{Map, Value, json};

use crate::measure::measure;
use crate::table::{Table, memory, time};

const COMPONENTS: usize = 10;
const TARGETS: [usize; 5] = [625, 1_250, 2_500, 5_000, 10_000];

pub(crate) fn run() -> Result<()> {
    let table = Table::new(&["instances", "time of `plan`", "time(2n) / time(n)", "memory", "memory(2n) / memory(n)"]);
    let mut last: Option<(f64, f64)> = None;
    for targets in TARGETS {
        let project = project(targets)?;
        let usage = measure(&project.command(["plan", "-o", "big.plan", "--quiet"]))?;
        let growth =
            |now: f64, before: Option<f64>| before.map_or(String::new(), |before| format!("{:.2}", now / before));
        table.row(&[
            (targets * COMPONENTS).to_string(),
            time(usage.seconds),
            growth(usage.seconds, last.map(|(seconds, _)| seconds)),
            memory(usage.mib()),
            growth(usage.mib(), last.map(|(_, mib)| mib)),
        ]);
        last = Some((usage.seconds, usage.mib()));
    }
    Ok(())
}

/// Ten components, each but the first needing the one before it on its own target.
fn project(targets: usize) -> Result<Project> {
    let project = Project::new()?;
    let components: Map<String, Value> = (0..COMPONENTS)
        .map(|n| {
            let path = format!("/srv/app/file-{n}");
            let mut component = json!({ "type": "ssh/file", "with": { "path": path, "content": "of ${target.name}" } });
            if n > 0 {
                component["needs"] = json!([{ "component": format!("c{}", n - 1), "scope": "same-target" }]);
            }
            (format!("c{n}"), component)
        })
        .collect();
    let application = json!({ "application": "big", "version": "1", "components": components });
    project.application(&serde_json::to_string(&application)?)?;
    let targets: Map<String, Value> = (0..targets)
        .map(|n| (format!("t{n}"), json!({ "address": format!("10.0.{}.{}", n / 250, n % 250) })))
        .collect();
    project.environment(&json!({ "environment": "test", "targets": targets }))?;
    Ok(project)
}
