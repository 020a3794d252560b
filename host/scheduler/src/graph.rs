//! The plan's graph in the form the core works on: who waits for whom, and how long the way to the end is.

use std::collections::HashMap;

use launchway_model::{Always, ChangeIndex, NodeId, NodeKind, Plan, StepKey, StepNode};

use crate::options::Options;

/// A plan that no planner makes: it was damaged or written by hand.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidPlan {
    #[error("node {node} of the plan waits for node {after}, which doesn't come before it", node = .node.0, after = .after.0)]
    Order { node: NodeId, after: NodeId },
    #[error("node {node} of the plan belongs to change {change}, which the plan doesn't have", node = .node.0, change = .change.0)]
    Change { node: NodeId, change: ChangeIndex },
    #[error("the plan has more nodes than can be numbered")]
    TooLarge,
}

/// Successors, predecessor counts and priorities of all nodes.
#[derive(Debug)]
pub(crate) struct Graph {
    /// The successors of node `i` are `successors[offsets[i]..offsets[i + 1]]`.
    successors: Vec<u32>,
    offsets: Vec<u32>,
    /// How many nodes each node waits for.
    pub(crate) predecessors: Vec<u32>,
    /// The remaining critical path in milliseconds, the node itself included.
    pub(crate) priorities: Vec<u64>,
}

impl Graph {
    pub(crate) fn new(plan: &Plan, durations: &HashMap<StepKey, u64>) -> Result<Self, InvalidPlan> {
        check(plan)?;
        let count = plan.nodes.len();
        let mut offsets = vec![0u32; count + 1];
        let mut predecessors = vec![0u32; count];
        let mut edges = 0u32;
        for (at, node) in plan.nodes.iter().enumerate() {
            for before in &node.after {
                offsets[before.0 as usize + 1] += 1;
                // What runs at the very end waits for the run, and only for each other by itself.
                predecessors[at] += u32::from(!is_final(plan, at) || is_final(plan, before.0 as usize));
                edges = edges.checked_add(1).ok_or(InvalidPlan::TooLarge)?;
            }
        }
        for at in 0..count {
            offsets[at + 1] += offsets[at];
        }
        let mut successors = vec![0u32; edges as usize];
        let mut next = offsets.clone();
        for (at, node) in plan.nodes.iter().enumerate() {
            for before in &node.after {
                let slot = &mut next[before.0 as usize];
                successors[*slot as usize] = at as u32;
                *slot += 1;
            }
        }
        let mut graph = Self { successors, offsets, predecessors, priorities: vec![0; count] };
        graph.set_priorities(plan, durations);
        Ok(graph)
    }

    pub(crate) fn successors(&self, node: u32) -> &[u32] {
        let at = node as usize;
        &self.successors[self.offsets[at] as usize..self.offsets[at + 1] as usize]
    }

    /// Successors have larger numbers, so one pass from the end sees each of them before its predecessors.
    fn set_priorities(&mut self, plan: &Plan, durations: &HashMap<StepKey, u64>) {
        for (at, node) in plan.nodes.iter().enumerate().rev() {
            let own = match &node.kind {
                NodeKind::Step(step) => durations.get(&step.key).copied().unwrap_or(Options::UNKNOWN_DURATION),
                _ => 0,
            };
            let rest = self.successors(at as u32).iter().map(|next| self.priorities[*next as usize]).max();
            self.priorities[at] = own.saturating_add(rest.unwrap_or(0));
        }
    }
}

/// Whether a node runs when all else has ended.
pub(crate) fn is_final(plan: &Plan, node: usize) -> bool {
    matches!(&plan.nodes[node].kind, NodeKind::Step(StepNode { always: Some(Always::Anyway), .. }))
}

/// Proves what the core's indexing relies on.
fn check(plan: &Plan) -> Result<(), InvalidPlan> {
    // One number is kept free for "none".
    let count = u32::try_from(plan.nodes.len()).ok().filter(|count| *count < u32::MAX).ok_or(InvalidPlan::TooLarge)?;
    for (at, node) in (0..count).zip(&plan.nodes) {
        let id = NodeId(at);
        if let Some(after) = node.after.iter().find(|after| after.0 >= at) {
            return Err(InvalidPlan::Order { node: id, after: *after });
        }
        if let NodeKind::Step(StepNode { always: Some(Always::IfCalled(called)), .. }) = &node.kind
            && called.0 >= at
        {
            return Err(InvalidPlan::Order { node: id, after: *called });
        }
        let changes = match &node.kind {
            NodeKind::Step(step) => std::iter::once(step.owner.change()).chain(step.only_if_changed.iter().copied()),
            NodeKind::Commit { change } => std::iter::once(*change).chain([].iter().copied()),
            NodeKind::Join { .. } | NodeKind::Gate(_) => continue,
        };
        for change in changes {
            if plan.change(change).is_none() {
                return Err(InvalidPlan::Change { node: id, change });
            }
        }
    }
    Ok(())
}
