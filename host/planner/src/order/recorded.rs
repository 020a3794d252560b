//! What was deployed with a need for something goes before that changes: it may use it on its way out.
//!
//! For instances that go for good and for those that are replaced by another type; both take their edges from what is
//! recorded. An edge that contradicts what is wanted is left out: the wanted order comes first.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use launchway_model::{ChangeKind, ComponentName, InstanceChange, Scope, TargetName};

use super::chain::{Chain, Settling};
use super::components::Components;
use super::draft::{Anchor, Draft, Label};
use super::leaving::{Leaving, recorded};

/// Components that stay and that something recorded needs.
pub(super) struct Recorded<'a> {
    /// Pairs of components, by number: the one that is replaced, the one it was deployed with a need for.
    replaced: BTreeSet<(u32, u32)>,
    leaving: &'a Leaving<'a>,
}

impl<'a> Recorded<'a> {
    /// Finds what has to go before something changes, and asks for the anchors that it takes. `edges` are those between
    /// components that are wanted.
    pub(super) fn new(
        components: &mut Components<'_>,
        leaving: &'a Leaving<'a>,
        changes: &[InstanceChange],
        edges: &[(usize, usize)],
    ) -> Self {
        let mut found = Self { replaced: BTreeSet::new(), leaving };
        let mut order = Reach::new(components.list.len(), edges);
        for pair in changes.windows(2).filter(|pair| pair[0].id == pair[1].id) {
            let Some(from) = components.of(&pair[0].id) else { continue };
            for (to, _) in recorded(&pair[0]) {
                let Some(&to) = components.number.get(to).filter(|to| **to != from) else { continue };
                if found.replaced.contains(&(from, to)) {
                    continue;
                }
                let rolls = [from, to].iter().any(|at| components.list[*at as usize].gradual);
                // What waits for something with everything may wait for what needs the new one.
                let held = components.list[from as usize].held;
                if !rolls && !held && order.add(from as usize, to as usize) {
                    found.replaced.insert((from, to));
                    components.list[from as usize].anchors |= Anchor::StopEnd.bit();
                    components.list[to as usize].anchors |= Anchor::StopBegin.bit();
                }
            }
        }
        for (_, change) in leaving.changes.iter().filter(|(_, change)| leaving.makes_way(change)) {
            for (to, _) in recorded(change) {
                if let Some(&to) = components.number.get(to) {
                    components.list[to as usize].anchors |= Anchor::StopBegin.bit();
                }
            }
        }
        found
    }

    /// Draws the order, once all chains are there.
    pub(super) fn draw(
        &self,
        draft: &mut Draft,
        components: &Components<'_>,
        gone: &[Chain],
        staying: &[Settling<'a>],
    ) {
        let mut ends = Ends::new(components, staying);
        for ((_, change), chain) in self.leaving.changes.iter().zip(gone) {
            if !self.leaving.makes_way(change) {
                continue;
            }
            for (to, scope) in recorded(change) {
                if let Some(&to) = components.number.get(to) {
                    ends.before(draft, chain.at(Anchor::Committed), to, scope, &change.id.target);
                }
            }
        }
        for Settling { change, chain, .. } in staying.iter().filter(|staying| staying.chain.replaced.is_some()) {
            let Some(from) = components.of(&change.id) else { continue };
            for (to, scope) in recorded(change) {
                let Some(&to) = components.number.get(to) else { continue };
                if self.replaced.contains(&(from, to)) {
                    ends.before(draft, chain.at(Anchor::StopEnd), to, scope, &change.id.target);
                }
            }
        }
    }
}

/// Whether whoever uses an instance has to make way for its change. What is new is used by nobody yet, and what is only
/// refreshed stays usable.
fn is_shaken(change: &InstanceChange) -> bool {
    matches!(change.kind, ChangeKind::Update | ChangeKind::Delete)
}

/// The components that stay and shake, with the targets on which they do.
pub(super) struct Shaken<'a>(HashMap<&'a ComponentName, BTreeSet<&'a TargetName>>);

impl<'a> Shaken<'a> {
    pub(super) fn new(components: &Components<'_>, changes: &'a [InstanceChange]) -> Self {
        let mut found: HashMap<_, BTreeSet<_>> = HashMap::new();
        for change in changes.iter().filter(|change| is_shaken(change) && components.stays(&change.id)) {
            found.entry(&change.id.component).or_default().insert(&change.id.target);
        }
        Self(found)
    }

    /// Whether something shakes that an instance was deployed with a need for.
    pub(super) fn concern(&self, change: &InstanceChange) -> bool {
        recorded(change).any(|(to, scope)| match (self.0.get(to), scope) {
            (None, _) => false,
            (Some(_), Scope::All) => true,
            (Some(targets), Scope::SameTarget) => targets.contains(&change.id.target),
        })
    }
}

/// Where the instances that stay begin to stop.
struct Ends<'a> {
    on: HashMap<(u32, &'a TargetName), u32>,
    of: BTreeMap<u32, Vec<u32>>,
    joins: BTreeMap<u32, u32>,
}

impl<'a> Ends<'a> {
    fn new(components: &Components<'_>, staying: &[Settling<'a>]) -> Self {
        let mut ends = Self { on: HashMap::new(), of: BTreeMap::new(), joins: BTreeMap::new() };
        for Settling { change, chain, .. } in staying.iter().filter(|staying| is_shaken(staying.change)) {
            if let (Some(component), Some(begin)) = (components.of(&change.id), chain.at(Anchor::StopBegin)) {
                ends.on.insert((component, &change.id.target), begin);
                ends.of.entry(component).or_default().push(begin);
            }
        }
        ends
    }

    /// Draws edges from a node to where a component's instances begin to stop.
    fn before(&mut self, draft: &mut Draft, from: Option<u32>, component: u32, scope: Scope, target: &TargetName) {
        let Some(from) = from else { return };
        match scope {
            Scope::SameTarget => {
                self.on.get(&(component, target)).into_iter().for_each(|begin| draft.edge(from, *begin));
            }
            Scope::All => {
                let Some(begins) = self.of.get(&component) else { return };
                let join = *self.joins.entry(component).or_insert_with(|| {
                    let join = draft.junction(Label::Ahead(component, Anchor::StopBegin));
                    begins.iter().for_each(|begin| draft.edge(join, *begin));
                    join
                });
                draft.edge(from, join);
            }
        }
    }
}

/// Edges between components, to which some are added as long as they make no circle.
struct Reach(Vec<Vec<usize>>);

impl Reach {
    fn new(count: usize, edges: &[(usize, usize)]) -> Self {
        let mut successors = vec![Vec::new(); count];
        edges.iter().for_each(|(from, to)| successors[*from].push(*to));
        Self(successors)
    }

    /// Adds an edge, unless the other way is taken already.
    fn add(&mut self, from: usize, to: usize) -> bool {
        let mut seen = vec![false; self.0.len()];
        let mut open = vec![to];
        while let Some(at) = open.pop() {
            if at == from {
                return false;
            }
            if !std::mem::replace(&mut seen[at], true) {
                open.extend(&self.0[at]);
            }
        }
        self.0[from].push(to);
        true
    }
}
