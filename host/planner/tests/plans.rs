//! Small plans, in full.

mod support;

use launchway_model::Operation;
use support::{Project, empty_state, run, run_all, text};

const ONE: &str = "t1: { labels: { role: app } }";
const TWO: &str = "
    a1: { labels: { role: app } }
    a2: { labels: { role: app } }
    d1: { labels: { role: db } }";

#[test]
fn a_first_deployment_in_two_tiers() {
    let project = Project::new(
        "
        db: { type: t/full, on: role=db }
        web: { type: t/full, on: role=app, needs: [db], verify: [{ type: t/check, with: { url: \"http://${target.address}/\" } }] }",
        TWO,
    );
    insta::assert_snapshot!(text::plan(&project.deploy(&empty_state())));
}

#[test]
fn an_upgrade_stops_from_the_outside_in_and_starts_from_the_inside_out() {
    let mut project = Project::new(
        "
        db: { type: t/service, on: role=db, with: { text: one } }
        web: { type: t/service, on: role=app, needs: [db], with: { text: one } }",
        TWO,
    );
    let mut state = empty_state();
    let first = project.deploy(&state);
    run_all(&mut state, &first, 1);
    project.version("2.0").components(
        "
        db: { type: t/service, on: role=db, with: { text: two } }
        web: { type: t/service, on: role=app, needs: [db], with: { text: two } }",
    );
    insta::assert_snapshot!(text::plan(&project.deploy(&state)));
}

#[test]
fn order_passes_through_what_does_not_change() {
    let mut project = Project::new(
        "
        a: { type: t/service, needs: [b], with: { text: one } }
        b: { type: t/service, needs: [c] }
        c: { type: t/service, with: { text: one } }",
        ONE,
    );
    let mut state = empty_state();
    let first = project.deploy(&state);
    run_all(&mut state, &first, 1);
    project.components(
        "
        a: { type: t/service, needs: [b], with: { text: two } }
        b: { type: t/service, needs: [c] }
        c: { type: t/service, with: { text: two } }",
    );
    insta::assert_snapshot!(text::plan(&project.deploy(&state)));
}

#[test]
fn a_subscriber_acts_only_if_its_cause_did_something() {
    let mut project = Project::new(
        "
        config: { type: t/file, with: { path: /etc/x, content: one } }
        service: { type: t/service, subscribe: [{ config: reload }] }",
        TWO,
    );
    let mut state = empty_state();
    let first = project.deploy(&state);
    run_all(&mut state, &first, 1);
    project.components(
        "
        config: { type: t/file, with: { path: /etc/x, content: two } }
        service: { type: t/service, subscribe: [{ config: reload }] }",
    );
    insta::assert_snapshot!(text::plan(&project.deploy(&state)));
}

#[test]
fn undeploying_goes_backwards() {
    let project = Project::new(
        "
        db: { type: t/full, on: role=db }
        web: { type: t/service, on: role=app, needs: [db] }
        proxy: { type: t/service, on: role=app, needs: [{ component: web, scope: same-target }] }",
        TWO,
    );
    let mut state = empty_state();
    let first = project.deploy(&state);
    run_all(&mut state, &first, 1);
    insta::assert_snapshot!(text::plan(&project.undeploy(&state)));
}

#[test]
fn what_goes_stops_after_what_stays_has_settled_without_it() {
    let mut project = Project::new(
        "
        cache: { type: t/service }
        web: { type: t/service, needs: [cache], with: { text: with cache } }",
        ONE,
    );
    let mut state = empty_state();
    let first = project.deploy(&state);
    run_all(&mut state, &first, 1);
    project.components("web: { type: t/service, with: { text: without } }");
    insta::assert_snapshot!(text::plan(&project.deploy(&state)));
}

#[test]
fn a_type_change_is_a_delete_and_then_a_create() {
    let mut project = Project::new("web: { type: t/service }\nuser: { type: t/service, needs: [web] }", ONE);
    let mut state = empty_state();
    let first = project.deploy(&state);
    run_all(&mut state, &first, 1);
    project.components("web: { type: t/full }\nuser: { type: t/service, needs: [web], with: { number: 1 } }");
    insta::assert_snapshot!(text::plan(&project.deploy(&state)));
}

#[test]
fn a_path_that_changes_hands_is_given_up_before_it_is_taken() {
    let mut project = Project::new(
        "
        old: { type: t/file, with: { path: /etc/x } }
        user: { type: t/service, needs: [old], with: { text: one } }",
        ONE,
    );
    let mut state = empty_state();
    let first = project.deploy(&state);
    run_all(&mut state, &first, 1);
    project.components(
        "
        new: { type: t/file, with: { path: /etc//x/ }, replace: delete-first }
        user: { type: t/service, needs: [new], with: { text: two } }",
    );
    insta::assert_snapshot!(text::plan(&project.deploy(&state)));
}

#[test]
fn what_is_in_a_tree_that_changes_hands_is_given_up_before_it_is_taken() {
    let tree = "thing: { type: t/tree, with: { path: /opt/x }, replace: delete-first }";
    let file = "other: { type: t/file, with: { path: /opt/x/sub/y } }";
    for (before, after) in [(tree, file), (file, tree)] {
        let mut project = Project::new(before, ONE);
        let mut state = empty_state();
        let first = project.deploy(&state);
        run_all(&mut state, &first, 1);
        project.components(after);
        insta::assert_snapshot!(text::plan(&project.deploy(&state)));
    }
}

#[test]
fn what_comes_after_something_comes_after_all_of_it() {
    let project = Project::new(
        "
        users: { type: t/full }
        web: { type: t/full, after: [users] }",
        ONE,
    );
    insta::assert_snapshot!(text::plan(&project.deploy(&empty_state())));
}

#[test]
fn a_failed_run_leaves_dirty_instances_and_a_rollback_cleans_up() {
    let mut project = Project::new(
        "
        db: { type: t/command, with: { text: one } }
        web: { type: t/service, needs: [db], with: { text: one } }
        zero: { type: t/service, needs: [web], with: { text: one } }",
        ONE,
    );
    let mut state = empty_state();
    let first = project.deploy(&state);
    run_all(&mut state, &first, 1);
    let before = state.clone();
    project.version("2.0").components(
        "
        db: { type: t/command, with: { text: two } }
        new: { type: t/service, needs: [db] }
        web: { type: t/service, needs: [db], with: { text: two } }
        zero: { type: t/service, needs: [web], with: { text: one, timeout: 5 } }",
    );
    let second = project.deploy(&state);
    run(&mut state, &second, 2, |id| id.component.as_str() != "web");
    let desired = launchway_planner::restore(
        &state,
        launchway_model::RunId(2),
        &second,
        &launchway_planner::Since::default(),
        &launchway_planner::Restriction::default(),
    )
    .unwrap()
    .desired;
    let operation = Operation::Rollback { run: launchway_model::RunId(2) };
    let rollback = project.try_plan(operation, Some(&desired), &state).unwrap().plan;
    insta::assert_snapshot!(text::plan(&rollback));
    assert_eq!(rollback.version.to.as_ref().unwrap().as_str(), "1.0");
    run_all(&mut state, &rollback, 3);
    // All as before but for the migration, which is kept.
    for (id, record) in &state.instances {
        let kept = id.component.as_str() == "db";
        assert_eq!(record.confirmed == before.instances[id].confirmed, !kept, "{id}");
        assert!(record.dirty.is_none());
    }
    assert_eq!(state.instances.len(), before.instances.len());
}
