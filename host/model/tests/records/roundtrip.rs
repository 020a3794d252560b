//! What is written can be read, and is written the same again.

use std::sync::Arc;

use launchway_model::{
    ApplicationState, ChangeIndex, ComponentName, Digest, Dirty, Event, EventRecord, Failure, Fault, Holder,
    InstanceId, InstanceRecord, Lineage, NodeId, Operation, Plan, RequiresChange, ResourceResult, ResourceStatus,
    RunId, RunOutcome, SkipReason, StepKey, StepOutcome, StepReport, TargetName, Timestamp, VersionChange,
};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::sample;

/// Writes, reads and writes again.
fn survives<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let text = serde_json::to_string(value).expect("records are JSON");
    let back: T = serde_json::from_str(&text).expect("what was written can be read");
    assert_eq!(&back, value);
    assert_eq!(serde_json::to_string(&back).expect("records are JSON"), text);
    // The way through a tree of values is the store's.
    let tree = serde_json::to_value(value).expect("records are JSON");
    assert_eq!(&serde_json::from_value::<T>(tree).expect("what was written can be read"), value);
}

#[test]
fn a_plan_survives() {
    survives(&sample::plan());
    let mut empty = sample::plan();
    empty.changes.clear();
    empty.amendments.clear();
    empty.amended.clear();
    empty.moves.clear();
    empty.nodes.clear();
    empty.version = VersionChange::default();
    assert!(!empty.is_empty(), "it requires something else than before");
    empty.requires = RequiresChange::default();
    survives(&empty);
    empty.forgotten.clear();
    empty.adopted.clear();
    empty.reclaimed.clear();
    assert!(empty.is_empty());
    assert!(!sample::plan().is_empty());
    assert_eq!(sample::plan().step_count(), 2);
}

#[test]
fn a_plan_opens_with_its_format() {
    let text = serde_json::to_string(&sample::plan()).unwrap();
    assert!(text.starts_with(&format!("{{\"format\":{}", Plan::FORMAT.0)));
}

#[test]
fn a_state_survives_and_lists_its_instances_in_order() {
    let plan = sample::plan();
    let mut state = ApplicationState::empty(plan.environment, plan.application, Lineage("l".into()));
    survives(&state);
    state.serial = u64::MAX;
    state.version = Some(sample::version("1.0"));
    state.release = Some(Digest::of(b"r"));
    for (component, target) in [("b", "y"), ("a", "z"), ("a", "x y"), ("c", "x")] {
        let id =
            InstanceId { component: ComponentName::new(component).unwrap(), target: TargetName::new(target).unwrap() };
        let record = InstanceRecord {
            confirmed: (component != "b").then(|| Arc::new(sample::deployed())),
            dirty: (component != "c").then(|| Dirty {
                run: RunId(3),
                to: Some(Arc::new(sample::deployed())),
                deleting: false,
                differs: (component == "a").then(|| "it is missing".to_owned()),
            }),
            assumed: component == "a",
            run: RunId(u64::MAX),
        };
        state.instances.insert(id, record);
    }
    survives(&state);
    let tree = serde_json::to_value(&state).unwrap();
    let names: Vec<(&str, &str)> = tree["instances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["component"].as_str().unwrap(), entry["target"].as_str().unwrap()))
        .collect();
    assert_eq!(names, [("a", "x y"), ("a", "z"), ("b", "y"), ("c", "x")]);
}

#[test]
fn damaged_records_are_refused() {
    let text = serde_json::to_string(&sample::plan()).unwrap();
    for (from, to) in
        [("sha256:", "md5:"), ("\"app1\"", "\"a/b\""), ("\"update\"", "\"upgrade\""), ("\"install\"", "\"now\"")]
    {
        assert!(text.contains(from));
        assert!(serde_json::from_str::<Plan>(&text.replace(from, to)).is_err(), "{from} for {to}");
    }
}

fn events() -> Vec<Event> {
    let step = || StepKey("a@b/install/c".into());
    let report = StepReport {
        summary: "did".to_owned(),
        resources: vec![ResourceResult {
            name: "File[/a]".to_owned(),
            status: ResourceStatus::Changed,
            message: Some("x".to_owned()),
        }],
    };
    let failure = Failure {
        fault: Fault::Tool,
        message: "exited with 3".to_owned(),
        detail: Some("\u{1b}[31mno\0".to_owned()),
        hint: None,
        retryable: true,
    };
    let holder = Holder { user: "u".to_owned(), host: "h".to_owned(), url: Some("https://ci/1".to_owned()) };
    let plan = sample::plan();
    let mut events = vec![
        Event::RunStarted {
            run: RunId(1),
            plan: Digest::of(b"p"),
            operation: Operation::Rollback { run: RunId(9) },
            application: plan.application,
            environment: plan.environment,
            version: plan.version,
            fence: u64::MAX,
            holder: holder.clone(),
        },
        Event::InstanceDirtied { change: ChangeIndex(0) },
        Event::StepStarted { node: NodeId(0), step: step(), attempt: 1 },
        Event::HostCallRecorded {
            node: NodeId(0),
            attempt: 1,
            call: 2,
            request: Digest::of(b"a"),
            result: Digest::of(b"b"),
        },
        Event::StepWaiting { node: NodeId(0), attempt: 1, token: "t".to_owned(), after_ms: 5, message: String::new() },
        Event::StepSkipped { node: NodeId(0), step: step(), reason: SkipReason::Blocked },
        Event::InstanceCommitted { node: NodeId(2), change: ChangeIndex(0), assumed: true },
        Event::RecordsAmended,
        Event::DriftFound { change: ChangeIndex(1), differs: vec!["/etc/x: other content".to_owned()] },
        Event::GateOpened { node: NodeId(3), by: Some(holder) },
        Event::GateOpened { node: NodeId(3), by: None },
        Event::StopRequested { abort: true },
        Event::RunFinished { outcome: RunOutcome::RolledBack },
    ];
    for outcome in [
        StepOutcome::Changed(report.clone()),
        StepOutcome::Unchanged(StepReport::default()),
        StepOutcome::RebootNeeded(report),
        StepOutcome::NotRun { reason: "locked".to_owned() },
        StepOutcome::Failed(failure),
        StepOutcome::TimedOut { after_ms: 1 },
        StepOutcome::Aborted,
        StepOutcome::Unknown { reason: "rebooted".to_owned() },
    ] {
        events.push(Event::StepFinished { node: NodeId(0), step: step(), attempt: 1, outcome });
    }
    events
}

#[test]
fn every_event_survives() {
    for (index, event) in events().into_iter().enumerate() {
        survives(&EventRecord { index: index as u64, at: Timestamp(u64::MAX), event });
    }
}

proptest! {
    /// Journal bytes may be anything.
    #[test]
    fn damaged_events_never_panic(which in 0..20usize, at in 0..200usize, byte in any::<u8>()) {
        let events = events();
        let record = EventRecord { index: 0, at: Timestamp(1), event: events[which % events.len()].clone() };
        let mut bytes = serde_json::to_vec(&record).unwrap();
        let length = bytes.len();
        bytes[at % length] = byte;
        if let Ok(record) = serde_json::from_slice::<EventRecord>(&bytes) {
            survives(&record);
        }
    }
}
