//! What a rollback wants: each instance that a run touched, back to what was recorded of it before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use launchway_model::{
    ApplicationState, ChangeKind, Deployed, Dirty, InstanceChange, InstanceId, InstanceRecord, InstanceSpec,
    OnRollback, Plan, RunId, TargetName, TargetSpec,
};

use crate::desired::{Desired, Names, Ways};
use crate::restrict::Restriction;

/// Why a run can't be rolled back.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("run {by} changed {instance} after run {run}")]
    TouchedSince { instance: InstanceId, run: RunId, by: RunId },
    #[error("a later run deleted {instance} after run {run}")]
    DeletedSince { instance: InstanceId, run: RunId },
    #[error("{instance} must not be rolled back")]
    Refused { instance: InstanceId },
}

impl RestoreError {
    /// Returns what to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::TouchedSince { by, .. } => {
                format!("roll back run {by} first, or deploy an earlier version with `rollback --to VERSION`")
            }
            Self::DeletedSince { .. } => "deploy an earlier version with `rollback --to VERSION`".to_owned(),
            Self::Refused { instance } => format!(
                "`{}` says `on_rollback: refuse`; deploy a release that repairs what this one did",
                instance.component
            ),
        }
    }
}

/// What ran after the run that is rolled back.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Since {
    /// Earlier rollbacks of the same run that did not get through: this one goes on where they ended.
    pub attempts: BTreeSet<RunId>,
    /// Anything else ran, too.
    pub others: bool,
}

/// What a rollback wants.
#[derive(Clone, PartialEq, Debug)]
pub struct Restored {
    pub desired: Desired,
    /// Instances that the run touched and that stay as they are, because they say so; sorted.
    pub kept: Vec<InstanceId>,
}

/// Returns what is wanted so that a run is as good as not done.
///
/// Instances that the run did not touch stay as they are recorded, dirty marks of other runs included. So do those
/// that a rollback keeps: one that committed stays at its newer version, one that did not keeps its dirty mark, and
/// the next deployment decides.
pub fn restore(
    state: &ApplicationState,
    run: RunId,
    run_plan: &Plan,
    since: &Since,
    restrict: &Restriction,
) -> Result<Restored, RestoreError> {
    let mut kept = Vec::new();
    let mut wanted: BTreeMap<&InstanceId, Option<&Arc<Deployed>>> = BTreeMap::new();
    for change in run_plan.changes.iter().filter(|change| change.kind != ChangeKind::Act) {
        // Of a type change the delete comes first, and only it knows what was there before.
        if !wanted.contains_key(&change.id) && touched(change, state.instances.get(&change.id), run, since)? {
            let before = before(change);
            match rule(change) {
                OnRollback::Keep => kept.push(change.id.clone()),
                OnRollback::Run => drop(wanted.insert(&change.id, before)),
                // What is left out stays as it is anyway.
                OnRollback::Refuse if !restrict.includes(&change.id) => {}
                OnRollback::Refuse => return Err(RestoreError::Refused { instance: change.id.clone() }),
            }
        }
    }
    for previous in &run_plan.amended {
        let id = &previous.spec.id;
        // An amendment leaves everything on its target as it is, so a later change of it is no obstacle.
        let ours = |record: &InstanceRecord| {
            let attempted = |dirty: &Dirty| since.attempts.contains(&dirty.run);
            is_ours(record.run, run, since) && record.dirty.as_ref().is_none_or(attempted)
        };
        if state.instances.get(id).is_some_and(ours) {
            wanted.entry(id).or_insert(Some(previous));
        }
    }
    for (id, record) in &state.instances {
        // An attempt may have failed at what the run itself left alone, such as the reload of a subscriber.
        if record.dirty.as_ref().is_some_and(|dirty| since.attempts.contains(&dirty.run)) {
            wanted.entry(id).or_insert(record.confirmed.as_ref());
        }
    }
    let mut targets = BTreeMap::new();
    let mut instances: BTreeMap<&InstanceId, InstanceSpec> = BTreeMap::new();
    let mut untouched = BTreeSet::new();
    for (id, record) in &state.instances {
        if !wanted.contains_key(id) {
            untouched.insert(id.clone());
            if let Some(deployed) = &record.confirmed {
                add(deployed, &mut instances, &mut targets);
            }
        }
    }
    for deployed in wanted.values().filter_map(Option::as_ref) {
        add(deployed, &mut instances, &mut targets);
    }
    let desired = Desired {
        application: state.application.clone(),
        version: run_plan.version.from.clone(),
        release: None,
        requires: run_plan.requires.from.clone(),
        instances: instances.into_values().collect(),
        targets,
        untouched,
        tasks: Vec::new(),
        finally: Vec::new(),
        names: Names::default(),
        // It goes back the way that the run came: what is restored may be of a release that rolled in another way, or
        // not at all.
        ways: ways(run_plan),
    };
    Ok(Restored { desired, kept })
}

/// Returns how a run went about its changes.
fn ways(plan: &Plan) -> Ways {
    let desired = plan.changes.iter().filter_map(|change| change.desired.as_ref());
    desired.map(|deployed| (deployed.spec.id.component.clone(), deployed.spec.edges.roll.clone())).collect()
}

fn add<'a>(
    deployed: &'a Deployed,
    instances: &mut BTreeMap<&'a InstanceId, InstanceSpec>,
    targets: &mut BTreeMap<TargetName, Arc<TargetSpec>>,
) {
    instances.insert(&deployed.spec.id, deployed.spec.clone());
    targets.entry(deployed.spec.id.target.clone()).or_insert_with(|| deployed.target.clone());
}

/// Whether a run is the one that is rolled back, or an attempt to do that.
fn is_ours(other: RunId, run: RunId, since: &Since) -> bool {
    other == run || since.attempts.contains(&other)
}

/// Whether the run touched the instance of a change, unless a later run did so too.
fn touched(
    change: &InstanceChange,
    record: Option<&InstanceRecord>,
    run: RunId,
    since: &Since,
) -> Result<bool, RestoreError> {
    let Some(record) = record else {
        // It is not there: the run deleted it or never came to create it, else a later one deleted it.
        return match (&change.desired, before(change)) {
            (None, before) => Ok(before.is_some()),
            (Some(_), None) => Ok(false),
            // An attempt to put back what was there took away what the run had made of it, and no more.
            (Some(_), Some(_)) if !since.attempts.is_empty() && !since.others => Ok(true),
            (Some(_), Some(_)) => Err(RestoreError::DeletedSince { instance: change.id.clone(), run }),
        };
    };
    let last = record.dirty.as_ref().map_or(record.run, |dirty| dirty.run.max(record.run));
    if is_ours(last, run, since) {
        return Ok(true);
    }
    if last > run {
        return Err(RestoreError::TouchedSince { instance: change.id.clone(), run, by: last });
    }
    Ok(false)
}

/// Returns what was confirmed to be there before the run.
fn before(change: &InstanceChange) -> Option<&Arc<Deployed>> {
    if change.dirty { change.confirmed.as_ref() } else { change.previous.as_ref() }
}

fn rule(change: &InstanceChange) -> OnRollback {
    change.subject().map_or(OnRollback::Run, |deployed| deployed.spec.on_rollback)
}
