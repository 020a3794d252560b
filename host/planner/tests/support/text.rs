//! Plans and diagnostics as short texts.

use std::fmt::Write as _;

use launchway_model::{Cause, Diagnostics, Gate, NodeKind, Plan, Severity, Sources, StepNode};

/// Returns what changes and why, then the graph: each node with those it comes after.
pub(crate) fn plan(plan: &Plan) -> String {
    format!("{}\n{}", changes(plan), graph(plan))
}

pub(crate) fn changes(plan: &Plan) -> String {
    let mut text = String::new();
    for moved in &plan.moves {
        writeln!(text, "moved {} → {}", moved.from, moved.to).unwrap();
    }
    for change in &plan.changes {
        let causes: Vec<String> = change.causes.iter().map(cause).collect();
        let dirty = if change.dirty { " dirty" } else { "" };
        writeln!(text, "{:?} {}{dirty}: {}", change.kind, change.id, causes.join(", ")).unwrap();
    }
    for id in &plan.unchanged {
        writeln!(text, "unchanged {id}").unwrap();
    }
    for id in &plan.omitted {
        writeln!(text, "left out {id}").unwrap();
    }
    for deployed in &plan.amendments {
        writeln!(text, "amended {}", deployed.spec.id).unwrap();
    }
    text
}

pub(crate) fn graph(plan: &Plan) -> String {
    let mut text = String::new();
    for (at, node) in plan.nodes.iter().enumerate() {
        let what = match &node.kind {
            NodeKind::Step(StepNode { key, always: Some(always), .. }) => format!("{key} ({always:?})"),
            NodeKind::Step(step) if step.only_if_changed.is_empty() => step.key.to_string(),
            NodeKind::Step(step) => format!("{} (if {:?} changed)", step.key, step.only_if_changed),
            NodeKind::Commit { change } => format!("commit {}", plan.change(*change).unwrap().id),
            NodeKind::Join { label } => format!("[{label}]"),
            NodeKind::Gate(Gate::Approve { message }) => format!("gate: {message}"),
            NodeKind::Gate(Gate::Bake { seconds }) => format!("gate: {seconds} s"),
        };
        let after: Vec<String> = node.after.iter().map(|node| node.0.to_string()).collect();
        let after = if after.is_empty() { String::new() } else { format!("  ← {}", after.join(" ")) };
        writeln!(text, "{at:>3} {what}{after}").unwrap();
    }
    text
}

fn cause(cause: &Cause) -> String {
    match cause {
        Cause::New => "new".to_owned(),
        Cause::Property(at) => at.clone(),
        Cause::Artifact(name) => format!("artifact {name}"),
        Cause::Secret(name) => format!("secret {name}"),
        Cause::Subscription { component, word } => format!("{word} for {component}"),
        Cause::Dirty => "dirty".to_owned(),
        Cause::Drift(how) => format!("drift {how}"),
        Cause::Assumed => "assumed".to_owned(),
        Cause::Verify => "verify".to_owned(),
        Cause::Unwanted => "unwanted".to_owned(),
        Cause::TypeChanged { from, to } => format!("type {from} → {to}"),
        Cause::TargetChanged => "target changed".to_owned(),
        Cause::Request(word) => format!("asked for: {word}"),
        Cause::Needs(component) => format!("{component} changes"),
        Cause::Always => "always".to_owned(),
    }
}

/// Returns diagnostics with the text each of their labels covers.
pub(crate) fn diagnostics(found: &Diagnostics, sources: &Sources) -> String {
    let mut text = String::new();
    for diagnostic in found.iter() {
        let severity = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(text, "{severity}[{}]: {}", diagnostic.code, diagnostic.message).unwrap();
        for label in &diagnostic.labels {
            let (name, source) = sources.get(label.span.source).unwrap();
            let line = source[..label.span.start].lines().count().max(1);
            let covered = source[label.span.start..label.span.end].replace('\n', "⏎");
            let words = if label.text.is_empty() { String::new() } else { format!("  {}", label.text) };
            writeln!(text, "  at {name}:{line} «{covered}»{words}").unwrap();
        }
        if let Some(hint) = &diagnostic.hint {
            writeln!(text, "  help: {hint}").unwrap();
        }
    }
    text
}
