//! What people and scripts see of a plan, a state and a run, as reviewed snapshots.

use std::cell::RefCell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use jiff::tz::TimeZone;
use launchway_model::{ApplicationState, Digest, Event, EventRecord, NodeId, Plan, RunId, Signal, Stream, Timestamp};
use launchway_report::{
    Events, Failures, GraphPart, LastRun, LogPiece, Paint, Plain, PlanViewOptions, Progress, RunRow, RunView,
    applications_text, dot, failures_text, mermaid, plan_json, plan_text, run_json, run_text, runs_json, runs_text,
    status_json, status_text, summary_line,
};
use serde_json::{Value, json};

const PLAIN: Paint = Paint { colour: false };

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn target(name: &str) -> Value {
    json!({ "name": name, "address": "198.18.0.1", "transport": "ssh" })
}

fn deployed(component: &str, target_name: &str, version: &str, properties: Value, artifact: Option<&str>) -> Value {
    let artifacts: Vec<Value> = artifact
        .iter()
        .map(|bytes| json!({ "name": "template", "file_name": "api.conf", "digest": digest(bytes), "size": bytes.len() }))
        .collect();
    json!({
        "spec": {
            "id": { "component": component, "target": target_name },
            "version": version,
            "kind": "ssh/file",
            "properties": properties,
            "artifacts": artifacts,
            "on_rollback": "run",
        },
        "target": target(target_name),
        "plugin": digest("plugin"),
        "secrets": { "db password": "unchecked" },
    })
}

fn change(
    component: &str,
    target: &str,
    kind: &str,
    causes: Value,
    previous: Option<Value>,
    desired: Option<Value>,
) -> Value {
    let mut change = json!({ "id": { "component": component, "target": target }, "kind": kind, "causes": causes });
    change["previous"] = json!(previous);
    change["desired"] = json!(desired);
    change
}

fn step(change: u32, key: &str, phase: &str, summary: &str, after: &[u32]) -> Value {
    json!({
        "kind": { "step": {
            "key": key,
            "owner": { "instance": { "change": change } },
            "step": { "name": key, "phase": phase, "summary": summary, "payload": null, "idempotent": true },
        } },
        "after": after,
    })
}

const OLD: &str = "port = 80\nworkers = 4\n";
const NEW: &str = "port = 8080\nworkers = 4\npassword = \u{2}secret:db password\u{3}\n";

/// A plan with one change of each sort, and one change on many targets.
fn plan() -> Plan {
    let old = |target: &str| {
        let properties = json!({ "path": "/etc/api", "mode": "0640", "env": { "A": "1" }, "motd": "a\nb\n" });
        deployed("config", target, "1.0", properties, Some(OLD))
    };
    let new = |target: &str, path: &str| {
        let env = json!({ "A": { "$secret": "db password" }, "B": { "$parts": ["x:", { "$secret": "db password" }] } });
        deployed("config", target, "1.1", json!({ "path": path, "env": env, "motd": "a\nc\n" }), Some(NEW))
    };
    let differs = json!([{ "property": "/path" }, { "artifact": "template" }, { "secret": "db password" }]);
    let mut changes = vec![
        change("config", "app1", "update", differs.clone(), Some(old("app1")), Some(new("app1", "/etc/new"))),
        change("config", "app2", "update", differs, Some(old("app2")), Some(new("app2", "/etc/new2"))),
        change(
            "gone",
            "app1",
            "delete",
            json!(["unwanted"]),
            Some(deployed("gone", "app1", "1.0", json!({}), None)),
            None,
        ),
        change(
            "service",
            "app \"1\"",
            "refresh",
            json!([{ "subscription": { "component": "config", "word": "reload" } }, "dirty"]),
            Some(deployed("service", "app \"1\"", "1.0", json!({}), None)),
            Some(deployed("service", "app \"1\"", "1.0", json!({}), None)),
        ),
    ];
    for i in 0..60 {
        let name = format!("web{i:02}");
        let desired = deployed("web", &name, "1.1", json!({ "path": "/srv" }), None);
        changes.push(change("web", &name, "create", json!(["new"]), None, Some(desired)));
    }
    let nodes = vec![
        step(0, "config@app1/stage/upload", "stage", "Upload api.conf", &[]),
        step(0, "config@app1/install/put", "install", "Put /etc/new ##vso[x] \u{1b}[31m", &[0]),
        json!({ "kind": { "commit": { "change": 0 } }, "after": [1] }),
        json!({ "kind": { "join": { "label": "config is up" } }, "after": [2] }),
        step(3, "service@app \"1\"/start/reload", "start", "Reload \"api\" <b>", &[3]),
        json!({ "kind": { "commit": { "change": 3 } }, "after": [4] }),
    ];
    let plan = json!({
        "format": 1,
        "operation": "deploy",
        "application": "shop",
        "environment": "staging",
        "version": { "from": "1.0", "to": "1.1" },
        "basis": {
            "lineage": "l", "serial": 3, "release": digest("release"), "environment": digest("environment"),
            "plugins": { "ssh": digest("plugin") }, "only": ["component !db"],
        },
        "targets": {},
        "changes": changes,
        "unchanged": [{ "component": "db", "target": "db1" }],
        "amendments": [],
        "nodes": nodes,
    });
    serde_json::from_value(plan).expect("it is a plan")
}

fn blobs(wanted: &Digest) -> Option<Vec<u8>> {
    [OLD, NEW].into_iter().find(|text| digest(text) == *wanted).map(|text| text.as_bytes().to_vec())
}

#[test]
fn a_plan_for_people() {
    let options = PlanViewOptions { paint: PLAIN, verbose: false, blobs: Some(&blobs) };
    insta::assert_snapshot!(plan_text(&plan(), options));
}

#[test]
fn a_plan_for_people_who_want_to_know_all() {
    let mut plan = plan();
    plan.changes.truncate(10);
    insta::assert_snapshot!(plan_text(&plan, PlanViewOptions { paint: PLAIN, verbose: true, blobs: None }));
}

#[test]
fn a_plan_for_machines() {
    let mut plan = plan();
    plan.changes.truncate(4);
    insta::assert_snapshot!(plan_json(&plan, digest("plan"), &[]));
}

#[test]
fn the_summary_counts_each_sort() {
    let mut plan = plan();
    assert_eq!(
        summary_line(&plan),
        "Plan: 60 to create, 2 to update, 1 to delete, 1 to refresh, 1 unchanged (3 steps)."
    );
    plan.changes.clear();
    plan.nodes.truncate(1);
    assert_eq!(summary_line(&plan), "Plan: 0 to create, 0 to update, 0 to delete, 1 unchanged (1 step).");
}

#[test]
fn graphs_quote_their_labels() {
    insta::assert_snapshot!(dot(&plan(), &GraphPart::ALL));
    insta::assert_snapshot!(mermaid(&plan(), &GraphPart::ALL));
}

fn state() -> ApplicationState {
    let confirmed =
        |component: &str, target: &str| deployed(component, target, "1.0", json!({ "path": "/etc" }), Some(OLD));
    let mut instances = vec![
        json!({ "component": "config", "target": "app1", "confirmed": confirmed("config", "app1"), "run": 3 }),
        json!({ "component": "config", "target": "app2", "confirmed": confirmed("config", "app2"), "run": 3, "assumed": true }),
        json!({
            "component": "db", "target": "db1", "confirmed": confirmed("db", "db1"), "run": 4,
            "dirty": { "run": 4, "to": deployed("db", "db1", "1.1", json!({}), None) },
        }),
        json!({ "component": "old", "target": "db1", "run": 4, "confirmed": confirmed("old", "db1"), "dirty": { "run": 4 } }),
    ];
    for i in 0..9 {
        let target = format!("web{i}");
        instances
            .push(json!({ "component": "web", "target": target, "confirmed": confirmed("web", &target), "run": 3 }));
    }
    let state = json!({
        "format": 1, "environment": "staging", "application": "shop", "lineage": "l", "serial": 9, "version": "1.0",
        "release": digest("release"), "instances": instances,
    });
    serde_json::from_value(state).expect("it is a state")
}

#[test]
fn a_state_for_people_and_machines() {
    let last = LastRun {
        id: RunId(4),
        status: "failed".to_owned(),
        started: Timestamp(1_795_000_000_000),
        removed_part: false,
    };
    insta::assert_snapshot!(status_text(&state(), &[], Some(&last), PLAIN, false));
    let mut state = state();
    state.instances.retain(|id, _| id.component.as_str() != "web");
    insta::assert_snapshot!(status_json(&state, &[], Some(&last), None));
    insta::assert_snapshot!(applications_text(&[(state, Some(last))]));
}

/// The head must not tell of a version what is not wholly there.
#[test]
fn a_state_that_is_not_whole_says_so_first() {
    let head = |state: &launchway_model::ApplicationState, status: &str, removed_part| {
        let last = LastRun { id: RunId(3), status: status.to_owned(), started: Timestamp(0), removed_part };
        let text = status_text(state, &[], Some(&last), PLAIN, false);
        let json: Value = serde_json::from_str(&status_json(state, &[], Some(&last), None)).expect("it is JSON");
        (text.lines().next().unwrap_or_default().to_owned(), json["complete"] == true, text, json)
    };
    let mut state = state();
    for record in state.instances.values_mut() {
        if let Some(dirty) = &mut record.dirty {
            dirty.run = RunId(3);
        }
    }
    let (line, complete, text, json) = head(&state, "running", false);
    assert!(line.contains("not complete: run 3 is changing it") && !complete, "{line}");
    assert!(!text.contains("uncertain") && json["instances"].to_string().contains("changing"), "{text}");
    let (line, complete, ..) = head(&state, "interrupted", false);
    assert!(line.contains(" uncertain; ") && line.ends_with("the last run (3) was interrupted") && !complete, "{line}");

    state.instances.retain(|_, record| record.dirty.is_none() && !record.assumed);
    let version = state.version.clone().expect("it has one");
    for record in state.instances.values_mut() {
        let deployed = record.confirmed.as_mut().expect("it is confirmed");
        std::sync::Arc::make_mut(deployed).spec.version = version.clone();
    }
    assert_eq!(head(&state, "done", false).0, format!("shop {version} on staging"));
    assert!(head(&state, "done", false).1);
    assert!(head(&state, "done", true).0.ends_with("not complete: the last run (3) removed a part"));
    assert!(head(&state, "failed", false).0.ends_with("not complete: the last run (3) failed"));
    let first = state.instances.values_mut().next().and_then(|record| record.confirmed.as_mut());
    std::sync::Arc::make_mut(first.expect("there is one")).spec.version = launchway_model::Version::new("9").unwrap();
    let (line, complete, ..) = head(&state, "done", false);
    assert!(line.ends_with("not complete: 1 of version 9") && !complete, "{line}");
    state.version = None;
    assert_eq!(head(&state, "done", false).0, "shop on staging: no complete version");
}

#[test]
fn nothing_deployed_is_said_in_words() {
    let mut state = state();
    state.instances.clear();
    state.version = None;
    assert_eq!(status_text(&state, &[], None, PLAIN, false), "shop is not deployed on staging\n");
}

fn record(index: u64, event: Value) -> EventRecord {
    let event: Event = serde_json::from_value(event).expect("it is an event");
    EventRecord { index, at: Timestamp(1_795_000_000_000 + index * 1500), event }
}

fn events() -> Vec<EventRecord> {
    let key = "config@app1/stage/upload";
    let failed = json!({ "failed": {
        "fault": "tool", "message": "exited with 3", "detail": "\u{1b}[31mno space\n::set-env name=X::y", "hint": "free some",
        "retryable": false,
    } });
    vec![
        record(
            0,
            json!({
                "event": "run-started", "run": 4, "plan": digest("plan"), "operation": "deploy", "application": "shop",
                "environment": "staging", "version": { "from": "1.0", "to": "1.1" }, "fence": 2,
                "holder": { "user": "deploy", "host": "ci" },
            }),
        ),
        record(1, json!({ "event": "instance-dirtied", "change": 0 })),
        record(2, json!({ "event": "step-started", "node": 0, "step": key, "attempt": 1 })),
        record(
            3,
            json!({
                "event": "step-finished", "node": 0, "step": key, "attempt": 1,
                "outcome": { "changed": { "summary": "uploaded 12 bytes" } },
            }),
        ),
        record(4, json!({ "event": "step-started", "node": 1, "step": "config@app1/install/put", "attempt": 1 })),
        record(
            5,
            json!({
                "event": "step-waiting", "node": 1, "attempt": 1, "token": "t", "after_ms": 5, "message": "not yet",
            }),
        ),
        record(
            6,
            json!({
                "event": "step-finished", "node": 1, "step": "config@app1/install/put", "attempt": 1, "outcome": failed,
            }),
        ),
        record(
            7,
            json!({ "event": "step-skipped", "node": 4, "step": "service@app \"1\"/start/reload", "reason": "blocked" }),
        ),
        record(8, json!({ "event": "run-finished", "outcome": "failed" })),
    ]
}

/// The events as they come, with output while the second step runs.
fn signals() -> Vec<Signal> {
    let mut signals: Vec<Signal> = events().into_iter().map(|record| Signal::Event(Arc::new(record))).collect();
    let output = |stream, bytes: &[u8]| Signal::Output { node: NodeId(1), stream, bytes: Arc::from(bytes) };
    signals.insert(5, output(Stream::Stdout, b"one\n\x1b[2Jtwo ##vs"));
    signals.insert(6, output(Stream::Stdout, b"o[task]\n"));
    signals.insert(7, output(Stream::Stderr, b"no line end"));
    signals.insert(8, Signal::Progress { node: NodeId(1), fraction: Some(0.5), message: Arc::from("half") });
    signals
}

#[test]
fn plain_lines_of_a_run() {
    for (name, verbose) in [("quietly", false), ("verbosely", true)] {
        let mut plain = Plain::new(Arc::new(plan()), PLAIN, verbose);
        let text: String = signals().iter().map(|signal| plain.on(signal)).collect();
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn a_stream_of_events() {
    let plan = Arc::new(plan());
    let mut events = Events::new(plan.clone());
    let mut text = Events::header(&plan, digest("plan"));
    assert!(text.starts_with(r#"{"schema":1,"#));
    text.extend(signals().iter().map(|signal| events.on(signal)));
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).expect("each line is JSON");
        assert!(value["event"].is_string() && !line.contains("##"), "{line}");
    }
    insta::assert_snapshot!(text);
}

/// What was begun before something was left out must not be read as one line with what comes after it.
#[test]
fn output_that_was_left_out_is_told_and_splices_nothing() {
    let plan = Arc::new(plan());
    let output = |text: &str| Signal::Output {
        node: NodeId(1),
        stream: launchway_model::Stream::Stdout,
        bytes: Arc::from(text.as_bytes()),
    };
    let stream = launchway_model::Stream::Stdout;
    let dropped = Signal::OutputDropped { node: NodeId(1), stream, lines: 7, bytes: 99 };
    let signals = [Signal::Event(Arc::new(events()[0].clone())), output("one\nhalf"), dropped, output("two\n")];
    let mut events = Events::new(plan.clone());
    let lines: Vec<Value> = signals
        .iter()
        .flat_map(|signal| {
            events.on(signal).lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!((&lines[1]["text"], &lines[3]["text"]), (&json!("one"), &json!("two")));
    assert_eq!(lines[2]["event"], "output-dropped");
    assert_eq!((&lines[2]["lines"], &lines[2]["bytes"], lines[2]["step"].is_string()), (&json!(7), &json!(99), true));
    let mut plain = Plain::new(plan.clone(), PLAIN, true);
    let text: String = signals.iter().map(|signal| plain.on(signal)).collect();
    assert!(text.contains("| … 7 lines not shown; `launchway show 4 --step ") && !text.contains("half"), "{text}");
    let mut quiet = Plain::new(plan, PLAIN, false);
    assert_eq!(signals.iter().map(|signal| quiet.on(signal)).collect::<String>(), "");
}

#[test]
fn failures_with_the_end_of_their_output() {
    let mut failures = Failures::new(Arc::new(plan()));
    signals().iter().for_each(|signal| failures.on(signal));
    assert_eq!(failures.failed().len(), 1);
    assert_eq!(failures.failed()[0].tail, ["one", "two # #vso[task]", "no line end"]);
    insta::assert_snapshot!(failures_text(failures.failed(), PLAIN));
    let many = vec![failures.failed()[0].clone(); 500];
    assert!(failures_text(&many, PLAIN).lines().count() < 250);
}

#[test]
fn progress_counts_and_estimates() {
    let key = |text: &str| launchway_model::StepKey(Arc::from(text));
    let durations = HashMap::from([
        (key("config@app1/stage/upload"), 2000),
        (key("config@app1/install/put"), 3000),
        (key("service@app \"1\"/start/reload"), 500),
    ]);
    let mut progress = Progress::new(Arc::new(plan()), durations);
    assert_eq!(progress.remaining_ms(Timestamp(0)), Some(5500));
    for signal in signals().iter().take(3) {
        progress.on(signal);
    }
    let begin = 1_795_000_000_000 + 2 * 1500;
    assert_eq!(progress.running.len(), 1);
    assert_eq!(progress.remaining_ms(Timestamp(begin + 1500)), Some(4000));
    // A step that takes longer than last time is taken to end now.
    assert_eq!(progress.remaining_ms(Timestamp(begin + 60_000)), Some(3500));
    for signal in signals().iter().skip(3) {
        progress.on(signal);
    }
    assert_eq!(
        (progress.done, progress.failed, progress.skipped, progress.total),
        (1, 1, 0, 3),
        "what is blocked is not done"
    );
    assert!(progress.running.is_empty());
    assert_eq!(progress.remaining_ms(Timestamp(begin)), Some(0));
}

fn row() -> RunRow {
    RunRow {
        run: RunId(4),
        operation: "deploy".to_owned(),
        application: "shop".to_owned(),
        environment: "staging".to_owned(),
        version: plan().version,
        status: "failed".to_owned(),
        started: Timestamp(1_795_000_000_000),
        finished: Some(Timestamp(1_795_000_012_000)),
        user: "deploy".to_owned(),
        host: "ci".to_owned(),
        ignored: Vec::new(),
    }
}

fn text_of(view: &RunView<'_>) -> String {
    let mut text = String::new();
    let write = |piece: &str| {
        text.push_str(piece);
        Ok::<_, Infallible>(())
    };
    let Ok(()) = run_text(view, &TimeZone::UTC, PLAIN, write);
    text
}

/// Of many steps with logs, one is in memory at a time.
#[test]
fn a_log_is_written_before_the_next_one_is_read() {
    let (plan, events, row) = (plan(), events(), row());
    let mut started = events.iter().filter_map(|record| match &record.event {
        Event::StepStarted { node, step, .. } => Some((*node, step.clone())),
        _ => None,
    });
    let (node, step) = started.next().unwrap();
    let logs = [1, 2].map(|attempt| LogPiece { node, step: step.clone(), attempt });
    let written = RefCell::new(String::new());
    let read_log = &|log: &LogPiece| {
        assert_eq!(written.borrow().contains("printed 1"), log.attempt == 2);
        Some(format!("printed {}", log.attempt))
    };
    let view = RunView { row: &row, plan: &plan, events: &events, unknown: &[], step: None, logs: &logs, read_log };
    let write = |piece: &str| {
        written.borrow_mut().push_str(piece);
        Ok::<_, Infallible>(())
    };
    let Ok(()) = run_text(&view, &TimeZone::UTC, PLAIN, write);
    assert!(written.borrow().contains("printed 2"));
}

#[test]
fn runs_and_one_of_them() {
    insta::assert_snapshot!(runs_text(&[row()], &TimeZone::UTC));
    insta::assert_snapshot!(runs_json(&[row()]));
    let (plan, events) = (plan(), events());
    let logs =
        [LogPiece { node: NodeId(1), step: launchway_model::StepKey("config@app1/install/put".into()), attempt: 1 }];
    let read_log: &dyn Fn(&LogPiece) -> Option<String> = &|_| Some("one\n\u{1b}[2Jtwo\r\n::stop\n".to_owned());
    let row = row();
    let unknown = [json!({})];
    let all = RunView { row: &row, plan: &plan, events: &events, unknown: &unknown, step: None, logs: &logs, read_log };
    insta::assert_snapshot!(text_of(&all));
    let one = RunView { step: Some("install"), unknown: &[], ..all };
    insta::assert_snapshot!(run_json(&one));
}

#[test]
fn how_long_a_run_took_that_broke_off_is_not_known() {
    let row = RunRow { status: "interrupted".to_owned(), finished: Some(Timestamp(1_795_000_000_040)), ..row() };
    let text = runs_text(std::slice::from_ref(&row), &TimeZone::UTC);
    assert!(!text.contains("0.0 s"), "{text}");
    let read_log = &|_: &LogPiece| None;
    let plan = plan();
    let view = RunView { row: &row, plan: &plan, events: &[], unknown: &[], step: None, logs: &[], read_log };
    let text = text_of(&view);
    assert!(text.contains(", last heard of after 0.0 s\n") && !text.contains("took"), "{text}");
}

/// Bytes from outside that carry escapes and commands never reach a terminal as such.
#[test]
fn nothing_shown_as_text_can_act() {
    let (plan, events, row) = (plan(), events(), row());
    let read_log = &|_: &LogPiece| None;
    let view = RunView { row: &row, plan: &plan, events: &events, unknown: &[], step: None, logs: &[], read_log };
    let mut plain = Plain::new(Arc::new(plan.clone()), PLAIN, true);
    let mut failures = Failures::new(Arc::new(plan.clone()));
    let lines: String = signals().iter().map(|signal| plain.on(signal)).collect();
    signals().iter().for_each(|signal| failures.on(signal));
    let texts = [
        plan_text(&plan, PlanViewOptions { verbose: true, ..PlanViewOptions::default() }),
        text_of(&view),
        dot(&plan, &GraphPart::ALL),
        mermaid(&plan, &GraphPart::ALL),
        lines,
        failures_text(failures.failed(), PLAIN),
    ];
    for text in texts {
        assert!(!text.contains('\u{1b}') && !text.contains("##vso["), "{text}");
        assert!(text.lines().all(|line| !line.trim_start().starts_with("::")), "{text}");
    }
}
