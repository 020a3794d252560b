//! Before a run: is what it replaces and takes away still what was deployed?

use std::sync::Arc;

use launchway_model::config::Drift;
use launchway_model::{ChangeIndex, ChangeKind, InstanceChange, KindRef, Plan};
use launchway_report::{Found, inline};
use launchway_runtime::{PluginSet, Targets};
use serde_json::Value;

use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::inspection::{Look, look_ahead};

/// How many instances a refusal names.
const NAMED: usize = 20;

/// Looks at what a plan replaces and takes away; returns what differs, by change. Refuses it if the policy is to fail.
///
/// What can't be reached or compared is not held against anybody: the steps will tell.
pub(crate) async fn survey(
    plan: &Plan,
    plugins: &PluginSet,
    targets: &Arc<Targets>,
    global: usize,
    policy: Drift,
) -> Result<Vec<(ChangeIndex, Vec<String>)>> {
    if policy == Drift::Overwrite {
        return Ok(Vec::new());
    }
    let (places, looks): (Vec<usize>, Vec<Look>) =
        plan.changes.iter().enumerate().filter_map(|(at, change)| Some((at, look(plan, change, plugins)?))).unzip();
    if looks.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = look_ahead(&plan.application, plugins.clone(), targets.clone(), global, looks).await;
    let mut drift = Vec::new();
    for at in places {
        let change = &plan.changes[at];
        let Some(finding) = found.remove(&change.id).filter(|finding| finding.found == Found::Drifted) else {
            continue;
        };
        // What is to go and is gone already is as it should be.
        if !(change.kind == ChangeKind::Delete && finding.is_absent()) {
            drift.push((ChangeIndex(at as u32), finding.lines()));
        }
    }
    if policy == Drift::Fail && !drift.is_empty() { Err(refusal(plan, &drift)) } else { Ok(drift) }
}

/// Returns what to look at before a change: nothing where nobody knows what is there, and nothing where no file of it is
/// replaced.
fn look(plan: &Plan, change: &InstanceChange, plugins: &PluginSet) -> Option<Look> {
    let previous = change.previous.as_ref().filter(|_| !change.dirty)?;
    let replaces = matches!(change.kind, ChangeKind::Update | ChangeKind::Delete);
    if !replaces || !writes_files(&previous.spec.kind, plugins) {
        return None;
    }
    // How to log in may have changed since; where to must not.
    let now = plan.targets.get(&change.id.target);
    let now = now.filter(|now| (&now.address, now.transport) == (&previous.target.address, previous.target.transport));
    Some(Look { spec: previous.spec.clone(), target: now.unwrap_or(&previous.target).clone() })
}

/// Whether instances of a kind own files. A service that somebody stopped has lost nothing.
fn writes_files(kind: &KindRef, plugins: &PluginSet) -> bool {
    let schema =
        plugins.info(&kind.plugin).and_then(|info| info.kind(&kind.kind)).map(|kind| &kind.schema["properties"]);
    let properties = schema.and_then(Value::as_object);
    properties.is_some_and(|properties| {
        properties.values().any(|property| match &property["writes"] {
            Value::Null | Value::Bool(false) => false,
            extent => extent["unit"].is_null(),
        })
    })
}

fn refusal(plan: &Plan, drift: &[(ChangeIndex, Vec<String>)]) -> CliError {
    let mut lines = vec!["what this run would replace or take away was changed by others:".to_owned()];
    for (change, differs) in drift.iter().take(NAMED) {
        let id = &plan.changes[change.0 as usize].id;
        lines.push(format!("  {}: {}", inline(&id.to_string()), inline(&differs.join("; "))));
    }
    if drift.len() > NAMED {
        lines.push(format!("  and {} more", drift.len() - NAMED));
    }
    CliError::new(Exit::Refused, "drift", lines.join("\n")).hint(
        "`launchway status --refresh` shows all of it; put it into the release if it is to stay, or write over it with \
         `--drift overwrite`",
    )
}
