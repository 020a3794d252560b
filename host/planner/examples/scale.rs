//! Plans N targets × M components with made-up plugins, and prints how long each part took and the peak memory.
//!
//! `cargo run --release -p launchway-planner --example scale -- 10000 10`

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use launchway_model::{ApplicationState, Operation};
use support::{Project, empty_state, run_all};

fn main() {
    let number = |at, default| std::env::args().nth(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (targets, components): (usize, usize) = (number(1, 10_000), number(2, 10));
    let environment: String = (0..targets)
        .map(|at| {
            format!("t{at}: {{ address: 10.{}.{}.{}, labels: {{ role: app }} }}\n", at >> 16, at >> 8 & 255, at & 255)
        })
        .collect();
    let application = |text: &str| -> String {
        let kinds = ["full", "service", "plain", "file", "service"];
        let component = |at: usize| {
            let needs = if at == 0 { String::new() } else { format!(", needs: [c{}]", at - 1) };
            let with = match kinds[at % kinds.len()] {
                "file" => format!("path: \"/etc/{at}/${{target.name}}\", content: {text}"),
                _ => format!("text: \"{text} on ${{target.address}}\", number: {at}"),
            };
            let kind = kinds[at % kinds.len()];
            format!("c{at}: {{ type: t/{kind}, on: role=app, with: {{ {with} }}{needs} }}\n")
        };
        (0..components).map(component).collect()
    };
    let mut project = Project::new(&application("one"), &environment);
    let mut state = empty_state();
    planned("create", &project, &mut state, 1);
    planned("no change", &project, &mut state, 2);
    project.components(&application("two"));
    planned("update", &project, &mut state, 3);
    let plan = timed("undeploy", || project.undeploy(&state));
    assert_eq!(plan.changes.len(), state.instances.len(), "everything goes");
}

/// Expands, plans, and lets the state follow the plan.
fn planned(what: &str, project: &Project, state: &mut ApplicationState, run: u64) {
    println!("{what}:");
    let desired = timed("expand", || project.desired());
    let plan = timed("plan", || {
        project.try_plan(Operation::Deploy, Some(&desired), state).expect("a made-up project can be planned").plan
    });
    let edges: usize = plan.nodes.iter().map(|node| node.after.len()).sum();
    println!("  {} changes, {} nodes, {edges} edges", plan.changes.len(), plan.nodes.len());
    run_all(state, &plan, run);
}

fn timed<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    println!("  {what}: {} ms, peak {}", start.elapsed().as_millis(), peak());
    result
}

/// Returns the most memory the process ever had.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |line| line.trim().to_owned())
}
