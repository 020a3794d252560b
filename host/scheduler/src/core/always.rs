//! Steps that run whatever became of what is before them: what is undone elsewhere, and what comes at the very end.

use launchway_model::{
    ActionPlace, Always, Cause, ChangeKind, InstanceChange, NodeId, NodeState, Owner, Plan, StepNode,
};

use super::{Core, Slot, step_of};
use crate::graph::is_final;

impl Core {
    /// Returns the steps that run in any case and have been waiting for their turn only.
    pub(super) fn ready_always(&self) -> Vec<u32> {
        let plan = self.state.plan();
        let is_always = |at: &u32| step_of(plan, NodeId(*at)).is_some_and(|step| step.always.is_some());
        let is_ready = |at: &u32| self.slots[*at as usize] == Slot::Ahead && self.left[*at as usize] == 0;
        let has_turn = |at: &u32| self.finalized || !is_final(plan, *at as usize);
        (0..plan.nodes.len() as u32).filter(|at| is_ready(at) && is_always(at) && has_turn(at)).collect()
    }

    /// Returns the steps of the very end that wait for no other of them.
    pub(super) fn finals(&self) -> Vec<u32> {
        let plan = self.state.plan();
        let last = (0..plan.nodes.len() as u32).filter(|at| is_final(plan, *at as usize));
        last.filter(|at| self.left[*at as usize] == 0).collect()
    }

    /// Tells the steps that run in any case that a node before them is lost.
    pub(super) fn tell_always(&mut self, lost: u32, open: &mut Vec<u32>) {
        for next in self.graph.successors(lost).to_vec() {
            if step_of(self.state.plan(), NodeId(next)).is_some_and(|step| step.always.is_some()) {
                self.pass(lost, next, open);
            }
        }
    }

    /// Whether the step that is to undo something has anything to undo.
    pub(super) fn may_run(&self, step: &StepNode) -> bool {
        let Some(Always::IfCalled(called)) = step.always else { return true };
        matches!(
            self.state.nodes.get(called.0 as usize),
            Some(NodeState::Running { .. } | NodeState::Waiting { .. } | NodeState::Ended { .. })
        )
    }

    /// Takes note that a node need not be waited for any more.
    pub(super) fn pass(&mut self, from: u32, next: u32, open: &mut Vec<u32>) {
        let plan = self.state.plan();
        if is_final(plan, next as usize) && !is_final(plan, from as usize) {
            return;
        }
        let left = &mut self.left[next as usize];
        *left -= 1;
        if *left == 0 && self.slots[next as usize] == Slot::Ahead {
            open.push(next);
        }
    }
}

/// Whether a step does something to the instance it belongs to. To take it out of a proxy does: whoever finds it half
/// done has to put it back.
pub(super) fn touches(plan: &Plan, step: &StepNode) -> bool {
    match &step.owner {
        // To look again at what stays as it is leaves that as it is.
        Owner::Action { place: ActionPlace::Verify, change, .. } => !plan.change(*change).is_some_and(is_only_verified),
        Owner::Action { place: ActionPlace::Before, .. } => true,
        Owner::Action { .. } => false,
        Owner::Instance { change } => plan.change(*change).is_some_and(|change| change.kind != ChangeKind::Act),
    }
}

fn is_only_verified(change: &InstanceChange) -> bool {
    change.kind == ChangeKind::Refresh && change.causes.iter().all(|cause| *cause == Cause::Verify)
}
