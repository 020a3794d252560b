//! What comes where something goes: which of the two is first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use launchway_model::{ChangeIndex, ChangeKind, ComponentName, InstanceChange, InstanceSpec, Replace, TargetName};

use super::components::Components;
use super::draft::{Anchor, Draft, Label};
use super::leaving::Handover;

/// Returns what comes first where an instance goes: as its component says now, else as it is recorded.
pub(crate) fn replace_of(change: &InstanceChange, wanted: &[InstanceSpec]) -> Replace {
    let component = &change.id.component;
    let at = wanted.partition_point(|spec| spec.id.component < *component);
    let spec = wanted.get(at).filter(|spec| spec.id.component == *component);
    let recorded = || change.previous.as_ref().map(|deployed| &deployed.spec);
    spec.or_else(recorded).map_or(Replace::default(), |spec| spec.edges.replace)
}

/// Returns what comes first where an instance comes.
pub(crate) fn replace_by(change: &InstanceChange) -> Replace {
    change.desired.as_ref().map_or(Replace::default(), |deployed| deployed.spec.edges.replace)
}

/// What is gone before something is put in place.
#[derive(Default)]
pub(super) struct Successions {
    /// All of the first before all of the second.
    pairs: Vec<(Vec<ChangeIndex>, Vec<ChangeIndex>)>,
    handovers: Vec<Handover>,
}

impl Successions {
    /// Finds what has to go first: it was asked for, or a path changes hands.
    pub(super) fn new(
        leaving: &[(ChangeIndex, &InstanceChange)],
        changes: &[InstanceChange],
        wanted: &[InstanceSpec],
        handovers: &[Handover],
    ) -> Self {
        let mut found = Self { pairs: Vec::new(), handovers: handovers.to_vec() };
        if leaving.is_empty() {
            return found;
        }
        let mut own: BTreeMap<&ComponentName, Vec<ChangeIndex>> = BTreeMap::new();
        let mut on: BTreeMap<&TargetName, (Vec<ChangeIndex>, Vec<ChangeIndex>)> = BTreeMap::new();
        for (index, change) in leaving {
            let (first, all) = on.entry(&change.id.target).or_default();
            all.push(*index);
            if replace_of(change, wanted) == Replace::DeleteFirst {
                first.push(*index);
                own.entry(&change.id.component).or_default().push(*index);
            }
        }
        let mut coming: BTreeMap<&ComponentName, Vec<ChangeIndex>> = BTreeMap::new();
        let mut there: BTreeMap<&TargetName, (Vec<ChangeIndex>, Vec<ChangeIndex>)> = BTreeMap::new();
        for (at, change) in changes.iter().enumerate().filter(|(_, change)| change.kind == ChangeKind::Create) {
            let index = ChangeIndex(at as u32);
            coming.entry(&change.id.component).or_default().push(index);
            let (patient, all) = there.entry(&change.id.target).or_default();
            all.push(index);
            if replace_by(change) == Replace::DeleteFirst {
                patient.push(index);
            }
        }
        for (component, going) in own {
            found.pair(going, coming.remove(component).unwrap_or_default());
        }
        for (target, (first, all)) in on {
            let (patient, coming) = there.remove(target).unwrap_or_default();
            found.pair(first, coming);
            found.pair(all, patient);
        }
        found
    }

    fn pair(&mut self, going: Vec<ChangeIndex>, coming: Vec<ChangeIndex>) {
        if !going.is_empty() && !coming.is_empty() {
            self.pairs.push((going, coming));
        }
    }

    /// Returns the changes that something waits for.
    pub(super) fn first(&self) -> BTreeSet<ChangeIndex> {
        let going = self.pairs.iter().flat_map(|(going, _)| going);
        going.chain(self.handovers.iter().map(|(giver, _)| giver)).copied().collect()
    }

    /// Adds the anchors at which what comes waits.
    pub(super) fn add_anchors(&self, components: &mut Components<'_>, changes: &[InstanceChange]) {
        let coming = self.pairs.iter().flat_map(|(_, coming)| coming);
        for index in coming.chain(self.handovers.iter().map(|(_, taker)| taker)) {
            if let Some(at) = components.of(&changes[index.0 as usize].id) {
                components.list[at as usize].anchors |= Anchor::InstallBegin.bit();
            }
        }
    }

    pub(super) fn draw(&self, draft: &mut Draft, ends: &SuccessionEnds) {
        for (giver, taker) in &self.handovers {
            if let (Some(from), Some(to)) = (ends.gone.get(giver), ends.install_begin.get(taker)) {
                draft.edge(*from, *to);
            }
        }
        for (going, coming) in &self.pairs {
            let join = draft.junction(Label::Gone);
            going.iter().filter_map(|index| ends.gone.get(index)).for_each(|gone| draft.edge(*gone, join));
            coming.iter().filter_map(|index| ends.install_begin.get(index)).for_each(|begin| draft.edge(join, *begin));
        }
    }
}

/// The nodes between which something takes another one's place.
#[derive(Default)]
pub(super) struct SuccessionEnds {
    /// Of deletes: their commits.
    pub(super) gone: HashMap<ChangeIndex, u32>,
    pub(super) install_begin: HashMap<ChangeIndex, u32>,
}
