//! What applications require of one another holds when a run begins, while it runs, and after it.

use std::collections::BTreeSet;

use launchway_model::{
    ApplicationName, ApplicationState, Moving, Operation, Plan, Requirement, RequiresChange, RunOutcome, Timestamp,
};
use launchway_store::{BeginError, LEASE_MS, NewRun, RunJournal, Store};

use crate::support::{Folder, Scribe, begin, deployed, environment, instance, new_run, of, plan};

fn name(application: &str) -> ApplicationName {
    ApplicationName::new(application).unwrap()
}

fn state_of(store: &Store, application: &str) -> ApplicationState {
    store.state(&environment(), &name(application)).unwrap()
}

fn requires(range: &str) -> BTreeSet<Requirement> {
    BTreeSet::from([Requirement { application: name("payments"), range: range.parse().unwrap() }])
}

/// A plan that takes an application, with one instance, to a version.
fn upgrade(store: &Store, application: &str, version: &str, range: Option<&str>) -> Plan {
    let state = state_of(store, application);
    let id = instance(application, "t");
    let plan = of(application, plan(&state, version, &[(id.clone(), Some(deployed(&id, version)))]));
    let to = range.map(requires).unwrap_or_default();
    Plan { requires: RequiresChange { from: state.requires, to }, ..plan }
}

fn undeploy(store: &Store, application: &str) -> Plan {
    let id = instance(application, "t");
    let mut plan = of(application, plan(&state_of(store, application), "none", &[(id, None)]));
    plan.operation = Operation::Undeploy;
    plan.version.to = None;
    plan
}

fn end(journal: &RunJournal, plan: &Plan, started: u64, outcome: RunOutcome) {
    let mut scribe = Scribe::new(plan, journal.run(), started);
    scribe.succeed(0);
    scribe.finish(outcome);
    journal.append(&scribe.records).unwrap();
}

fn run(store: &Store, plan: &Plan, started: u64, outcome: RunOutcome) {
    end(&begin(store, plan, started).unwrap(), plan, started, outcome);
}

#[track_caller]
fn refused(begun: Result<RunJournal, BeginError>) -> String {
    match begun {
        Err(BeginError::Unmet(unmet)) => unmet.iter().map(|unmet| format!("{unmet}\n")).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn each_side_is_refused_what_the_other_needs() {
    let folder = Folder::new();
    let store = &folder.store;
    let shop = upgrade(store, "shop", "1", Some(">=1.4, <2"));
    let missing = "shop requires payments >=1.4, <2 on test ünï; it is not deployed there\n";
    assert_eq!(refused(begin(store, &shop, 0)), missing);
    assert!(store.runs(&launchway_store::RunFilter::default(), Timestamp(0)).unwrap().is_empty());
    run(store, &upgrade(store, "payments", "1.3", None), 0, RunOutcome::Done);
    let old = "shop requires payments >=1.4, <2 on test ünï; 1.3 is there\n";
    assert_eq!(refused(begin(store, &shop, 10)), old);
    run(store, &upgrade(store, "payments", "1.4", None), 20, RunOutcome::Done);
    run(store, &shop, 30, RunOutcome::Done);
    assert_eq!(state_of(store, "shop").requires, requires(">=1.4, <2"));

    run(store, &upgrade(store, "payments", "1.9", None), 40, RunOutcome::Done);
    let moved = "shop requires payments >=1.4, <2 on test ünï; this would be taking it to 2.0\n";
    assert_eq!(refused(begin(store, &upgrade(store, "payments", "2.0", None), 50)), moved);
    let mut part = upgrade(store, "payments", "1.9", None);
    part.version.part = Some("2.0".parse().unwrap());
    assert_eq!(refused(begin(store, &part, 50)), moved);
    let gone = "shop requires payments >=1.4, <2 on test ünï; this would be removing it\n";
    assert_eq!(refused(begin(store, &undeploy(store, "payments"), 60)), gone);

    run(store, &undeploy(store, "shop"), 70, RunOutcome::Done);
    assert!(state_of(store, "shop").requires.is_empty());
    run(store, &undeploy(store, "payments"), 80, RunOutcome::Done);
}

#[test]
fn runs_at_work_count_as_what_they_may_leave() {
    let folder = Folder::new();
    let store = &folder.store;
    run(store, &upgrade(store, "payments", "1.4", None), 0, RunOutcome::Done);
    // Both were planned when neither knew of the other.
    let (shop, payments) = (upgrade(store, "shop", "1", Some("1.4")), upgrade(store, "payments", "2.0", None));
    let moving = begin(store, &payments, 10).unwrap();
    let told = refused(begin(&folder.again(), &shop, 20));
    assert_eq!(told, "shop requires payments 1.4 on test ünï; run 2 is taking it to 2.0\n");
    let neighbours = store.neighbours(&environment(), &name("shop"), Timestamp(20)).unwrap();
    assert_eq!(neighbours[0].moving, Some(Moving { run: moving.run(), to: Some("2.0".parse().unwrap()) }));
    moving.abandon(Timestamp(30)).unwrap();

    let first = begin(store, &shop, 40).unwrap();
    let told = refused(begin(&folder.again(), &payments, 50));
    assert_eq!(told, "shop requires payments 1.4 on test ünï; this would be taking it to 2.0\n");
    // A run that fell silent before it touched anything holds nothing up.
    let later = 40 + LEASE_MS;
    let second = begin(store, &payments, later).unwrap();
    end(&second, &payments, later, RunOutcome::Done);
    drop(first);
    assert!(state_of(store, "shop").requires.is_empty());
}

#[test]
fn after_a_failure_both_what_was_and_what_was_to_be_are_needed() {
    let folder = Folder::new();
    let store = &folder.store;
    run(store, &upgrade(store, "payments", "1.4", None), 0, RunOutcome::Done);
    run(store, &upgrade(store, "shop", "1", Some(">=1.3")), 10, RunOutcome::Done);
    run(store, &upgrade(store, "shop", "2", Some(">=1.4")), 20, RunOutcome::Failed);
    assert_eq!(state_of(store, "shop").requires.len(), 2);
    refused(begin(store, &upgrade(store, "payments", "1.3", None), 30));
    run(store, &upgrade(store, "shop", "1", Some(">=1.3")), 40, RunOutcome::Done);
    assert_eq!(state_of(store, "shop").requires, requires(">=1.3"));
    run(store, &upgrade(store, "payments", "1.3", None), 50, RunOutcome::Done);
}

#[test]
fn what_was_ignored_is_recorded() {
    let folder = Folder::new();
    let store = &folder.store;
    let plan = upgrade(store, "shop", "1", Some("*"));
    let journal = store.begin_run(NewRun { ignore_requires: true, ..new_run(&plan, 0) }).unwrap();
    let summary = store.run_summary(journal.run(), Timestamp(0)).unwrap().unwrap();
    assert_eq!(summary.ignored, ["shop requires payments * on test ünï; it is not deployed there"]);
    end(&journal, &plan, 0, RunOutcome::Done);
    // What is out of a range already is nothing that another run of the same version does.
    run(store, &upgrade(store, "payments", "1", None), 10, RunOutcome::Done);
    let other = upgrade(store, "billing", "1", None);
    let met = begin(store, &other, 20).unwrap();
    assert!(store.run_summary(met.run(), Timestamp(20)).unwrap().unwrap().ignored.is_empty());
}

#[test]
fn a_restart_is_no_matter_of_requirements() {
    let folder = Folder::new();
    let mut plan = upgrade(&folder.store, "shop", "1", Some("*"));
    plan.operation = Operation::Restart;
    assert!(begin(&folder.store, &plan, 0).is_ok());
}
