//! What is forgotten, and what is taken over as it was found.

mod support;

use std::collections::BTreeMap;

use launchway_model::{ApplicationState, Digest, Dirty, InstanceId, InstanceRecord, Plan, RunId};
use launchway_planner::{RecordsInput, Restriction, adopt, adoptable, forget, forgettable};
use support::{Project, empty_state, run_all, text};

const TWO: &str = "t1: { address: 198.18.0.1 }\nt2: { address: 198.18.0.2 }";

fn id(component: &str, target: &str) -> InstanceId {
    InstanceId { component: component.parse().unwrap(), target: target.parse().unwrap() }
}

fn only(targets: &[&str]) -> Restriction {
    Restriction { components: Vec::new(), targets: targets.iter().map(|name| (*name).to_owned()).collect() }
}

fn names<'a>(ids: impl IntoIterator<Item = &'a InstanceId>) -> Vec<String> {
    ids.into_iter().map(InstanceId::to_string).collect()
}

fn take_over(project: &Project, state: &ApplicationState, found: &[(&InstanceId, Option<&str>)]) -> Plan {
    let desired = project.desired();
    let found: BTreeMap<_, _> = found.iter().map(|(id, how)| ((*id).clone(), how.map(str::to_owned))).collect();
    let input = RecordsInput { state, targets: &desired.targets, environment_digest: Digest::of(b"") };
    adopt(&input, &desired, &found, &BTreeMap::new(), &project.plugins, &project.secrets).unwrap()
}

/// Writes into the state what a run of such a plan does.
fn amend(state: &mut ApplicationState, plan: &Plan) {
    let run = RunId(9);
    plan.forgotten.iter().for_each(|id| drop(state.instances.remove(id)));
    for one in &plan.adopted {
        let to = Some(one.deployed.clone());
        let differs = one.differs.clone();
        let dirty = differs.is_some().then(|| Dirty { run, to: to.clone(), deleting: false, differs });
        let record = InstanceRecord { confirmed: to, dirty, assumed: false, run };
        state.instances.insert(one.deployed.spec.id.clone(), record);
    }
    state.version = plan.version.to.clone();
}

#[test]
fn what_is_forgotten_is_created_again() {
    let project = Project::new("a: { type: t/full }\nb: { type: t/full }", TWO);
    let mut state = empty_state();
    run_all(&mut state, &project.deploy(&empty_state()), 1);
    let input = |state| {
        forget(
            &RecordsInput { state, targets: &BTreeMap::new(), environment_digest: Digest::of(b"") },
            forgettable(state, &only(&["t1"])).unwrap(),
        )
    };
    let plan = input(&state);
    assert_eq!(names(&plan.forgotten), ["a@t1", "b@t1"]);
    assert_eq!(
        (names(&plan.unchanged), plan.version.to == state.version),
        (vec!["a@t2".to_owned(), "b@t2".to_owned()], true)
    );
    amend(&mut state, &plan);
    assert_eq!(names(project.deploy(&state).changes.iter().map(|change| &change.id)), ["a@t1", "b@t1"]);
    let all = forget(
        &RecordsInput { state: &state, targets: &BTreeMap::new(), environment_digest: Digest::of(b"") },
        forgettable(&state, &only(&["t2"])).unwrap(),
    );
    assert_eq!(all.version.to, None, "nothing is left that has a version");
    assert!(forgettable(&state, &only(&["t1"])).is_err(), "nothing is recorded there any more");
}

#[test]
fn what_is_there_is_taken_over_and_what_differs_is_updated() {
    let project = Project::new("a: { type: t/full }\nb: { type: t/full }", TWO);
    let mut state = empty_state();
    let desired = project.desired();
    let open = adoptable(&desired, &state, &only(&["t1"]), &project.plugins).unwrap();
    assert_eq!(names(open.specs.iter().map(|spec| &spec.id)), ["a@t1", "b@t1"]);
    let plan = take_over(&project, &state, &[(&id("a", "t1"), None), (&id("b", "t1"), Some("/b: it is green"))]);
    assert_eq!(plan.version.to, None, "not all of it is there");
    amend(&mut state, &plan);
    let next = project.deploy(&state);
    let changes = text::changes(&next);
    assert!(changes.contains("drift /b: it is green"), "{changes}");
    assert_eq!(names(&next.unchanged), ["a@t1"]);
    let kinds: Vec<_> = next.changes.iter().map(|change| change.kind).collect();
    use launchway_model::ChangeKind::{Create, Update};
    assert_eq!(kinds, [Create, Update, Create], "{changes}");
    run_all(&mut state, &next, 10);
    assert!(project.deploy(&state).is_empty());
}

#[test]
fn all_that_is_there_as_it_should_be_is_a_version() {
    let project = Project::new("a: { type: t/full }", TWO);
    let mut state = empty_state();
    let plan = take_over(&project, &state, &[(&id("a", "t1"), None), (&id("a", "t2"), None)]);
    assert_eq!(plan.version.to, project.desired().version);
    amend(&mut state, &plan);
    assert!(project.deploy(&state).is_empty());
}

#[test]
fn a_path_that_changes_hands_is_not_taken_over() {
    let mut project = Project::new("old: { type: t/file, with: { path: /x } }", TWO);
    let mut state = empty_state();
    run_all(&mut state, &project.deploy(&empty_state()), 1);
    project.components("new: { type: t/file, with: { path: /x } }");
    let desired = project.desired();
    let open = adoptable(&desired, &state, &only(&["t1"]), &project.plugins).unwrap();
    assert!(open.specs.is_empty(), "deleting the old one would take it away");
    assert_eq!(open.held, [(id("new", "t1"), id("old", "t1"))]);
    project.components("new: { type: t/file, renamed_from: old, with: { path: /x } }");
    let open = adoptable(&project.desired(), &state, &Restriction::default(), &project.plugins).unwrap().specs.len();
    assert_eq!(open, 0, "it is recorded, under another name");
}
