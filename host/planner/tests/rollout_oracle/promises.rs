//! The promises, each in its own words, held against every pair of nodes that it is about.

use std::collections::{BTreeMap, BTreeSet};

use launchway_model::{ActionPlace, ChangeKind, InstanceId, NodeKind, Operation, Owner, Phase, Plan, TargetName, Unit};

use crate::model::{LB, Model, Place};
use crate::support::reach::Reach;
use crate::support::text;

pub(crate) const DISTURBING: [Phase; 5] = [Phase::Stop, Phase::Remove, Phase::Install, Phase::Start, Phase::Verify];

/// The nodes of each instance, by what they are.
#[derive(Default)]
pub(crate) struct Nodes {
    pub(crate) phases: BTreeMap<Phase, Vec<usize>>,
    pub(crate) commit: usize,
    pub(crate) before: Vec<usize>,
    pub(crate) after: Vec<usize>,
    pub(crate) kind: Option<ChangeKind>,
}

impl Nodes {
    fn of(&self, phases: &[Phase]) -> Vec<usize> {
        phases.iter().filter_map(|phase| self.phases.get(phase)).flatten().copied().collect()
    }

    /// What anybody could notice, and the commit.
    fn all(&self) -> Vec<usize> {
        let mut nodes = self.of(&DISTURBING);
        nodes.push(self.commit);
        nodes
    }

    fn is_disturbing(&self) -> bool {
        !self.of(&DISTURBING[..4]).is_empty()
    }
}

pub(crate) fn number(text: &str) -> usize {
    text[1..].parse().unwrap()
}

pub(crate) fn place(id: &InstanceId) -> Place {
    (number(id.component.as_str()), number(id.target.as_str()))
}

/// A plan, held against the promises.
pub(crate) struct Oracle<'a> {
    pub(crate) model: &'a Model,
    pub(crate) plan: &'a Plan,
    pub(crate) reach: Reach,
    /// What changes and stays; what goes.
    pub(crate) staying: BTreeMap<Place, Nodes>,
    pub(crate) leaving: BTreeMap<Place, Nodes>,
    /// What is recorded before.
    pub(crate) recorded: BTreeSet<Place>,
    /// What is wanted; none: nothing.
    pub(crate) release: Option<usize>,
    /// In which batch each target of a group is: of what stays, and of what goes.
    pub(crate) cells: [BTreeMap<(usize, usize), usize>; 2],
}

impl<'a> Oracle<'a> {
    pub(crate) fn new(model: &'a Model, plan: &'a Plan, release: Option<usize>, recorded: BTreeSet<Place>) -> Self {
        let mut found: BTreeMap<Place, Nodes> = BTreeMap::new();
        for (at, node) in plan.nodes.iter().enumerate() {
            match &node.kind {
                NodeKind::Step(step) => {
                    let change = &plan.changes[step.owner.change().0 as usize];
                    let entry = found.entry(place(&change.id)).or_default();
                    match &step.owner {
                        Owner::Action { place: ActionPlace::Before, .. } => entry.before.push(at),
                        Owner::Action { place: ActionPlace::After, .. } => entry.after.push(at),
                        _ => entry.phases.entry(step.step.phase).or_default().push(at),
                    }
                }
                NodeKind::Commit { change } => {
                    let change = &plan.changes[change.0 as usize];
                    let entry = found.entry(place(&change.id)).or_default();
                    (entry.commit, entry.kind) = (at, Some(change.kind));
                }
                _ => {}
            }
        }
        let (leaving, staying) = found.into_iter().partition(|(_, nodes)| nodes.kind == Some(ChangeKind::Delete));
        let mut cells = [BTreeMap::new(), BTreeMap::new()];
        for rollout in &plan.rollouts {
            let Unit::Group(group) = &rollout.unit else { panic!("only groups roll") };
            for (cell, targets) in rollout.batches.iter().enumerate() {
                let of_target = targets.iter().map(|target| ((number(group), number(target.as_str())), cell));
                cells[usize::from(rollout.going)].extend(of_target);
            }
        }
        Self { model, plan, reach: Reach::of(plan), staying, leaving, recorded, release, cells }
    }

    fn require(&self, earlier: &[usize], later: &[usize], why: &str) {
        for (a, b) in earlier.iter().flat_map(|a| later.iter().map(move |b| (*a, *b))) {
            assert!(self.reach.comes_before(a, b), "{why}: {a} must come before {b}\n{}", text::plan(self.plan));
        }
    }

    pub(crate) fn check(&self) {
        self.staged();
        if let Some(release) = self.release {
            self.stays(release);
        }
        self.goes();
        self.goes_in_batches();
        self.parts();
    }

    /// Whether a component comes after all of something.
    fn is_held(&self, part: usize) -> bool {
        let part = &self.model.parts[part];
        part.needs.iter().zip(&part.words).any(|(_, word)| *word == "after")
    }

    fn is_after(&self, part: usize, other: usize) -> bool {
        let part = &self.model.parts[part];
        part.needs.iter().zip(&part.words).any(|((to, _), word)| *to == other && *word == "after")
    }

    fn staged(&self) {
        let all = || self.staying.iter().chain(&self.leaving).map(|(_, nodes)| nodes);
        for (place, own) in self.staying.iter().chain(&self.leaving) {
            let staged = own.of(&[Phase::Stage]);
            self.require(&staged, &own.of(&DISTURBING), "stage");
            if self.staying.contains_key(place) && self.is_held(place.0) {
                continue;
            }
            for other in all() {
                self.require(&staged, &other.of(&[Phase::Stop, Phase::Remove]), "staged everywhere");
                self.require(&staged, &other.before, "staged before anything is done around");
            }
        }
    }

    fn stays(&self, release: usize) {
        let model = self.model;
        let cell =
            |(component, target): Place| Some(*self.cells[0].get(&(model.gradual(release, component)?, target))?);
        for (place, own) in &self.staying {
            let part = &model.parts[place.0];
            let disturbing = own.of(&DISTURBING);
            self.require(&own.before, &disturbing, "before");
            self.require(&own.after, &[own.commit], "done when it is back");
            assert!(part.around != own.before.is_empty() || !own.is_disturbing());
            for (other, its) in &self.staying {
                let gradual = |at: &Place| model.gradual(release, at.0);
                let together = gradual(place).is_some() && gradual(place) == gradual(other);
                let group = |at: &Place| model.parts[at.0].group[release];
                let same_group = group(place).is_some() && group(place) == group(other);
                if (same_group || place.0 == other.0) && place.1 == other.1 {
                    self.require(&its.of(&DISTURBING), &own.after, "after all of its group on its target");
                }
                // Batches, where all of one comes before all of the other.
                let windowed = gradual(place).is_some_and(|group| model.groups[group].contains("window"));
                if let (true, false, Some(mine), Some(theirs)) = (together, windowed, cell(*place), cell(*other))
                    && theirs < mine
                {
                    self.require(&[its.commit], &disturbing, "an earlier batch");
                    self.require(&its.after, &disturbing, "what is done after an earlier batch");
                    self.require(&[its.commit], &own.before, "an earlier batch, around");
                }
                if let (true, true, Some(mine), Some(theirs)) = (together, windowed, cell(*place), cell(*other))
                    && theirs + 2 == mine
                {
                    self.require(&[its.commit], &disturbing, "an earlier place in the window");
                }
                if !model.needs(*place, |at| at == *other).contains(other) {
                    continue;
                }
                let all = [Phase::Stage, Phase::Stop, Phase::Remove, Phase::Install, Phase::Start, Phase::Verify];
                let needed = its.of(&all);
                if self.is_after(place.0, other.0) {
                    if !together || cell(*place) == cell(*other) {
                        self.require(&needed, &own.all(), "after all of it");
                    }
                    continue;
                }
                let stopping = if self.is_held(place.0) { Vec::new() } else { own.of(&[Phase::Stop]) };
                if together {
                    if cell(*place) == cell(*other) {
                        self.require(&needed, &own.of(&[Phase::Start, Phase::Verify]), "needs, in one batch");
                        self.require(&stopping, &its.of(&DISTURBING), "stops first, in one batch");
                    }
                } else if gradual(place).is_some() {
                    self.require(&needed, &disturbing, "needs, beside old ones");
                    self.require(&needed, &own.before, "needs, beside old ones, around");
                } else {
                    self.require(&needed, &own.of(&[Phase::Start, Phase::Verify]), "needs");
                    self.require(&stopping, &its.of(&DISTURBING), "stops first");
                }
            }
        }
    }

    /// The unit in whose batches a component goes.
    fn going_with(&self, part: usize) -> Option<usize> {
        let group = self.model.gradual(0, part)?;
        self.cells[1].keys().any(|(other, _)| *other == group).then_some(group)
    }

    fn going_cell(&self, place: Place) -> Option<usize> {
        self.cells[1].get(&(self.going_with(place.0)?, place.1)).copied()
    }

    /// Components that go before something else, and whatever needs those or goes with them in batches.
    fn ahead(&self, start: impl Fn(Place) -> bool) -> BTreeSet<usize> {
        let mut found: BTreeSet<usize> = self.leaving.keys().filter(|at| start(**at)).map(|at| at.0).collect();
        loop {
            let before = found.len();
            for place in self.leaving.keys() {
                let uses = self.model.parts[place.0]
                    .needs
                    .iter()
                    .any(|(to, _)| found.contains(to) && self.leaving.keys().any(|at| at.0 == *to));
                let mate = self.going_with(place.0).is_some()
                    && found.iter().any(|other| self.going_with(*other) == self.going_with(place.0));
                if uses || mate {
                    found.insert(place.0);
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }

    /// Deletes and creates of which the one is gone before the other comes, because somebody said so.
    fn successions(&self) -> Vec<(Place, Place)> {
        let creates = self.staying.iter().filter(|(_, nodes)| nodes.kind == Some(ChangeKind::Create));
        let pairs = creates.flat_map(|(new, _)| self.leaving.keys().map(move |old| (*old, *new)));
        let first = |at: Place| self.model.parts[at.0].delete_first;
        pairs
            .filter(|(old, new)| old.0 == new.0 && first(*old) || old.1 == new.1 && (first(*old) || first(*new)))
            .collect()
    }

    /// Whether something that an instance needs, and that stays, changes.
    fn makes_way(&self, place: Place) -> bool {
        let shaken = |at: &Place| self.staying.get(at).is_some_and(|nodes| nodes.kind == Some(ChangeKind::Update));
        self.model.gradual(0, place.0).is_none() && self.model.needs(place, |_| true).iter().any(shaken)
    }

    /// Components that go only when something that stays has settled without them, and what they need in turn.
    fn late(&self) -> BTreeSet<usize> {
        let recorded = self
            .staying
            .iter()
            .filter(|(place, nodes)| nodes.kind != Some(ChangeKind::Create) && self.recorded.contains(place));
        let needs = recorded.flat_map(|(place, _)| self.model.parts[place.0].needs.iter().map(|(to, _)| *to));
        let goes = |part: &usize| self.leaving.keys().any(|at| at.0 == *part);
        let mut found: BTreeSet<usize> = needs.filter(|part| goes(part)).collect();
        loop {
            let before = found.len();
            let needs = found.iter().flat_map(|part| self.model.parts[*part].needs.iter().map(|(to, _)| *to));
            let more: Vec<usize> = needs.filter(|part| goes(part)).collect();
            let mates = self.leaving.keys().map(|at| at.0).filter(|part| {
                self.going_with(*part).is_some()
                    && found.iter().any(|other| self.going_with(*other) == self.going_with(*part))
            });
            let mates: Vec<usize> = mates.collect();
            found.extend(more.into_iter().chain(mates));
            if found.len() == before {
                return found;
            }
        }
    }

    fn goes(&self) {
        let successions = self.successions();
        for (old, new) in &successions {
            let new = &self.staying[new];
            let mut coming = new.of(&[Phase::Install, Phase::Start, Phase::Verify]);
            coming.push(new.commit);
            self.require(&[self.leaving[old].commit], &coming, "gone before it comes");
        }
        let late = self.late();
        let first = self.ahead(|at| successions.iter().any(|(old, _)| *old == at));
        let early = self.ahead(|at| !late.contains(&at.0) && self.makes_way(at));
        for (place, own) in &self.leaving {
            let all = own.all();
            assert!(own.after.is_empty(), "nothing comes back");
            if !first.contains(&place.0) && !early.contains(&place.0) {
                for its in self.staying.values() {
                    self.require(&[its.commit], &all, "what stays has settled");
                }
            }
            for needed in self.model.needs(*place, |_| true) {
                if let Some(its) = self.leaving.get(&needed) {
                    let together =
                        self.going_with(place.0).is_some() && self.going_with(place.0) == self.going_with(needed.0);
                    if !together || self.going_cell(*place) == self.going_cell(needed) {
                        self.require(&[own.commit], &its.all(), "leaving in reverse");
                    }
                }
                if let Some(its) = self.staying.get(&needed)
                    && !late.contains(&place.0)
                    && self.model.gradual(0, place.0).is_none()
                    && its.kind == Some(ChangeKind::Update)
                {
                    self.require(&[own.commit], &its.all(), "gone before what it uses changes");
                }
            }
        }
    }

    fn goes_in_batches(&self) {
        for (place, own) in &self.leaving {
            for (other, its) in &self.leaving {
                let together =
                    self.going_with(place.0).is_some() && self.going_with(place.0) == self.going_with(other.0);
                let (Some(mine), Some(theirs), true) = (self.going_cell(*place), self.going_cell(*other), together)
                else {
                    continue;
                };
                let windowed = self.model.groups[self.going_with(place.0).unwrap()].contains("window");
                if if windowed { theirs + 2 == mine } else { theirs < mine } {
                    self.require(&[its.commit], &own.all(), "an earlier batch of those that go");
                }
            }
        }
        if self.plan.operation != Operation::Undeploy {
            return;
        }
        // Each group, by the words of its strategies: the opposite way.
        for (group, strategies) in self.model.groups.iter().enumerate() {
            let on = self.leaving.keys().filter(|at| self.model.gradual(0, at.0) == Some(group)).map(|at| at.1);
            let on: BTreeSet<usize> = on.collect();
            let dc = |dc: usize| on.iter().copied().filter(move |at| at % 2 == dc).collect::<Vec<_>>();
            let ones = |on: Vec<usize>| on.into_iter().rev().map(|at| vec![at]).collect::<Vec<_>>();
            let all: Vec<usize> = on.iter().copied().collect();
            let mut expected = match *strategies {
                "[{ rolling: 1 }]" | "[{ rolling: 2, window: true }]" => ones(all),
                "[{ rolling: 2 }]" => all.chunks(2).rev().map(<[usize]>::to_vec).collect(),
                "[{ by: dc }, { rolling: 1 }]" => [ones(dc(1)), ones(dc(0))].concat(),
                "[{ by: dc, gate: approve }]" => vec![dc(1), dc(0)],
                _ => Vec::new(),
            };
            expected.retain(|batch| !batch.is_empty());
            let unit = Unit::Group(format!("g{group}").into());
            let found = self.plan.rollouts.iter().find(|rollout| rollout.going && rollout.unit == unit);
            let names = |batch: &Vec<_>| batch.iter().map(|name: &TargetName| number(name.as_str())).collect();
            let found: Vec<Vec<usize>> = found.iter().flat_map(|rollout| &rollout.batches).map(names).collect();
            assert_eq!(found, if expected.len() > 1 { expected } else { Vec::new() }, "{}", text::plan(self.plan));
        }
        assert!(self.plan.nodes.iter().all(|node| !matches!(node.kind, NodeKind::Gate(_))), "nobody waits");
    }

    /// What is done before somebody goes.
    fn parts(&self) {
        let on_lb: Vec<&Nodes> = self.staying.iter().filter(|(at, _)| at.1 == LB).map(|(_, nodes)| nodes).collect();
        let changing: Vec<&&Nodes> = on_lb.iter().filter(|nodes| nodes.is_disturbing()).collect();
        let going: BTreeSet<usize> = self.leaving.keys().filter(|at| at.1 == LB).map(|at| at.0).collect();
        let stays = |at: &usize| match self.release {
            Some(release) => self.model.is_there(release, (*at, LB)),
            None => self.recorded.contains(&(*at, LB)) && !going.contains(at),
        };
        let staying: Vec<usize> = (0..self.model.parts.len()).filter(stays).collect();
        let (late, successions) = (self.late(), self.successions());
        let first = self.ahead(|at| successions.iter().any(|(old, _)| *old == at));
        let early = self.ahead(|at| !late.contains(&at.0) && self.makes_way(at));
        for (place, own) in &self.leaving {
            let uses = |user: usize| self.model.parts[user].needs.iter().any(|(to, _)| *to == place.0);
            let users = self.users(place.0);
            let recorded = |user: &usize| self.recorded.contains(&(*user, LB));
            let asked = going.is_empty()
                || !staying.is_empty()
                    && (users.is_disjoint(&going) || staying.iter().any(|user| recorded(user) && uses(*user)));
            let expected = self.model.parts[place.0].around && own.is_disturbing() && asked;
            assert_eq!(own.before.is_empty(), !expected, "{place:?}\n{}", text::plan(self.plan));
            self.require(&own.before, &own.of(&DISTURBING), "out of rotation before it stops");
            if !changing.is_empty() {
                for its in &changing {
                    self.require(&own.before, &its.all(), "while those who are asked still know it");
                }
                continue;
            }
            if !first.contains(&place.0) && !early.contains(&place.0) {
                for its in self.staying.values() {
                    self.require(&[its.commit], &own.before, "out of rotation when others are in");
                }
            }
            for (other, its) in &self.leaving {
                let together =
                    self.going_with(place.0).is_some() && self.going_with(place.0) == self.going_with(other.0);
                let windowed =
                    self.going_with(place.0).is_some_and(|group| self.model.groups[group].contains("window"));
                if together && !windowed && self.going_cell(*other) < self.going_cell(*place) {
                    self.require(&[its.commit], &own.before, "out of rotation batch by batch");
                }
            }
        }
    }

    /// Components that go and need one, directly or by way of others that go.
    fn users(&self, part: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open = vec![part];
        while let Some(at) = open.pop() {
            for user in self.leaving.keys().map(|at| at.0) {
                if self.model.parts[user].needs.iter().any(|(to, _)| *to == at) && found.insert(user) {
                    open.push(user);
                }
            }
        }
        found
    }
}
