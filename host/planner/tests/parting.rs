//! What goes for good: out of the proxy, last or first, in its batches; small plans in full.

mod support;

use launchway_model::{ApplicationState, NodeKind, Operation, Owner, Plan, RunId};
use launchway_planner::{Desired, PlanError, Restriction, Since, restore};
use support::reach::Reach;
use support::{Project, empty_state, run, run_all, text};

const THREE: &str = "
    a1: { labels: { role: app } }
    a2: { labels: { role: app } }
    a3: { labels: { role: app } }
    lb: { labels: { role: lb } }";
const TWO: &str = "
    a1: { labels: { role: app } }
    a2: { labels: { role: app } }
    lb: { labels: { role: lb } }";
const AROUND: &str = "around: [{ at: role=lb, \
    before: { type: t/check, with: { url: \"drain ${instance.target} at ${target.address}\" } }, \
    after: { type: t/check, with: { url: \"ready ${instance.target}\" } } }]";

fn deployed(project: &Project) -> ApplicationState {
    let mut state = empty_state();
    run_all(&mut state, &project.deploy(&empty_state()), 1);
    state
}

/// Takes a target out of the environment.
fn targets(project: &mut Project, targets: &str) {
    project.environment = Project::new("x: 1", targets).environment;
}

fn node(plan: &Plan, key: &str) -> usize {
    let found = plan.nodes.iter().position(|node| match &node.kind {
        NodeKind::Step(step) => &*step.key.0 == key,
        NodeKind::Commit { change } => key == format!("commit {}", plan.changes[change.0 as usize].id),
        _ => false,
    });
    found.unwrap_or_else(|| panic!("no {key} in\n{}", text::plan(plan)))
}

/// Panics unless these come one after the other.
#[track_caller]
fn assert_in_order(plan: &Plan, keys: &[&str]) {
    let reach = Reach::of(plan);
    for pair in keys.windows(2) {
        let ordered = reach.comes_before(node(plan, pair[0]), node(plan, pair[1]));
        assert!(ordered, "{} comes before {}\n{}", pair[0], pair[1], text::plan(plan));
    }
}

fn drains(plan: &Plan) -> Vec<String> {
    let before = plan.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Step(step) => Some(step.key.to_string()).filter(|key| key.contains("/before/")),
        _ => None,
    });
    before.collect()
}

/// A service behind a proxy, whose configuration lists the service's hosts.
fn shop(number: u8) -> String {
    format!(
        "
        api: {{ type: t/service, on: role=app, with: {{ number: {number} }}, rollout: [{{ rolling: 1 }}], {AROUND} }}
        conf: {{ type: t/file, on: role=lb, with: {{ path: /etc/proxy, template: hosts }} }}
        proxy: {{ type: t/service, on: role=lb, needs: [api], subscribe: [{{ conf: reload }}] }}"
    )
}

fn shop_project() -> Project {
    let mut project = Project::new(&shop(1), THREE);
    project.files.add("hosts", "{% for host in components.api.targets %}{{ host.name }} {% endfor %}");
    project
}

#[test]
fn a_host_leaves_the_proxy_before_that_forgets_it_and_goes_last() {
    let mut project = shop_project();
    let state = deployed(&project);
    targets(&mut project, TWO);
    insta::assert_snapshot!(text::plan(&project.deploy(&state)));
    // With others that change, it goes on serving until they are done.
    project.version("2.0").components(&shop(2));
    let plan = project.deploy(&state);
    assert_in_order(
        &plan,
        &[
            "commit api@a1",
            "commit api@a2",
            "api@a3/before/1.check@lb",
            "conf@lb/install/put",
            "commit proxy@lb",
            "api@a3/stop/stop",
        ],
    );
    // What is done is what was recorded: the target is known by nobody else any more.
    let NodeKind::Step(step) = &plan.nodes[node(&plan, "api@a3/before/1.check@lb")].kind else {
        panic!("it is a step")
    };
    let Owner::Action { action, .. } = &step.owner else { panic!("it is an action's") };
    assert_eq!(action.properties["url"], "drain a3 at a3");
    assert!(plan.targets.contains_key("lb"));
}

#[test]
fn a_proxy_that_has_to_know_the_new_ones_first_forgets_the_old_one_first_too() {
    let shop = |number: u8| shop(number).replace("needs: [api], ", "").replace("rollout:", "needs: [proxy], rollout:");
    let mut project = shop_project();
    project.components(&shop(1));
    let state = deployed(&project);
    let swapped = THREE.replace("a3", "a4");
    targets(&mut project, &swapped);
    project.version("2.0").components(&shop(2));
    let order = ["api@a3/before/1.check@lb", "conf@lb/install/put", "proxy@lb/start/reload", "api@a1/stop/stop"];
    assert_in_order(
        &project.deploy(&state),
        &[&order[..], &["commit api@a1", "commit api@a4", "api@a3/stop/stop"]].concat(),
    );
}

#[test]
fn an_undeployment_goes_backwards_in_batches() {
    let components = format!(
        "
        code: {{ type: t/plain, on: role=app }}
        api: {{ type: t/service, on: role=app, needs: [code], {AROUND} }}
        db: {{ type: t/plain, on: role=lb }}"
    );
    let mut project = Project::new(&components, THREE);
    project.also("groups: { g: { members: [code, api], rollout: [{ rolling: 1, gate: approve }] } }\n");
    let state = deployed(&project);
    let plan = project.undeploy(&state);
    // Something of it was where the proxy is, and nothing stays there: whoever is to be told may be gone.
    assert!(drains(&plan).is_empty());
    let order = ["a3", "a2", "a1"].map(|on| [format!("api@{on}/stop/stop"), format!("commit code@{on}")]).concat();
    assert_in_order(&plan, &order.iter().map(String::as_str).collect::<Vec<_>>());
    project.restriction = Restriction { components: vec!["!db".to_owned()], targets: Vec::new() };
    insta::assert_snapshot!(text::graph(&project.undeploy(&state)));
}

#[test]
fn nobody_is_asked_who_is_not_there() {
    let mut project = shop_project();
    let state = deployed(&project);
    targets(&mut project, "a1: { labels: { role: app } }");
    project.components("api: { type: t/service, on: role=app, with: { number: 1 } }");
    let plan = project.deploy(&state);
    assert!(drains(&plan).is_empty(), "the proxy has left, too\n{}", text::plan(&plan));
    assert_in_order(&plan, &["commit proxy@lb", "api@a3/stop/stop"]);
    // The proxy goes and its host stays, with something else on it.
    targets(&mut project, THREE);
    project.components("other: { type: t/plain, on: role=lb }");
    assert!(drains(&project.deploy(&state)).is_empty());
    // The service goes, and the proxy that uses it stays.
    project.components("proxy: { type: t/service, on: role=lb }");
    assert_eq!(drains(&project.deploy(&state)).len(), 3);
}

#[test]
fn who_is_to_go_first_goes_first() {
    let component = |replace: &str| format!("job: {{ type: t/service, on: role=app, replace: {replace} }}");
    for (replace, order) in [
        ("create-first", ["job@a1/start/start", "job@a2/stop/stop"]),
        ("delete-first", ["commit job@a2", "job@a1/start/start"]),
    ] {
        let mut project = Project::new(&component("create-first"), "a1: {}\na2: { labels: { role: app } }");
        let state = deployed(&project);
        targets(&mut project, "a1: { labels: { role: app } }\na2: {}");
        project.components(&component(replace));
        assert_in_order(&project.deploy(&state), &order);
    }
    // On one target it is for others, too, whichever of the two says it.
    let of = |name: &str, replace: &str| format!("{name}: {{ type: t/service, replace: {replace} }}");
    for (old, new, order) in [
        ("create-first", "create-first", ["new@t1/start/start", "old@t1/stop/stop"]),
        ("create-first", "delete-first", ["old@t1/stop/stop", "new@t1/start/start"]),
        ("delete-first", "create-first", ["old@t1/stop/stop", "new@t1/start/start"]),
    ] {
        let mut project = Project::new(&of("old", old), "t1: {}");
        let state = deployed(&project);
        project.components(&of("new", new));
        assert_in_order(&project.deploy(&state), &order);
    }
}

#[test]
fn two_at_one_path_have_to_be_meant() {
    let file = |name: &str, more: &str| format!("{name}: {{ type: t/file, with: {{ path: /etc/x }}{more} }}");
    let mut project = Project::new(&file("old", ""), "t1: {}\nt2: {}");
    let mut state = deployed(&project);
    project.version("2.0").components(&file("new", ""));
    let deploy = |project: &Project, state| project.try_plan(Operation::Deploy, Some(&project.desired()), state);
    let error = deploy(&project, &state).unwrap_err();
    insta::assert_snapshot!(text::diagnostics(&error.diagnostics(), &Default::default()));
    let mut renamed = Project::new(&file("new", ", renamed_from: old"), "t1: {}\nt2: {}");
    renamed.version("2.0");
    assert!(deploy(&renamed, &state).unwrap().plan.changes.is_empty());
    project.components(&file("new", ", replace: delete-first"));
    let plan = deploy(&project, &state).unwrap().plan;
    assert_in_order(&plan, &["commit old@t1", "new@t1/install/put"]);
    // What was chosen for the way there is good for the way back, whatever came of it.
    run(&mut state, &plan, 2, |id| id.target.as_str() == "t1");
    let back = restore(&state, RunId(2), &plan, &Since::default(), &Restriction::default()).unwrap().desired;
    let back = project.try_plan(Operation::Rollback { run: RunId(2) }, Some(&back), &state).unwrap().plan;
    assert_in_order(&back, &["commit new@t1", "old@t1/install/put"]);
}

#[test]
fn one_unit_is_not_handed_over_unasked() {
    let service = |name: &str, unit: &str| format!("{name}: {{ type: t/service, with: {{ unit: {unit} }} }}");
    let mut project = Project::new(&service("old", "shop"), "t1: {}");
    let state = deployed(&project);
    project.components(&service("new", "shop.service"));
    let deploy = |project: &Project| project.try_plan(Operation::Deploy, Some(&project.desired()), &state);
    let error = deploy(&project).unwrap_err().to_string();
    assert!(error.starts_with("old@t1 goes and new@t1 comes, and both run the unit `shop.service`:"), "{error}");
    project.components(&service("new", "shop.service").replace("with:", "replace: delete-first, with:"));
    assert_in_order(&deploy(&project).unwrap().plan, &["commit old@t1", "new@t1/start/start"]);
}

#[test]
fn what_contradicts_itself_can_be_restarted_and_gone_back_from() {
    let components = |number: u8, needs: &str, more: &str| {
        format!(
            "
            a: {{ type: t/service, needs: [{needs}], with: {{ number: {number} }} }}
            b: {{ type: t/service, needs: [c], with: {{ number: {more} }} }}
            c: {{ type: t/service, with: {{ number: {number} }} }}"
        )
    };
    let group = "groups: { g: { members: [a, c], rollout: [{ rolling: 1 }] } }\n";
    let mut project = Project::new(&components(1, "b", "1"), "t1: {}\nt2: {}");
    let mut state = deployed(&project);
    project.version("2.0").components(&components(2, "", "1")).also(group);
    // `a` is of the second release on one target and of the first one on the other.
    let plan = project.deploy(&state);
    run(&mut state, &plan, 2, |id| id.to_string() != "a@t2");
    let recorded = state.instances.values_mut().map(|record| record.dirty = None).count();
    assert_eq!(recorded, 6);
    let restart = project.try_plan(Operation::Restart, Some(&Desired::recorded(&state)), &state).unwrap();
    let warnings: Vec<String> = restart.warnings.iter().map(|warning| warning.message.clone()).collect();
    assert_eq!(warnings, ["by what is recorded, `b` stands between what rolls with `g`: g → b → g"]);
    assert!(restart.plan.rollouts.is_empty(), "all at once");
    assert_in_order(&restart.plan, &["c@t1/start/restart", "b@t1/start/restart", "a@t2/start/restart"]);
    project.components(&components(2, "b", "1")).also(group);
    let error = project.try_plan(Operation::Deploy, Some(&project.desired()), &state).unwrap_err();
    assert!(matches!(error, PlanError::NotConvex { .. }), "whoever can mend it is told");
}
