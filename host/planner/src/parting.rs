//! What is done elsewhere before an instance goes for good: what its record says to do before it stops, on those of the
//! targets that can still be asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use launchway_model::{
    ApplicationState, Around, ChangeKind, ComponentName, InstanceChange, InstanceId, InstanceSpec, TargetName,
    TargetSpec,
};

use crate::order::recorded;

/// By the place of a delete among the changes: what is done before it.
pub(crate) type Partings = BTreeMap<usize, Vec<Around>>;

/// Returns what is done before each instance that goes for good. Its record has all that it takes: the release may know
/// nothing of it any more.
///
/// Left out are targets that are no more in the environment, and those on which nobody is left who could be asked: what
/// used the instance goes before it does.
pub(crate) fn partings(
    changes: &[InstanceChange],
    wanted: &[InstanceSpec],
    state: &ApplicationState,
    is_known: impl Fn(&TargetName) -> bool,
) -> Partings {
    let goes = |at: &usize| {
        let change = &changes[*at];
        change.kind == ChangeKind::Delete && changes.get(at + 1).is_none_or(|next| next.id != change.id)
    };
    let going: Vec<usize> = (0..changes.len()).filter(goes).collect();
    let arounds = |at: usize| changes[at].previous.as_ref().map_or(&[][..], |deployed| &deployed.spec.around);
    if going.iter().all(|at| arounds(*at).is_empty()) {
        return Partings::new();
    }
    let mut left = Left::new(going.iter().map(|at| &changes[*at]).collect(), wanted, state);
    let mut partings = Partings::new();
    for at in going {
        let component = &changes[at].id.component;
        let mut found = Vec::new();
        for around in arounds(at) {
            let mut asked = Vec::new();
            for target in &around.at {
                if is_known(target) && left.can_be_asked(target, component) {
                    asked.push(target.clone());
                }
            }
            let before = around.before.clone().filter(|_| !asked.is_empty());
            // Nothing comes back, so there is nothing to do afterwards. The number of each is part of steps' names.
            found.push(Around { at: asked, before, after: None, always: false });
        }
        if found.iter().any(|around| around.before.is_some()) {
            partings.insert(at, found);
        }
    }
    partings
}

/// Returns how a target is reached: as the environment has it, else as what is wanted has it.
pub(crate) fn known_target<'a>(
    name: &TargetName,
    current: &'a BTreeMap<TargetName, Arc<TargetSpec>>,
    wanted: Option<&'a BTreeMap<TargetName, Arc<TargetSpec>>>,
) -> Option<&'a Arc<TargetSpec>> {
    current.get(name).or_else(|| wanted?.get(name))
}

/// Who is left on the targets of those who go.
struct Left<'a> {
    /// Components that go, by target.
    going: BTreeMap<&'a TargetName, BTreeSet<&'a ComponentName>>,
    /// What stays, by target, and whom each was deployed with a need for.
    staying: BTreeMap<&'a TargetName, Vec<BTreeSet<&'a ComponentName>>>,
    /// Of what goes: who was deployed with a need for whom.
    users: BTreeMap<&'a ComponentName, BTreeSet<&'a ComponentName>>,
    known: HashMap<(&'a TargetName, &'a ComponentName), bool>,
}

impl<'a> Left<'a> {
    fn new(gone: Vec<&'a InstanceChange>, wanted: &'a [InstanceSpec], state: &'a ApplicationState) -> Self {
        let ids: BTreeSet<&InstanceId> = gone.iter().map(|change| &change.id).collect();
        let mut going: BTreeMap<&TargetName, BTreeSet<&ComponentName>> = BTreeMap::new();
        let mut users: BTreeMap<&ComponentName, BTreeSet<&ComponentName>> = BTreeMap::new();
        for change in &gone {
            going.entry(&change.id.target).or_default().insert(&change.id.component);
            for (needed, _) in recorded(change) {
                users.entry(needed).or_default().insert(&change.id.component);
            }
        }
        let mut staying: BTreeMap<&TargetName, Vec<BTreeSet<&ComponentName>>> = BTreeMap::new();
        for (id, record) in state.instances.iter().filter(|(id, _)| !ids.contains(id)) {
            let edges = record.confirmed.iter().flat_map(|deployed| deployed.spec.edges.components());
            staying.entry(&id.target).or_default().push(edges.collect());
        }
        for spec in wanted.iter().filter(|spec| !state.instances.contains_key(&spec.id)) {
            staying.entry(&spec.id.target).or_default().push(BTreeSet::new());
        }
        Self { going, staying, users, known: HashMap::new() }
    }

    /// Whether there is somebody on a target to be told that an instance of a component goes.
    fn can_be_asked(&mut self, target: &'a TargetName, component: &'a ComponentName) -> bool {
        if let Some(known) = self.known.get(&(target, component)) {
            return *known;
        }
        let found = match (self.going.get(target), self.staying.get(target)) {
            // Whoever is asked there is none of the application's.
            (None, _) => true,
            (Some(_), None) => false,
            (Some(going), Some(staying)) => {
                let uses = |needed: &BTreeSet<&ComponentName>| needed.contains(component);
                staying.iter().any(uses) || self.users_of(component).is_disjoint(going)
            }
        };
        self.known.insert((target, component), found);
        found
    }

    /// Returns who goes and needs a component, directly or by way of others that go.
    fn users_of(&self, component: &'a ComponentName) -> BTreeSet<&'a ComponentName> {
        let mut found = BTreeSet::new();
        let mut open = vec![component];
        while let Some(at) = open.pop() {
            for user in self.users.get(at).into_iter().flatten() {
                if found.insert(*user) {
                    open.push(user);
                }
            }
        }
        found
    }
}
