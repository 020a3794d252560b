//! The plan's graph for drawing tools.

use launchway_model::{ChangeIndex, Gate, NodeKind, Plan, PlanNode};

use crate::sanitise::inline;

/// Returns the graph in Graphviz' language.
pub fn dot(plan: &Plan) -> String {
    let quote = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
    let mut out = format!("digraph {} {{\n  rankdir=LR;\n  node [shape=box];\n", quote(&name(plan)));
    for (id, node) in plan.nodes.iter().enumerate() {
        let shape = match node.kind {
            NodeKind::Step(_) => "",
            NodeKind::Commit { .. } => ", shape=ellipse",
            NodeKind::Join { .. } => ", shape=point",
            NodeKind::Gate(_) => ", shape=diamond",
        };
        out.push_str(&format!("  n{id} [label={}{shape}];\n", quote(&label(plan, node))));
    }
    for (id, node) in plan.nodes.iter().enumerate() {
        for before in &node.after {
            out.push_str(&format!("  n{} -> n{id};\n", before.0));
        }
    }
    out.push_str("}\n");
    out
}

/// Returns the graph in Mermaid's language.
pub fn mermaid(plan: &Plan) -> String {
    let mut out = "flowchart LR\n".to_owned();
    for (id, node) in plan.nodes.iter().enumerate() {
        let (open, close) = match node.kind {
            NodeKind::Step(_) => ("[", "]"),
            NodeKind::Commit { .. } => ("([", "])"),
            NodeKind::Join { .. } => ("((", "))"),
            NodeKind::Gate(_) => ("{", "}"),
        };
        out.push_str(&format!("  n{id}{open}\"{}\"{close}\n", mermaid_text(&label(plan, node))));
    }
    for (id, node) in plan.nodes.iter().enumerate() {
        for before in &node.after {
            out.push_str(&format!("  n{} --> n{id}\n", before.0));
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

fn name(plan: &Plan) -> String {
    format!("{} on {}", inline(plan.application.as_str()), inline(plan.environment.as_str()))
}

fn label(plan: &Plan, node: &PlanNode) -> String {
    let instance =
        |change: ChangeIndex| plan.change(change).map(|change| inline(&change.id.to_string())).unwrap_or_default();
    match &node.kind {
        NodeKind::Step(step) => {
            format!("{}\n{}: {}", instance(step.owner.change()), step.step.phase.as_str(), inline(&step.step.summary))
        }
        NodeKind::Commit { change } => format!("commit {}", instance(*change)),
        NodeKind::Join { label } => inline(label),
        NodeKind::Gate(Gate::Approve { message }) => format!("approve: {}", inline(message)),
        NodeKind::Gate(Gate::Bake { seconds }) => format!("wait {seconds} s"),
    }
}
