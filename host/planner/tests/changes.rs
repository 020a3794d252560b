//! What counts as a change, what does not, and what is refused.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use launchway_model::{ApplicationState, Fingerprint, Operation, Requirement, RunId};
use launchway_planner::{RestoreError, Restriction, Since, plan_digest, restore};
use support::{Project, empty_state, run, run_all, text};

const ONE: &str = "t1: { address: 198.18.0.1 }";

fn deployed(project: &Project) -> ApplicationState {
    let mut state = empty_state();
    let plan = project.deploy(&state);
    run_all(&mut state, &plan, 1);
    state
}

/// Returns what changes when these components become those.
fn upgrade(old: &str, new: &str) -> String {
    let mut project = Project::new(old, ONE);
    let state = deployed(&project);
    project.version("2.0").components(new);
    text::changes(&project.deploy(&state))
}

#[test]
fn a_deployment_without_changes_does_nothing() {
    let project = Project::new("a: { type: t/full }\nb: { type: t/full, subscribe: [{ a: x }] }", ONE);
    let state = deployed(&project);
    let plan = project.deploy(&state);
    assert!(plan.is_empty() && plan.nodes.is_empty() && plan.targets.is_empty());
    assert_eq!(plan.unchanged.len(), 2);
}

#[test]
fn each_difference_names_its_cause() {
    assert_eq!(
        upgrade(
            "a: { type: t/plain, with: { any: { x: 1, y: [1, 2], z: 3 }, text: old } }",
            "a: { type: t/plain, with: { any: { x: 2, y: [1, 3], w: 3 }, text: new } }"
        ),
        "Update a@t1: /any/w, /any/x, /any/y/1, /any/z, /text\n"
    );
}

#[test]
fn what_triggers_nothing_is_only_recorded() {
    let old = "a: { type: t/plain }\nb: { type: t/plain }";
    assert_eq!(
        upgrade(old, "a: { type: t/plain, with: { timeout: 5 } }\nb: { type: t/plain, needs: [a] }"),
        "unchanged a@t1\nunchanged b@t1\namended a@t1\namended b@t1\n"
    );
}

#[test]
fn a_changed_verify_runs_again_alone() {
    let component = |with: &str| format!("a: {{ type: t/service, verify: [{{ type: t/check, with: {{ {with} }} }}] }}");
    let mut project = Project::new(&component("url: x, retries: 1"), ONE);
    let state = deployed(&project);
    project.components(&component("url: x, retries: 2"));
    assert_eq!(text::changes(&project.deploy(&state)), "unchanged a@t1\namended a@t1\n");
    project.components(&component("url: y, retries: 1"));
    assert_eq!(
        text::plan(&project.deploy(&state)),
        "Refresh a@t1: verify\n\n  0 a@t1/verify/1.check\n  1 commit a@t1  ← 0\n"
    );
    project.components("a: { type: t/service }");
    assert_eq!(text::changes(&project.deploy(&state)), "unchanged a@t1\namended a@t1\n");
}

#[test]
fn a_changed_file_is_a_change_and_an_equal_one_under_another_version_is_none() {
    let mut project = Project::new("a: { type: t/file, with: { path: /x, file: f.txt } }", ONE);
    project.files.add("f.txt", "one");
    let state = deployed(&project);
    project.version("2.0");
    assert_eq!(text::changes(&project.deploy(&state)), "unchanged a@t1\n");
    project.files.add("f.txt", "two");
    assert_eq!(text::changes(&project.deploy(&state)), "Update a@t1: artifact file\n");
}

#[test]
fn a_rotated_secret_is_a_change_as_far_as_anybody_can_tell() {
    let mut project = Project::new(
        "
        a: { type: t/plain, with: { env: { P: \"${secret.s}\" } } }
        b: { type: t/plain, verify: [{ type: t/check, with: { password: \"${secret.s}\" } }] }",
        ONE,
    );
    project.environment("secrets: { s: { env: S } }\n");
    let set = |project: &mut Project, version: &str| {
        project.secrets.versions.insert("s".to_owned(), version.to_owned());
    };
    // Nobody could read it at first: nothing is known, so nothing differs; what is read later is recorded.
    let unread = deployed(&project);
    set(&mut project, "1");
    assert_eq!(text::changes(&project.deploy(&unread)), "unchanged a@t1\nunchanged b@t1\namended a@t1\namended b@t1\n");
    let state = deployed(&project);
    assert!(project.deploy(&state).is_empty());
    set(&mut project, "2");
    assert_eq!(text::changes(&project.deploy(&state)), "Update a@t1: secret s\nRefresh b@t1: verify\n");
    // Can't be read now: what is recorded stays.
    project.secrets.versions.clear();
    let desired = project.desired();
    let planned = project.try_plan(Operation::Deploy, Some(&desired), &state).unwrap();
    assert!(planned.plan.is_empty());
    let warnings: Vec<_> = planned.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(warnings, ["the secret `s` can't be read here, so whether it was rotated is not checked"]);
    let known = &state.instances.values().next().unwrap().confirmed.as_ref().unwrap().secrets;
    assert_eq!(known.values().next(), Some(&Fingerprint::Version("1".to_owned())));
}

#[test]
fn a_plugin_upgrade_changes_nothing() {
    let mut project = Project::new("a: { type: t/plain }", ONE);
    let state = deployed(&project);
    project.plugins.digest = launchway_model::Digest::of(b"newer");
    assert!(project.deploy(&state).is_empty());
}

#[test]
fn a_target_that_moved_gets_everything_anew_and_one_reached_otherwise_nothing() {
    let mut project = Project::new("a: { type: t/service }", ONE);
    let state = deployed(&project);
    project.environment = "environment: test\ntargets: { t1: { address: 198.18.0.1, user: deploy } }\n".to_owned();
    assert_eq!(text::changes(&project.deploy(&state)), "unchanged a@t1\namended a@t1\n");
    // A delete goes where the instance is recorded to be, with the way in that holds now.
    let user = |plan: &launchway_model::Plan| plan.changes[0].subject().unwrap().target.user.clone();
    assert_eq!(user(&project.undeploy(&state)).as_deref(), Some("deploy"));
    project.environment = "environment: test\ntargets: { t1: { address: 198.18.0.9, user: deploy } }\n".to_owned();
    assert_eq!(text::changes(&project.deploy(&state)), "Create a@t1: target changed\n");
    let undeploy = project.undeploy(&state);
    assert_eq!(undeploy.changes[0].subject().unwrap().target.address, "198.18.0.1");
}

#[test]
fn a_component_that_left_or_a_target_that_left_is_deleted_where_it_was() {
    let mut project = Project::new("a: { type: t/plain }\nb: { type: t/plain }", "t1: {}\nt2: {}");
    let state = deployed(&project);
    project.components("a: { type: t/plain }");
    project.environment = "environment: test\ntargets: { t1: {} }\n".to_owned();
    let plan = project.deploy(&state);
    assert_eq!(
        text::changes(&plan),
        "Delete a@t2: unwanted\nDelete b@t1: unwanted\nDelete b@t2: unwanted\nunchanged a@t1\n"
    );
    assert_eq!(plan.targets.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["t1", "t2"]);
}

#[test]
fn what_a_run_left_unfinished_is_never_unchanged() {
    let mut project =
        Project::new("a: { type: t/service, with: { text: one } }\nb: { type: t/plain, needs: [a] }", ONE);
    let mut state = empty_state();
    let first = project.deploy(&state);
    run(&mut state, &first, 1, |id| id.component.as_str() == "b");
    // Never confirmed: perhaps nothing is there.
    assert_eq!(text::changes(&project.deploy(&state)), "Create a@t1 dirty: dirty\nunchanged b@t1\n");
    project.components("a: { type: t/service, with: { text: two } }\nb: { type: t/plain, needs: [a] }");
    assert_eq!(text::changes(&project.deploy(&state)), "Update a@t1 dirty: /text, dirty\nunchanged b@t1\n");
    let plan = project.undeploy(&state);
    assert_eq!(text::changes(&plan), "Delete a@t1 dirty: dirty, unwanted\nDelete b@t1: unwanted\n");

    // Confirmed once, and touched since.
    let mut state = deployed(&project);
    project.components("a: { type: t/service, with: { text: three } }\nb: { type: t/plain, needs: [a] }");
    let second = project.deploy(&state);
    run(&mut state, &second, 2, |_| false);
    assert_eq!(text::changes(&project.deploy(&state)), "Update a@t1 dirty: dirty\nunchanged b@t1\n");
    let change = &project.deploy(&state).changes[0];
    let text_of = |deployed: &Option<Arc<launchway_model::Deployed>>| {
        deployed.as_ref().unwrap().spec.properties["text"].as_str().unwrap().to_owned()
    };
    assert_eq!((text_of(&change.previous), text_of(&change.confirmed)), ("three".to_owned(), "two".to_owned()));
}

#[test]
fn a_half_deleted_instance_is_created_or_deleted_again() {
    let project = Project::new("a: { type: t/plain }", ONE);
    let mut state = deployed(&project);
    let undeploy = project.undeploy(&state);
    run(&mut state, &undeploy, 2, |_| false);
    assert_eq!(text::changes(&project.deploy(&state)), "Create a@t1 dirty: dirty\n");
    assert_eq!(text::changes(&project.undeploy(&state)), "Delete a@t1 dirty: dirty, unwanted\n");
}

#[test]
fn what_was_assumed_is_made_sure_of() {
    let project = Project::new("a: { type: t/service }", ONE);
    let mut state = deployed(&project);
    state.instances.values_mut().for_each(|record| record.assumed = true);
    assert_eq!(text::changes(&project.deploy(&state)), "Update a@t1: assumed\n");
}

#[test]
fn subscriptions_reach_the_same_target_and_are_not_transitive() {
    let components = |text: &str| {
        format!(
            "
        conf: {{ type: t/plain, overrides: [{{ on: name=t1, with: {{ text: {text} }} }}] }}
        one: {{ type: t/service, subscribe: [{{ conf: reload }}] }}
        all: {{ type: t/service, subscribe: [{{ component: conf, word: restart, scope: all }}] }}
        two: {{ type: t/service, subscribe: [{{ one: reload }}] }}"
        )
    };
    let mut project = Project::new(&components("a"), "t1: {}\nt2: {}");
    let state = deployed(&project);
    project.components(&components("b"));
    let plan = project.deploy(&state);
    assert_eq!(
        text::changes(&plan),
        "Refresh all@t1: restart for conf\nRefresh all@t2: restart for conf\nUpdate conf@t1: /text\n\
         Refresh one@t1: reload for conf\nunchanged conf@t2\nunchanged one@t2\nunchanged two@t1\nunchanged two@t2\n"
    );
    // Refreshed instances stay recorded as what they are.
    let refreshed = plan.changes.iter().find(|change| change.id.component.as_str() == "one").unwrap();
    assert_eq!(refreshed.desired, refreshed.previous);
}

#[test]
fn a_restriction_leaves_the_rest_alone_and_the_version_where_it_is() {
    let components = |text: &str| {
        format!("a: {{ type: t/plain, with: {{ text: {text} }} }}\nb: {{ type: t/plain, with: {{ text: {text} }} }}")
    };
    let mut project = Project::new(&components("one"), "t1: {}\nt2: {}");
    let mut state = deployed(&project);
    project.version("2.0").components(&components("two"));
    project.restriction = Restriction { components: vec!["a".to_owned()], targets: vec!["!t2".to_owned()] };
    let plan = project.deploy(&state);
    assert_eq!(text::changes(&plan), "Update a@t1: /text\nleft out a@t2\nleft out b@t1\nleft out b@t2\n");
    assert_eq!(plan.version.to.as_ref().unwrap().as_str(), "1.0");
    assert_eq!(plan.basis.only, ["component a", "target !t2"]);
    run_all(&mut state, &plan, 2);
    // The last part completes the release.
    project.restriction = Restriction::default();
    let rest = project.deploy(&state);
    run(&mut state, &rest, 3, |id| id.component.as_str() == "b");
    state.instances.values_mut().for_each(|record| record.dirty = None);
    project.restriction = Restriction { components: vec!["a".to_owned()], targets: vec![] };
    let plan = project.deploy(&state);
    assert_eq!(plan.version.to.as_ref().unwrap().as_str(), "2.0");
    assert!(plan.basis.only.is_empty());

    project.restriction = Restriction { components: vec!["aa".to_owned()], targets: vec![] };
    let desired = project.desired();
    let error = project.try_plan(Operation::Deploy, Some(&desired), &state).unwrap_err();
    assert_eq!(error.to_string(), "no component matches `aa`");
}

fn refused(old: &str, new: &str) -> String {
    let mut project = Project::new(old, ONE);
    let state = deployed(&project);
    project.components(new);
    let desired = project.desired();
    let error = project.try_plan(Operation::Deploy, Some(&desired), &state).unwrap_err();
    format!("{error}; {}", error.hint().unwrap_or_default())
}

#[test]
fn what_is_in_an_owned_tree_has_no_other_writer() {
    let plan = |components: &str| {
        let project = Project::new(components, ONE);
        let desired = project.desired();
        let planned = project.try_plan(Operation::Deploy, Some(&desired), &empty_state());
        planned.err().map(|error| format!("{error}; {}", error.hint().unwrap_or_default()))
    };
    let file = "file: { type: t/file, with: { path: /opt/x/sub/y } }";
    let with_file = |tree: &str| plan(&format!("tree: {{ type: t/tree, with: {tree} }}\n{file}"));
    assert_eq!(
        with_file("{ path: /opt/x }").unwrap(),
        "tree@t1 replaces all there is in `/opt/x`, where file@t1 writes `/opt/x/sub/y`; give one of them another \
path, or other targets, or set `exact: false` on `tree`"
    );
    assert_eq!(
        with_file("{ parts: /opt, all: /opt/x/sub/ }").unwrap(),
        "tree@t1 replaces all there is in `/opt/x/sub`, where file@t1 writes `/opt/x/sub/y`; give one of them another \
path, or other targets"
    );
    for free in ["{ path: /opt/x, exact: false }", "{ path: /opt/x/su }", "{ path: /opt/x-, parts: /opt/x }"] {
        assert_eq!(with_file(free), None, "{free}");
    }
    let parts = "a: { type: t/tree, with: { parts: /opt/a, path: /opt/a/own, all: /opt/a/own/all } }";
    assert_eq!(plan(parts), None, "a tree in a tree of one's own");
    let other = plan(&format!("{parts}\nb: {{ type: t/file, with: {{ path: /opt/a/new/y }} }}"));
    assert!(other.unwrap().starts_with("a@t1 replaces all there is in `/opt/a/new`, where b@t1 writes"));
    let elsewhere = "
        tree: { type: t/tree, on: n=1, with: { path: /x } }
        file: { type: t/file, on: n=2, with: { path: /x/y } }";
    Project::new(elsewhere, "t1: { labels: { n: 1 } }\nt2: { labels: { n: 2 } }").deploy(&empty_state());
}

#[test]
fn one_unit_is_of_one_service() {
    let application = "
        a: { type: t/service, with: { unit: shop } }
        b: { type: t/service, with: { unit: shop.service } }";
    assert_eq!(
        refused("a: { type: t/service, with: { unit: shop } }", application),
        "a@t1 and b@t1 both run the unit `shop.service`; let one of them have it, and the other one `subscribe` to that; \
         or give them other targets"
    );
    let file = "f: { type: t/file, with: { path: /etc/systemd/system/shop.service } }";
    let with_file = format!("{file}\ns: {{ type: t/service, with: {{ unit: shop, file: shop.service }} }}");
    assert_eq!(
        refused(file, &with_file),
        "f@t1 and s@t1 both write `/etc/systemd/system/shop.service`; give one of them another path, or other targets"
    );
    let two = "a: { type: t/service, with: { unit: shop.timer } }\nb: { type: t/service, with: { unit: shop } }";
    Project::new(&format!("{two}\n{file}"), ONE).deploy(&empty_state());
}

#[test]
fn one_path_has_one_writer() {
    assert_eq!(
        refused(
            "a: { type: t/file, with: { path: /x } }",
            "a: { type: t/file, with: { path: /x } }\nb: { type: t/file, with: { path: /x/ } }"
        ),
        "a@t1 and b@t1 both write `/x`; give one of them another path, or other targets"
    );
    assert_eq!(
        refused(
            "a: { type: t/file, with: { path: /x } }\nb: { type: t/file, with: { path: /z } }",
            "a: { type: t/file, with: { path: /y }, after: [b] }\nb: { type: t/file, with: { path: /x } }"
        ),
        "a@t1 gives up a path that b@t1 takes, and one of them comes after all of the other; do it in two \
         deployments: the first one gives the path up, the second one takes it"
    );
}

#[test]
fn paths_can_be_swapped() {
    let mut project =
        Project::new("a: { type: t/file, with: { path: /x } }\nb: { type: t/file, with: { path: /y } }", ONE);
    let state = deployed(&project);
    project.components("a: { type: t/file, with: { path: /y } }\nb: { type: t/file, with: { path: /x } }");
    insta::assert_snapshot!(text::plan(&project.deploy(&state)));
}

#[test]
fn plugins_that_answer_badly_are_named() {
    assert_eq!(
        refused("a: { type: t/plain }", "b: { type: t/broken }"),
        "plugin `t` answered badly for b@t1: two steps are called `same`; this is a fault of the plugin; `launchway \
         plugin list` shows where it comes from"
    );
}

#[test]
fn what_was_never_confirmed_can_be_deleted_however_often_that_fails() {
    let project = Project::new("a: { type: t/plain }", ONE);
    let mut state = empty_state();
    let first = project.deploy(&state);
    run(&mut state, &first, 1, |_| false);
    for number in 2..4 {
        let plan = project.undeploy(&state);
        assert_eq!(text::changes(&plan), "Delete a@t1 dirty: dirty, unwanted\n");
        run(&mut state, &plan, number, |_| false);
    }
    let again = project.deploy(&state);
    assert_eq!(text::changes(&again), "Create a@t1 dirty: dirty\n", "whether it is there is not known");
    let last = project.undeploy(&state);
    run_all(&mut state, &last, 4);
    assert!(state.instances.is_empty());
}

#[test]
fn what_an_absent_plugin_deployed_can_not_be_deleted() {
    let mut project = Project::new("a: { type: t/plain }", ONE);
    let state = deployed(&project);
    project.plugins.kinds.retain(|kind| &*kind.name != "plain");
    let error = project.try_plan(Operation::Undeploy, None, &state).unwrap_err();
    assert_eq!(error.to_string(), "a@t1 was deployed by `t/plain`, which no plugin offers any more");
}

#[test]
fn a_run_can_be_rolled_back_unless_something_stands_against_it() {
    let mut project = Project::new("a: { type: t/plain, with: { number: 1 } }\nb: { type: t/refuser }", ONE);
    let mut state = deployed(&project);
    project.version("2.0").components("a: { type: t/plain, with: { number: 2 } }\nb: { type: t/refuser }");
    let second = project.deploy(&state);
    run_all(&mut state, &second, 2);
    project
        .version("3.0")
        .components("a: { type: t/plain, with: { number: 3 } }\nb: { type: t/refuser, with: { number: 1 } }");
    let third = project.deploy(&state);
    run(&mut state, &third, 3, |_| true);
    let a = second.changes[0].id.clone();
    assert_eq!(
        restore(&state, RunId(2), &second, &Since::default(), &Restriction::default()).unwrap_err(),
        RestoreError::TouchedSince { instance: a.clone(), run: RunId(2), by: RunId(3) }
    );
    let b = third.changes[1].id.clone();
    assert_eq!(
        restore(&state, RunId(3), &third, &Since::default(), &Restriction::default()).unwrap_err(),
        RestoreError::Refused { instance: b }
    );
    state.instances.remove(&a);
    assert_eq!(
        restore(&state, RunId(2), &second, &Since::default(), &Restriction::default()).unwrap_err(),
        RestoreError::DeletedSince { instance: a, run: RunId(2) }
    );
}

#[test]
fn rolling_back_the_first_run_leaves_nothing() {
    let project = Project::new("a: { type: t/plain }\nb: { type: t/plain, needs: [a] }", ONE);
    let mut state = empty_state();
    let first = project.deploy(&state);
    run(&mut state, &first, 1, |id| id.component.as_str() == "a");
    let desired = restore(&state, RunId(1), &first, &Since::default(), &Restriction::default()).unwrap().desired;
    let plan = project.try_plan(Operation::Rollback { run: RunId(1) }, Some(&desired), &state).unwrap().plan;
    assert_eq!(text::changes(&plan), "Delete a@t1: unwanted\nDelete b@t1 dirty: dirty, unwanted\n");
    run_all(&mut state, &plan, 2);
    assert!(state.instances.is_empty() && state.version.is_none());
}

#[test]
fn the_same_input_gives_the_same_bytes_whatever_the_order_of_the_files() {
    let mut project = Project::new("a: { type: t/full }\nb: { type: t/full, needs: [a] }", "t1: {}\nt2: {}");
    let digest = plan_digest(&project.deploy(&empty_state()));
    assert_eq!(digest, plan_digest(&project.deploy(&empty_state())));
    project.components("b: { needs: [a], type: t/full }\na: { type: t/full }");
    assert_eq!(digest, plan_digest(&project.deploy(&empty_state())));
    let text = serde_json::to_string(&project.deploy(&empty_state())).unwrap();
    let back: launchway_model::Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
}

#[test]
fn edges_grow_with_the_instances_not_with_their_pairs() {
    let size = |count: usize| {
        let targets: String = (0..count).map(|at| format!("t{at}: {{}}\n")).collect();
        let mut project = Project::new(
            "
            a: { type: t/full }
            b: { type: t/service, needs: [a], subscribe: [{ component: a, word: x, scope: all }] }
            c: { type: t/service, after: [{ component: a, scope: same-target }], needs: [b] }
            d: { type: t/plain, needs: [a, b, c] }",
            &targets,
        );
        let state = deployed(&project);
        let edges = |plan: &launchway_model::Plan| plan.nodes.iter().map(|node| node.after.len()).sum::<usize>();
        let create = edges(&project.deploy(&empty_state()));
        project.components(
            "
            a: { type: t/full, with: { number: 1 } }
            b: { type: t/service, needs: [a], subscribe: [{ component: a, word: x, scope: all }] }
            c: { type: t/service, after: [{ component: a, scope: same-target }], needs: [b] }
            d: { type: t/plain, with: { number: 1 }, needs: [a, b, c] }",
        );
        let listed = project.deploy(&state);
        (create, edges(&listed), edges(&project.undeploy(&state)))
    };
    let (one, two) = (size(100), size(200));
    for (one, two) in [(one.0, two.0), (one.1, two.1), (one.2, two.2)] {
        assert!(one > 100 && two * 10 <= one * 21, "{one} edges became {two}");
    }
}

#[test]
fn what_a_plan_leaves_behind_is_said() {
    let mut project =
        Project::new("a: { type: t/plain }\nb: { type: t/plain, needs: [a] }", "t1: { address: 10.0.0.1 }");
    let state = deployed(&project);
    let warnings = |project: &Project, operation, desired: Option<&launchway_planner::Desired>| -> Vec<String> {
        let planned = project.try_plan(operation, desired, &state).unwrap();
        planned.warnings.iter().map(|warning| warning.message.clone()).collect()
    };
    project.restriction = Restriction { components: vec!["a".to_owned()], targets: Vec::new() };
    let said = warnings(&project, Operation::Undeploy, None);
    assert_eq!(said, ["`b` stays, and was deployed with a need for `a`, which goes"]);
    project.restriction = Restriction::default();
    assert!(warnings(&project, Operation::Undeploy, None).is_empty());
    let all = project.application.clone();
    project.components("b: { type: t/plain }");
    assert!(warnings(&project, Operation::Deploy, Some(&project.desired())).is_empty(), "it needs it no more");
    project.application = all;
    project.environment = project.environment.replace("10.0.0.1", "10.0.0.2");
    let said = warnings(&project, Operation::Deploy, Some(&project.desired()));
    assert_eq!(said, ["the target `t1` is 10.0.0.2 now and was 10.0.0.1: what was deployed there stays there"]);
}

#[test]
fn what_is_required_is_a_change_of_its_own() {
    let mut project = Project::new("a: { type: t/full }\nb: { type: t/full }", ONE);
    let mut state = deployed(&project);
    project.also("requires: { payments: \">=1.4, <2\" }\n");
    let plan = project.deploy(&state);
    let words = |requires: &BTreeSet<Requirement>| requires.iter().map(Requirement::to_string).collect::<Vec<_>>();
    assert!(plan.changes.is_empty() && !plan.is_empty());
    assert_eq!((words(&plan.requires.from), words(&plan.requires.to)), (vec![], vec!["payments >=1.4, <2".to_owned()]));
    state.requires = plan.requires.to;
    assert!(project.deploy(&state).is_empty());
    assert!(project.undeploy(&state).requires.to.is_empty());

    // Of a part of the application nobody can say that the rest no longer needs what it needed.
    let mut part = Project::new("a: { type: t/full, with: { text: x } }\nb: { type: t/full, with: { text: x } }", ONE);
    part.version("2.0").also("requires: { payments: \"*\" }\n");
    part.restriction = Restriction { components: vec!["a".to_owned()], targets: Vec::new() };
    let plan = part.deploy(&state);
    assert_eq!(words(&plan.requires.to), ["payments *", "payments >=1.4, <2"]);
    assert_eq!((plan.version.to.clone(), plan.version.part.unwrap().as_str()), (plan.version.from, "2.0"));
}
