//! The promises, each in its own words, held against every pair of nodes that it is about.

use std::collections::{BTreeMap, BTreeSet};

use launchway_model::{ChangeKind, InstanceChange, NodeKind, Phase, Plan, Replace, Scope};

use crate::model::Model;
use crate::support::reach::Reach;
use crate::support::text;

/// A change's nodes, by phase.
#[derive(Default, Clone)]
pub(crate) struct Nodes {
    pub(crate) phases: BTreeMap<Phase, Vec<usize>>,
    pub(crate) commit: usize,
}

impl Nodes {
    fn of(&self, phases: &[Phase]) -> Vec<usize> {
        phases.iter().filter_map(|phase| self.phases.get(phase)).flatten().copied().collect()
    }

    /// The steps of these phases, and the commit.
    fn and_commit(&self, phases: &[Phase]) -> Vec<usize> {
        let mut nodes = self.of(phases);
        nodes.push(self.commit);
        nodes
    }
}

pub(crate) const UNTIL_VERIFIED: [Phase; 6] =
    [Phase::Stage, Phase::Stop, Phase::Remove, Phase::Install, Phase::Start, Phase::Verify];
pub(crate) const FROM_STOP: [Phase; 5] = [Phase::Stop, Phase::Remove, Phase::Install, Phase::Start, Phase::Verify];
pub(crate) const FROM_START: [Phase; 2] = [Phase::Start, Phase::Verify];

pub(crate) struct Oracle<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) reach: Reach,
    pub(crate) nodes: Vec<Nodes>,
    pub(crate) new: &'a Model,
    /// The changes of each instance, by component and target: one, or two for a type change.
    pub(crate) changes: BTreeMap<(usize, usize), Vec<usize>>,
}

impl<'a> Oracle<'a> {
    pub(crate) fn new(plan: &'a Plan, new: &'a Model) -> Self {
        let mut nodes = vec![Nodes::default(); plan.changes.len()];
        for (at, node) in plan.nodes.iter().enumerate() {
            match &node.kind {
                NodeKind::Step(step) => {
                    let change = step.owner.change().0 as usize;
                    nodes[change].phases.entry(step.step.phase).or_default().push(at);
                }
                NodeKind::Commit { change } => nodes[change.0 as usize].commit = at,
                _ => {}
            }
        }
        let mut changes: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (at, change) in plan.changes.iter().enumerate() {
            changes.entry(place(change)).or_default().push(at);
        }
        Self { plan, reach: Reach::of(plan), nodes, new, changes }
    }

    fn require(&self, earlier: &[usize], later: &[usize], why: &str) {
        for earlier in earlier {
            for later in later {
                assert!(
                    self.reach.comes_before(*earlier, *later),
                    "{why}: node {earlier} must come before {later}\n{}",
                    text::plan(self.plan)
                );
            }
        }
    }

    fn forbid(&self, earlier: &[usize], later: &[usize], why: &str) {
        for earlier in earlier {
            for later in later {
                assert!(
                    !self.reach.comes_before(*earlier, *later),
                    "{why}: node {earlier} must not have to come before {later}\n{}",
                    text::plan(self.plan)
                );
            }
        }
    }

    pub(crate) fn check(&self) {
        self.own_chains();
        self.staging();
        self.wanted_pairs();
        self.leaving();
    }

    fn own_chains(&self) {
        for nodes in &self.nodes {
            for (at, phase) in Phase::ALL.iter().enumerate() {
                for later in &Phase::ALL[at + 1..] {
                    self.require(&nodes.of(&[*phase]), &nodes.of(&[*later]), "phases");
                }
            }
            self.require(&nodes.of(&UNTIL_VERIFIED), &[nodes.commit], "commit");
            self.require(&[nodes.commit], &nodes.of(&[Phase::Finish]), "finish");
        }
        for changes in self.changes.values().filter(|changes| changes.len() == 2) {
            let (old, new) = (&self.nodes[changes[0]], &self.nodes[changes[1]]);
            self.require(&[old.commit], &new.and_commit(&Phase::ALL), "type change");
        }
    }

    fn staging(&self) {
        for (place, changes) in &self.changes {
            if changes.len() == 2 || self.is_staying(*place) && self.is_held(place.0) {
                continue;
            }
            let staged = self.nodes[changes[0]].of(&[Phase::Stage]);
            for nodes in &self.nodes {
                self.require(&staged, &nodes.of(&[Phase::Stop, Phase::Remove]), "staging");
            }
            // Nothing else delays it.
            for nodes in &self.nodes {
                self.forbid(&nodes.and_commit(&FROM_STOP), &staged, "staging runs ahead");
            }
        }
    }

    fn is_staying(&self, (component, target): (usize, usize)) -> bool {
        self.new.get(&component).is_some_and(|part| part.targets.contains(&target))
    }

    /// Instances that are wanted and change; of a type change both halves.
    fn staying(&self) -> impl Iterator<Item = ((usize, usize), &Vec<usize>)> {
        self.changes.iter().filter(|(place, _)| self.is_staying(**place)).map(|(place, changes)| (*place, changes))
    }

    /// Whether anything that a component comes `after` changes, itself or what it needs.
    fn is_held(&self, component: usize) -> bool {
        let strict = self.new[&component].edges.iter().filter(|edge| edge.word == "after");
        strict.map(|edge| edge.to).any(|to| self.is_active(to))
    }

    fn is_active(&self, component: usize) -> bool {
        self.staying().any(|((other, _), _)| other == component)
            || self.new[&component].edges.iter().any(|edge| self.is_active(edge.to))
    }

    /// What an instance is directly ordered after: other instances, changing or not.
    fn neighbours(&self, (component, target): (usize, usize)) -> Vec<((usize, usize), bool)> {
        let mut found = Vec::new();
        for edge in &self.new[&component].edges {
            for other in &self.new[&edge.to].targets {
                if !edge.same_target || *other == target {
                    found.push(((edge.to, *other), edge.word == "after"));
                }
            }
        }
        found
    }

    fn wanted_pairs(&self) {
        for (place, changes) in self.staying() {
            // Everything it is ordered after, through whatever lies between; `whole`: with all of its steps.
            let mut open: Vec<((usize, usize), bool)> = self.neighbours(place);
            let mut seen = BTreeSet::new();
            while let Some((other, whole)) = open.pop() {
                if !seen.insert((other, whole)) {
                    continue;
                }
                open.extend(self.neighbours(other).into_iter().map(|(next, _)| (next, whole)));
                let Some(needed) = self.changes.get(&other) else { continue };
                let last = &self.nodes[*needed.last().unwrap()];
                let own = &self.nodes[*changes.last().unwrap()];
                if whole {
                    for change in changes {
                        let all = self.nodes[*change].and_commit(&Phase::ALL);
                        self.require(&last.of(&UNTIL_VERIFIED), &all, "after");
                    }
                } else {
                    self.require(&last.of(&UNTIL_VERIFIED), &own.and_commit(&FROM_START), "needs");
                }
            }
            for (other, strict) in self.neighbours(place) {
                let Some(needed) = self.changes.get(&other) else { continue };
                if strict {
                    for change in changes {
                        let all = self.nodes[*change].and_commit(&Phase::ALL);
                        self.require(&[self.nodes[*needed.last().unwrap()].commit], &all, "after the commit");
                    }
                }
            }
            self.stops(place, changes);
        }
    }

    /// It stops before what it needs stops, through unchanged instances too.
    fn stops(&self, place: (usize, usize), changes: &[usize]) {
        let own = &self.nodes[changes[0]];
        let mut open = vec![place];
        let mut seen = BTreeSet::new();
        while let Some(at) = open.pop() {
            if self.is_held(at.0) {
                continue;
            }
            for (other, strict) in self.neighbours(at) {
                if strict || !seen.insert(other) {
                    continue;
                }
                open.push(other);
                if let Some(needed) = self.changes.get(&other) {
                    let stopping = self.nodes[needed[0]].of(&FROM_STOP);
                    self.require(&own.of(&[Phase::Stop]), &stopping, "stops first");
                }
            }
        }
    }

    fn leaving(&self) {
        let (first, late) = (self.going_first(), self.going_late());
        let early = self.ahead_of(|place, change| !late.contains(&place.0) && self.uses_what_changes(place, change));
        for (place, changes) in self.gone() {
            let nodes = &self.nodes[changes[0]];
            let all = nodes.and_commit(&UNTIL_VERIFIED);
            if !first.contains(&place.0) && !early.contains(&place.0) {
                for (_, others) in self.staying() {
                    let last = &self.nodes[*others.last().unwrap()];
                    self.require(&[last.commit], &nodes.and_commit(&FROM_STOP), "what goes goes last");
                }
            }
            for (other, others) in &self.changes {
                if !late.contains(&place.0) && self.is_staying(*other) && self.uses(place, changes[0], *other) {
                    let own = &self.nodes[others[0]];
                    self.require(&[nodes.commit], &own.of(&FROM_STOP), "gone before what it uses changes");
                }
                let needs = recorded_needs(&self.plan.changes[others[0]], *other, place);
                if !needs || other.0 == place.0 {
                    continue;
                }
                if !self.is_staying(*other) || !first.contains(&place.0) {
                    let last = &self.nodes[*others.last().unwrap()];
                    self.require(&[last.commit], &all, "leaving in reverse");
                } else if !self.is_held(other.0) {
                    self.require(&self.nodes[others[0]].of(&[Phase::Stop]), &all, "stopping before it leaves");
                }
            }
        }
        for (delete, taker) in self.handovers().into_iter().chain(self.chosen()) {
            let taking = self.nodes[taker].and_commit(&[Phase::Install, Phase::Start, Phase::Verify]);
            self.require(&[self.nodes[delete].commit], &taking, "gone before what takes its place");
        }
    }

    /// Instances that go for good.
    fn gone(&self) -> impl Iterator<Item = ((usize, usize), &Vec<usize>)> {
        self.changes.iter().filter(|(place, _)| !self.is_staying(**place)).map(|(place, changes)| (*place, changes))
    }

    /// Whether an instance was deployed with an edge to one that is there already and changes.
    fn uses(&self, place: (usize, usize), change: usize, other: (usize, usize)) -> bool {
        let old = &self.plan.changes[self.changes[&other][0]];
        let shakes = matches!(old.kind, ChangeKind::Update | ChangeKind::Delete);
        shakes && recorded_needs(&self.plan.changes[change], place, other)
    }

    fn uses_what_changes(&self, place: (usize, usize), change: usize) -> bool {
        self.staying().any(|(other, _)| self.uses(place, change, other))
    }

    /// Components that something which stays and changes was deployed with an edge to, and what those have edges to.
    fn going_late(&self) -> BTreeSet<usize> {
        let goes = |name: &usize| self.gone().any(|(place, _)| place.0 == *name);
        let of =
            |changes: &Vec<usize>| recorded_edges(&self.plan.changes[changes[0]]).into_iter().map(|(name, _)| name);
        let mut found: BTreeSet<usize> = self.staying().flat_map(|(_, changes)| of(changes)).filter(goes).collect();
        loop {
            let gone = self.gone().filter(|(place, _)| found.contains(&place.0));
            let more: Vec<usize> = gone.flat_map(|(_, changes)| of(changes)).filter(goes).collect();
            let before = found.len();
            found.extend(more);
            if found.len() == before {
                return found;
            }
        }
    }

    /// Deletes, and the creates that somebody said come after them.
    fn chosen(&self) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for (old, changes) in self.gone() {
            let recorded = self.plan.changes[changes[0]].previous.as_ref().unwrap().spec.edges.replace;
            let goes_first = self.new.get(&old.0).map_or(recorded == Replace::DeleteFirst, |part| part.delete_first);
            for (new, others) in self.staying() {
                let last = *others.last().unwrap();
                let comes = self.plan.changes[last].kind == ChangeKind::Create;
                let first = goes_first && (old.0 == new.0 || old.1 == new.1);
                if comes && (first || old.1 == new.1 && self.new[&new.0].delete_first) {
                    found.push((changes[0], last));
                }
            }
        }
        found
    }

    /// Deletes, and the changes that take over the paths they give up.
    fn handovers(&self) -> Vec<(usize, usize)> {
        let path = |deployed: &Option<std::sync::Arc<launchway_model::Deployed>>| {
            deployed.as_ref().and_then(|deployed| deployed.spec.properties.get("path").cloned())
        };
        let mut found = Vec::new();
        for (place, changes) in &self.changes {
            let Some(given) = path(&self.plan.changes[changes[0]].previous) else { continue };
            for (_, others) in self.staying().filter(|(other, _)| other.1 == place.1 && other != place) {
                let (old, new) = (&self.plan.changes[others[0]], &self.plan.changes[*others.last().unwrap()]);
                if path(&new.desired).as_ref() == Some(&given) && path(&old.previous).as_ref() != Some(&given) {
                    assert_eq!(self.plan.changes[changes[0]].kind, ChangeKind::Delete);
                    found.push((changes[0], *others.last().unwrap()));
                }
            }
        }
        found
    }

    /// Components of which something goes before what takes its place.
    fn going_first(&self) -> BTreeSet<usize> {
        let first: BTreeSet<usize> =
            self.handovers().into_iter().chain(self.chosen()).map(|(delete, _)| delete).collect();
        self.ahead_of(|_, change| first.contains(&change))
    }

    /// Components with an instance that goes of which something is so, and those going with them that were deployed
    /// with edges to such.
    fn ahead_of(&self, is_so: impl Fn((usize, usize), usize) -> bool) -> BTreeSet<usize> {
        let start = self.gone().filter(|(place, changes)| is_so(*place, changes[0]));
        let mut found: BTreeSet<usize> = start.map(|(place, _)| place.0).collect();
        loop {
            let before = found.len();
            for (place, changes) in self.gone() {
                let edges = recorded_edges(&self.plan.changes[changes[0]]);
                let goes = |name: &usize| found.contains(name) && self.gone().any(|(other, _)| other.0 == *name);
                if edges.iter().any(|(name, _)| goes(name)) {
                    found.insert(place.0);
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }
}

/// Whether an instance was deployed with an edge to another one.
pub(crate) fn recorded_needs(change: &InstanceChange, from: (usize, usize), to: (usize, usize)) -> bool {
    let mut edges = recorded_edges(change).into_iter();
    edges.any(|(component, scope)| component == to.0 && (scope == Scope::All || from.1 == to.1))
}

pub(crate) fn recorded_edges(change: &InstanceChange) -> Vec<(usize, Scope)> {
    let Some(previous) = &change.previous else { return Vec::new() };
    let edges = &previous.spec.edges;
    let plain = edges.needs.iter().chain(&edges.after).map(|edge| (&edge.component, edge.scope));
    let all = plain.chain(edges.subscribe.iter().map(|edge| (&edge.component, edge.scope)));
    all.map(|(component, scope)| (component.as_str()[1..].parse().unwrap(), scope)).collect()
}

pub(crate) fn place(change: &InstanceChange) -> (usize, usize) {
    (change.id.component.as_str()[1..].parse().unwrap(), change.id.target.as_str()[1..].parse().unwrap())
}
