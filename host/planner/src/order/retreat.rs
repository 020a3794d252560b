//! The batches in which instances go for good: as they came, in reverse, and without looking around.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use launchway_model::{
    Batches, ChangeIndex, ComponentName, InstanceChange, InstanceId, InstanceRecord, Roll, TargetName, TargetSpec, Unit,
};

use super::batches::{Mode, Place, Schedule, schedule};
use super::chain::Chain;
use super::draft::{Anchor, Draft};
use super::links::{CellEnds, draw_links};
use crate::edges::Graph;

/// What goes in more than one batch.
#[derive(Default)]
pub(super) struct Retreat<'a> {
    units: Vec<Going<'a>>,
    unit_of: HashMap<&'a ComponentName, u32>,
}

/// Components that were deployed together, in batches.
struct Going<'a> {
    unit: &'a Unit,
    schedule: Schedule<'a>,
    cell_of: HashMap<&'a TargetName, u32>,
}

impl<'a> Retreat<'a> {
    /// Splits what goes as its records say. `targets` are those that are known now, for their labels.
    pub(super) fn new(
        changes: &[(ChangeIndex, &'a InstanceChange)],
        recorded: &'a BTreeMap<InstanceId, InstanceRecord>,
        targets: &'a BTreeMap<TargetName, Arc<TargetSpec>>,
    ) -> Self {
        let mut found: BTreeMap<&Unit, (&Roll, BTreeSet<&ComponentName>, BTreeSet<&TargetName>)> = BTreeMap::new();
        let mut unit_of: HashMap<&ComponentName, &Unit> = HashMap::new();
        for (_, change) in changes {
            let Some(deployed) = change.previous.as_deref() else { continue };
            // Of several records of a component the first one speaks for all.
            let roll = deployed.spec.edges.roll.as_ref().filter(|roll| roll.is_gradual());
            let unit = match (unit_of.get(&change.id.component), roll) {
                (Some(unit), _) => *unit,
                (None, Some(roll)) => &roll.unit,
                (None, None) => continue,
            };
            unit_of.insert(&change.id.component, unit);
            let entry = match (found.get_mut(unit), roll) {
                (Some(entry), _) => entry,
                (None, Some(roll)) => found.entry(unit).or_insert((roll, BTreeSet::new(), BTreeSet::new())),
                (None, None) => continue,
            };
            entry.1.insert(&change.id.component);
            entry.2.insert(&change.id.target);
        }
        let mut retreat = Self::default();
        if found.is_empty() {
            return retreat;
        }
        // Shares are of all targets that it is on, those where it stays included.
        let mut places: BTreeMap<&Unit, BTreeMap<&TargetName, &BTreeMap<String, String>>> = BTreeMap::new();
        for (id, record) in recorded {
            let deployed = record.dirty.as_ref().and_then(|dirty| dirty.to.as_ref()).or(record.confirmed.as_ref());
            let Some(deployed) = deployed else { continue };
            let rolls_with = deployed.spec.edges.roll.as_ref().map(|roll| &roll.unit);
            if let Some(unit) = unit_of.get(&id.component).copied().or(rolls_with) {
                let labels = &targets.get(&id.target).unwrap_or(&deployed.target).labels;
                places.entry(unit).or_default().insert(&id.target, labels);
            }
        }
        for (unit, (roll, members, going)) in found {
            let places = places.remove(unit).unwrap_or_default().into_iter();
            let place = |(target, labels)| Place { target, labels, changing: going.contains(target) };
            let places: Vec<Place<'a>> = places.map(place).collect();
            let schedule = schedule(&roll.strategies, &places, Mode { reversed: true, hurried: true });
            if schedule.cells.len() > 1 {
                let cells = schedule.cells.iter().enumerate();
                let cell_of =
                    cells.flat_map(|(cell, names)| names.iter().map(move |name| (*name, cell as u32))).collect();
                retreat.unit_of.extend(members.into_iter().map(|member| (member, retreat.units.len() as u32)));
                retreat.units.push(Going { unit, schedule, cell_of });
            }
        }
        retreat
    }

    /// Puts together again what waits for itself by way of others: records may be of several releases.
    pub(super) fn unsplit(&mut self, number: &HashMap<&ComponentName, u32>, edges: &BTreeSet<(u32, u32)>) {
        let count = number.len();
        let unit_of: HashMap<u32, u32> = self.unit_of.iter().map(|(name, unit)| (number[name], *unit)).collect();
        let node = |at: u32| unit_of.get(&at).map_or(at as usize, |unit| count + *unit as usize);
        let between = edges.iter().map(|(from, to)| (node(*from), node(*to))).filter(|(from, to)| from != to);
        let graph = Graph::new(count + self.units.len(), between);
        let knotted: BTreeSet<usize> = graph.knots().into_iter().flatten().collect();
        self.unit_of.retain(|_, unit| !knotted.contains(&(count + *unit as usize)));
    }

    /// Returns with what a component goes in batches.
    pub(super) fn unit(&self, component: &ComponentName) -> Option<u32> {
        self.unit_of.get(component).copied()
    }

    /// Returns in which batch of a unit a target is.
    pub(super) fn cell(&self, unit: u32, target: &TargetName) -> Option<u32> {
        self.units[unit as usize].cell_of.get(target).copied()
    }

    /// Returns for each component that goes in batches another one of its unit, so that all are found in turn.
    pub(super) fn mates(&self, number: &HashMap<&ComponentName, u32>) -> BTreeMap<u32, Vec<u32>> {
        let mut members: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (name, unit) in &self.unit_of {
            members.entry(*unit).or_default().insert(number[name]);
        }
        let next = |members: BTreeSet<u32>| {
            let others: Vec<u32> = members.iter().copied().skip(1).chain(members.first().copied()).collect();
            members.into_iter().zip(others).map(|(at, next)| (at, vec![next])).collect::<Vec<_>>()
        };
        members.into_values().flat_map(next).collect()
    }

    /// Draws the order of the batches; `offset` is the number of the first unit among all.
    pub(super) fn draw(
        &self,
        draft: &mut Draft,
        changes: &[(ChangeIndex, &InstanceChange)],
        chains: &[Chain],
        offset: u32,
    ) {
        let mut ends: Vec<Vec<CellEnds>> =
            self.units.iter().map(|going| vec![CellEnds::default(); going.schedule.cells.len()]).collect();
        for ((_, change), chain) in changes.iter().zip(chains) {
            let Some(unit) = self.unit(&change.id.component) else { continue };
            let Some(cell) = self.cell(unit, &change.id.target) else { continue };
            let ends = &mut ends[unit as usize][cell as usize];
            ends.begins.extend(chain.at(Anchor::StopBegin));
            ends.dones.extend(chain.at(Anchor::Committed));
        }
        for (number, going) in self.whole() {
            draw_links(draft, &going.schedule, offset + number, &ends[number as usize]);
        }
    }

    /// Returns the units' names, each at its number.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        self.units.iter().map(|going| going.unit.to_string())
    }

    /// Returns the batches, for people.
    pub(super) fn batches(&self) -> impl Iterator<Item = Batches> {
        self.whole().map(|(_, going)| Batches {
            unit: going.unit.clone(),
            going: true,
            batches: going.schedule.cells.iter().map(|cell| cell.iter().copied().cloned().collect()).collect(),
        })
    }

    /// Returns the units that still are in batches.
    fn whole(&self) -> impl Iterator<Item = (u32, &Going<'a>)> {
        let used: BTreeSet<u32> = self.unit_of.values().copied().collect();
        self.units.iter().enumerate().map(|(at, going)| (at as u32, going)).filter(move |(at, _)| used.contains(at))
    }
}
