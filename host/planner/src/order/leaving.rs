//! Instances that go for good: in reverse order of the edges they were deployed with, after what stays has settled.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use launchway_model::{ChangeIndex, ComponentName, Diagnostic, Diagnostics, Edges, InstanceChange, Scope, TargetName};

use super::chain::Chain;
use super::components::Components;
use super::draft::{Anchor, Draft, Label};
use crate::edges::Graph;

/// The instances that go.
pub(super) struct Leaving<'a> {
    /// In the order of the changes.
    pub(super) changes: Vec<(ChangeIndex, &'a InstanceChange)>,
    pub(super) number: HashMap<&'a ComponentName, u32>,
    on: HashMap<(u32, &'a TargetName), usize>,
    /// By component: its instances' places in the changes.
    members: Vec<Vec<usize>>,
    /// Components that go before what replaces them comes, because both write one path.
    first: HashSet<u32>,
    /// In one knot the recorded edges say nothing.
    knot: HashMap<u32, usize>,
}

/// A path that a leaving instance hands over to one that comes: the delete and the change that follows it.
pub(crate) type Handover = (ChangeIndex, ChangeIndex);

impl<'a> Leaving<'a> {
    pub(super) fn new(
        changes: Vec<(ChangeIndex, &'a InstanceChange)>,
        handovers: &[Handover],
        warnings: &mut Diagnostics,
    ) -> Self {
        let mut number: HashMap<&ComponentName, u32> = HashMap::new();
        let mut on = HashMap::new();
        let mut members: Vec<Vec<usize>> = Vec::new();
        for (at, (_, change)) in changes.iter().enumerate() {
            let next = number.len() as u32;
            let component = *number.entry(&change.id.component).or_insert(next);
            if component as usize == members.len() {
                members.push(Vec::new());
            }
            members[component as usize].push(at);
            on.insert((component, &change.id.target), at);
        }
        let mut leaving = Self { changes, number, on, members, first: HashSet::new(), knot: HashMap::new() };
        let edges = leaving.component_edges();
        leaving.find_knots(&edges, warnings);
        leaving.find_first(&edges, handovers);
        leaving
    }

    fn component_edges(&self) -> BTreeSet<(u32, u32)> {
        let mut edges = BTreeSet::new();
        for (_, change) in &self.changes {
            let from = self.number[&change.id.component];
            for (to, _) in recorded(change).filter_map(|(to, scope)| Some((*self.number.get(to)?, scope))) {
                if to != from {
                    edges.insert((from, to));
                }
            }
        }
        edges
    }

    /// Records of several releases may contradict each other; that must not keep anybody from deleting.
    fn find_knots(&mut self, edges: &BTreeSet<(u32, u32)>, warnings: &mut Diagnostics) {
        let graph = Graph::new(self.number.len(), edges.iter().map(|(from, to)| (*from as usize, *to as usize)));
        let mut names: Vec<(u32, &ComponentName)> = self.number.iter().map(|(name, at)| (*at, *name)).collect();
        names.sort_unstable();
        for (number, knot) in graph.knots().into_iter().enumerate() {
            let members: Vec<String> = knot.iter().map(|at| format!("`{}`", names[*at].1)).collect();
            let message =
                format!("by what is recorded, {} need each other: they are deleted in no order", members.join(", "));
            warnings.push(Diagnostic::warning("recorded-cycle", message));
            self.knot.extend(knot.into_iter().map(|at| (at as u32, number)));
        }
    }

    /// Finds the components that must go before others come, and whatever needs those: it goes still earlier.
    fn find_first(&mut self, edges: &BTreeSet<(u32, u32)>, handovers: &[Handover]) {
        let mut needed_by: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (from, to) in edges {
            needed_by.entry(*to).or_default().push(*from);
        }
        let deletes: HashSet<ChangeIndex> = handovers.iter().map(|(delete, _)| *delete).collect();
        let start = self.changes.iter().filter(|(index, _)| deletes.contains(index));
        let mut open: Vec<u32> = start.map(|(_, change)| self.number[&change.id.component]).collect();
        while let Some(at) = open.pop() {
            if self.first.insert(at) {
                open.extend(needed_by.get(&at).into_iter().flatten());
            }
        }
    }

    /// Returns the components that go only after something that stays has settled without them, and those they need.
    pub(super) fn late(&self, components: &Components<'_>, changes: &[InstanceChange]) -> BTreeSet<u32> {
        let staying = changes.iter().filter(|change| components.of(&change.id).is_some());
        let needed = staying.flat_map(recorded).filter_map(|(to, _)| self.number.get(to).copied());
        let mut open: Vec<u32> = needed.collect();
        let mut late = BTreeSet::new();
        let edges = self.component_edges();
        while let Some(at) = open.pop() {
            if late.insert(at) {
                open.extend(edges.range((at, 0)..=(at, u32::MAX)).map(|(_, to)| *to));
            }
        }
        late
    }

    pub(super) fn goes_first(&self, component: &ComponentName) -> bool {
        self.number.get(component).is_some_and(|at| self.first.contains(at))
    }

    pub(super) fn any_goes_first(&self) -> bool {
        !self.first.is_empty()
    }

    /// Draws the order among what goes, and between what goes and what stays.
    pub(super) fn draw(
        &self,
        draft: &mut Draft,
        chains: &[Chain],
        staying: impl Iterator<Item = (&'a InstanceChange, Chain, bool)>,
    ) {
        let mut joins = vec![None; self.number.len()];
        for (at, (_, change)) in self.changes.iter().enumerate() {
            let own = self.number[&change.id.component];
            for (to, scope) in recorded(change) {
                let Some(&component) = self.number.get(to) else { continue };
                let knotted = self.knot.get(&own).is_some_and(|knot| self.knot.get(&component) == Some(knot));
                if component != own && !knotted {
                    let after = chains[at].at(Anchor::Committed);
                    self.before(draft, chains, &mut joins, after, component, scope, &change.id.target);
                }
            }
        }
        for (change, chain, held) in staying {
            for (to, scope) in recorded(change) {
                let Some(&component) = self.number.get(to) else { continue };
                // What stays has settled without what goes before that goes; what must go first waits only for
                // what uses it to stop.
                let after = match (self.first.contains(&component), held) {
                    (false, _) => chain.at(Anchor::Committed),
                    (true, false) => chain.at(Anchor::StopEnd),
                    (true, true) => None,
                };
                self.before(draft, chains, &mut joins, after, component, scope, &change.id.target);
            }
        }
    }

    /// Draws edges from a node to the beginnings of a component's leaving instances.
    #[expect(clippy::too_many_arguments, reason = "one edge with all that says where it goes")]
    fn before(
        &self,
        draft: &mut Draft,
        chains: &[Chain],
        joins: &mut [Option<u32>],
        after: Option<u32>,
        component: u32,
        scope: Scope,
        target: &TargetName,
    ) {
        let Some(after) = after else { return };
        match scope {
            Scope::SameTarget => {
                if let Some(&at) = self.on.get(&(component, target))
                    && let Some(begin) = chains[at].at(Anchor::StopBegin)
                {
                    draft.edge(after, begin);
                }
            }
            Scope::All => {
                let join = *joins[component as usize].get_or_insert_with(|| {
                    let join = draft.junction(Label::Leaving(component));
                    for at in &self.members[component as usize] {
                        if let Some(begin) = chains[*at].at(Anchor::StopBegin) {
                            draft.edge(join, begin);
                        }
                    }
                    join
                });
                draft.edge(after, join);
            }
        }
    }
}

/// Returns what an instance needed when it was deployed.
pub(super) fn recorded(change: &InstanceChange) -> impl Iterator<Item = (&ComponentName, Scope)> {
    let edges: Option<&Edges> = change.previous.as_ref().map(|deployed| &*deployed.spec.edges);
    edges.into_iter().flat_map(|edges| {
        let plain = edges.needs.iter().chain(&edges.after).map(|edge| (&edge.component, edge.scope));
        plain.chain(edges.subscribe.iter().map(|edge| (&edge.component, edge.scope)))
    })
}
