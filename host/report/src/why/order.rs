//! What a step waits for, in whose name, and the longest way to it.

use std::collections::{HashMap, HashSet};

use launchway_model::{
    ActionPlace, Always, ChangeIndex, ChangeKind, Deployed, Gate, InstanceChange, NodeId, NodeKind, Owner, Phase, Plan,
    PlanNode, Replace, StepNode, TargetName, Unit,
};
use serde::Serialize;

use crate::sanitise::inline;

/// How many of the steps are named for which one waits for the same reason.
const NAMED: usize = 3;

/// In whose name one step waits for another.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason<'a> {
    /// Its own earlier step.
    Own,
    /// What it replaces goes first.
    Replaces,
    /// What is done around it on other targets.
    Around,
    /// All that rolls together on its target.
    Together {
        component: &'a str,
    },
    Needs {
        component: &'a str,
    },
    /// It comes after all of the other.
    After {
        component: &'a str,
    },
    Subscribes {
        component: &'a str,
    },
    /// The other one uses it, or did, and gets out of the way first.
    UsedBy {
        component: &'a str,
    },
    /// What stays settles without it before it goes.
    Settles {
        component: &'a str,
    },
    /// All that stays settles before anything goes.
    Last,
    /// It is taken out of service while those who know it still do.
    Parts {
        component: &'a str,
    },
    /// A path on the target changes hands.
    HandsOver {
        component: &'a str,
    },
    /// What goes is gone before what comes, as `replace` says.
    DeleteFirst {
        component: &'a str,
    },
    /// Everything is staged everywhere before anything stops.
    Staged,
    /// An earlier batch.
    Batch {
        unit: String,
        batch: usize,
        of: usize,
    },
    Gate,
    /// By way of others: of what stays as it is between the two, or of what rolls together with it.
    Indirect {
        component: &'a str,
    },
}

/// What a step waits for, for one reason.
#[derive(Debug, Serialize)]
pub struct Wait<'a> {
    #[serde(flatten)]
    pub reason: Reason<'a>,
    /// The first of them.
    pub nodes: Vec<u32>,
    pub what: Vec<String>,
    /// How many others there are.
    pub more: usize,
}

/// A step, and what it waits for.
#[derive(Debug, Serialize)]
pub struct StepWhy<'a> {
    pub id: u32,
    pub what: String,
    pub waits_for: Vec<Wait<'a>>,
    /// When it runs although something before it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub always: Option<String>,
}

/// A node on the longest way.
#[derive(Debug, Serialize)]
pub struct Stop {
    pub id: u32,
    pub what: String,
}

/// A plan's graph with what it takes to explain it.
pub(super) struct Order<'a> {
    plan: &'a Plan,
    /// Of what stays, and of what goes.
    batch_of: HashMap<(&'a Unit, bool, &'a TargetName), usize>,
    batches: HashMap<(&'a Unit, bool), usize>,
    /// The most steps and gates in a row that end with a node.
    length: Vec<u32>,
}

impl<'a> Order<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        let mut length: Vec<u32> = Vec::with_capacity(plan.nodes.len());
        for node in &plan.nodes {
            let before = node.after.iter().filter_map(|node| length.get(node.0 as usize)).max();
            length.push(before.copied().unwrap_or(0) + u32::from(is_stop(node)));
        }
        let mut batch_of = HashMap::new();
        for rollout in &plan.rollouts {
            for (number, batch) in rollout.batches.iter().enumerate() {
                batch_of.extend(batch.iter().map(|target| ((&rollout.unit, rollout.going, target), number)));
            }
        }
        let rollouts = plan.rollouts.iter();
        let batches = rollouts.map(|rollout| ((&rollout.unit, rollout.going), rollout.batches.len())).collect();
        Self { plan, batch_of, batches, length }
    }

    /// Returns the nodes of some changes, in their order.
    pub(super) fn nodes_of(&self, changes: &HashSet<ChangeIndex>) -> HashMap<ChangeIndex, Vec<NodeId>> {
        let mut found: HashMap<ChangeIndex, Vec<NodeId>> = HashMap::new();
        for (at, node) in self.plan.nodes.iter().enumerate() {
            if let Some(change) = change_of(node).filter(|change| changes.contains(change)) {
                found.entry(change).or_default().push(NodeId(u32::try_from(at).unwrap_or(u32::MAX)));
            }
        }
        found
    }

    /// Explains the steps among some nodes.
    pub(super) fn steps(&self, nodes: &[NodeId]) -> Vec<StepWhy<'a>> {
        let steps = nodes.iter().filter_map(|id| match &self.plan.node(*id)?.kind {
            NodeKind::Step(step) => Some((*id, step)),
            _ => None,
        });
        steps
            .map(|(id, step)| StepWhy {
                id: id.0,
                what: self.what(id),
                waits_for: self.waits(id),
                always: step.always.map(|always| match always {
                    Always::Anyway => "it runs at the end, whatever became of the rest".to_owned(),
                    Always::IfCalled(node) => {
                        format!("it runs after a failure, too, if this ran: {}", self.what(node))
                    }
                }),
            })
            .collect()
    }

    /// Returns the longest way to a node, itself included: steps and gates.
    pub(super) fn longest(&self, to: NodeId) -> Vec<Stop> {
        let mut way = Vec::new();
        let mut at = Some(to);
        while let Some(id) = at {
            let Some(node) = self.plan.node(id) else { break };
            if is_stop(node) {
                way.push(Stop { id: id.0, what: self.what(id) });
            }
            // Of several as long the first one.
            let length = |node: &NodeId| self.length.get(node.0 as usize).copied().unwrap_or(0);
            at = node.after.iter().copied().rev().max_by_key(length);
        }
        way.reverse();
        way
    }

    fn waits(&self, id: NodeId) -> Vec<Wait<'a>> {
        let mut waits: Vec<Wait<'a>> = Vec::new();
        for before in self.ends(id) {
            let reason = self.reason(id, before);
            let at = waits.iter().position(|wait| wait.reason == reason).unwrap_or_else(|| {
                waits.push(Wait { reason, nodes: Vec::new(), what: Vec::new(), more: 0 });
                waits.len() - 1
            });
            let wait = &mut waits[at];
            if wait.nodes.len() < NAMED {
                wait.nodes.push(before.0);
                wait.what.push(self.what(before));
            } else {
                wait.more += 1;
            }
        }
        waits
    }

    /// Returns what comes directly before a node: joins only pass on.
    fn ends(&self, id: NodeId) -> Vec<NodeId> {
        let mut ends = Vec::new();
        let mut seen = HashSet::new();
        let mut open = vec![id];
        while let Some(at) = open.pop() {
            for before in self.plan.node(at).into_iter().flat_map(|node| &node.after) {
                if seen.insert(*before) {
                    match self.plan.node(*before).map(|node| &node.kind) {
                        Some(NodeKind::Join { .. }) => open.push(*before),
                        _ => ends.push(*before),
                    }
                }
            }
        }
        ends.sort_unstable();
        ends
    }

    fn reason(&self, of: NodeId, before: NodeId) -> Reason<'a> {
        let (Some(node), Some(earlier)) = (self.plan.node(of), self.plan.node(before)) else { return Reason::Own };
        let (Some(own), Some(other)) = (change_of(node), change_of(earlier)) else { return Reason::Gate };
        if own == other {
            let before_it = place(earlier) == Some(ActionPlace::Before) && place(node) != Some(ActionPlace::Before);
            return if before_it { Reason::Around } else { Reason::Own };
        }
        let for_good = |index: ChangeIndex| is_gone(self.plan, index);
        let (own_goes, other_goes) = (for_good(own), for_good(other));
        let (Some(own), Some(other)) = (self.plan.change(own), self.plan.change(other)) else { return Reason::Own };
        if own.id == other.id {
            return Reason::Replaces;
        }
        let component = other.id.component.as_str();
        if is_staging(earlier) && takes_away(node) {
            return Reason::Staged;
        }
        if other_goes && !own_goes && place(earlier) == Some(ActionPlace::Before) {
            return Reason::Parts { component };
        }
        if let Some(reason) = self.batch(own, other) {
            return reason;
        }
        if place(node) == Some(ActionPlace::After) {
            return Reason::Together { component };
        }
        let wanted = own.desired.as_deref();
        if let Some(reason) = wanted.and_then(|wanted| edge(wanted, component)) {
            return reason;
        }
        let uses = |deployed: Option<&Deployed>| {
            deployed.is_some_and(|deployed| edge(deployed, own.id.component.as_str()).is_some())
        };
        let settled = matches!(earlier.kind, NodeKind::Commit { .. });
        if settled && own_goes && !other_goes {
            let used = uses(other.previous.as_deref());
            return if used { Reason::Settles { component } } else { Reason::Last };
        }
        if uses(other.desired.as_deref()) || uses(other.previous.as_deref()) {
            return Reason::UsedBy { component };
        }
        if goes(other) && !goes(own) {
            let first = |deployed: Option<&Deployed>| {
                deployed.is_some_and(|deployed| deployed.spec.edges.replace == Replace::DeleteFirst)
            };
            let chosen = first(wanted) || first(other.previous.as_deref());
            return if chosen { Reason::DeleteFirst { component } } else { Reason::HandsOver { component } };
        }
        Reason::Indirect { component }
    }

    /// Tells whether another instance comes first because it is in another batch.
    fn batch(&self, own: &'a InstanceChange, other: &'a InstanceChange) -> Option<Reason<'a>> {
        let (unit, going) = (unit(own)?, goes(own));
        if unit != self::unit(other)? || going != goes(other) {
            return None;
        }
        let batch = |change: &'a InstanceChange| self.batch_of.get(&(unit, going, &change.id.target)).copied();
        let (mine, batch) = (batch(own)?, batch(other)?);
        let of = self.batches.get(&(unit, going)).copied().unwrap_or_default();
        (mine != batch).then(|| Reason::Batch { unit: inline(&unit.to_string()), batch: batch + 1, of })
    }

    /// Returns a node in words.
    pub(super) fn what(&self, id: NodeId) -> String {
        self.plan.node(id).map(|node| node_text(self.plan, node)).unwrap_or_default()
    }
}

/// Returns a node in a few words, on one line.
fn node_text(plan: &Plan, node: &PlanNode) -> String {
    let instance = |change: ChangeIndex| plan.change(change).map(|change| inline(&change.id.to_string()));
    match &node.kind {
        NodeKind::Step(step) => {
            let at = match &step.owner {
                Owner::Action { at: Some(target), .. } => format!(" on {}", inline(target.as_str())),
                _ => String::new(),
            };
            let instance = instance(step.owner.change()).unwrap_or_default();
            format!("{instance} {}{at}: {}", slot(step), inline(&step.step.summary))
        }
        NodeKind::Commit { change } => format!("{} is done", instance(*change).unwrap_or_default()),
        NodeKind::Join { label } => inline(label),
        NodeKind::Gate(Gate::Approve { message }) => format!("approval: {}", inline(message)),
        NodeKind::Gate(Gate::Bake { seconds }) => format!("a wait of {seconds} s"),
    }
}

/// Returns where a step belongs in its instance's life.
pub(crate) fn slot(step: &StepNode) -> &'static str {
    match &step.owner {
        Owner::Instance { .. } => step.step.phase.as_str(),
        Owner::Action { place, .. } => match place {
            ActionPlace::Verify => "verify",
            ActionPlace::Before => "before",
            ActionPlace::After => "after",
            ActionPlace::Task => "task",
            ActionPlace::Finally => "finally",
        },
    }
}

pub(crate) fn change_of(node: &PlanNode) -> Option<ChangeIndex> {
    match &node.kind {
        NodeKind::Step(step) => Some(step.owner.change()),
        NodeKind::Commit { change } => Some(*change),
        NodeKind::Join { .. } | NodeKind::Gate(_) => None,
    }
}

/// Whether a node counts on the longest way.
fn is_stop(node: &PlanNode) -> bool {
    matches!(node.kind, NodeKind::Step(_) | NodeKind::Gate(_))
}

fn place(node: &PlanNode) -> Option<ActionPlace> {
    match &node.kind {
        NodeKind::Step(StepNode { owner: Owner::Action { place, .. }, .. }) => Some(*place),
        _ => None,
    }
}

fn own_phase(node: &PlanNode) -> Option<Phase> {
    match &node.kind {
        NodeKind::Step(step) if matches!(step.owner, Owner::Instance { .. }) => Some(step.step.phase),
        _ => None,
    }
}

fn is_staging(node: &PlanNode) -> bool {
    own_phase(node) == Some(Phase::Stage)
}

/// Whether a step is one that nothing may do before all is staged.
fn takes_away(node: &PlanNode) -> bool {
    place(node) == Some(ActionPlace::Before) || matches!(own_phase(node), Some(Phase::Stop | Phase::Remove))
}

/// Returns how an instance names a component that it depends on.
fn edge<'a>(deployed: &'a Deployed, component: &str) -> Option<Reason<'a>> {
    let edges = &deployed.spec.edges;
    let named = |list: &'a [launchway_model::Edge]| {
        list.iter().map(|edge| edge.component.as_str()).find(|name| *name == component)
    };
    if let Some(component) = named(&edges.needs) {
        return Some(Reason::Needs { component });
    }
    if let Some(component) = named(&edges.after) {
        return Some(Reason::After { component });
    }
    let subscription = edges.subscribe.iter().map(|edge| edge.component.as_str()).find(|name| *name == component);
    subscription.map(|component| Reason::Subscribes { component })
}

/// Whether an instance goes, and not only to be replaced by one of another type.
fn is_gone(plan: &Plan, index: ChangeIndex) -> bool {
    let next = plan.change(ChangeIndex(index.0.saturating_add(1)));
    plan.change(index).is_some_and(|change| goes(change) && next.is_none_or(|next| next.id != change.id))
}

fn goes(change: &InstanceChange) -> bool {
    change.kind == ChangeKind::Delete
}

fn unit(change: &InstanceChange) -> Option<&Unit> {
    change.subject()?.spec.edges.roll.as_ref().map(|roll| &roll.unit)
}
