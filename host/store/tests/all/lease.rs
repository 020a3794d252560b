//! One writer at a time, and plans that have not gone stale.

use launchway_model::{Lineage, RunOutcome, Timestamp};
use launchway_store::{BeginError, LEASE_MS, NewRun, RunStanding, StoreError};

use crate::support::{
    Folder, Scribe, application, begin, deploy, deployed, environment, holder, instance, new_run, plan, state,
};

#[test]
fn a_second_run_is_locked_out_and_told_by_whom() {
    let folder = Folder::new();
    let plan = plan(&state(&folder.store), "1", &[]);
    let first = begin(&folder.store, &plan, 500).unwrap();
    let error = begin(&folder.again(), &plan, 600).unwrap_err();
    match error {
        BeginError::Locked { run, holder: by, since } => {
            assert_eq!((run, by, since), (first.run(), holder(), Timestamp(500)));
        }
        other => panic!("{other}"),
    }
    let standing = folder.store.last_run(&environment(), &application(), Timestamp(700)).unwrap().unwrap().standing;
    assert_eq!(standing, RunStanding::Running);
}

#[test]
fn a_lease_ends_with_its_run() {
    let folder = Folder::new();
    deploy(&folder.store, &plan(&state(&folder.store), "1", &[]), 0);
    assert_eq!(folder.store.lease(&environment(), &application()).unwrap(), None);
    let again = begin(&folder.store, &plan(&state(&folder.store), "2", &[]), 100).unwrap();
    assert_eq!(again.fence(), 2);
}

#[test]
fn a_silent_holder_is_taken_over_and_can_write_no_more() {
    let folder = Folder::new();
    let a = instance("a", "t");
    let plan = plan(&state(&folder.store), "1", &[(a.clone(), Some(deployed(&a, "1")))]);
    let silent = begin(&folder.store, &plan, 0).unwrap();
    let mut late = Scribe::new(&plan, silent.run(), 0);
    silent.append(&late.records).unwrap();
    silent.heartbeat(Timestamp(1000)).unwrap();
    assert!(matches!(begin(&folder.again(), &plan, 1000 + LEASE_MS - 1), Err(BeginError::Locked { .. })));
    let other = folder.again();
    let next = begin(&other, &plan, 1000 + LEASE_MS).unwrap();
    assert!(next.fence() > silent.fence());
    late.start(0);
    let lost = silent.append(&late.records[1..]);
    assert!(matches!(lost, Err(StoreError::LeaseLost { run }) if run == silent.run()), "{lost:?}");
    assert!(matches!(silent.heartbeat(Timestamp(40_000)), Err(StoreError::LeaseLost { .. })));
    assert!(state(&other).instances.is_empty(), "nothing of the late batch is written");
    let dead = other.run(silent.run(), Timestamp(40_000)).unwrap().unwrap();
    assert_eq!(dead.summary.standing, RunStanding::Interrupted);
    assert_eq!(dead.summary.finished, Some(Timestamp(1000)), "its last sign of life");
    assert_eq!(dead.events.len(), 1);
    let mut own = Scribe::new(&plan, next.run(), 40_000);
    own.succeed(0);
    own.finish(RunOutcome::Done);
    next.append(&own.records).unwrap();
}

#[test]
fn events_are_signs_of_life() {
    let folder = Folder::new();
    let a = instance("a", "t");
    let plan = plan(&state(&folder.store), "1", &[(a.clone(), Some(deployed(&a, "1")))]);
    let journal = begin(&folder.store, &plan, 0).unwrap();
    let mut scribe = Scribe::new(&plan, journal.run(), 20_000);
    journal.append(&scribe.records).unwrap();
    scribe.now = 45_000;
    scribe.start(0);
    journal.append(&scribe.records[1..]).unwrap();
    assert!(matches!(begin(&folder.store, &plan, 70_000), Err(BeginError::Locked { .. })));
}

#[test]
fn whoever_gives_up_frees_the_lease_at_once() {
    let folder = Folder::new();
    let plan = plan(&state(&folder.store), "1", &[]);
    let first = begin(&folder.store, &plan, 0).unwrap();
    first.abandon(Timestamp(70)).unwrap();
    let summary = folder.store.last_run(&environment(), &application(), Timestamp(80)).unwrap().unwrap();
    assert_eq!((summary.standing, summary.finished), (RunStanding::Interrupted, Some(Timestamp(70))));
    begin(&folder.store, &plan, 90).unwrap();
    assert!(first.append(&Scribe::new(&plan, first.run(), 0).records).is_err());
}

#[test]
fn of_many_that_begin_at_once_one_does() {
    let folder = Folder::new();
    let plan = plan(&state(&folder.store), "1", &[]);
    let won: Vec<bool> = std::thread::scope(|scope| {
        let contenders: Vec<_> =
            (0..12).map(|_| scope.spawn(|| begin(&folder.again(), &plan, 100).map(|journal| journal.run()))).collect();
        contenders
            .into_iter()
            .map(|contender| match contender.join().unwrap() {
                Ok(_) => true,
                Err(BeginError::Locked { .. }) => false,
                Err(other) => panic!("{other}"),
            })
            .collect()
    });
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
}

#[test]
fn a_stale_plan_is_refused() {
    let folder = Folder::new();
    let a = instance("a", "t");
    let early = plan(&state(&folder.store), "1", &[(a.clone(), Some(deployed(&a, "1")))]);
    deploy(&folder.store, &early, 0);
    let error = begin(&folder.store, &early, 100).unwrap_err();
    assert!(matches!(error, BeginError::Stale { planned: 0, current: 3 }), "{error}");
    let mut foreign = plan(&state(&folder.store), "2", &[]);
    foreign.basis.lineage = Lineage("another".into());
    assert!(matches!(begin(&folder.store, &foreign, 100), Err(BeginError::OtherLineage)));
    assert_eq!(folder.store.lease(&environment(), &application()).unwrap(), None, "a refusal takes no lease");
}

#[test]
fn a_plan_for_a_deployed_state_is_refused_where_there_is_none() {
    let (full, empty) = (Folder::new(), Folder::new());
    deploy(&full.store, &plan(&state(&full.store), "1", &[]), 0);
    let plan = plan(&state(&full.store), "2", &[]);
    assert!(matches!(begin(&empty.store, &plan, 0), Err(BeginError::OtherLineage)));
    assert!(empty.store.applications().unwrap().is_empty());
}

#[test]
fn a_saved_plan_is_used_once() {
    let folder = Folder::new();
    let plan = plan(&state(&folder.store), "1", &[]);
    let saved = NewRun { saved_plan: true, ..new_run(&plan, 0) };
    let first = folder.store.begin_run(saved.clone()).unwrap();
    first.abandon(Timestamp(1)).unwrap();
    let error = folder.store.begin_run(saved).unwrap_err();
    assert!(matches!(error, BeginError::Used { run } if run == first.run()), "{error}");
    begin(&folder.store, &plan, 5).unwrap();
}
