//! From a draft to a plan's nodes: needless junctions and edges gone, the rest in a topological order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use launchway_model::{Always, NodeId, NodeKind, PlanNode, StepNode};

use super::draft::{Draft, DraftNode, Label, StepRef};

/// A junction with more ways in than this is not melted into one of several others, so that no list of ways in is
/// copied again and again.
const FEW: usize = 16;

/// Returns the nodes in a topological order, the same one for the same draft.
pub(super) fn reduce(
    draft: Draft,
    text: impl Fn(Label) -> String,
    mut step: impl FnMut(StepRef) -> Option<StepNode>,
) -> Result<Vec<PlanNode>, String> {
    let Draft { nodes, mut edges, gates } = draft;
    let count = nodes.len();
    edges.sort_unstable();
    edges.dedup();
    let (order, live) = {
        let (before, after) = both_ways(count, &edges);
        let order = topological(&before, &after)?;
        let live = live(&order, &after, &nodes);
        (order, live)
    };
    edges.retain(|(_, to)| live[*to as usize]);
    let (before, after) = both_ways(count, &edges);
    drop(edges);

    let certain = nodes.iter().filter(|node| !matches!(node, DraftNode::Junction(_))).count();
    let mut kept: Vec<PlanNode> = Vec::with_capacity(certain);
    let mut fate: Vec<Fate> = (0..count).map(|_| Fate::Pending).collect();
    let mut seen = vec![u32::MAX; count];
    for &at in order.iter().filter(|at| live[**at as usize]) {
        let mut ways_in = gather(at, &before, &mut fate, &mut seen);
        drop_implied(&mut ways_in, &kept);
        let kind = match nodes[at as usize] {
            DraftNode::Step(reference, guard) => {
                let mut step = step(reference).ok_or("a step stands in two places")?;
                step.always = guard.map(|called| match called.map(|node| &fate[node as usize]) {
                    // It comes before, and so it is kept already.
                    Some(Fate::Kept(node)) => Always::IfCalled(NodeId(*node)),
                    _ => Always::Anyway,
                });
                NodeKind::Step(step)
            }
            DraftNode::Gate(gate) => NodeKind::Gate(gates[gate as usize].clone()),
            DraftNode::Commit(change) => NodeKind::Commit { change },
            DraftNode::Junction(label) => {
                if is_needless(at, ways_in.len(), &before, &after, &nodes) {
                    fate[at as usize] = Fate::Melted(ways_in);
                    continue;
                }
                NodeKind::Join { label: text(label) }
            }
        };
        fate[at as usize] = Fate::Kept(kept.len() as u32);
        kept.push(PlanNode { kind, after: ways_in.into_iter().map(NodeId).collect() });
    }
    Ok(kept)
}

/// What became of a draft's node.
enum Fate {
    Pending,
    /// Its place among the kept nodes.
    Kept(u32),
    /// Whoever came after it now comes after these.
    Melted(Vec<u32>),
}

/// Returns the kept nodes that come directly before a node, sorted, each once.
fn gather(at: u32, before: &Lists, fate: &mut [Fate], seen: &mut [u32]) -> Vec<u32> {
    let sources = before.of(at);
    if let [only] = sources
        && let Fate::Melted(list) = &mut fate[*only as usize]
        && list.len() > FEW
    {
        // A long list has one taker (see `is_needless`), who may as well have it without copying.
        return std::mem::take(list);
    }
    let mut found = Vec::new();
    let mut add = |node: u32| {
        if std::mem::replace(&mut seen[node as usize], at) != at {
            found.push(node);
        }
    };
    for source in sources {
        match &fate[*source as usize] {
            Fate::Kept(node) => add(*node),
            Fate::Melted(list) => list.iter().copied().for_each(&mut add),
            Fate::Pending => {}
        }
    }
    found.sort_unstable();
    found
}

/// Drops ways in that another way in comes after anyway, as far as that is cheap to see.
fn drop_implied(ways_in: &mut Vec<u32>, kept: &[PlanNode]) {
    if ways_in.len() < 2 || ways_in.len() > FEW {
        return;
    }
    let mut implied: Vec<u32> = Vec::new();
    for way in ways_in.iter() {
        let after = &kept[*way as usize].after;
        if after.len() <= FEW {
            implied.extend(after.iter().map(|node| node.0));
        }
    }
    ways_in.retain(|way| !implied.contains(way));
}

/// Whether a junction can go without more edges than before.
fn is_needless(at: u32, ways_in: usize, before: &Lists, after: &Lists, nodes: &[DraftNode]) -> bool {
    let ways_out = after.of(at);
    if ways_in <= 1 {
        return true;
    }
    if let [only] = ways_out {
        let junction = matches!(nodes[*only as usize], DraftNode::Junction(_));
        return ways_in <= FEW || !junction || before.of(*only).len() == 1;
    }
    ways_in <= FEW && ways_in * ways_out.len() <= ways_in + ways_out.len()
}

fn both_ways(count: usize, edges: &[(u32, u32)]) -> (Lists, Lists) {
    let before = Lists::new(count, edges.iter().map(|(from, to)| (*to, *from)));
    let after = Lists::new(count, edges.iter().copied());
    (before, after)
}

/// Returns which nodes have a say: all but junctions that lead to no step and no commit.
fn live(order: &[u32], after: &Lists, nodes: &[DraftNode]) -> Vec<bool> {
    let mut live = vec![false; nodes.len()];
    for &at in order.iter().rev() {
        let junction = matches!(nodes[at as usize], DraftNode::Junction(_));
        live[at as usize] = !junction || after.of(at).iter().any(|next| live[*next as usize]);
    }
    live
}

fn topological(before: &Lists, after: &Lists) -> Result<Vec<u32>, String> {
    let count = before.len();
    let mut missing: Vec<u32> = (0..count as u32).map(|at| before.of(at).len() as u32).collect();
    let mut ready: BinaryHeap<Reverse<u32>> =
        (0..count as u32).filter(|at| missing[*at as usize] == 0).map(Reverse).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(Reverse(at)) = ready.pop() {
        order.push(at);
        for &next in after.of(at) {
            missing[next as usize] -= 1;
            if missing[next as usize] == 0 {
                ready.push(Reverse(next));
            }
        }
    }
    if order.len() == count {
        Ok(order)
    } else {
        Err(format!("{} of {count} nodes wait for each other", count - order.len()))
    }
}

/// A list of numbers for each of `0..n`, all in one piece of memory.
struct Lists {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    fn new(count: usize, pairs: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let mut starts = vec![0u32; count + 1];
        for (key, _) in pairs.clone() {
            starts[key as usize + 1] += 1;
        }
        for at in 0..count {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut items = vec![0; starts[count] as usize];
        for (key, item) in pairs {
            items[next[key as usize] as usize] = item;
            next[key as usize] += 1;
        }
        Self { starts, items }
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn of(&self, key: u32) -> &[u32] {
        &self.items[self.starts[key as usize] as usize..self.starts[key as usize + 1] as usize]
    }
}
