//! What a change means to those who subscribe to the component: a cause of their own.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use launchway_model::{Cause, ChangeKind, ComponentName, InstanceChange, InstanceId, InstanceSpec, Scope, TargetName};

use super::instance::{Pass, refreshed};
use crate::error::PlanError;

/// Adds subscriptions to the causes of changes, and refreshes subscribers that would otherwise stay as they are.
///
/// Not transitive: an instance that is only refreshed is no cause for its own subscribers.
pub(super) fn add_subscriptions(pass: &mut Pass<'_, '_>) -> Result<(), PlanError> {
    let Some(desired) = pass.input.desired else { return Ok(()) };
    let changing = Changing::of(&pass.delta.changes);
    if changing.0.is_empty() {
        return Ok(());
    }
    let mut positions: HashMap<InstanceId, usize> = HashMap::new();
    for (at, change) in pass.delta.changes.iter().enumerate() {
        // The later of two is the create of a type change.
        positions.insert(change.id.clone(), at);
    }
    let mut refreshed_ids = HashSet::new();
    for spec in desired.instances.iter().filter(|spec| !spec.edges.subscribe.is_empty()) {
        let causes = changing.causes(spec);
        if causes.is_empty() {
            continue;
        }
        match positions.get(&spec.id) {
            Some(&at) => add_causes(&mut pass.delta.changes[at], causes),
            None if desired.untouched.contains(&spec.id) || !pass.input.restrict.includes(&spec.id) => {}
            None => {
                if refresh(pass, spec, causes) {
                    refreshed_ids.insert(spec.id.clone());
                }
            }
        }
    }
    let delta = &mut pass.delta;
    if !refreshed_ids.is_empty() {
        delta.changes.sort_by(|a, b| a.id.cmp(&b.id));
        delta.unchanged.retain(|id| !refreshed_ids.contains(id));
        delta.amendments.retain(|deployed| !refreshed_ids.contains(&deployed.spec.id));
        delta.amended.retain(|deployed| !refreshed_ids.contains(&deployed.spec.id));
    }
    Ok(())
}

fn add_causes(change: &mut InstanceChange, causes: BTreeSet<Cause>) {
    // What is created from nothing has no older self to reload.
    if change.kind == ChangeKind::Create && !change.causes.contains(&Cause::Dirty) || change.kind == ChangeKind::Delete
    {
        return;
    }
    change.causes.extend(causes);
    change.causes.sort();
    change.causes.dedup();
}

fn refresh(pass: &mut Pass<'_, '_>, spec: &InstanceSpec, causes: BTreeSet<Cause>) -> bool {
    let record = pass.input.state.instances.get(&spec.id);
    let Some(previous) = record.and_then(|record| record.confirmed.as_ref()) else { return false };
    let target = pass.target(&spec.id.target, previous);
    let fingerprints = pass.fingerprints(spec);
    let desired = refreshed(spec, previous, target, fingerprints, pass.input.exact_versions);
    pass.delta.changes.push(InstanceChange {
        id: spec.id.clone(),
        kind: ChangeKind::Refresh,
        causes: causes.into_iter().collect(),
        previous: Some(previous.clone()),
        confirmed: None,
        dirty: false,
        desired: Some(desired),
    });
    true
}

/// On which targets components change in a way that concerns subscribers.
struct Changing(BTreeMap<ComponentName, BTreeSet<TargetName>>);

impl Changing {
    fn of(changes: &[InstanceChange]) -> Self {
        let mut targets: BTreeMap<ComponentName, BTreeSet<TargetName>> = BTreeMap::new();
        for change in changes.iter().filter(|change| change.kind != ChangeKind::Refresh) {
            targets.entry(change.id.component.clone()).or_default().insert(change.id.target.clone());
        }
        Self(targets)
    }

    fn causes(&self, spec: &InstanceSpec) -> BTreeSet<Cause> {
        let concerns = |component: &ComponentName, scope| match (self.0.get(component), scope) {
            (None, _) => false,
            (Some(_), Scope::All) => true,
            (Some(targets), Scope::SameTarget) => targets.contains(&spec.id.target),
        };
        let subscriptions = spec.edges.subscribe.iter();
        subscriptions
            .filter(|subscription| concerns(&subscription.component, subscription.scope))
            .map(|s| Cause::Subscription { component: s.component.clone(), word: s.word.clone() })
            .collect()
    }
}
