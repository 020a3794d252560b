//! A part of the plan's graph: what lies on the ways from some nodes, or to some.

use launchway_model::{NodeId, NodeKind, Plan, PlanNode};

use crate::why::{Names, UnknownName, change_of, suggestion};

/// Which nodes are drawn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GraphPart {
    /// None: all of them.
    nodes: Option<Vec<bool>>,
}

impl GraphPart {
    /// The whole graph.
    pub const ALL: Self = Self { nodes: None };

    /// What is on a way from the nodes of one name to those of another: `STEP` or `COMPONENT[@TARGET]`. With one of them
    /// alone, on any way from there, or to there.
    pub fn between(plan: &Plan, from: Option<&str>, to: Option<&str>) -> Result<Self, UnknownName> {
        let after = from.map(|name| Ok(after(plan, named(plan, name)?))).transpose()?;
        let before = to.map(|name| Ok(before(plan, named(plan, name)?))).transpose()?;
        let nodes = match (after, before) {
            (Some(after), Some(before)) => Some(after.iter().zip(&before).map(|(a, b)| *a && *b).collect::<Vec<_>>()),
            (one, other) => one.or(other),
        };
        if let (Some(from), Some(to), Some(nodes)) = (from, to, &nodes)
            && !nodes.contains(&true)
        {
            let back = Self::between(plan, Some(to), Some(from)).is_ok();
            return Err(UnknownName {
                message: format!("nothing leads from `{from}` to `{to}`"),
                hint: Some(if back {
                    "it is the other way round: exchange --from and --to".to_owned()
                } else {
                    "neither waits for the other".to_owned()
                }),
            });
        }
        Ok(Self { nodes })
    }

    pub(crate) fn has(&self, node: NodeId) -> bool {
        self.nodes.as_ref().is_none_or(|nodes| nodes.get(node.0 as usize).copied().unwrap_or(false))
    }

    /// Returns the part's nodes with their numbers.
    pub(crate) fn nodes<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (usize, &'a PlanNode)> {
        let all = plan.nodes.iter().enumerate();
        all.filter(|(id, _)| self.nodes.as_ref().is_none_or(|nodes| nodes[*id]))
    }
}

/// Finds the nodes that a name means.
fn named(plan: &Plan, name: &str) -> Result<Vec<bool>, UnknownName> {
    let keys = || {
        plan.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Step(step) => Some(&*step.key.0),
            _ => None,
        })
    };
    let of_step = |node: &PlanNode| matches!(&node.kind, NodeKind::Step(step) if *step.key.0 == *name);
    let found: Vec<bool> = if name.contains('/') && !plan.changes.iter().any(|change| change.id.to_string() == name) {
        plan.nodes.iter().map(of_step).collect()
    } else {
        let asked = Names::of(plan, true).find(name)?;
        let is = |node: &PlanNode| {
            change_of(node).and_then(|change| plan.change(change)).is_some_and(|change| asked.is(&change.id))
        };
        plan.nodes.iter().map(is).collect()
    };
    if found.contains(&true) {
        return Ok(found);
    }
    Err(UnknownName { message: format!("the plan has no step `{name}`"), hint: suggestion("steps", name, keys) })
}

/// Adds everything that comes after some nodes. All lie in topological order.
fn after(plan: &Plan, mut nodes: Vec<bool>) -> Vec<bool> {
    for (at, node) in plan.nodes.iter().enumerate() {
        nodes[at] = nodes[at] || node.after.iter().any(|before| nodes[before.0 as usize]);
    }
    nodes
}

/// Adds everything that comes before some nodes.
fn before(plan: &Plan, mut nodes: Vec<bool>) -> Vec<bool> {
    for (at, node) in plan.nodes.iter().enumerate().rev() {
        if nodes[at] {
            node.after.iter().for_each(|before| nodes[before.0 as usize] = true);
        }
    }
    nodes
}
