//! Looking back at runs.

use launchway_model::{
    ApplicationName, Digest, EnvironmentName, Event, NodeId, RunId, RunOutcome, SkipReason, StepKey, Timestamp,
};
use launchway_store::{RunFilter, RunStanding, StepCounts, StoreError, StoredEvent};

use crate::support::{
    Folder, Scribe, application, begin, deploy, deployed, environment, holder, instance, plan, state, timed_out,
    version,
};

#[test]
fn a_summary_counts_how_steps_ended() {
    let folder = Folder::new();
    let ids: Vec<_> = (0..4).map(|at| instance(&format!("c{at}"), "t")).collect();
    let changes: Vec<_> = ids.iter().map(|id| (id.clone(), Some(deployed(id, "1")))).collect();
    let plan = plan(&state(&folder.store), "1", &changes);
    let journal = begin(&folder.store, &plan, 5).unwrap();
    let mut scribe = Scribe::new(&plan, journal.run(), 5);
    scribe.succeed(0);
    scribe.start(1);
    scribe.end(1, timed_out());
    scribe.add(Event::StepSkipped { node: NodeId(4), step: StepKey("x".into()), reason: SkipReason::Stopped });
    journal.append(&scribe.records).unwrap();
    let from = scribe.records.len();
    scribe.add(Event::StepSkipped { node: NodeId(6), step: StepKey("y".into()), reason: SkipReason::Stopped });
    scribe.finish(RunOutcome::Failed);
    journal.append(&scribe.records[from..]).unwrap();
    let summary = folder.store.run_summary(journal.run(), Timestamp(0)).unwrap().unwrap();
    assert_eq!(summary.steps, StepCounts { total: 4, changed: 1, unchanged: 0, failed: 1, skipped: 2 });
    assert_eq!(summary.standing, RunStanding::Finished(RunOutcome::Failed));
    assert_eq!(summary.started, Timestamp(5));
    assert_eq!(summary.finished, Some(scribe.records[scribe.records.len() - 1].at));
    assert_eq!((summary.application, summary.environment), (application(), environment()));
    assert_eq!((summary.version, summary.holder), (plan.version.clone(), holder()));
    assert_eq!(summary.plan, Digest::of(&serde_json::to_vec(&plan).unwrap()));
}

#[test]
fn runs_come_latest_first_and_filtered() {
    let folder = Folder::new();
    let first = deploy(&folder.store, &plan(&state(&folder.store), "1", &[]), 0);
    let second = deploy(&folder.store, &plan(&state(&folder.store), "2", &[]), 100);
    let other = EnvironmentName::new("other").unwrap();
    let mut elsewhere = plan(&folder.store.state(&other, &application()).unwrap(), "1", &[]);
    elsewhere.environment = other.clone();
    let third = deploy(&folder.store, &elsewhere, 200);
    let ids = |filter: RunFilter| -> Vec<RunId> {
        folder.store.runs(&filter, Timestamp(0)).unwrap().into_iter().map(|run| run.id).collect()
    };
    assert_eq!(ids(RunFilter::default()), [third, second, first]);
    assert_eq!(ids(RunFilter { limit: Some(2), ..RunFilter::default() }), [third, second]);
    assert_eq!(ids(RunFilter { environment: Some(other), ..RunFilter::default() }), [third]);
    let nobody = ApplicationName::new("nobody").unwrap();
    assert_eq!(ids(RunFilter { application: Some(nobody), ..RunFilter::default() }), []);
    let last = folder.store.last_run(&environment(), &application(), Timestamp(0)).unwrap().unwrap();
    assert_eq!(last.id, second);
    assert_eq!(folder.store.run(RunId(99), Timestamp(0)).unwrap(), None);
}

#[test]
fn events_of_a_newer_launchway_are_shown_as_they_are() {
    let folder = Folder::new();
    let run = deploy(&folder.store, &plan(&state(&folder.store), "1", &[]), 0);
    folder.sql("INSERT INTO events VALUES (1, 7, '{\"index\":7,\"at\":9,\"event\":\"moon-phase-changed\",\"to\":3}')");
    let detail = folder.store.run(run, Timestamp(0)).unwrap().unwrap();
    assert!(matches!(detail.events[1], StoredEvent::Known(_)));
    match &detail.events[2] {
        StoredEvent::Unknown(value) => assert_eq!(value["to"], 3),
        StoredEvent::Known(record) => panic!("{record:?}"),
    }
    folder.sql("INSERT INTO events VALUES (1, 8, '{oops')");
    assert!(matches!(folder.store.run(run, Timestamp(0)), Err(StoreError::Record { .. })));
}

#[test]
fn a_newer_plan_is_refused_with_its_format() {
    let folder = Folder::new();
    let mut newer = plan(&state(&folder.store), "1", &[]);
    newer.format.0 = 9;
    let run = deploy(&folder.store, &newer, 0);
    assert!(matches!(folder.store.run(run, Timestamp(0)), Err(StoreError::PlanFormat { found: 9, known: 1, .. })));
    assert!(folder.store.run_summary(run, Timestamp(0)).unwrap().is_some(), "the list still shows it");
}

#[test]
fn damaged_records_are_named() {
    let folder = Folder::new();
    let a = instance("a", "t");
    deploy(&folder.store, &plan(&state(&folder.store), "1", &[(a.clone(), Some(deployed(&a, "1")))]), 0);
    folder.sql("UPDATE instances SET confirmed = '{\"spec\":7}'");
    let error = folder.store.state(&environment(), &application()).unwrap_err();
    assert_eq!(error.to_string(), "the store's record of a@t can't be read");
    folder.sql("UPDATE runs SET status = 'sleeping'");
    let error = folder.store.runs(&RunFilter::default(), Timestamp(0)).unwrap_err();
    assert_eq!(error.to_string(), "the store's run status can't be read: `sleeping` is not valid");
}

#[test]
fn releases_are_remembered_by_version() {
    let folder = Folder::new();
    let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
    folder.store.record_release(&application(), &version("1.0"), &one).unwrap();
    assert_eq!(folder.store.find_release(&application(), &version("1.0")).unwrap(), Some(one));
    folder.store.record_release(&application(), &version("1.0"), &two).unwrap();
    assert_eq!(folder.again().find_release(&application(), &version("1.0")).unwrap(), Some(two));
    assert_eq!(folder.store.find_release(&application(), &version("2.0")).unwrap(), None);
    assert_eq!(folder.store.releases(&application()).unwrap(), [(version("1.0"), two)]);
}

#[test]
fn logs_grow_by_appending() {
    let folder = Folder::new();
    let path = folder.store.log_path(RunId(7), NodeId(3), 2);
    assert!(path.ends_with("runs/7/logs/3-2.log"));
    let mut log = folder.store.log_writer(RunId(7), NodeId(3), 2);
    assert!(!path.exists(), "silence leaves no file");
    log.append(b"one\n").unwrap();
    log.append(b"\xff\x1b[31m").unwrap();
    drop(log);
    folder.store.log_writer(RunId(7), NodeId(3), 2).append(b"two").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"one\n\xff\x1b[31mtwo");
}
