//! How far a run is: a fold over its signals.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use launchway_model::{Event, Gate, NodeId, NodeKind, Plan, Signal, StepKey, StepNode, TargetName, Timestamp};

use crate::sanitise::inline;

/// What a step is taken to last if nothing is known of it, in milliseconds.
const DEFAULT_MS: u64 = 1000;

/// What is known of a run so far.
#[derive(Debug)]
pub struct Progress {
    plan: Arc<Plan>,
    durations: HashMap<StepKey, u64>,
    /// Whether a node has ended in any way.
    settled: Vec<bool>,
    /// Per node, the longest chain from its beginning to the run's end, in milliseconds.
    chains: Vec<u64>,
    pub total: usize,
    pub done: usize,
    pub failed: usize,
    pub skipped: usize,
    pub running: BTreeMap<NodeId, Running>,
    pub targets: BTreeMap<TargetName, TargetProgress>,
}

/// A step under way.
#[derive(Clone, PartialEq, Debug)]
pub struct Running {
    pub since: Timestamp,
    pub message: String,
    pub fraction: Option<f32>,
    pub waiting: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TargetProgress {
    pub total: usize,
    pub done: usize,
    pub failed: usize,
    pub running: usize,
}

impl Progress {
    /// Begins with a plan and what its steps lasted last time, in milliseconds.
    pub fn new(plan: Arc<Plan>, durations: HashMap<StepKey, u64>) -> Self {
        let mut targets: BTreeMap<TargetName, TargetProgress> = BTreeMap::new();
        let mut total = 0;
        for node in &plan.nodes {
            if let NodeKind::Step(step) = &node.kind {
                total += 1;
                if let Some(change) = plan.change(step.owner.change()) {
                    targets.entry(change.id.target.clone()).or_default().total += 1;
                }
            }
        }
        let chains = chains(&plan, &durations);
        let settled = vec![false; plan.nodes.len()];
        Self {
            plan,
            durations,
            settled,
            chains,
            total,
            done: 0,
            failed: 0,
            skipped: 0,
            running: BTreeMap::new(),
            targets,
        }
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    pub fn step(&self, node: NodeId) -> Option<&StepNode> {
        step(&self.plan, node)
    }

    pub fn target(&self, node: NodeId) -> Option<&TargetName> {
        self.step(node)?.target(&self.plan)
    }

    /// Takes a signal in.
    pub fn on(&mut self, signal: &Signal) {
        match signal {
            Signal::Event(record) => self.on_event(&record.event, record.at),
            Signal::Progress { node, fraction, message } => {
                if let Some(running) = self.running.get_mut(node) {
                    running.fraction = *fraction;
                    running.message = inline(message);
                }
            }
            Signal::Output { .. }
            | Signal::OutputDropped { .. }
            | Signal::Log { .. }
            | Signal::GateReached { .. }
            | Signal::Waiting(_) => {}
        }
    }

    fn on_event(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::StepStarted { node, .. } => {
                let message = self.step(*node).map(|step| inline(&step.step.summary)).unwrap_or_default();
                self.running.insert(*node, Running { since: at, message, fraction: None, waiting: false });
                self.count(*node, |target| target.running += 1);
            }
            Event::StepWaiting { node, message, .. } => {
                if let Some(running) = self.running.get_mut(node) {
                    running.waiting = true;
                    running.message = inline(message);
                }
            }
            Event::StepFinished { node, outcome, .. } => {
                if self.running.remove(node).is_some() {
                    self.count(*node, |target| target.running = target.running.saturating_sub(1));
                }
                self.settle(*node);
                if outcome.is_success() {
                    self.done += 1;
                    self.count(*node, |target| target.done += 1);
                } else {
                    self.failed += 1;
                    self.count(*node, |target| target.failed += 1);
                }
            }
            Event::StepSkipped { node, reason, .. } => {
                self.settle(*node);
                // What will not run is not done: after one failure there may be thousands of these.
                if reason.is_settled() {
                    self.skipped += 1;
                    self.count(*node, |target| target.done += 1);
                }
            }
            _ => {}
        }
    }

    fn settle(&mut self, node: NodeId) {
        if let Some(settled) = self.settled.get_mut(node.0 as usize) {
            *settled = true;
        }
    }

    fn count(&mut self, node: NodeId, change: impl FnOnce(&mut TargetProgress)) {
        let Some(target) = self.target(node).cloned() else { return };
        change(self.targets.entry(target).or_default());
    }

    /// Returns how long the rest takes if steps last as long as before, in milliseconds; none while nothing is known.
    pub fn remaining_ms(&self, now: Timestamp) -> Option<u64> {
        if self.durations.is_empty() && self.done == 0 {
            return None;
        }
        let mut longest = 0;
        for (id, node) in self.plan.nodes.iter().enumerate() {
            let NodeKind::Step(_) = node.kind else { continue };
            if self.settled[id] {
                continue;
            }
            let elapsed = u32::try_from(id)
                .ok()
                .and_then(|id| self.running.get(&NodeId(id)))
                .map_or(0, |running| now.0.saturating_sub(running.since.0));
            let own = duration(&self.plan, &self.durations, id);
            longest = longest.max(self.chains[id] - own + own.saturating_sub(elapsed));
        }
        Some(longest)
    }
}

/// Returns what a gate waits for, in words.
pub fn gate_message(plan: &Plan, node: NodeId) -> String {
    match plan.node(node).map(|node| &node.kind) {
        Some(NodeKind::Gate(Gate::Approve { message })) => message.clone(),
        Some(NodeKind::Gate(Gate::Bake { seconds })) => format!("waits for {seconds} s"),
        _ => String::new(),
    }
}

pub(crate) fn step(plan: &Plan, node: NodeId) -> Option<&StepNode> {
    match &plan.node(node)?.kind {
        NodeKind::Step(step) => Some(step),
        _ => None,
    }
}

fn duration(plan: &Plan, durations: &HashMap<StepKey, u64>, id: usize) -> u64 {
    match &plan.nodes[id].kind {
        NodeKind::Step(step) => durations.get(&step.key).copied().unwrap_or(DEFAULT_MS),
        _ => 0,
    }
}

fn chains(plan: &Plan, durations: &HashMap<StepKey, u64>) -> Vec<u64> {
    let mut chains = vec![0u64; plan.nodes.len()];
    for id in (0..plan.nodes.len()).rev() {
        // What was gathered so far is the longest chain behind this node; the node itself comes on top.
        let chain = chains[id].saturating_add(duration(plan, durations, id));
        chains[id] = chain;
        for before in &plan.nodes[id].after {
            if let Some(before) = chains.get_mut(before.0 as usize) {
                *before = chain.max(*before);
            }
        }
    }
    chains
}
