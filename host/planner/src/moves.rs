//! Records that are wanted under another name: renamed components and targets, and what goes to one target only.

use std::borrow::Cow;
use std::collections::BTreeMap;

use launchway_model::{ApplicationState, ComponentName, InstanceId, Move};

use crate::desired::Desired;

/// Returns the moves, sorted, and the state as it is after them.
///
/// A record moves only to a name that is wanted and not recorded: what is there under both names is two things.
pub(crate) fn moves<'a>(
    desired: Option<&Desired>,
    state: &'a ApplicationState,
) -> (Vec<Move>, Cow<'a, ApplicationState>) {
    let Some(desired) = desired else { return (Vec::new(), Cow::Borrowed(state)) };
    let names = &desired.names;
    if names.components.is_empty() && names.targets.is_empty() && names.once.is_empty() {
        return (Vec::new(), Cow::Borrowed(state));
    }
    let recorded = &state.instances;
    let is_wanted = |id: &InstanceId| desired.instances.binary_search_by(|spec| spec.id.cmp(id)).is_ok();
    let mut by_component: BTreeMap<&ComponentName, Vec<&InstanceId>> = BTreeMap::new();
    for id in recorded.keys() {
        by_component.entry(&id.component).or_default().push(id);
    }
    let mut found: Vec<Move> = Vec::new();
    for spec in desired.instances.iter().filter(|spec| !recorded.contains_key(&spec.id)) {
        let component = names.components.get(&spec.id.component);
        let target = names.targets.get(&spec.id.target);
        let options = [(component, target), (component, None), (None, target)];
        let renamed = options.into_iter().filter(|(component, target)| component.is_some() || target.is_some());
        let renamed = renamed.map(|(component, target)| InstanceId {
            component: component.unwrap_or(&spec.id.component).clone(),
            target: target.unwrap_or(&spec.id.target).clone(),
        });
        let mut from = renamed.into_iter().find(|from| recorded.contains_key(from) && !is_wanted(from));
        if from.is_none() && names.once.contains(&spec.id.component) {
            let of = |name: &ComponentName| by_component.get(name).map_or(&[][..], Vec::as_slice);
            from = match [of(&spec.id.component), component.map_or(&[][..], of)].concat()[..] {
                [only] => Some(only.clone()),
                _ => None,
            };
        }
        found.extend(from.map(|from| {
            let same_target = from.target == spec.id.target || names.targets.get(&spec.id.target) == Some(&from.target);
            Move { from, to: spec.id.clone(), same_target }
        }));
    }
    if found.is_empty() {
        return (found, Cow::Borrowed(state));
    }
    found.sort();
    // Two names for one record: the first takes it.
    found.dedup_by(|later, first| later.from == first.from);
    let mut state = state.clone();
    for Move { from, to, same_target } in &found {
        if let Some(record) = state.instances.remove(from) {
            state.instances.insert(to.clone(), record.renamed(to, *same_target));
        }
    }
    (found, Cow::Owned(state))
}
