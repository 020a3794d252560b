//! Rules that every plan keeps, checked on the finished plan: on one just made, and on one read from a file.

use std::collections::HashSet;

use launchway_model::{ChangeIndex, ChangeKind, NodeKind, Phase, Plan, StepKey, StepNode};

/// A rule that a plan breaks.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    #[error("node {node} can never run: it waits for node {waits_for}, which does not come before it")]
    Unreachable { node: usize, waits_for: u32 },
    #[error("node {node} belongs to the change {}, which does not exist", .change.0)]
    NoOwner { node: usize, change: ChangeIndex },
    #[error("the change {} has {count} commits", .change.0)]
    Commits { change: ChangeIndex, count: u32 },
    #[error("nothing waits for the step `{0}`, so that nobody would miss it")]
    Dangling(StepKey),
    #[error("nothing waits for the join `{0}`")]
    IdleJoin(String),
    #[error("two steps are called `{0}`")]
    SameKey(StepKey),
}

/// Whether somebody has to wait for a step.
fn is_missed(step: &StepNode, plan: &Plan) -> bool {
    let alone = plan.change(step.owner.change()).is_some_and(|change| change.kind == ChangeKind::Act);
    !alone && step.step.phase != Phase::Finish
}

/// Returns every rule that a plan breaks.
pub fn lint(plan: &Plan) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut awaited = vec![false; plan.nodes.len()];
    let mut commits = vec![0u32; plan.changes.len()];
    let mut keys = HashSet::with_capacity(plan.nodes.len());
    for (at, node) in plan.nodes.iter().enumerate() {
        for before in &node.after {
            if before.0 as usize >= at {
                faults.push(Fault::Unreachable { node: at, waits_for: before.0 });
            } else {
                awaited[before.0 as usize] = true;
            }
        }
        let change = match &node.kind {
            NodeKind::Step(step) => {
                if !keys.insert(&step.key) {
                    faults.push(Fault::SameKey(step.key.clone()));
                }
                Some(step.owner.change())
            }
            NodeKind::Commit { change } => {
                if let Some(count) = commits.get_mut(change.0 as usize) {
                    *count += 1;
                }
                Some(*change)
            }
            NodeKind::Join { .. } | NodeKind::Gate(_) => None,
        };
        if let Some(change) = change.filter(|change| plan.change(*change).is_none()) {
            faults.push(Fault::NoOwner { node: at, change });
        }
    }
    for (_, node) in plan.nodes.iter().enumerate().filter(|(at, _)| !awaited[*at]) {
        match &node.kind {
            NodeKind::Step(step) if is_missed(step, plan) => faults.push(Fault::Dangling(step.key.clone())),
            NodeKind::Join { label } => faults.push(Fault::IdleJoin(label.clone())),
            NodeKind::Step(_) | NodeKind::Commit { .. } | NodeKind::Gate(_) => {}
        }
    }
    let wrong = |(at, count): &(usize, u32)| *count != u32::from(plan.changes[*at].kind != ChangeKind::Act);
    for (at, count) in commits.into_iter().enumerate().filter(wrong) {
        faults.push(Fault::Commits { change: ChangeIndex(at as u32), count });
    }
    faults
}
