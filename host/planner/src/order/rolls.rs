//! What rolls together: its batches, their order, and the actions around each instance.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use launchway_model::{
    Batches, ComponentName, Diagnostic, Diagnostics, InstanceId, InstanceSpec, Roll, Staging, Strategy, TargetName,
    TargetSpec, Unit,
};

use super::batches::{Mode, Place, Schedule, schedule};
use super::chain::Chain;
use super::components::Components;
use super::draft::{Anchor, Draft, Label, Source, StepRef};
use super::links::{CellEnds, draw_links};
use super::pass::Barrier;
use crate::ask::ChangeSteps;
use crate::desired::Ways;
use crate::edges::Graph;
use crate::error::PlanError;

/// The components that roll, as units.
pub(super) struct Rolls<'a> {
    pub(super) units: Vec<Rolling<'a>>,
}

/// A unit with its batches.
pub(super) struct Rolling<'a> {
    unit: Unit,
    /// Numbers of components.
    members: Vec<u32>,
    stage: Staging,
    schedule: Schedule<'a>,
    /// In which batch each target is.
    pub(super) cell_of: HashMap<&'a TargetName, u32>,
}

impl Rolling<'_> {
    /// Whether it has more than one batch.
    pub(super) fn is_split(&self) -> bool {
        self.schedule.cells.len() > 1
    }

    pub(super) fn cells(&self) -> u32 {
        self.schedule.cells.len() as u32
    }
}

/// What it takes to find out what rolls.
pub(super) struct RollInput<'a, 'f> {
    pub(super) targets: &'a BTreeMap<TargetName, Arc<TargetSpec>>,
    /// Nobody waits between batches.
    pub(super) hurried: bool,
    /// Tells whether something of an instance changes.
    pub(super) changes: &'f dyn Fn(&InstanceId) -> bool,
}

impl<'a> RollInput<'a, '_> {
    /// Finds what rolls together and splits it; `edges` are those between components.
    ///
    /// Refuses units between whose members something else stands. If nobody can mend that (`lenient`), such a unit
    /// changes all at once: what the records say of the order holds, what they say of batches does not.
    pub(super) fn all(
        &self,
        components: &mut Components<'a>,
        ways: &Ways,
        edges: &[(usize, usize)],
        lenient: bool,
        warnings: &mut Diagnostics,
    ) -> Result<Rolls<'a>, PlanError> {
        let whole = BTreeSet::new();
        let rolls = self.rolls(components, ways, &whole);
        let Some(error) = rolls.circle(components, edges) else { return Ok(rolls) };
        if !ways.is_empty() {
            // What the earlier release needed stands in the way of it; as that release rolled, it can go.
            let ways = Ways::new();
            let rolls = self.rolls(components, &ways, &whole);
            if rolls.circle(components, edges).is_none() {
                return Ok(rolls);
            }
        }
        if !lenient {
            return Err(error);
        }
        let knotted = self.rolls(components, ways, &whole).knotted(components, edges);
        let names: Vec<String> = knotted.iter().map(|unit| format!("`{unit}`")).collect();
        let plural = if names.len() == 1 { "changes" } else { "change" };
        let hint = format!("{} {plural} all at once this time", names.join(", "));
        warnings.push(Diagnostic::warning("not-convex", format!("by what is recorded, {error}")).hint(hint));
        Ok(self.rolls(components, ways, &knotted))
    }

    /// `whole` are units that are not split, whatever is said of them.
    fn rolls(&self, components: &mut Components<'a>, ways: &Ways, whole: &BTreeSet<Unit>) -> Rolls<'a> {
        let mut found: BTreeMap<Unit, (Roll, Vec<u32>)> = BTreeMap::new();
        for (number, component) in components.list.iter_mut().enumerate() {
            (component.unit, component.gradual) = (None, false);
            if let Some(mut roll) = roll_of(component.name, component.instances, ways) {
                if whole.contains(&roll.unit) {
                    roll.strategies.clear();
                }
                found.entry(roll.unit.clone()).or_insert_with(|| (roll, Vec::new())).1.push(number as u32);
            }
        }
        let mut units = Vec::with_capacity(found.len());
        for (unit, (roll, members)) in found {
            let mut places: BTreeMap<&TargetName, bool> = BTreeMap::new();
            for member in &members {
                let component = &mut components.list[*member as usize];
                component.unit = Some(units.len() as u32);
                component.gradual = roll.is_gradual();
                for spec in component.instances {
                    *places.entry(&spec.id.target).or_default() |= (self.changes)(&spec.id);
                }
            }
            let places: Vec<Place<'a>> = places
                .into_iter()
                .filter_map(|(target, changing)| {
                    Some(Place { target, labels: &self.targets.get(target)?.labels, changing })
                })
                .collect();
            let schedule = schedule(&roll.strategies, &places, Mode { reversed: false, hurried: self.hurried });
            let cells = schedule.cells.iter().enumerate();
            let cell_of = cells.flat_map(|(cell, names)| names.iter().map(move |name| (*name, cell as u32))).collect();
            units.push(Rolling { unit, members, stage: roll.stage, schedule, cell_of });
        }
        Rolls { units }
    }
}

impl<'a> Rolls<'a> {
    /// Returns each unit as one node, beside the components that do not roll, with the edges between them.
    fn between(&self, components: &Components<'_>, edges: &[(usize, usize)]) -> Graph {
        let count = components.list.len();
        let gradual = |at: usize| components.list[at].unit.filter(|_| components.list[at].gradual);
        let node = |at: usize| gradual(at).map_or(at, |unit| count + unit as usize);
        let between: Vec<(usize, usize)> =
            edges.iter().map(|(from, to)| (node(*from), node(*to))).filter(|(from, to)| from != to).collect();
        Graph::new(count + self.units.len(), between)
    }

    /// Returns what is wrong if something stands between a unit's members: it would wait for one batch and hold up
    /// another.
    fn circle(&self, components: &Components<'_>, edges: &[(usize, usize)]) -> Option<PlanError> {
        let count = components.list.len();
        let cycle = self.between(components, edges).cycles().into_iter().next()?;
        let name = |at: usize| match at.checked_sub(count) {
            Some(unit) => self.units[unit].unit.to_string(),
            None => components.list[at].name.to_string(),
        };
        let start = cycle.iter().position(|at| *at >= count).unwrap_or(0);
        let mut path: Vec<String> = cycle[start..].iter().chain(&cycle[..start]).map(|at| name(*at)).collect();
        path.push(path[0].clone());
        Some(PlanError::NotConvex { unit: path[0].clone(), outside: path[1].clone(), path })
    }

    /// Returns the units that wait for themselves.
    fn knotted(&self, components: &Components<'_>, edges: &[(usize, usize)]) -> BTreeSet<Unit> {
        let knots = self.between(components, edges).knots().into_iter().flatten();
        let unit = |at: usize| Some(self.units.get(at.checked_sub(components.list.len())?)?.unit.clone());
        knots.filter_map(unit).collect()
    }

    /// Adds the anchors that batches and actions around are tied to.
    pub(super) fn add_anchors(&self, components: &mut Components<'_>) {
        for rolling in &self.units {
            let around = rolling.members.iter().any(|member| components.list[*member as usize].has_around());
            for member in &rolling.members {
                let component = &mut components.list[*member as usize];
                if rolling.is_split() {
                    component.anchors |= Anchor::StopBegin.bit() | Anchor::Begin.bit();
                }
                if component.has_around() {
                    component.anchors |= Anchor::StopBegin.bit() | Anchor::StopReady.bit();
                }
                if around {
                    component.anchors |= Anchor::VerifyEnd.bit();
                }
            }
        }
    }

    /// Whether a unit's files are brought batch by batch.
    pub(super) fn stages_late(&self, unit: Option<u32>) -> bool {
        unit.is_some_and(|unit| self.units[unit as usize].stage == Staging::Batch)
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.units.iter().map(|rolling| rolling.unit.to_string()).collect()
    }

    /// Returns the batches of what has more than one, for people.
    pub(super) fn batches(&self) -> Vec<Batches> {
        let split = self.units.iter().filter(|rolling| rolling.is_split());
        split
            .map(|rolling| Batches {
                unit: rolling.unit.clone(),
                going: false,
                batches: rolling.schedule.cells.iter().map(|cell| cell.iter().copied().cloned().collect()).collect(),
            })
            .collect()
    }

    /// Draws the batches' order, and the actions around each instance.
    pub(super) fn draw(
        &self,
        draft: &mut Draft,
        barrier: &mut Barrier,
        changing: &HashMap<&InstanceId, Chain>,
        components: &Components<'_>,
        around: &dyn Fn(&InstanceId) -> Option<(launchway_model::ChangeIndex, &'a ChangeSteps)>,
        outside: &[(u32, u32)],
    ) {
        for (number, rolling) in self.units.iter().enumerate() {
            // Nobody is taken out of service to wait for something else.
            let needed = outside.iter().filter(|(unit, _)| *unit as usize == number).map(|(_, node)| *node);
            let ready = needed.fold(None, |ready, node| {
                let ready = ready.unwrap_or_else(|| draft.junction(Label::Batch(number as u32, 0)));
                draft.edge(node, ready);
                Some(ready)
            });
            let mut ends: Vec<CellEnds> = (0..rolling.cells()).map(|_| CellEnds::default()).collect();
            for (target, chains) in rolling.by_target(components, changing) {
                let Some(cell) = rolling.cell_of.get(target) else { continue };
                let ends = &mut ends[*cell as usize];
                for (_, chain) in &chains {
                    let begin = if rolling.stage == Staging::Batch { Anchor::Begin } else { Anchor::StopBegin };
                    ends.begins.extend(chain.at(begin));
                    ends.dones.extend(chain.at(Anchor::Committed));
                }
                for (id, chain) in &chains {
                    if let Some((change, steps)) = around(id).filter(|(_, steps)| steps.is_disturbing()) {
                        draw_around(draft, barrier, (change, steps), chain, &chains, ready);
                    }
                }
            }
            if rolling.is_split() {
                draw_links(draft, &rolling.schedule, number as u32, &ends);
            }
        }
    }
}

impl<'a> Rolling<'a> {
    /// Returns the chains of the members that change, by target.
    fn by_target<'c>(
        &self,
        components: &Components<'c>,
        changing: &HashMap<&'c InstanceId, Chain>,
    ) -> BTreeMap<&'c TargetName, Vec<(&'c InstanceId, Chain)>> {
        let mut found: BTreeMap<&TargetName, Vec<(&InstanceId, Chain)>> = BTreeMap::new();
        for member in &self.members {
            for spec in components.list[*member as usize].instances {
                if let Some(chain) = changing.get(&spec.id) {
                    found.entry(&spec.id.target).or_default().push((&spec.id, *chain));
                }
            }
        }
        found
    }
}

/// Draws what is done on other targets before and after an instance of a unit changes.
fn draw_around(
    draft: &mut Draft,
    barrier: &mut Barrier,
    (change, steps): (launchway_model::ChangeIndex, &ChangeSteps),
    chain: &Chain,
    members: &[(&InstanceId, Chain)],
    ready: Option<u32>,
) {
    for (number, around) in steps.around.iter().enumerate() {
        for at in 0..around.at.len() as u32 {
            let number = number as u32;
            let mut called = None;
            if let Some(before) = &around.before {
                let reference = |step| StepRef { change, source: Source::Before(number, at), at: step };
                let nodes = in_a_row(draft, before.steps.len(), None, reference);
                if let (Some(first), Some(last)) = (nodes.first(), nodes.last()) {
                    called = Some(*first);
                    barrier.hold(*first);
                    ready.into_iter().for_each(|ready| draft.edge(ready, *first));
                    chain.at(Anchor::StopBegin).into_iter().for_each(|begin| draft.edge(begin, *first));
                    chain.at(Anchor::StopReady).into_iter().for_each(|ready| draft.edge(*last, ready));
                }
            }
            if let Some(after) = &around.after {
                let guard = around.always.then_some(called);
                let reference = |step| StepRef { change, source: Source::After(number, at), at: step };
                let nodes = in_a_row(draft, after.steps.len(), guard, reference);
                if let (Some(first), Some(last)) = (nodes.first(), nodes.last()) {
                    for (_, member) in members {
                        member.at(Anchor::VerifyEnd).into_iter().for_each(|verified| draft.edge(verified, *first));
                    }
                    // Until it is back where it was, its change is not done.
                    chain.at(Anchor::Committed).into_iter().for_each(|commit| draft.edge(*last, commit));
                }
            }
        }
    }
}

/// `guard`: they run whatever happens; if there is a node in it, only if that was called.
pub(super) fn in_a_row(
    draft: &mut Draft,
    count: usize,
    guard: Option<Option<u32>>,
    reference: impl Fn(u32) -> StepRef,
) -> Vec<u32> {
    let mut nodes: Vec<u32> = Vec::with_capacity(count);
    for step in 0..count as u32 {
        let node = draft.step(reference(step), guard);
        if let Some(last) = nodes.last() {
            draft.edge(*last, node);
        }
        nodes.push(node);
    }
    nodes
}

/// Returns how a component rolls; something done around its instances makes it a unit of its own.
fn roll_of(name: &ComponentName, instances: &[InstanceSpec], ways: &Ways) -> Option<Roll> {
    let first = instances.first()?;
    ways.get(name).unwrap_or(&first.edges.roll).clone().or_else(|| {
        let around = instances.iter().any(|spec| !spec.around.is_empty());
        let strategies: Vec<Strategy> = Vec::new();
        around.then(|| Roll { unit: Unit::Component(Arc::from(name.as_str())), strategies, stage: Staging::All })
    })
}
