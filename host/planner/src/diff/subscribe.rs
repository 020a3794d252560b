//! What a change means to those who subscribe to the component: a cause of their own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use launchway_model::{
    Cause, ChangeKind, ComponentName, InstanceChange, InstanceId, InstanceSpec, Owed, Scope, Subscription, TargetName,
};

use super::instance::Pass;
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
    let mut refreshed_ids = BTreeSet::new();
    for spec in desired.instances.iter().filter(|spec| !spec.edges.subscribe.is_empty()) {
        let causes = changing.causes(spec);
        if causes.is_empty() {
            continue;
        }
        let comes_or_goes =
            |at: &usize| matches!(pass.delta.changes[*at].kind, ChangeKind::Create | ChangeKind::Delete);
        if pass.input.state.instances.contains_key(&spec.id)
            && !desired.untouched.contains(&spec.id)
            && !positions.get(&spec.id).is_some_and(comes_or_goes)
        {
            pass.delta.owed.extend(changing.owed(spec));
        }
        match positions.get(&spec.id) {
            Some(&at) => add_causes(&mut pass.delta.changes[at], causes),
            None if desired.untouched.contains(&spec.id) || !pass.input.restrict.includes(&spec.id) => {}
            None => {
                if pass.refresh(spec, causes) {
                    refreshed_ids.insert(spec.id.clone());
                }
            }
        }
    }
    pass.delta.owed.sort();
    pass.delta.owed.dedup();
    pass.delta.settle(&refreshed_ids);
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

    /// Returns by whom a subscriber has to be told something.
    fn owed<'s>(&'s self, spec: &'s InstanceSpec) -> impl Iterator<Item = Owed> + 's {
        spec.edges.subscribe.iter().filter(|subscription| self.concerns(subscription, spec)).map(|subscription| {
            let on = (subscription.scope == Scope::SameTarget).then(|| spec.id.target.clone());
            Owed { by: subscription.component.clone(), on, to: spec.id.clone() }
        })
    }

    fn concerns(&self, subscription: &Subscription, spec: &InstanceSpec) -> bool {
        match (self.0.get(&subscription.component), subscription.scope) {
            (None, _) => false,
            (Some(_), Scope::All) => true,
            (Some(targets), Scope::SameTarget) => targets.contains(&spec.id.target),
        }
    }

    fn causes(&self, spec: &InstanceSpec) -> BTreeSet<Cause> {
        let subscriptions = spec.edges.subscribe.iter();
        subscriptions
            .filter(|subscription| self.concerns(subscription, spec))
            .map(|s| Cause::Subscription { component: s.component.clone(), word: s.word.clone() })
            .collect()
    }
}
