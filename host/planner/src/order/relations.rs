//! Draws the edges between components that are wanted.

use std::cmp::Ordering;

use super::chain::Chain;
use super::components::{Components, Relation};
use super::draft::{Anchor, Draft, Label};

/// The chains of a component's instances, by the instance's place in the component; none where an instance has none.
pub(super) type Chains = Vec<Vec<Option<Chain>>>;

/// Joins through which a component's instances are tied together, made when first needed.
pub(super) struct Joins {
    ahead: Vec<[Option<u32>; Anchor::COUNT]>,
    passed: Vec<[Option<u32>; Anchor::COUNT]>,
}

/// Draws every relation: n + m edges each, however many instances the two components have.
pub(super) fn draw(draft: &mut Draft, components: &Components<'_>, relations: &[Relation], chains: &Chains) {
    let mut joins = Joins::new(components.list.len());
    for relation in relations {
        let stops = components.orders_stops(relation);
        let (tail, head) =
            if relation.strict { (Anchor::Committed, Anchor::Begin) } else { (Anchor::VerifyEnd, Anchor::StartBegin) };
        if relation.same_target {
            per_target(draft, components, relation, chains, (tail, head), stops);
            continue;
        }
        let (from, to) = (relation.from as usize, relation.to as usize);
        let (passed, ahead) = (joins.passed(draft, chains, to, tail), joins.ahead(draft, chains, from, head));
        draft.edge(passed, ahead);
        if stops {
            let passed = joins.passed(draft, chains, from, Anchor::StopEnd);
            let ahead = joins.ahead(draft, chains, to, Anchor::StopBegin);
            draft.edge(passed, ahead);
        }
    }
    joins.bridge(draft, components, chains);
}

/// Ties the two components' instances on each target, both sorted by target.
fn per_target(
    draft: &mut Draft,
    components: &Components<'_>,
    relation: &Relation,
    chains: &Chains,
    (tail, head): (Anchor, Anchor),
    stops: bool,
) {
    let (from, to) = (relation.from as usize, relation.to as usize);
    let (needing, needed) = (components.list[from].instances, components.list[to].instances);
    let (mut a, mut b) = (0, 0);
    while a < needing.len() && b < needed.len() {
        match needing[a].id.target.cmp(&needed[b].id.target) {
            Ordering::Less => a += 1,
            Ordering::Greater => b += 1,
            Ordering::Equal => {
                if let (Some(needing), Some(needed)) = (&chains[from][a], &chains[to][b]) {
                    connect(draft, needed.at(tail), needing.at(head));
                    if stops {
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

impl Joins {
    fn new(count: usize) -> Self {
        Self { ahead: vec![[None; Anchor::COUNT]; count], passed: vec![[None; Anchor::COUNT]; count] }
    }

    /// Returns the join that opens when all of a component's instances have passed an anchor.
    fn passed(&mut self, draft: &mut Draft, chains: &Chains, component: usize, anchor: Anchor) -> u32 {
        *self.passed[component][anchor as usize].get_or_insert_with(|| {
            let join = draft.junction(Label::Passed(component as u32, anchor));
            for chain in chains[component].iter().flatten() {
                connect(draft, chain.at(anchor), Some(join));
            }
            join
        })
    }

    /// Returns the join without which none of a component's instances passes an anchor.
    fn ahead(&mut self, draft: &mut Draft, chains: &Chains, component: usize, anchor: Anchor) -> u32 {
        *self.ahead[component][anchor as usize].get_or_insert_with(|| {
            let join = draft.junction(Label::Ahead(component as u32, anchor));
            for chain in chains[component].iter().flatten() {
                connect(draft, Some(join), chain.at(anchor));
            }
            join
        })
    }

    /// Keeps the order between what is on both sides of a component of which nothing changes.
    fn bridge(&self, draft: &mut Draft, components: &Components<'_>, chains: &Chains) {
        for (at, component) in components.list.iter().enumerate() {
            if chains[at].iter().any(Option::is_some) {
                continue;
            }
            debug_assert!(!component.changing, "what changes has chains");
            let (ahead, passed) = (&self.ahead[at], &self.passed[at]);
            connect(draft, ahead[Anchor::StopBegin as usize], passed[Anchor::StopEnd as usize]);
            for ahead in [ahead[Anchor::Begin as usize], ahead[Anchor::StartBegin as usize]] {
                for passed in [passed[Anchor::VerifyEnd as usize], passed[Anchor::Committed as usize]] {
                    connect(draft, ahead, passed);
                }
            }
        }
    }
}
