//! What the demo claims, read from the tool's JSON.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::stage::Stage;

/// The component that a rollback keeps at its newer version.
const KEPT: &str = "schema";

pub(super) fn count_runs(stage: &Stage) -> Result<usize> {
    Ok(list(&stage.json(&["runs"])?, "runs")?.len())
}

/// Returns the components of which the last run ran a step.
pub(super) fn components_of_last_run(stage: &Stage) -> Result<BTreeSet<String>> {
    let run = last_run(stage)?;
    let steps = list(&run, "steps")?.iter().filter(|step| !step["started"].is_null());
    steps.map(|step| Ok(name(step)?.split('@').next().unwrap_or_default().to_owned())).collect()
}

/// Returns the steps of the last run that ended, but not well.
pub(super) fn failed_steps_of_last_run(stage: &Stage) -> Result<Vec<String>> {
    let run = last_run(stage)?;
    let failed = |step: &&Value| {
        let outcome = &step["outcome"];
        !outcome.is_null() && outcome.get("changed").is_none() && outcome.get("unchanged").is_none()
    };
    list(&run, "steps")?.iter().filter(failed).map(|step| name(step).map(str::to_owned)).collect()
}

/// Fails unless both are the same, but for run numbers, times and the one component that is kept.
pub(super) fn equal_but_for_the_migration(before: &Value, after: &Value) -> Result<()> {
    let (before, after) = (without_runs(before), without_runs(after));
    let is_kept = |instance: &Value| instance["component"] == KEPT;
    let others = |status: &Value| -> Result<Vec<Value>> {
        Ok(list(status, "instances")?.iter().filter(|instance| !is_kept(instance)).cloned().collect())
    };
    let (old, new) = (others(&before)?, others(&after)?);
    ensure!(old.len() == new.len(), "{} instances became {}", old.len(), new.len());
    for (old, new) in old.iter().zip(&new) {
        ensure!(old == new, "this instance differs:\n{old:#}\n{new:#}");
    }
    for key in before.as_object().context("the status is no object")?.keys().filter(|key| *key != "instances") {
        ensure!(before[key] == after[key], "`{key}` differs: {} became {}", before[key], after[key]);
    }
    let kept = list(&after, "instances")?.iter().find(|instance| is_kept(instance)).context("the migration is gone")?;
    ensure!(kept["deployed"]["version"] == "1.2", "the migration was not kept: {kept:#}");
    ensure!(kept["state"] == "confirmed", "the migration is uncertain: {kept:#}");
    Ok(())
}

fn last_run(stage: &Stage) -> Result<Value> {
    let runs = stage.json(&["runs"])?;
    let ids = list(&runs, "runs")?.iter().filter_map(|run| run["run"].as_u64());
    let last = ids.max().context("there is no run")?;
    stage.json(&["show", &last.to_string()])
}

/// Removes what holds a run's number or time, at any depth.
fn without_runs(value: &Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .filter(|(key, _)| *key != "run" && *key != "last_run")
                .map(|(key, value)| (key.clone(), without_runs(value)))
                .collect(),
        ),
        Value::Array(list) => list.iter().map(without_runs).collect(),
        other => other.clone(),
    }
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    value[key].as_array().with_context(|| format!("there is no list `{key}` in {value:#}"))
}

fn name(step: &Value) -> Result<&str> {
    step["step"].as_str().with_context(|| format!("a step without a name: {step:#}"))
}
