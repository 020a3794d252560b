//! The components that are wanted, with what changes of each.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use launchway_model::{ChangeKind, ComponentName, Edges, InstanceChange, InstanceId, InstanceSpec, Scope};

use super::draft::Anchor;
use crate::edges::Graph;

/// What is wanted, by component.
pub(super) struct Components<'a> {
    /// Sorted by name.
    pub(super) list: Vec<Staying<'a>>,
    pub(super) number: HashMap<&'a ComponentName, u32>,
}

/// A component that is wanted.
pub(super) struct Staying<'a> {
    pub(super) name: &'a ComponentName,
    /// Sorted by target.
    pub(super) instances: &'a [InstanceSpec],
    pub(super) changing: bool,
    /// Something it comes `after` changes, so it waits with everything.
    pub(super) held: bool,
    /// Edges to it or from it hold on one and the same target only, so its unchanged instances carry order too.
    pub(super) per_target: bool,
    /// The anchors that its instances need, as bits.
    pub(super) anchors: u8,
    /// With what it rolls.
    pub(super) unit: Option<u32>,
    /// Old and new instances of it are there side by side at times.
    pub(super) gradual: bool,
}

/// `from` comes after `to`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Relation {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) strict: bool,
    pub(super) same_target: bool,
}

impl Staying<'_> {
    /// Whether something is done around its instances.
    pub(super) fn has_around(&self) -> bool {
        self.instances.iter().any(|spec| !spec.around.is_empty())
    }
}

impl<'a> Components<'a> {
    pub(super) fn new(instances: &'a [InstanceSpec], changes: &[InstanceChange]) -> Self {
        let mut list = Vec::new();
        let mut number = HashMap::new();
        let mut at = 0;
        let mut changing = changes.iter().filter(|change| change.kind != ChangeKind::Delete).peekable();
        while at < instances.len() {
            let name = &instances[at].id.component;
            let end = at + instances[at..].partition_point(|spec| spec.id.component == *name);
            let mut any = false;
            while let Some(change) = changing.next_if(|change| change.id.component <= *name) {
                any |= change.id.component == *name;
            }
            number.insert(name, list.len() as u32);
            list.push(Staying {
                name,
                instances: &instances[at..end],
                changing: any,
                held: false,
                per_target: false,
                anchors: 0,
                unit: None,
                gradual: false,
            });
            at = end;
        }
        Self { list, number }
    }

    /// Returns the edges between components that are wanted, sorted.
    pub(super) fn relations(&self) -> Vec<Relation> {
        let mut relations = Vec::new();
        for (from, component) in self.list.iter().enumerate() {
            for edges in distinct_edges(component.instances) {
                let mut add = |to: &ComponentName, scope: Scope, strict: bool| {
                    if let Some(&to) = self.number.get(to)
                        && to as usize != from
                    {
                        let same_target = scope == Scope::SameTarget;
                        relations.push(Relation { from: from as u32, to, strict, same_target });
                    }
                };
                edges.needs.iter().for_each(|edge| add(&edge.component, edge.scope, false));
                edges.after.iter().for_each(|edge| add(&edge.component, edge.scope, true));
                edges.subscribe.iter().for_each(|edge| add(&edge.component, edge.scope, false));
            }
        }
        relations.sort_unstable();
        relations.dedup();
        relations
    }

    /// Notes what each component has to do with the relations. `order` has every component after what it needs.
    pub(super) fn prepare(&mut self, relations: &[Relation], graph: &Graph, order: &[usize]) {
        let mut strict: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for relation in relations {
            if relation.strict {
                strict.entry(relation.from).or_default().push(relation.to);
            }
            if relation.same_target {
                self.list[relation.from as usize].per_target = true;
                self.list[relation.to as usize].per_target = true;
            }
        }
        // Whether it or anything it needs changes.
        let mut active = vec![false; self.list.len()];
        for &at in order {
            active[at] = self.list[at].changing || graph.successors(at).any(|to| active[to]);
        }
        for (from, to) in &strict {
            self.list[*from as usize].held = to.iter().any(|to| active[*to as usize]);
        }
        for relation in relations {
            let (from, to) = (relation.from as usize, relation.to as usize);
            let stops = self.orders_stops(relation);
            let (tail, head) = self.ends(relation);
            let (tail, head) = (tail.bit(), head.bit());
            self.list[to].anchors |= tail | if stops { Anchor::StopBegin.bit() } else { 0 };
            let coexists = if self.is_apart(relation) { Anchor::StopBegin.bit() } else { 0 };
            self.list[from].anchors |= head | coexists | if stops { Anchor::StopEnd.bit() } else { 0 };
        }
    }

    /// Returns where in the life of its two ends a relation is tied.
    pub(super) fn ends(&self, relation: &Relation) -> (Anchor, Anchor) {
        match relation.strict {
            false => (Anchor::VerifyEnd, Anchor::StartBegin),
            // What is done around `to` waits for all of its group, which may have to wait for `from`.
            true if self.list[relation.to as usize].has_around() => (Anchor::VerifyEnd, Anchor::Begin),
            true => (Anchor::Committed, Anchor::Begin),
        }
    }

    /// Whether `from` stops before `to` does. Not if it waits for something with everything, its stop included: what
    /// it waits for may itself need the new `to`.
    pub(super) fn orders_stops(&self, relation: &Relation) -> bool {
        !relation.strict && !self.list[relation.from as usize].held && !self.is_apart(relation)
    }

    /// Whether `from` rolls, and `to` is outside of what it rolls with: old and new coexist, so that the new `to` has to
    /// be there before any old `from` stops.
    pub(super) fn is_apart(&self, relation: &Relation) -> bool {
        let (from, to) = (&self.list[relation.from as usize], &self.list[relation.to as usize]);
        from.gradual && (from.unit != to.unit)
    }

    /// Returns the unit in which both ends of a relation roll.
    pub(super) fn common_unit(&self, relation: &Relation) -> Option<u32> {
        let (from, to) = (&self.list[relation.from as usize], &self.list[relation.to as usize]);
        from.unit.filter(|unit| from.gradual && to.unit == Some(*unit))
    }

    /// Whether an instance is wanted.
    pub(super) fn stays(&self, id: &InstanceId) -> bool {
        let instances = self.of(id).map(|at| self.list[at as usize].instances);
        instances.is_some_and(|specs| specs.binary_search_by(|spec| spec.id.target.cmp(&id.target)).is_ok())
    }

    pub(super) fn of(&self, id: &InstanceId) -> Option<u32> {
        self.number.get(&id.component).copied()
    }
}

/// Returns the edges that the instances of one component have; nearly always all have the same ones.
fn distinct_edges(instances: &[InstanceSpec]) -> Vec<&Arc<Edges>> {
    let mut found: Vec<&Arc<Edges>> = Vec::new();
    for spec in instances {
        let known = |edges: &&Arc<Edges>| Arc::ptr_eq(edges, &spec.edges) || ***edges == *spec.edges;
        if !found.last().is_some_and(known) {
            found.push(&spec.edges);
        }
    }
    found
}
