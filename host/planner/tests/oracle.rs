//! The order promises, held by plans of random applications: checked pair by pair against the promises' own words.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use launchway_model::{
    ApplicationState, ChangeKind, InstanceChange, InstanceId, NodeKind, Operation, Phase, Plan, Replace, RunId, Scope,
};
use launchway_planner::{Desired, PlanError, Restriction, Since, plan_digest, restore};
use proptest::prelude::*;
use support::reach::Reach;
use support::{Project, empty_state, run_all, text};

const TARGETS: usize = 3;

/// A component of a random application. Edges lead only to components of a lower rank.
#[derive(Clone, Debug)]
struct Part {
    kind: &'static str,
    targets: BTreeSet<usize>,
    number: u8,
    /// Of a file: two components of one application never have the same.
    path: usize,
    /// What it takes the place of goes first.
    delete_first: bool,
    edges: Vec<Edge>,
}

#[derive(Clone, Debug)]
struct Edge {
    to: usize,
    word: &'static str,
    same_target: bool,
}

/// By component number; what is absent is not in the application.
type Model = BTreeMap<usize, Part>;

fn any_part(at: usize) -> impl Strategy<Value = Part> {
    let kind = prop::sample::select(vec!["full", "service", "plain", "file"]);
    let targets = prop::collection::btree_set(0..TARGETS, 1..=TARGETS);
    let word = prop::sample::select(vec!["needs", "needs", "needs", "after", "subscribe"]);
    let edge = (0..at.max(1), word, any::<bool>()).prop_map(|(to, word, same_target)| Edge { to, word, same_target });
    let edges = prop::collection::vec(edge, if at == 0 { 0..1 } else { 0..4 });
    let first = prop::bool::weighted(0.4);
    (kind, targets, 0..2u8, edges, first).prop_map(move |(kind, targets, number, edges, delete_first)| Part {
        kind,
        targets,
        number,
        path: 0,
        delete_first,
        edges: edges_of(at, edges),
    })
}

fn edges_of(at: usize, mut edges: Vec<Edge>) -> Vec<Edge> {
    edges.retain(|edge| edge.to < at);
    edges.sort_by_key(|edge| (edge.to, edge.word));
    edges.dedup_by_key(|edge| (edge.to, edge.word));
    edges
}

fn any_model() -> impl Strategy<Value = Model> {
    (0..6usize, any::<u64>()).prop_flat_map(|(count, ranks)| {
        let parts: Vec<_> = (0..=count).map(|at| (any_part(at), prop::bool::weighted(0.85))).collect();
        parts.prop_map(move |parts| {
            // A random relabelling, so that names do not follow ranks: each model has its own ranks.
            let names = shuffled(parts.len(), ranks);
            let mut model = Model::new();
            for (at, (part, present)) in parts.iter().enumerate() {
                if *present {
                    let edges = part.edges.iter().map(|edge| Edge { to: names[edge.to], ..edge.clone() }).collect();
                    // Another application gives the same paths to other components.
                    let path = (names[at] + ranks as usize % 3) % 7;
                    model.insert(names[at], Part { edges, path, ..part.clone() });
                }
            }
            let present: BTreeSet<usize> = model.keys().copied().collect();
            model.values_mut().for_each(|part| part.edges.retain(|edge| present.contains(&edge.to)));
            model
        })
    })
}

fn shuffled(count: usize, mut seed: u64) -> Vec<usize> {
    let mut names: Vec<usize> = (0..count).collect();
    for at in (1..count).rev() {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        names.swap(at, (seed >> 33) as usize % (at + 1));
    }
    names
}

fn project(model: &Model) -> Project {
    let mut components = String::new();
    for (name, part) in model {
        let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for edge in &part.edges {
            let scope = if edge.same_target { "same-target" } else { "all" };
            let word = if edge.word == "subscribe" { ", word: reload" } else { "" };
            lists.entry(edge.word).or_default().push(format!("{{ component: c{}, scope: {scope}{word} }}", edge.to));
        }
        let lists: String = lists.iter().map(|(word, list)| format!(", {word}: [{}]", list.join(", "))).collect();
        let labels: Vec<String> =
            (0..TARGETS).filter(|at| !part.targets.contains(at)).map(|at| format!("name!=t{at}")).collect();
        let on = if labels.is_empty() { String::new() } else { format!(", on: \"{}\"", labels.join(",")) };
        let with = match part.kind {
            "file" => format!("path: /p{}, content: \"{}\"", part.path, part.number),
            _ => format!("number: {}", part.number),
        };
        let first = if part.delete_first { ", replace: delete-first" } else { "" };
        writeln!(components, "c{name}: {{ type: t/{}{on}, with: {{ {with} }}{lists}{first} }}", part.kind).unwrap();
    }
    let targets: String = (0..TARGETS).map(|at| format!("t{at}: {{}}\n")).collect();
    if model.is_empty() {
        let mut project = Project::new("x: 1", &targets);
        project.application = "application: shop\ncomponents: {}\n".to_owned();
        return project;
    }
    Project::new(&components, &targets)
}

/// A change's nodes, by phase.
#[derive(Default, Clone)]
struct Nodes {
    phases: BTreeMap<Phase, Vec<usize>>,
    commit: usize,
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

const UNTIL_VERIFIED: [Phase; 6] =
    [Phase::Stage, Phase::Stop, Phase::Remove, Phase::Install, Phase::Start, Phase::Verify];
const FROM_STOP: [Phase; 5] = [Phase::Stop, Phase::Remove, Phase::Install, Phase::Start, Phase::Verify];
const FROM_START: [Phase; 2] = [Phase::Start, Phase::Verify];

struct Oracle<'a> {
    plan: &'a Plan,
    reach: Reach,
    nodes: Vec<Nodes>,
    new: &'a Model,
    /// The changes of each instance, by component and target: one, or two for a type change.
    changes: BTreeMap<(usize, usize), Vec<usize>>,
}

impl<'a> Oracle<'a> {
    fn new(plan: &'a Plan, new: &'a Model) -> Self {
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

    fn check(&self) {
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
fn recorded_needs(change: &InstanceChange, from: (usize, usize), to: (usize, usize)) -> bool {
    let mut edges = recorded_edges(change).into_iter();
    edges.any(|(component, scope)| component == to.0 && (scope == Scope::All || from.1 == to.1))
}

fn recorded_edges(change: &InstanceChange) -> Vec<(usize, Scope)> {
    let Some(previous) = &change.previous else { return Vec::new() };
    let edges = &previous.spec.edges;
    let plain = edges.needs.iter().chain(&edges.after).map(|edge| (&edge.component, edge.scope));
    let all = plain.chain(edges.subscribe.iter().map(|edge| (&edge.component, edge.scope)));
    all.map(|(component, scope)| (component.as_str()[1..].parse().unwrap(), scope)).collect()
}

fn place(change: &InstanceChange) -> (usize, usize) {
    (change.id.component.as_str()[1..].parse().unwrap(), change.id.target.as_str()[1..].parse().unwrap())
}

/// Whether something goes and something else comes at one path, and nobody said that the one goes first.
fn collides(model: &Model, state: &ApplicationState) -> bool {
    let path = |id: &InstanceId| {
        let record = state.instances.get(id)?;
        let deployed = record.dirty.as_ref().and_then(|dirty| dirty.to.as_ref()).or(record.confirmed.as_ref())?;
        Some((deployed.spec.properties.get("path")?.as_str()?.to_owned(), deployed.spec.edges.replace))
    };
    let place = |id: &InstanceId| (number(id.component.as_str()), number(id.target.as_str()));
    let stays = |(name, target): (usize, usize)| model.get(&name).is_some_and(|part| part.targets.contains(&target));
    state.instances.keys().filter(|id| !stays(place(id))).any(|gone| {
        let Some((given, recorded)) = path(gone) else { return false };
        let first = model.get(&place(gone).0).map_or(recorded == Replace::DeleteFirst, |part| part.delete_first);
        let takers = model.iter().filter(|(_, part)| part.kind == "file" && part.targets.contains(&place(gone).1));
        let mut takers = takers.filter(|(_, part)| format!("/p{}", part.path) == given);
        takers.any(|(name, part)| {
            let component = launchway_model::ComponentName::new(format!("c{name}")).unwrap();
            let id = InstanceId { component, target: gone.target.clone() };
            let has = path(&id).is_some_and(|(path, _)| path == given);
            !has && !first && !part.delete_first
        })
    })
}

fn number(text: &str) -> usize {
    text[1..].parse().unwrap()
}

/// Returns the plan from a state to what is wanted; none if a path changes hands in a way that nobody asked for, or
/// between two one of which is after all of the other.
fn change(
    project: &Project,
    model: &Model,
    operation: Operation,
    desired: &Desired,
    state: &ApplicationState,
) -> Option<Plan> {
    let collides = operation == Operation::Deploy && collides(model, state);
    match project.try_plan(operation, Some(desired), state) {
        Ok(planned) => {
            assert!(!collides, "a collision was not noticed\n{}", text::plan(&planned.plan));
            Some(planned.plan)
        }
        Err(PlanError::PathChangesHands { .. }) => None,
        Err(PlanError::Problems(found)) => {
            assert!(collides && found.iter().all(|problem| problem.code == "collision"), "{found:?}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn deployed(model: &Model) -> ApplicationState {
    let mut state = empty_state();
    let plan = project(model).deploy(&state);
    run_all(&mut state, &plan, 1);
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_promise_holds_from_any_release_to_any_other(old in any_model(), new in any_model()) {
        let mut state = deployed(&old);
        let project = project(&new);
        let Some(plan) = change(&project, &new, Operation::Deploy, &project.desired(), &state) else { return Ok(()) };
        Oracle::new(&plan, &new).check();
        prop_assert_eq!(plan_digest(&plan), plan_digest(&project.deploy(&state)));
        run_all(&mut state, &plan, 2);
        let again = project.deploy(&state);
        prop_assert!(again.changes.is_empty() && again.nodes.is_empty() && again.amendments.is_empty());
    }

    #[test]
    fn an_undeployment_keeps_every_promise_and_leaves_nothing(model in any_model()) {
        let mut state = deployed(&model);
        let plan = project(&model).undeploy(&state);
        prop_assert!(plan.changes.iter().all(|change| change.kind == ChangeKind::Delete));
        Oracle::new(&plan, &Model::new()).check();
        run_all(&mut state, &plan, 2);
        prop_assert!(state.instances.is_empty() && state.version.is_none());
    }

    #[test]
    fn a_rollback_of_anything_that_failed_anywhere_brings_back_what_was(
        old in any_model(),
        new in any_model(),
        fails in prop::collection::btree_set((0..7usize, 0..TARGETS), 0..4),
        fails_again in prop::collection::btree_set((0..7usize, 0..TARGETS), 0..3),
    ) {
        let mut state = deployed(&old);
        let before = state.clone();
        let mut project = project(&new);
        project.version("2.0");
        let Some(plan) = change(&project, &new, Operation::Deploy, &project.desired(), &state) else { return Ok(()) };
        let place = |id: &InstanceId| (number(id.component.as_str()), number(id.target.as_str()));
        support::run(&mut state, &plan, 2, |id| !fails.contains(&place(id)));
        let run = RunId(2);
        let mut since = Since::default();
        // A rollback that fails itself is gone on with by the next one.
        for attempt in [3, 4] {
            let desired = restore(&state, run, &plan, &since, &Restriction::default()).unwrap().desired;
            let Some(rollback) = change(&project, &new, Operation::Rollback { run }, &desired, &state) else { return Ok(()) };
            support::run(&mut state, &rollback, attempt, |id| attempt == 4 || !fails_again.contains(&place(id)));
            since.attempts.insert(RunId(attempt));
        }
        prop_assert_eq!(&state.version, &before.version);
        let confirmed = |state: &ApplicationState| -> Vec<_> {
            state.instances.iter().map(|(id, record)| (id.clone(), record.confirmed.clone(), record.dirty.clone())).collect()
        };
        prop_assert_eq!(confirmed(&state), confirmed(&before));
    }
}
