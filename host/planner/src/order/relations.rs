//! Draws the edges between components that are wanted.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::chain::Chain;
use super::components::{Components, Relation};
use super::draft::{Anchor, Draft, Label};
use super::rolls::Rolls;

/// The chains of a component's instances, by the instance's place in the component; none where an instance has none.
pub(super) type Chains = Vec<Vec<Option<Chain>>>;

/// Draws every relation: n + m edges each, however many instances the two components have.
///
/// Returns what each unit needs outside of it: nodes that end when that is verified.
pub(super) fn draw(
    draft: &mut Draft,
    components: &Components<'_>,
    rolls: &Rolls<'_>,
    relations: &[Relation],
    chains: &Chains,
) -> Vec<(u32, u32)> {
    let mut joins = Joins::new(components, rolls, chains);
    for relation in relations {
        let stops = components.orders_stops(relation);
        let (tail, head) = components.ends(relation);
        let ends = Ends { tail, head, stops, apart: components.is_apart(relation) };
        if relation.same_target {
            per_target(draft, components, relation, chains, ends);
            continue;
        }
        match components.common_unit(relation).map(|unit| &rolls.units[unit as usize]).filter(|unit| unit.is_split()) {
            // Within a batch; what is in another one coexists.
            Some(unit) => (0..unit.cells()).for_each(|cell| joins.tie(draft, relation, ends, Some(cell))),
            None => joins.tie(draft, relation, ends, None),
        }
    }
    joins.bridge(draft)
}

/// What of two components is tied together.
#[derive(Clone, Copy)]
struct Ends {
    tail: Anchor,
    head: Anchor,
    stops: bool,
    apart: bool,
}

/// Ties the two components' instances on each target, both sorted by target.
fn per_target(draft: &mut Draft, components: &Components<'_>, relation: &Relation, chains: &Chains, ends: Ends) {
    let (from, to) = (relation.from as usize, relation.to as usize);
    let (needing, needed) = (components.list[from].instances, components.list[to].instances);
    let (mut a, mut b) = (0, 0);
    while a < needing.len() && b < needed.len() {
        match needing[a].id.target.cmp(&needed[b].id.target) {
            Ordering::Less => a += 1,
            Ordering::Greater => b += 1,
            Ordering::Equal => {
                if let (Some(needing), Some(needed)) = (&chains[from][a], &chains[to][b]) {
                    connect(draft, needed.at(ends.tail), needing.at(ends.head));
                    if ends.apart {
                        connect(draft, needed.at(ends.tail), needing.at(Anchor::StopBegin));
                    }
                    if ends.stops {
                        connect(draft, needing.at(Anchor::StopEnd), needed.at(Anchor::StopBegin));
                    }
                }
                a += 1;
                b += 1;
            }
        }
    }
}

fn connect(draft: &mut Draft, from: Option<u32>, to: Option<u32>) {
    if let (Some(from), Some(to)) = (from, to) {
        draft.edge(from, to);
    }
}

/// Joins through which a component's instances, all or those of one batch, are tied together; made when first needed.
struct Joins<'a> {
    components: &'a Components<'a>,
    rolls: &'a Rolls<'a>,
    chains: &'a Chains,
    ahead: BTreeMap<Key, u32>,
    passed: BTreeMap<Key, u32>,
    /// The instances of a component by batch, for components that have several: found once.
    by_cell: HashMap<u32, Vec<Vec<usize>>>,
    /// What units need outside of them.
    outside: Vec<(u32, u32)>,
}

/// A component, the batch if not all are meant, and where in an instance's life.
type Key = (u32, Option<u32>, Anchor);

impl<'a> Joins<'a> {
    fn new(components: &'a Components<'a>, rolls: &'a Rolls<'a>, chains: &'a Chains) -> Self {
        let (ahead, passed) = (BTreeMap::new(), BTreeMap::new());
        Self { components, rolls, chains, ahead, passed, by_cell: HashMap::new(), outside: Vec::new() }
    }

    fn tie(&mut self, draft: &mut Draft, relation: &Relation, ends: Ends, cell: Option<u32>) {
        let (from, to) = (relation.from, relation.to);
        let passed = self.passed(draft, (to, cell, ends.tail));
        let ahead = self.ahead(draft, (from, cell, ends.head));
        draft.edge(passed, ahead);
        if ends.apart {
            let unit = self.components.list[from as usize].unit;
            self.outside.extend(unit.map(|unit| (unit, passed)));
            let ahead = self.ahead(draft, (from, cell, Anchor::StopBegin));
            draft.edge(passed, ahead);
        }
        if ends.stops {
            let passed = self.passed(draft, (from, cell, Anchor::StopEnd));
            let ahead = self.ahead(draft, (to, cell, Anchor::StopBegin));
            draft.edge(passed, ahead);
        }
    }

    /// Returns the join that opens when all of a component's instances have passed an anchor.
    fn passed(&mut self, draft: &mut Draft, key: Key) -> u32 {
        if let Some(join) = self.passed.get(&key) {
            return *join;
        }
        let join = draft.junction(Label::Passed(key.0, key.2));
        for chain in self.members(key) {
            connect(draft, chain.at(key.2), Some(join));
        }
        self.passed.insert(key, join);
        join
    }

    /// Returns the join without which none of a component's instances passes an anchor.
    fn ahead(&mut self, draft: &mut Draft, key: Key) -> u32 {
        if let Some(join) = self.ahead.get(&key) {
            return *join;
        }
        let join = draft.junction(Label::Ahead(key.0, key.2));
        for chain in self.members(key) {
            connect(draft, Some(join), chain.at(key.2));
        }
        self.ahead.insert(key, join);
        join
    }

    fn members(&mut self, (component, cell, _): Key) -> Vec<Chain> {
        let chains = &self.chains[component as usize];
        let Some(cell) = cell else { return chains.iter().flatten().copied().collect() };
        let staying = &self.components.list[component as usize];
        let by_cell = self.by_cell.entry(component).or_insert_with(|| {
            let unit = staying.unit.map(|unit| &self.rolls.units[unit as usize]);
            let mut found = vec![Vec::new(); unit.map_or(0, |unit| unit.cells() as usize)];
            for (at, spec) in staying.instances.iter().enumerate() {
                if let Some(cell) = unit.and_then(|unit| unit.cell_of.get(&spec.id.target)) {
                    found[*cell as usize].push(at);
                }
            }
            found
        });
        by_cell.get(cell as usize).into_iter().flatten().filter_map(|at| chains[*at]).collect()
    }

    /// Keeps the order between what is on both sides of a component, or of a batch of it, of which nothing changes.
    fn bridge(mut self, draft: &mut Draft) -> Vec<(u32, u32)> {
        let keys: BTreeSet<(u32, Option<u32>)> =
            self.ahead.keys().chain(self.passed.keys()).map(|(component, cell, _)| (*component, *cell)).collect();
        for (component, cell) in keys {
            if !self.members((component, cell, Anchor::Begin)).is_empty() {
                continue;
            }
            let ahead = |anchor| self.ahead.get(&(component, cell, anchor)).copied();
            let passed = |anchor| self.passed.get(&(component, cell, anchor)).copied();
            connect(draft, ahead(Anchor::StopBegin), passed(Anchor::StopEnd));
            for ahead in [ahead(Anchor::Begin), ahead(Anchor::StartBegin)] {
                for passed in [passed(Anchor::VerifyEnd), passed(Anchor::Committed)] {
                    connect(draft, ahead, passed);
                }
            }
        }
        self.outside
    }
}
