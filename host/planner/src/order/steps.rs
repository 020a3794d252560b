//! The plan's steps, made of those that plugins planned when their place is known.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use launchway_model::{
    ActionPlace, Cause, ChangeIndex, ChangeKind, ComponentName, InstanceChange, Owner, Phase, Scope, StepKey, StepNode,
    TargetName,
};

use super::draft::{Source, StepRef};
use crate::ask::ChangeSteps;

/// Makes each step once.
pub(super) struct StepMaker<'a> {
    changes: &'a [InstanceChange],
    steps: Vec<ChangeSteps>,
    only_if_changed: HashMap<ChangeIndex, Vec<ChangeIndex>>,
}

impl<'a> StepMaker<'a> {
    pub(super) fn new(changes: &'a [InstanceChange], steps: Vec<ChangeSteps>) -> Self {
        let causing = Causing::of(changes);
        let mut only_if_changed = HashMap::new();
        for (at, (change, steps)) in changes.iter().zip(&steps).enumerate() {
            let found = causing.only_if_changed(change, steps);
            if !found.is_empty() {
                only_if_changed.insert(ChangeIndex(at as u32), found);
            }
        }
        Self { changes, steps, only_if_changed }
    }

    /// Returns a step; none if it was made before.
    pub(super) fn make(&mut self, step: StepRef) -> Option<StepNode> {
        let at = step.change.0 as usize;
        let id = &self.changes[at].id;
        let action = match step.source {
            Source::Own => None,
            Source::Verify(number) => {
                let action = &mut self.steps[at].verify[number as usize];
                let planned = action.steps[step.at as usize].take()?;
                Some((format!("verify/{}.{}", number + 1, planned.name), planned, ActionPlace::Verify, action, None))
            }
            Source::Before(number, target) => {
                let around = &mut self.steps[at].around[number as usize];
                let (action, target) = (around.before.as_mut()?, around.at[target as usize].clone());
                let planned = action.steps[step.at as usize].clone()?;
                let key = format!("before/{}.{}@{target}", number + 1, planned.name);
                Some((key, planned, ActionPlace::Before, action, Some(target)))
            }
            Source::After(number, target) => {
                let around = &mut self.steps[at].around[number as usize];
                let (action, target) = (around.after.as_mut()?, around.at[target as usize].clone());
                let planned = action.steps[step.at as usize].clone()?;
                let key = format!("after/{}.{}@{target}", number + 1, planned.name);
                Some((key, planned, ActionPlace::After, action, Some(target)))
            }
        };
        if let Some((key, planned, place, action, target)) = action {
            let key = StepKey(Arc::from(format!("{id}/{key}")));
            let owner = Owner::Action { change: step.change, place, action: action.action.clone(), at: target };
            return Some(StepNode { key, owner, step: planned, only_if_changed: Vec::new(), always: None });
        }
        let planned = self.steps[at].own[step.at as usize].take()?;
        // Both halves of a replacement may have steps of the same name.
        let replaced = self.changes.get(at + 1).is_some_and(|next| next.id == *id);
        let prefix = if replaced { "replaced/" } else { "" };
        let key = StepKey(Arc::from(format!("{id}/{prefix}{}/{}", planned.phase.as_str(), planned.name)));
        let known = self.only_if_changed.get(&step.change).filter(|_| planned.phase == Phase::Start);
        let only_if_changed = known.cloned().unwrap_or_default();
        Some(StepNode {
            key,
            owner: Owner::Instance { change: step.change },
            step: planned,
            only_if_changed,
            always: None,
        })
    }
}

/// The changes that give subscribers a cause.
struct Causing<'a>(BTreeMap<&'a ComponentName, BTreeMap<&'a TargetName, (ChangeIndex, ChangeKind)>>);

impl<'a> Causing<'a> {
    fn of(changes: &'a [InstanceChange]) -> Self {
        let mut causing: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for (at, change) in changes.iter().enumerate() {
            if change.kind != ChangeKind::Refresh {
                let of_component = causing.entry(&change.id.component).or_default();
                of_component.insert(&change.id.target, (ChangeIndex(at as u32), change.kind));
            }
        }
        Self(causing)
    }

    /// Returns the changes without whose effect a subscriber has nothing to start for; none if it has to in any case.
    fn only_if_changed(&self, change: &InstanceChange, steps: &ChangeSteps) -> Vec<ChangeIndex> {
        // Beyond this a list on each of n instances would not be linear any more.
        const MANY: usize = 64;
        let subscribed = |cause: &Cause| matches!(cause, Cause::Subscription { .. });
        if change.kind != ChangeKind::Refresh || !change.causes.iter().all(subscribed) {
            return Vec::new();
        }
        // A step that stops something, undone by no start, would leave it stopped.
        let mut phases = steps.own.iter().flatten().map(|step| step.phase);
        if phases.any(|phase| !matches!(phase, Phase::Start | Phase::Verify | Phase::Finish)) {
            return Vec::new();
        }
        let Some(desired) = &change.desired else { return Vec::new() };
        let mut found = Vec::new();
        for subscription in &desired.spec.edges.subscribe {
            let Some(changing) = self.0.get(&subscription.component) else { continue };
            match subscription.scope {
                Scope::SameTarget => found.extend(changing.get(&change.id.target).copied()),
                Scope::All if changing.len() > MANY => return Vec::new(),
                Scope::All => found.extend(changing.values().copied()),
            }
        }
        // A delete may come after its subscribers: nobody can wait to see whether it changed anything.
        if found.iter().any(|(_, kind)| *kind == ChangeKind::Delete) {
            return Vec::new();
        }
        let mut found: Vec<ChangeIndex> = found.into_iter().map(|(index, _)| index).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}
