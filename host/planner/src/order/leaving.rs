//! Instances that go for good: in reverse order of the edges they were deployed with, in the batches they came in, and
//! after what stays has settled; or before it, where that was asked for or can't be otherwise.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use launchway_model::{ChangeIndex, ComponentName, Diagnostic, Diagnostics, InstanceChange, Roll, Scope, TargetName};

use super::chain::{Chain, Settling};
use super::draft::{Anchor, Draft, Label};
use super::retreat::Retreat;
use crate::edges::Graph;

/// The instances that go.
pub(super) struct Leaving<'a> {
    /// In the order of the changes.
    pub(super) changes: Vec<(ChangeIndex, &'a InstanceChange)>,
    pub(super) number: HashMap<&'a ComponentName, u32>,
    /// The batches they go in.
    pub(super) retreat: Retreat<'a>,
    on: HashMap<(u32, &'a TargetName), usize>,
    /// By component: its instances' places in the changes.
    members: Vec<Vec<usize>>,
    turn: Vec<Turn>,
    /// Components that something which stays and changes needed, and those that they need themselves.
    late: BTreeSet<u32>,
    /// In one knot the recorded edges say nothing.
    knot: HashMap<u32, usize>,
}

/// When a component goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    /// Before what takes its place.
    First,
    /// Before something changes that it needs.
    Early,
    /// When all that stays has settled.
    Last,
}

/// A path or a place that a leaving instance hands over to one that comes: the delete and the change that follows it.
pub(crate) type Handover = (ChangeIndex, ChangeIndex);

impl<'a> Leaving<'a> {
    /// `first` are changes that go before what takes their place; `early` tells whether something that a change needs
    /// changes itself; `settling` are the changes of what stays.
    pub(super) fn new(
        changes: Vec<(ChangeIndex, &'a InstanceChange)>,
        retreat: Retreat<'a>,
        first: &BTreeSet<ChangeIndex>,
        settling: impl Iterator<Item = &'a InstanceChange>,
        early: impl Fn(&InstanceChange) -> bool,
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
        let mut leaving = Self {
            changes,
            number,
            retreat,
            on,
            members,
            turn: Vec::new(),
            late: BTreeSet::new(),
            knot: HashMap::new(),
        };
        let edges = leaving.component_edges();
        leaving.find_knots(&edges, warnings);
        leaving.retreat.unsplit(&leaving.number, &edges);
        leaving.find_turns(&edges, first, settling, early);
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

    /// Finds when each component goes. What uses something that goes before others come goes still earlier; so does
    /// what goes with it in batches.
    fn find_turns(
        &mut self,
        edges: &BTreeSet<(u32, u32)>,
        first: &BTreeSet<ChangeIndex>,
        settling: impl Iterator<Item = &'a InstanceChange>,
        early: impl Fn(&InstanceChange) -> bool,
    ) {
        let (mut users, mut needs) = (BTreeMap::<u32, Vec<u32>>::new(), BTreeMap::<u32, Vec<u32>>::new());
        for (from, to) in edges {
            users.entry(*to).or_default().push(*from);
            needs.entry(*from).or_default().push(*to);
        }
        let mates = self.retreat.mates(&self.number);
        let close = |start: Vec<u32>, along: &BTreeMap<u32, Vec<u32>>| {
            let (mut found, mut open) = (BTreeSet::new(), start);
            while let Some(at) = open.pop() {
                if found.insert(at) {
                    open.extend(along.get(&at).into_iter().chain(mates.get(&at)).flatten());
                }
            }
            found
        };
        let component = |change: &InstanceChange| self.number.get(&change.id.component).copied();
        let start = self.changes.iter().filter(|(index, _)| first.contains(index));
        let first = close(start.filter_map(|(_, change)| component(change)).collect(), &users);
        // Something that stays settles without these, and without those they need.
        let needed = settling.flat_map(recorded).filter_map(|(to, _)| self.number.get(to).copied());
        let late = close(needed.collect(), &needs);
        let start = self.changes.iter().filter(|(_, change)| {
            component(change).is_some_and(|at| !late.contains(&at)) && !is_gradual(change) && early(change)
        });
        let early = close(start.filter_map(|(_, change)| component(change)).collect(), &users);
        let turn = |at: u32| match (first.contains(&at), early.contains(&at)) {
            (true, _) => Turn::First,
            (false, true) => Turn::Early,
            (false, false) => Turn::Last,
        };
        self.turn = (0..self.number.len() as u32).map(turn).collect();
        self.late = late;
    }

    /// Returns when a component goes; none if it does not.
    pub(super) fn turn(&self, component: &ComponentName) -> Option<Turn> {
        self.number.get(component).map(|at| self.turn[*at as usize])
    }

    /// Whether a change goes before something that it needs changes.
    pub(super) fn makes_way(&self, change: &InstanceChange) -> bool {
        let late = self.number.get(&change.id.component).is_none_or(|at| self.late.contains(at));
        !late && !is_gradual(change)
    }

    /// Draws the order among what goes, and between what goes and what stays.
    pub(super) fn draw(&self, draft: &mut Draft, chains: &[Chain], staying: &[Settling<'a>]) {
        let mut joins = BTreeMap::new();
        for (at, (_, change)) in self.changes.iter().enumerate() {
            let own = self.number[&change.id.component];
            for (to, scope) in recorded(change) {
                let Some(&component) = self.number.get(to) else { continue };
                let knotted = self.knot.get(&own).is_some_and(|knot| self.knot.get(&component) == Some(knot));
                if component == own || knotted {
                    continue;
                }
                let together = self.retreat.unit(&change.id.component);
                let cell = together.filter(|unit| self.retreat.unit(to) == Some(*unit));
                let cell = cell.and_then(|unit| self.retreat.cell(unit, &change.id.target));
                let after = chains[at].at(Anchor::Committed);
                self.before(draft, chains, &mut joins, after, (component, cell), scope, &change.id.target);
            }
        }
        for Settling { change, chain, .. } in staying.iter().filter(|staying| !staying.waits) {
            // What must go first waits only for what uses it to stop.
            for (to, scope) in recorded(change) {
                if let Some(&component) = self.number.get(to).filter(|at| self.turn[**at as usize] == Turn::First) {
                    let after = chain.at(Anchor::StopEnd);
                    self.before(draft, chains, &mut joins, after, (component, None), scope, &change.id.target);
                }
            }
        }
        self.settle(draft, chains, staying);
    }

    /// What goes last goes when all that stays has settled.
    fn settle(&self, draft: &mut Draft, chains: &[Chain], staying: &[Settling<'a>]) {
        let last = |change: &InstanceChange| self.turn(&change.id.component) == Some(Turn::Last);
        let begins: Vec<u32> = self
            .changes
            .iter()
            .zip(chains)
            .filter(|((_, change), _)| last(change))
            .filter_map(|(_, chain)| chain.at(Anchor::StopBegin))
            .collect();
        if begins.is_empty() || staying.is_empty() {
            return;
        }
        let join = draft.junction(Label::Settled);
        staying
            .iter()
            .filter_map(|staying| staying.chain.at(Anchor::Committed))
            .for_each(|node| draft.edge(node, join));
        begins.into_iter().for_each(|begin| draft.edge(join, begin));
    }

    /// Draws edges from a node to the beginnings of a component's leaving instances: all, or those of one batch.
    #[expect(clippy::too_many_arguments, reason = "one edge with all that says where it goes")]
    fn before(
        &self,
        draft: &mut Draft,
        chains: &[Chain],
        joins: &mut BTreeMap<(u32, Option<u32>), u32>,
        after: Option<u32>,
        (component, cell): (u32, Option<u32>),
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
                let join = *joins.entry((component, cell)).or_insert_with(|| {
                    let join = draft.junction(Label::Leaving(component));
                    for at in &self.members[component as usize] {
                        let change = self.changes[*at].1;
                        let unit = self.retreat.unit(&change.id.component);
                        let its = unit.and_then(|unit| self.retreat.cell(unit, &change.id.target));
                        if let (true, Some(begin)) = (cell.is_none() || its == cell, chains[*at].at(Anchor::StopBegin))
                        {
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

/// Whether old and new instances of it were there side by side at times, so that it takes no notice of what it needs.
fn is_gradual(change: &InstanceChange) -> bool {
    let roll = change.previous.as_ref().and_then(|deployed| deployed.spec.edges.roll.as_ref());
    roll.is_some_and(Roll::is_gradual)
}

/// Returns what an instance needed when it was deployed.
pub(crate) fn recorded(change: &InstanceChange) -> impl Iterator<Item = (&ComponentName, Scope)> {
    change.previous.iter().flat_map(|deployed| deployed.spec.edges.scoped())
}
