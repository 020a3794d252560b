//! What is done around an instance, and what else waits for it.

mod support;

use launchway_model::{ActionPlace, ComponentName, NodeKind, Owner, Plan};
use support::reach::Reach;
use support::{Project, empty_state, run_all, text};

const TARGETS: &str = "t1: { labels: { role: app } }\nt2: { labels: { role: app } }\nlb: {}";

/// Returns the nodes that put a component's instances back, and those that commit them.
fn ends(plan: &Plan, component: &str) -> (Vec<usize>, Vec<usize>) {
    let name = ComponentName::new(component).unwrap();
    let (mut after, mut commits) = (Vec::new(), Vec::new());
    for (at, node) in plan.nodes.iter().enumerate() {
        match &node.kind {
            NodeKind::Commit { change } if plan.changes[change.0 as usize].id.component == name => commits.push(at),
            NodeKind::Step(step) => {
                if let Owner::Action { place: ActionPlace::After, change, .. } = &step.owner
                    && plan.changes[change.0 as usize].id.component == name
                {
                    after.push(at);
                }
            }
            _ => {}
        }
    }
    (after, commits)
}

/// Whoever comes strictly after what is put back may be one of those for whom that waits.
#[test]
fn strict_orders_and_what_is_done_around_get_on() {
    let around = "around: [{ at: name=lb, before: { type: t/check }, after: { type: t/check }, always: true }]";
    for (rollout, outside) in [("[]", true), ("[]", false), ("[{ rolling: 1 }]", false)] {
        let (x, b) = if outside { ("after: [a]", "needs: [x]") } else { ("needs: []", "after: [a]") };
        let components = |number: u8| {
            format!(
                "
                a: {{ type: t/service, on: role=app, with: {{ number: {number} }}, {around} }}
                b: {{ type: t/service, on: role=app, with: {{ number: {number} }}, {b}, {around} }}
                x: {{ type: t/service, on: role=app, with: {{ number: {number} }}, {x} }}"
            )
        };
        let mut project = Project::new(&components(1), TARGETS);
        let group = format!("groups: {{ g: {{ members: [a, b], rollout: {rollout} }} }}\n");
        project.also(&group);
        let mut state = empty_state();
        run_all(&mut state, &project.deploy(&empty_state()), 1);
        project.version("2.0").components(&components(2)).also(&group);
        let plan = project.deploy(&state);
        let reach = Reach::of(&plan);
        for component in ["a", "b"] {
            let (after, commits) = ends(&plan, component);
            assert_eq!((after.len(), commits.len()), (2, 2));
            for after in after {
                let its = commits.iter().filter(|commit| reach.comes_before(after, **commit)).count();
                assert!(its >= 1, "its change is done when it is back\n{}", text::plan(&plan));
            }
        }
    }
}
