//! How what rolled is rolled back.

mod support;

use launchway_model::{NodeKind, Operation, RunId, Version};
use launchway_planner::{Restriction, Since, restore};
use support::{Project, empty_state, run, run_all};

const FOUR: &str = "
    a1: { labels: { role: app, dc: eu } }
    a2: { labels: { role: app, dc: eu } }
    a3: { labels: { role: app, dc: us } }
    lb: { labels: { role: lb } }";

#[test]
fn a_rollback_goes_back_the_way_that_the_run_came() {
    let rolling = |number: u8, rollout: &str| {
        format!(
            "a: {{ type: t/plain, on: role=app, with: {{ number: {number} }}, rollout: {rollout} }}\nl: {{ type: t/plain, on: role=lb }}"
        )
    };
    let batches = |before: &str, then: &str, commits: &[&str]| {
        let mut project = Project::new(&rolling(1, before), FOUR);
        let mut state = empty_state();
        run_all(&mut state, &project.deploy(&empty_state()), 1);
        project.version("2.0").components(&rolling(2, then));
        let plan = project.deploy(&state);
        run(&mut state, &plan, 2, |id| commits.contains(&id.target.as_str()));
        let back = restore(&state, RunId(2), &plan, &Since::default(), &Restriction::default()).unwrap().desired;
        let back = project.try_plan(Operation::Rollback { run: RunId(2) }, Some(&back), &state).unwrap().plan;
        let gates = back.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Gate(_))).count();
        assert_eq!(gates, 0, "going back waits for nobody");
        run_all(&mut state, &back, 3);
        assert!(project.components(&rolling(1, before)).version("1.0").deploy(&state).is_empty(), "all is as before");
        back.rollouts.first().map_or(1, |rollout| rollout.batches.len())
    };
    let all = ["a1", "a2", "a3"];
    for before in ["[]", "[parallel]", "[{ ramp: [1, 100%] }]", "[{ by: dc }]"] {
        assert_eq!(batches(before, "[{ rolling: 1 }]", &all), 3, "{before}");
        assert_eq!(batches(before, "[{ ramp: [1], gate: approve }, { rolling: 1 }]", &all), 3, "{before}");
    }
    assert_eq!(batches("[{ rolling: 1 }]", "[{ ramp: [1, 100%] }]", &all), 1, "a ramp is to look around");
    assert_eq!(batches("[]", "[{ rolling: 2 }]", &["a1"]), 2, "what did not get through goes the same way");
}

#[test]
fn where_the_way_back_is_barred_the_earlier_one_is_taken() {
    let components = |number: u8, needs: &str| {
        format!(
            "
            a: {{ type: t/plain, needs: [{needs}], with: {{ number: {number} }} }}
            b: {{ type: t/plain, needs: [c], with: {{ number: {number} }} }}
            c: {{ type: t/plain, with: {{ number: {number} }} }}"
        )
    };
    let mut project = Project::new(&components(1, "b"), "t1: {}\nt2: {}");
    let mut state = empty_state();
    run_all(&mut state, &project.deploy(&empty_state()), 1);
    project.version("2.0").components(&components(2, ""));
    project.also("groups: { g: { members: [a, c], rollout: [{ rolling: 1 }] } }\n");
    let plan = project.deploy(&state);
    run_all(&mut state, &plan, 2);
    let back = restore(&state, RunId(2), &plan, &Since::default(), &Restriction::default()).unwrap().desired;
    let back = project.try_plan(Operation::Rollback { run: RunId(2) }, Some(&back), &state).unwrap().plan;
    assert!(back.rollouts.is_empty());
    run_all(&mut state, &back, 3);
    assert_eq!(state.version, Some(Version::new("1.0").unwrap()));
}
