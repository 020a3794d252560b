//! Plans that do not come from a difference: tasks, restarts, and what runs at the end of every run.

use std::sync::Arc;

use launchway_model::{
    ApplicationState, Cause, ChangeKind, ComponentName, Deployed, InstanceChange, InstanceId, InstanceSpec,
};

use crate::ask::ChangeSteps;
use crate::diff::Delta;
use crate::error::PlanError;
use crate::plan::PlanInput;

/// Returns an action that stands alone, as a change that no state knows of.
pub(crate) fn act(spec: &InstanceSpec, cause: Cause, input: &PlanInput<'_>) -> Result<InstanceChange, PlanError> {
    let unknown = || PlanError::UnknownKind { instance: spec.id.clone(), kind: spec.kind.clone() };
    let plugin = input.plugins.digest(&spec.kind.plugin).ok_or_else(unknown)?;
    let known = input.desired.and_then(|desired| desired.targets.get(&spec.id.target));
    let target = input.targets.get(&spec.id.target).or(known).cloned();
    let target = target.ok_or_else(|| PlanError::Broken(format!("{} is on an unknown target", spec.id)))?;
    Ok(InstanceChange {
        id: spec.id.clone(),
        kind: ChangeKind::Act,
        causes: vec![cause],
        previous: None,
        confirmed: None,
        dirty: false,
        desired: Some(Arc::new(Deployed { spec: spec.clone(), target, plugin, secrets: Default::default() })),
    })
}

/// Returns a task on its targets.
pub(crate) fn task(input: &PlanInput<'_>, name: &ComponentName) -> Result<Delta, PlanError> {
    let tasks = input.desired.map_or(&[][..], |desired| &desired.tasks);
    let mine = tasks.iter().filter(|spec| spec.id.component == *name && input.restrict.includes(&spec.id));
    let changes: Result<Vec<_>, _> = mine.map(|spec| act(spec, Cause::Request("task".to_owned()), input)).collect();
    Ok(Delta { changes: changes?, ..Delta::default() })
}

/// Returns everything that is recorded, to be restarted if it can be.
pub(crate) fn restart(state: &ApplicationState, input: &PlanInput<'_>) -> Delta {
    let mut delta = Delta::default();
    for (id, record) in &state.instances {
        let confirmed = record.confirmed.as_ref().filter(|_| record.dirty.is_none() && input.restrict.includes(id));
        let Some(deployed) = confirmed else {
            delta.unchanged.push(id.clone());
            continue;
        };
        let target = input.targets.get(&id.target).unwrap_or(&deployed.target).clone();
        delta.changes.push(InstanceChange {
            id: id.clone(),
            kind: ChangeKind::Refresh,
            causes: vec![Cause::Request("restart".to_owned())],
            previous: Some(deployed.clone()),
            confirmed: None,
            dirty: false,
            desired: Some(Arc::new(Deployed { target, ..Deployed::clone(deployed) })),
        });
    }
    delta
}

/// Leaves out what has nothing to restart.
pub(crate) fn keep_moved(
    changes: Vec<InstanceChange>,
    steps: Vec<ChangeSteps>,
    unchanged: &mut Vec<InstanceId>,
) -> (Vec<InstanceChange>, Vec<ChangeSteps>) {
    let (moved, still): (Vec<_>, Vec<_>) =
        changes.into_iter().zip(steps).partition(|(change, steps)| !steps.own.is_empty() && !is_action(change));
    unchanged.extend(still.into_iter().map(|(change, _)| change.id));
    unchanged.sort();
    moved.into_iter().unzip()
}

/// Whether it is an action used as a component: there is nothing to restart.
fn is_action(change: &InstanceChange) -> bool {
    change.subject().is_some_and(|deployed| deployed.spec.run.is_some())
}
