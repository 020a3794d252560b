//! The plan's graph for drawing tools.

use std::collections::{BTreeMap, HashMap};

use launchway_model::{
    ActionPlace, Always, ChangeIndex, ChangeKind, Gate, NodeId, NodeKind, Owner, Plan, PlanNode, StepNode, TargetName,
    Unit,
};

use crate::graph_part::GraphPart;
use crate::sanitise::inline;
use crate::why::{change_of, slot};

/// Returns the graph, or a part of it, in Graphviz' language.
///
/// Gates are diamonds, what is done around an instance slanted, what runs after a failure, too, dashed, and each batch
/// stands in a frame.
pub fn dot(plan: &Plan, part: &GraphPart) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
    let mut out = format!("digraph {} {{\n  rankdir=LR;\n  node [shape=box];\n", quote(&name(plan)));
    for (id, node) in part.nodes(plan) {
        let shape = match look(node) {
            Look::Step => "",
            Look::Around => ", shape=parallelogram",
            Look::Commit => ", shape=ellipse",
            Look::Join => ", shape=point",
            Look::Gate => ", shape=diamond, style=filled",
        };
        let dashed = if always(node).is_some() { ", style=dashed" } else { "" };
        out.push_str(&format!("  n{id} [label={}{shape}{dashed}];\n", quote(&label(plan, node))));
    }
    for (number, (batch, nodes)) in batches(plan, part).into_iter().enumerate() {
        let nodes: Vec<String> = nodes.iter().map(|node| format!("n{node}")).collect();
        out.push_str(&format!("  subgraph cluster_{number} {{ label={}; {}; }}\n", quote(&batch), nodes.join("; ")));
    }
    for (id, node) in part.nodes(plan) {
        for before in node.after.iter().filter(|before| part.has(**before)) {
            out.push_str(&format!("  n{} -> n{id};\n", before.0));
        }
        if let Some(called) = called(node).filter(|called| part.has(*called)) {
            out.push_str(&format!("  n{} -> n{id} [label=\"if called\", style=dashed];\n", called.0));
        }
    }
    out.push_str("}\n");
    out
}

/// Returns the graph, or a part of it, in Mermaid's language; drawn as by [`dot`].
pub fn mermaid(plan: &Plan, part: &GraphPart) -> String {
    let mut out = "flowchart LR\n".to_owned();
    for (id, node) in part.nodes(plan) {
        let (open, close) = match look(node) {
            Look::Step => ("[", "]"),
            Look::Around => ("[/", "/]"),
            Look::Commit => ("([", "])"),
            Look::Join => ("((", "))"),
            Look::Gate => ("{", "}"),
        };
        out.push_str(&format!("  n{id}{open}\"{}\"{close}\n", mermaid_text(&label(plan, node))));
    }
    for (number, (batch, nodes)) in batches(plan, part).into_iter().enumerate() {
        out.push_str(&format!("  subgraph batch{number}[\"{}\"]\n", mermaid_text(&batch)));
        nodes.iter().for_each(|node| out.push_str(&format!("    n{node}\n")));
        out.push_str("  end\n");
    }
    for (id, node) in part.nodes(plan) {
        for before in node.after.iter().filter(|before| part.has(**before)) {
            out.push_str(&format!("  n{} --> n{id}\n", before.0));
        }
        if let Some(called) = called(node).filter(|called| part.has(*called)) {
            out.push_str(&format!("  n{} -. if called .-> n{id}\n", called.0));
        }
    }
    let of_class = |wanted: &dyn Fn(&PlanNode) -> bool| {
        let nodes = part.nodes(plan).filter(|(_, node)| wanted(node)).map(|(id, _)| format!("n{id}"));
        nodes.collect::<Vec<_>>().join(",")
    };
    for (class, style, nodes) in [
        ("gate", "fill:#fd6,stroke-width:3px", of_class(&|node| matches!(node.kind, NodeKind::Gate(_)))),
        ("always", "stroke-dasharray:5 5", of_class(&|node| always(node).is_some())),
    ] {
        if !nodes.is_empty() {
            out.push_str(&format!("  classDef {class} {style}\n  class {nodes} {class}\n"));
        }
    }
    out
}

/// Escapes what Mermaid would take for markup.
fn mermaid_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("<br/>"),
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' => out.push_str(&format!("#{};", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// As what a node is drawn.
enum Look {
    Step,
    /// Done on another target around an instance's change.
    Around,
    Commit,
    Join,
    Gate,
}

fn look(node: &PlanNode) -> Look {
    match &node.kind {
        NodeKind::Step(StepNode {
            owner: Owner::Action { place: ActionPlace::Before | ActionPlace::After, .. },
            ..
        }) => Look::Around,
        NodeKind::Step(_) => Look::Step,
        NodeKind::Commit { .. } => Look::Commit,
        NodeKind::Join { .. } => Look::Join,
        NodeKind::Gate(_) => Look::Gate,
    }
}

fn always(node: &PlanNode) -> Option<Always> {
    match &node.kind {
        NodeKind::Step(step) => step.always,
        _ => None,
    }
}

/// Returns the step because of which another one runs in any case.
fn called(node: &PlanNode) -> Option<NodeId> {
    match always(node) {
        Some(Always::IfCalled(called)) => Some(called),
        _ => None,
    }
}

/// Returns the batches with their nodes, in their order.
fn batches(plan: &Plan, part: &GraphPart) -> Vec<(String, Vec<usize>)> {
    let mut batch_of: HashMap<(&Unit, bool, &TargetName), (usize, usize)> = HashMap::new();
    for (at, rollout) in plan.rollouts.iter().enumerate() {
        for (number, batch) in rollout.batches.iter().enumerate() {
            batch_of.extend(batch.iter().map(|target| ((&rollout.unit, rollout.going, target), (at, number))));
        }
    }
    let mut found: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (id, node) in part.nodes(plan) {
        let batch = change_of(node).and_then(|change| plan.change(change)).and_then(|change| {
            let unit = &change.subject()?.spec.edges.roll.as_ref()?.unit;
            let going = change.kind == ChangeKind::Delete;
            batch_of.get(&(unit, going, &change.id.target))
        });
        if let Some(batch) = batch {
            found.entry(*batch).or_default().push(id);
        }
    }
    let name = |(at, number): (usize, usize)| {
        let rollout = &plan.rollouts[at];
        let going = if rollout.going { ", which goes" } else { "" };
        format!("batch {} of {} of {}{going}", number + 1, rollout.batches.len(), inline(&rollout.unit.to_string()))
    };
    found.into_iter().map(|(batch, nodes)| (name(batch), nodes)).collect()
}

fn name(plan: &Plan) -> String {
    format!("{} on {}", inline(plan.application.as_str()), inline(plan.environment.as_str()))
}

fn label(plan: &Plan, node: &PlanNode) -> String {
    let instance =
        |change: ChangeIndex| plan.change(change).map(|change| inline(&change.id.to_string())).unwrap_or_default();
    match &node.kind {
        NodeKind::Step(step) => {
            let at = match &step.owner {
                Owner::Action { at: Some(target), .. } => format!(" on {}", inline(target.as_str())),
                _ => String::new(),
            };
            format!("{}\n{}{at}: {}", instance(step.owner.change()), slot(step), inline(&step.step.summary))
        }
        NodeKind::Commit { change } => format!("commit {}", instance(*change)),
        NodeKind::Join { label } => inline(label),
        NodeKind::Gate(Gate::Approve { message }) => format!("approve: {}", inline(message)),
        NodeKind::Gate(Gate::Bake { seconds }) => format!("wait {seconds} s"),
    }
}
