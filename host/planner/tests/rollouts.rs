//! What rolls in batches, what is done around it, and actions of all kinds: small plans in full.

mod support;

use launchway_model::{ApplicationState, ComponentName, NodeKind, Operation, Plan, TargetName};
use launchway_planner::Restriction;
use support::reach::Reach;
use support::{Project, empty_state, run_all, text};

const FOUR: &str = "
    a1: { labels: { role: app, dc: eu } }
    a2: { labels: { role: app, dc: eu } }
    a3: { labels: { role: app, dc: us } }
    lb: { labels: { role: lb } }";

fn deployed(project: &Project) -> ApplicationState {
    let mut state = empty_state();
    let plan = project.deploy(&state);
    run_all(&mut state, &plan, 1);
    state
}

#[test]
fn a_group_rolls_batch_by_batch_with_what_is_around_it() {
    let components = |number: u8| {
        format!(
            "
            code: {{ type: t/full, on: role=app, with: {{ number: {number} }} }}
            service:
              type: t/service
              on: role=app
              with: {{ number: {number} }}
              subscribe: [{{ code: restart }}]
              verify: [{{ type: t/check }}]
              around:
                - at: role=lb
                  before: {{ type: t/check, with: {{ url: \"drain ${{instance.target}}\" }} }}
                  after: {{ type: t/check, with: {{ url: \"ready ${{instance.target}}\" }} }}
                  always: true"
        )
    };
    let rollout = "groups: { api: { members: [code, service], rollout: [{ ramp: [1, \"100%\"], gate: approve }] } }\n";
    let mut project = Project::new(&components(1), FOUR);
    project.also(rollout);
    let state = deployed(&project);
    project.version("2.0").components(&components(2)).also(rollout);
    let plan = project.deploy(&state);
    insta::assert_snapshot!(text::plan(&plan));
    let batches: Vec<usize> = plan.rollouts[0].batches.iter().map(Vec::len).collect();
    assert_eq!(batches, [1, 2]);
    let at = plan.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Step(step) => step.target(&plan).filter(|target| target.as_str() == "lb"),
        _ => None,
    });
    assert_eq!(at.count(), 6, "before and after on the proxy, for each of three instances");
}

#[test]
fn what_stands_between_the_members_of_a_group_is_named() {
    let mut project = Project::new(
        "a: { type: t/plain, needs: [b] }\nb: { type: t/plain, needs: [c] }\nc: { type: t/plain }",
        "t1: {}\nt2: {}",
    );
    project.also("groups: { g: { members: [a, c], rollout: [{ rolling: 1 }] } }\n");
    let error = project.try_plan(Operation::Deploy, Some(&project.desired()), &empty_state()).unwrap_err();
    assert_eq!(error.to_string(), "`b` stands between what rolls with `g`: g → b → g");
    assert!(error.hint().unwrap().contains("put `b` into it"));
}

#[test]
fn groups_that_can_not_be_are_explained() {
    let mut project = Project::new(
        "a: { type: t/plain, rollout: [{ rolling: 1 }] }\nb: { type: t/plain }\ng: { type: t/plain, run: always }",
        "t1: {}",
    );
    project.also("groups: { g: { members: [a, bb] }, h: { members: [b] }, i: { members: [b] } }\n");
    project.environment("rollouts: { aplication: [{ rolling: 1 }] }\ndisable: [z]\n");
    insta::assert_snapshot!(project.problems());
}

#[test]
fn an_environment_says_how_things_roll_there() {
    let mut project = Project::new("a: { type: t/plain }", "t1: {}\nt2: {}\nt3: {}");
    project.also("rollout: [{ rolling: 1 }]\n");
    assert_eq!(project.deploy(&empty_state()).rollouts[0].batches.len(), 3);
    project.environment("rollouts: { application: [parallel] }\n");
    assert!(project.deploy(&empty_state()).rollouts.is_empty());
    project.environment.truncate(project.environment.find("rollouts").unwrap());
    project.environment("rollouts: { a: [{ rolling: 2 }] }\n");
    assert_eq!(project.deploy(&empty_state()).rollouts[0].batches.len(), 2);
}

#[test]
fn an_action_as_a_component_runs_by_its_rule() {
    let components = |number: u8| {
        format!(
            "
            code: {{ type: t/plain, with: {{ number: {number} }} }}
            other: {{ type: t/plain }}
            smoke: {{ type: t/check, needs: [code], run: with-needs }}
            once: {{ type: t/check, needs: [code], run: changed }}
            ping: {{ type: t/check, run: always }}
            after: {{ type: t/check, needs: [smoke], run: with-needs }}"
        )
    };
    let mut project = Project::new(&components(1), "t1: {}");
    let mut state = deployed(&project);
    let again = project.deploy(&state);
    assert_eq!(
        text::changes(&again),
        "Refresh ping@t1: always\nunchanged after@t1\nunchanged code@t1\nunchanged once@t1\nunchanged other@t1\n\
         unchanged smoke@t1\n"
    );
    project.version("2.0").components(&components(2));
    let second = project.deploy(&state);
    insta::assert_snapshot!(text::plan(&second));
    run_all(&mut state, &second, 2);
    let gone = project.undeploy(&state);
    let steps = gone.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Step(_))).count();
    assert_eq!(steps, 2, "an action leaves nothing to take away");
}

#[test]
fn something_runs_at_the_end_whatever_happens_and_tasks_run_alone() {
    let mut project = Project::new("a: { type: t/plain }", FOUR);
    project.also(
        "finally: [{ type: t/check, on: role=lb, with: { url: done } }]\n\
         tasks: { smoke: { type: t/check, on: role=app, once: true, with: { url: \"${target.name}\" } } }\n",
    );
    let plan = project.deploy(&empty_state());
    insta::assert_snapshot!(text::plan(&plan));
    let state = deployed(&project);
    assert!(project.deploy(&state).is_empty(), "nothing to do, nothing to end");
    let name = ComponentName::new("smoke").unwrap();
    let task = project.try_plan(Operation::Task { name }, Some(&project.desired()), &state).unwrap().plan;
    assert_eq!(text::plan(&task), "Act smoke@a1: asked for: task\n\n  0 smoke@a1/start/check\n");
    assert_eq!(task.version.to, state.version);
}

#[test]
fn what_is_restarted_is_what_can_be() {
    let mut project =
        Project::new("s: { type: t/service }\nf: { type: t/plain }\nc: { type: t/check }", "t1: {}\nt2: {}");
    let state = deployed(&project);
    project.restriction = Restriction { components: Vec::new(), targets: vec!["t1".to_owned()] };
    let plan = project.try_plan(Operation::Restart, Some(&project.desired()), &state).unwrap().plan;
    let text = text::changes(&plan);
    assert!(text.starts_with("Refresh s@t1: asked for: restart\n"), "{text}");
    assert_eq!(plan.changes.len(), 1);
}

#[test]
fn what_is_forced_is_put_in_place_again() {
    let mut project = Project::new("a: { type: t/plain }\nb: { type: t/plain }", "t1: {}");
    let state = deployed(&project);
    project.force = Restriction { components: vec!["a".to_owned()], targets: Vec::new() };
    let plan = project.deploy(&state);
    assert_eq!(text::changes(&plan), "Update a@t1: asked for: force\nunchanged b@t1\n");
}

#[test]
fn one_of_several_targets_is_kept_and_moving_is_no_change() {
    let mut project = Project::new("m: { type: t/command, on: role=app, once: true }", FOUR);
    let mut state = deployed(&project);
    assert_eq!(state.instances.len(), 1);
    assert!(state.instances.keys().all(|id| id.target.as_str() == "a1"));
    let m = ComponentName::new("m").unwrap();
    project.last_targets.insert(m.clone(), TargetName::new("a2").unwrap());
    let moved = project.deploy(&state);
    assert_eq!(text::changes(&moved), "moved m@a1 → m@a2\nunchanged m@a2\namended m@a2\n");
    assert_eq!(moved.step_count(), 0);
    run_all(&mut state, &moved, 2);
    assert!(project.deploy(&state).is_empty());
}

#[test]
fn renamed_components_and_targets_keep_their_records() {
    let mut project =
        Project::new("old: { type: t/plain }\nx: { type: t/plain, needs: [old] }", "t1: { address: 10.0.0.1 }");
    let mut state = deployed(&project);
    project.components("new: { type: t/plain, renamed_from: old }\nx: { type: t/plain, needs: [new] }");
    project.environment = "environment: test\ntargets: { t9: { address: 10.0.0.1, renamed_from: t1 } }\n".to_owned();
    let plan = project.deploy(&state);
    assert_eq!(
        text::changes(&plan),
        "moved old@t1 → new@t9\nmoved x@t1 → x@t9\nunchanged new@t9\nunchanged x@t9\namended x@t9\n"
    );
    run_all(&mut state, &plan, 2);
    assert!(project.deploy(&state).is_empty(), "the old name may stay where it is");
}

#[test]
fn disabled_and_optional_components_are_not_there() {
    let mut project = Project::new(
        "a: { type: t/plain, needs: [b, c] }\nb: { type: t/plain }\nc: { type: t/plain, on: { match: role=x, min: 0 } }",
        "t1: { labels: { role: app } }",
    );
    assert_eq!(deployed(&project).instances.len(), 2);
    project.environment("disable: [b]\n");
    assert_eq!(deployed(&project).instances.len(), 1);
    let mut few =
        Project::new("a: { type: t/plain, on: { match: role=app, min: 2 } }", "t1: { labels: { role: app } }");
    assert!(few.problems().contains("matches 1 targets, and `min` is 2"));
    few.environment("");
}

#[test]
fn a_subscriber_that_a_run_did_not_reach_is_owed_its_word() {
    let components = |number: u8| {
        format!(
            "
            cfg: {{ type: t/plain, with: {{ number: {number} }} }}
            app: {{ type: t/service, subscribe: [{{ cfg: reload }}] }}"
        )
    };
    let mut project = Project::new(&components(1), "t1: {}");
    let state = deployed(&project);
    project.version("2.0").components(&components(2));
    let debts = |plan: &Plan| plan.owed.iter().map(|owed| format!("{} → {}", owed.by, owed.to)).collect::<Vec<_>>();
    assert_eq!(debts(&project.deploy(&state)), ["cfg → app@t1"]);
    project.restriction = Restriction { components: vec!["cfg".to_owned()], targets: Vec::new() };
    assert_eq!(debts(&project.deploy(&state)), ["cfg → app@t1"], "left out, it is owed all the same");
    assert!(debts(&project.deploy(&empty_state())).is_empty(), "what is new knows");
}

#[test]
fn what_goes_is_gone_before_what_it_used_changes() {
    let both = "x: { type: t/file, with: { path: /x, content: \"1\" } }\ny: { type: t/plain, needs: [x] }";
    let mut project = Project::new(both, "t1: {}");
    let state = deployed(&project);
    let undo_first = |project: &Project, undo: &str, change: &str| {
        let plan = project.deploy(&state);
        let node = |key: &str| {
            let found = plan.nodes.iter().position(|node| matches!(&node.kind, NodeKind::Step(s) if &*s.key.0 == key));
            found.unwrap_or_else(|| panic!("no {key} in\n{}", text::plan(&plan)))
        };
        assert!(Reach::of(&plan).comes_before(node(undo), node(change)), "{}", text::plan(&plan));
    };
    project.version("2.0").components("x: { type: t/plain }\ny: { type: t/file, with: { path: /y, content: \"1\" } }");
    undo_first(&project, "y@t1/replaced/remove/undo", "x@t1/replaced/remove/unlink");
    project.components("x: { type: t/plain }");
    undo_first(&project, "y@t1/remove/undo", "x@t1/replaced/remove/unlink");
    project.components("x: { type: t/file, with: { path: /elsewhere, content: \"1\" } }");
    undo_first(&project, "y@t1/remove/undo", "x@t1/install/put");
}
