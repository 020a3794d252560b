//! The state of a run, and the one function that changes it, live and on resume alike.

use std::sync::Arc;

use crate::{Event, NodeId, NodeKind, Plan, RunOutcome, SkipReason, StepOutcome};

/// Where a run stands: a fold over its events.
#[derive(Clone, PartialEq, Debug)]
pub struct RunState {
    plan: Arc<Plan>,
    pub status: RunStatus,
    pub nodes: Vec<NodeState>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunStatus {
    Planned,
    Running,
    Stopping { abort: bool },
    Finished(RunOutcome),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NodeState {
    Pending,
    Running {
        attempt: u32,
    },
    Waiting {
        attempt: u32,
        token: String,
    },
    /// A step that ended; see the outcome for how.
    Ended {
        attempt: u32,
        outcome: StepOutcome,
    },
    Skipped(SkipReason),
    Committed,
    Opened,
}

/// An event that can't follow what came before it: the journal is broken, or the code is.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("event `{event}` can't follow: {why}")]
pub struct IllegalTransition {
    pub event: &'static str,
    pub why: String,
}

impl RunState {
    /// Returns the state before the first event.
    pub fn new(plan: Arc<Plan>) -> Self {
        let nodes = vec![NodeState::Pending; plan.nodes.len()];
        Self { plan, status: RunStatus::Planned, nodes }
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Takes one event in, or says why it can't be.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalTransition> {
        match event {
            Event::RunStarted { .. } => match self.status {
                RunStatus::Planned => self.status = RunStatus::Running,
                _ => return illegal("run-started", "the run has already started"),
            },
            Event::StopRequested { abort } => match self.status {
                RunStatus::Running => self.status = RunStatus::Stopping { abort: *abort },
                RunStatus::Stopping { abort: before } => self.status = RunStatus::Stopping { abort: before || *abort },
                _ => return illegal("stop-requested", "the run is not running"),
            },
            Event::RunFinished { outcome } => {
                self.require_live("run-finished")?;
                if let Some(at) = self.nodes.iter().position(|node| !node.is_settled()) {
                    return illegal("run-finished", format!("node {at} has not ended"));
                }
                self.status = RunStatus::Finished(*outcome);
            }
            Event::InstanceDirtied { change } => {
                self.require_live("instance-dirtied")?;
                if self.plan.change(*change).is_none() {
                    return illegal("instance-dirtied", format!("the plan has no change {}", change.0));
                }
            }
            Event::RecordsAmended => self.require_live("records-amended")?,
            Event::DriftFound { change, .. } => {
                self.require_live("drift-found")?;
                if self.plan.change(*change).is_none() {
                    return illegal("drift-found", format!("the plan has no change {}", change.0));
                }
            }
            Event::StepStarted { node, attempt, .. } => {
                self.require_live("step-started")?;
                let state = self.step("step-started", *node)?;
                let previous = match state {
                    NodeState::Pending => 0,
                    NodeState::Ended { attempt, outcome } if !outcome.is_success() => *attempt,
                    _ => return illegal("step-started", format!("node {} is not waiting to start", node.0)),
                };
                if *attempt != previous + 1 {
                    return illegal("step-started", format!("attempt {attempt} of node {} follows {previous}", node.0));
                }
                *state = NodeState::Running { attempt: *attempt };
            }
            Event::HostCallRecorded { node, attempt, .. } => {
                self.require_live("host-call-recorded")?;
                match self.step("host-call-recorded", *node)? {
                    NodeState::Running { attempt: running } | NodeState::Waiting { attempt: running, .. }
                        if running == attempt => {}
                    _ => return illegal("host-call-recorded", format!("node {} is not running", node.0)),
                }
            }
            Event::StepWaiting { node, attempt, token, .. } => {
                self.require_live("step-waiting")?;
                let state = self.step("step-waiting", *node)?;
                match state {
                    NodeState::Running { attempt: running } | NodeState::Waiting { attempt: running, .. }
                        if running == attempt =>
                    {
                        *state = NodeState::Waiting { attempt: *attempt, token: token.clone() };
                    }
                    _ => return illegal("step-waiting", format!("node {} is not running", node.0)),
                }
            }
            Event::StepFinished { node, attempt, outcome, .. } => {
                self.require_live("step-finished")?;
                let state = self.step("step-finished", *node)?;
                match state {
                    NodeState::Running { attempt: running } | NodeState::Waiting { attempt: running, .. }
                        if running == attempt =>
                    {
                        *state = NodeState::Ended { attempt: *attempt, outcome: outcome.clone() };
                    }
                    _ => return illegal("step-finished", format!("node {} is not running", node.0)),
                }
            }
            Event::StepSkipped { node, reason, .. } => {
                self.require_live("step-skipped")?;
                let state = self.step("step-skipped", *node)?;
                match state {
                    NodeState::Pending => *state = NodeState::Skipped(*reason),
                    NodeState::Ended { outcome, .. } if *reason == SkipReason::Operator && !outcome.is_success() => {
                        *state = NodeState::Skipped(*reason);
                    }
                    _ => return illegal("step-skipped", format!("node {} has already started", node.0)),
                }
            }
            Event::InstanceCommitted { node, change, .. } => {
                self.require_live("instance-committed")?;
                match (self.plan.node(*node).map(|node| &node.kind), self.nodes.get_mut(node.0 as usize)) {
                    (Some(NodeKind::Commit { change: planned }), Some(state @ NodeState::Pending))
                        if planned == change =>
                    {
                        *state = NodeState::Committed;
                    }
                    _ => return illegal("instance-committed", format!("node {} is no open commit", node.0)),
                }
            }
            Event::GateOpened { node, .. } => {
                self.require_live("gate-opened")?;
                match (self.plan.node(*node).map(|node| &node.kind), self.nodes.get_mut(node.0 as usize)) {
                    (Some(NodeKind::Gate(_)), Some(state @ NodeState::Pending)) => *state = NodeState::Opened,
                    _ => return illegal("gate-opened", format!("node {} is no closed gate", node.0)),
                }
            }
        }
        Ok(())
    }

    fn require_live(&self, event: &'static str) -> Result<(), IllegalTransition> {
        match self.status {
            RunStatus::Running | RunStatus::Stopping { .. } => Ok(()),
            _ => illegal(event, "the run is not running"),
        }
    }

    fn step(&mut self, event: &'static str, node: NodeId) -> Result<&mut NodeState, IllegalTransition> {
        match self.plan.node(node).map(|node| &node.kind) {
            Some(NodeKind::Step(_)) => Ok(&mut self.nodes[node.0 as usize]),
            _ => illegal(event, format!("node {} is no step", node.0)),
        }
    }
}

impl NodeState {
    /// Whether nothing is under way: it ended, or never began.
    fn is_settled(&self) -> bool {
        !matches!(self, Self::Running { .. } | Self::Waiting { .. })
    }
}

fn illegal<T>(event: &'static str, why: impl Into<String>) -> Result<T, IllegalTransition> {
    Err(IllegalTransition { event, why: why.into() })
}
