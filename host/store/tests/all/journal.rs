//! Events and the state: one transaction, one meaning.

use std::sync::Arc;

use launchway_model::{ApplicationState, Digest, Dirty, Event, NodeId, RunOutcome, StepKey};
use launchway_store::{Ledger, StoreError};
use proptest::prelude::{ProptestConfig, any, proptest};

use crate::support::{
    Folder, Scribe, application, begin, changed, deploy, deployed, environment, instance, plan, state, timed_out,
    version,
};

#[test]
fn a_run_that_ends_well_confirms_its_instances_and_the_version() {
    let folder = Folder::new();
    let (a, b) = (instance("a", "t"), instance("b", "t'1 \"x\""));
    let changes = [(a.clone(), Some(deployed(&a, "1"))), (b.clone(), Some(deployed(&b, "1")))];
    let run = deploy(&folder.store, &plan(&state(&folder.store), "1", &changes), 0);
    let state = state(&folder.store);
    assert_eq!(state.version, Some(version("1")));
    assert_eq!(state.release, Some(Digest::of(b"1")));
    assert_eq!(state.serial, 5, "two dirtied, two committed, one version");
    for (id, desired) in changes {
        let record = &state.instances[&id];
        assert_eq!((&record.confirmed, &record.dirty, record.assumed, record.run), (&desired, &None, false, run));
    }
}

#[test]
fn a_failed_instance_stays_dirty_beside_what_was_confirmed() {
    let folder = Folder::new();
    let a = instance("a", "t");
    let old = deployed(&a, "1");
    deploy(&folder.store, &plan(&state(&folder.store), "1", &[(a.clone(), Some(old.clone()))]), 0);
    let new = deployed(&a, "2");
    let second = plan(&state(&folder.store), "2", &[(a.clone(), Some(new.clone()))]);
    let journal = begin(&folder.store, &second, 1000).unwrap();
    let mut scribe = Scribe::new(&second, journal.run(), 1000);
    scribe.start(0);
    scribe.end(0, timed_out());
    scribe.finish(RunOutcome::Failed);
    journal.append(&scribe.records).unwrap();
    let state = state(&folder.store);
    assert_eq!(state.version, Some(version("1")));
    let record = &state.instances[&a];
    assert_eq!(record.confirmed, Some(old));
    assert_eq!(record.dirty, Some(Dirty { run: journal.run(), to: Some(new), deleting: false, differs: None }));
}

#[test]
fn a_removed_instance_leaves_no_record() {
    let folder = Folder::new();
    let a = instance("a", "t");
    deploy(&folder.store, &plan(&state(&folder.store), "1", &[(a.clone(), Some(deployed(&a, "1")))]), 0);
    let mut undeploy = plan(&state(&folder.store), "1", &[(a.clone(), None)]);
    undeploy.version.to = None;
    undeploy.basis.release = None;
    let going = undeploy.changes[0].previous.clone();
    assert!(going.is_some());
    let journal = begin(&folder.store, &undeploy, 1000).unwrap();
    let mut scribe = Scribe::new(&undeploy, journal.run(), 1000);
    scribe.start(0);
    journal.append(&scribe.records).unwrap();
    let dirty = Dirty { run: journal.run(), to: going, deleting: true, differs: None };
    assert_eq!(state(&folder.store).instances[&a].dirty, Some(dirty), "what there is to delete stays known");
    let from = scribe.records.len();
    scribe.end(0, changed());
    scribe.finish(RunOutcome::Done);
    journal.append(&scribe.records[from..]).unwrap();
    let state = state(&folder.store);
    assert!(state.instances.is_empty());
    assert_eq!((state.version, state.release), (None, None));
}

#[test]
fn a_type_change_never_loses_sight_of_what_is_half_there() {
    let folder = Folder::new();
    let a = instance("a", "t");
    deploy(&folder.store, &plan(&state(&folder.store), "1", &[(a.clone(), Some(deployed(&a, "1")))]), 0);
    let new = deployed(&a, "2");
    let swap = plan(&state(&folder.store), "2", &[(a.clone(), None), (a.clone(), Some(new.clone()))]);
    let journal = begin(&folder.store, &swap, 1000).unwrap();
    let mut scribe = Scribe::new(&swap, journal.run(), 1000);
    // The new one is staged before the old one is gone.
    scribe.start(1);
    scribe.start(0);
    scribe.end(0, changed());
    journal.append(&scribe.records).unwrap();
    let half = state(&folder.store).instances[&a].clone();
    assert_eq!(half.confirmed, None);
    assert_eq!(half.dirty, Some(Dirty { run: journal.run(), to: Some(new.clone()), deleting: false, differs: None }));
    let from = scribe.records.len();
    scribe.end(1, changed());
    scribe.finish(RunOutcome::Done);
    journal.append(&scribe.records[from..]).unwrap();
    let record = state(&folder.store).instances[&a].clone();
    assert_eq!((record.confirmed, record.dirty), (Some(new), None));
}

#[test]
fn amendments_replace_records_and_leave_marks_alone() {
    let folder = Folder::new();
    let (a, b) = (instance("a", "t"), instance("b", "t"));
    let changes = [(a.clone(), Some(deployed(&a, "1"))), (b.clone(), Some(deployed(&b, "1")))];
    deploy(&folder.store, &plan(&state(&folder.store), "1", &changes), 0);
    let mut amend = plan(&state(&folder.store), "1", &[]);
    amend.amendments = vec![deployed(&a, "1-amended")];
    let run = deploy(&folder.store, &amend, 1000);
    let state = state(&folder.store);
    assert_eq!(state.instances[&a].confirmed, Some(deployed(&a, "1-amended")));
    assert_eq!(state.instances[&a].run, run);
    assert_eq!(state.instances[&b].confirmed, Some(deployed(&b, "1")));
}

#[test]
fn a_partial_plan_moves_no_version() {
    let folder = Folder::new();
    let a = instance("a", "t");
    let mut partial = plan(&state(&folder.store), "1", &[(a.clone(), Some(deployed(&a, "1")))]);
    partial.basis.only = vec!["component a".into()];
    deploy(&folder.store, &partial, 0);
    let state = state(&folder.store);
    assert_eq!((state.version, state.release, state.instances.len()), (None, None, 1));
}

#[test]
fn a_rollback_finds_the_release_of_its_version() {
    let folder = Folder::new();
    folder.store.record_release(&application(), &version("1"), &Digest::of(b"release one")).unwrap();
    let a = instance("a", "t");
    let mut rollback = plan(&state(&folder.store), "1", &[(a.clone(), Some(deployed(&a, "1")))]);
    rollback.basis.release = None;
    deploy(&folder.store, &rollback, 0);
    assert_eq!(state(&folder.store).release, Some(Digest::of(b"release one")));
}

#[test]
fn events_out_of_order_are_refused_whole() {
    let folder = Folder::new();
    let a = instance("a", "t");
    let plan = plan(&state(&folder.store), "1", &[(a.clone(), Some(deployed(&a, "1")))]);
    let journal = begin(&folder.store, &plan, 0).unwrap();
    let mut scribe = Scribe::new(&plan, journal.run(), 0);
    scribe.start(0);
    let gap = [scribe.records[0].clone(), scribe.records[2].clone()];
    assert!(matches!(journal.append(&gap), Err(StoreError::OutOfOrder { expected: 1, found: 2, .. })));
    assert!(matches!(journal.append(&scribe.records), Err(StoreError::Broken { .. })), "nobody knows any more");
    let detail = folder.store.run(journal.run(), launchway_model::Timestamp(1)).unwrap().unwrap();
    assert!(detail.events.is_empty());
    assert!(state(&folder.store).instances.is_empty());
}

#[test]
fn the_last_duration_of_each_step_is_known() {
    let folder = Folder::new();
    let (a, b) = (instance("a", "t"), instance("b", "t"));
    let changes = [(a.clone(), Some(deployed(&a, "1"))), (b.clone(), Some(deployed(&b, "1")))];
    let plan = plan(&state(&folder.store), "1", &changes);
    let journal = begin(&folder.store, &plan, 0).unwrap();
    let mut scribe = Scribe::new(&plan, journal.run(), 0);
    scribe.start(0);
    scribe.start(1);
    scribe.now += 5000;
    scribe.end(0, changed());
    scribe.end(1, timed_out());
    journal.append(&scribe.records).unwrap();
    let durations = folder.store.durations(&environment(), &application()).unwrap();
    assert_eq!(durations.len(), 1, "how long a failure took says nothing");
    assert_eq!(durations[&StepKey(format!("{a}/install/0").into())], 5030);
}

/// What the events mean, folded in memory.
fn folded(before: &ApplicationState, scribe: &Scribe, run: launchway_model::RunId, count: usize) -> ApplicationState {
    let mut state = before.clone();
    let mut ledger = Ledger::new(scribe.plan.clone());
    for record in &scribe.records[..count] {
        if let Some(write) = ledger.take(&record.event) {
            write.apply(&mut state, run);
        }
    }
    state
}

/// A run over some instances, some of them there already, with a fate for each.
fn history(folder: &Folder, choices: &[u8]) -> (ApplicationState, launchway_model::Plan) {
    let ids: Vec<_> = (0..choices.len()).map(|at| instance(&format!("c{at}"), &format!("t{}", at % 3))).collect();
    let there: Vec<_> = ids
        .iter()
        .zip(choices)
        .filter(|(_, choice)| **choice & 1 == 1)
        .map(|(id, _)| (id.clone(), Some(deployed(id, "1"))))
        .collect();
    deploy(&folder.store, &plan(&state(&folder.store), "1", &there), 0);
    let before = state(&folder.store);
    let changes: Vec<_> = ids
        .iter()
        .zip(choices)
        .flat_map(|(id, choice)| {
            let (gone, new) = ((id.clone(), None), (id.clone(), Some(deployed(id, "2"))));
            match choice & 7 {
                1 => vec![gone],
                3 => vec![gone, new],
                _ => vec![new],
            }
        })
        .collect();
    let second = plan(&before, "2", &changes);
    (before, second)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_stored_state_is_the_fold_of_the_stored_events(
        choices in proptest::collection::vec(any::<u8>(), 1..12),
        cuts in proptest::collection::vec(1usize..9, 1..20),
        crash in any::<proptest::sample::Index>(),
    ) {
        let folder = Folder::new();
        let (before, second) = history(&folder, &choices);
        let journal = begin(&folder.store, &second, 1000).unwrap();
        let mut scribe = Scribe::new(&second, journal.run(), 1000);
        let count = second.changes.len() as u32;
        for change in 0..count {
            scribe.start(change);
        }
        for change in (0..count).rev() {
            if choices[change as usize % choices.len()] & 64 == 0 {
                scribe.end(change, changed());
            } else {
                scribe.end(change, timed_out());
            }
        }
        scribe.finish(RunOutcome::Done);
        let mut from = 0;
        let mut batches = Vec::new();
        for cut in cuts.iter().cycle() {
            let to = (from + cut).min(scribe.records.len());
            batches.push(from..to);
            from = to;
            if from == scribe.records.len() {
                break;
            }
        }
        let batches = &batches[..1 + crash.index(batches.len())];
        for batch in batches {
            journal.append(&scribe.records[batch.clone()]).unwrap();
        }
        let run = journal.run();
        let written = batches[batches.len() - 1].end;
        // The process is gone; another one looks.
        drop(journal);
        let again = folder.again();
        assert_eq!(state(&again), folded(&before, &scribe, run, written));
        let detail = again.run(run, launchway_model::Timestamp(1_000_000)).unwrap().unwrap();
        let events: Vec<_> = detail.events.iter().map(|event| match event {
            launchway_store::StoredEvent::Known(record) => Arc::new(record.clone()),
            launchway_store::StoredEvent::Unknown(value) => panic!("{value}"),
        }).collect();
        assert_eq!(events, scribe.records[..written]);
        assert_eq!(detail.plan, second);
    }
}

#[test]
fn host_calls_and_waiting_are_kept_as_they_came() {
    let folder = Folder::new();
    let a = instance("a", "t");
    let plan = plan(&state(&folder.store), "1", &[(a.clone(), Some(deployed(&a, "1")))]);
    let journal = begin(&folder.store, &plan, 0).unwrap();
    let mut scribe = Scribe::new(&plan, journal.run(), 0);
    scribe.start(0);
    let (request, result) = (Digest::of(b"request"), Digest::of(b"result"));
    scribe.add(Event::HostCallRecorded { node: NodeId(0), attempt: 1, call: 1, request, result });
    let (token, message) = ("queue/7".to_owned(), "waits ünï \"\u{1}".to_owned());
    scribe.add(Event::StepWaiting { node: NodeId(0), attempt: 1, token, after_ms: u64::MAX, message });
    journal.append(&scribe.records).unwrap();
    let detail = folder.store.run(journal.run(), launchway_model::Timestamp(50)).unwrap().unwrap();
    let last = launchway_store::StoredEvent::Known((*scribe.records[scribe.records.len() - 1]).clone());
    assert_eq!(detail.events.last(), Some(&last));
}
