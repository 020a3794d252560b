//! The fold over events: what may follow what.

use std::sync::Arc;

use launchway_model::{
    ChangeIndex, Digest, Event, Holder, NodeId, NodeState, RunId, RunOutcome, RunState, RunStatus, SkipReason, StepKey,
    StepOutcome, StepReport,
};
use proptest::prelude::*;

use super::sample;

const STEP: u32 = 0;
const OTHER_STEP: u32 = 1;
const COMMIT: u32 = 2;
const GATE: u32 = 3;
const JOIN: u32 = 4;
const NOWHERE: u32 = 99;

fn started() -> Event {
    let plan = sample::plan();
    Event::RunStarted {
        run: RunId(1),
        plan: Digest::of(b"p"),
        operation: plan.operation,
        application: plan.application,
        environment: plan.environment,
        version: plan.version,
        fence: 1,
        holder: Holder { user: "u".to_owned(), host: "h".to_owned(), url: None },
    }
}

fn key() -> StepKey {
    StepKey("k".into())
}

fn step(node: u32, attempt: u32) -> Event {
    Event::StepStarted { node: NodeId(node), step: key(), attempt }
}

fn call(node: u32, attempt: u32) -> Event {
    Event::HostCallRecorded { node: NodeId(node), attempt, call: 0, request: Digest::of(b""), result: Digest::of(b"") }
}

fn waiting(node: u32, attempt: u32) -> Event {
    Event::StepWaiting { node: NodeId(node), attempt, token: "t".to_owned(), after_ms: 1, message: String::new() }
}

fn ended(node: u32, attempt: u32, well: bool) -> Event {
    let outcome = if well { StepOutcome::Changed(StepReport::default()) } else { StepOutcome::Aborted };
    Event::StepFinished { node: NodeId(node), step: key(), attempt, outcome }
}

fn skipped(node: u32, reason: SkipReason) -> Event {
    Event::StepSkipped { node: NodeId(node), step: key(), reason }
}

fn committed(node: u32, change: u32) -> Event {
    Event::InstanceCommitted { node: NodeId(node), change: ChangeIndex(change), assumed: false }
}

fn dirtied(change: u32) -> Event {
    Event::InstanceDirtied { change: ChangeIndex(change) }
}

fn opened(node: u32) -> Event {
    Event::GateOpened { node: NodeId(node), by: None }
}

fn finished(outcome: RunOutcome) -> Event {
    Event::RunFinished { outcome }
}

fn stop(abort: bool) -> Event {
    Event::StopRequested { abort }
}

/// Returns the state after events that must all be legal.
fn after(events: &[Event]) -> RunState {
    let mut state = RunState::new(Arc::new(sample::plan()));
    for event in events {
        state.apply(event).unwrap_or_else(|error| panic!("{error}"));
    }
    state
}

#[test]
fn a_run_goes_through() {
    let state = after(&[
        started(),
        dirtied(0),
        step(STEP, 1),
        call(STEP, 1),
        waiting(STEP, 1),
        call(STEP, 1),
        waiting(STEP, 1),
        ended(STEP, 1, false),
        step(STEP, 2),
        ended(STEP, 2, true),
        skipped(OTHER_STEP, SkipReason::NothingChanged),
        committed(COMMIT, 0),
        opened(GATE),
        Event::RecordsAmended,
        finished(RunOutcome::Done),
    ]);
    assert_eq!(state.status, RunStatus::Finished(RunOutcome::Done));
    assert!(matches!(&state.nodes[0], NodeState::Ended { attempt: 2, outcome } if outcome.is_success()));
    assert_eq!(state.nodes[1], NodeState::Skipped(SkipReason::NothingChanged));
    assert_eq!(state.nodes[2..], [NodeState::Committed, NodeState::Opened, NodeState::Pending]);
}

#[test]
fn a_stopped_run_ends_its_steps_and_an_abort_stays_one() {
    let state = after(&[started(), step(STEP, 1), stop(false), stop(true), stop(false)]);
    assert_eq!(state.status, RunStatus::Stopping { abort: true });
    let state = after(&[started(), step(STEP, 1), stop(false), ended(STEP, 1, true), finished(RunOutcome::Stopped)]);
    assert_eq!(state.status, RunStatus::Finished(RunOutcome::Stopped));
    assert_eq!(state.nodes[1], NodeState::Pending);
}

#[test]
fn a_failed_step_can_be_skipped_by_the_operator_only() {
    let failed = [started(), step(STEP, 1), ended(STEP, 1, false)];
    let mut state = after(&failed);
    assert!(state.apply(&skipped(STEP, SkipReason::Blocked)).is_err());
    state.apply(&skipped(STEP, SkipReason::Operator)).unwrap();
    assert_eq!(state.nodes[0], NodeState::Skipped(SkipReason::Operator));
}

#[test]
fn every_illegal_transition_is_refused() {
    let running = vec![started()];
    let stepping = vec![started(), step(STEP, 1)];
    let done = vec![started(), step(STEP, 1), ended(STEP, 1, true)];
    let failed = vec![started(), step(STEP, 1), ended(STEP, 1, false)];
    let left_out = vec![started(), skipped(STEP, SkipReason::Blocked)];
    let over = vec![started(), finished(RunOutcome::Done)];
    let rows: Vec<(&[Event], Event, &str)> = vec![
        (&running, started(), "already started"),
        (&over, started(), "already started"),
        (&[], stop(false), "not running"),
        (&over, stop(true), "not running"),
        (&[], finished(RunOutcome::Done), "not running"),
        (&over, finished(RunOutcome::Done), "not running"),
        (&stepping, finished(RunOutcome::Failed), "node 0 has not ended"),
        (&[], dirtied(0), "not running"),
        (&over, dirtied(0), "not running"),
        (&running, dirtied(1), "no change 1"),
        (&[], Event::RecordsAmended, "not running"),
        (&over, Event::RecordsAmended, "not running"),
        (&[], step(STEP, 1), "not running"),
        (&over, step(STEP, 1), "not running"),
        (&running, step(COMMIT, 1), "no step"),
        (&running, step(GATE, 1), "no step"),
        (&running, step(JOIN, 1), "no step"),
        (&running, step(NOWHERE, 1), "no step"),
        (&running, step(STEP, 0), "attempt 0 of node 0 follows 0"),
        (&running, step(STEP, 2), "attempt 2 of node 0 follows 0"),
        (&stepping, step(STEP, 1), "not waiting to start"),
        (&stepping, step(STEP, 2), "not waiting to start"),
        (&done, step(STEP, 2), "not waiting to start"),
        (&failed, step(STEP, 1), "attempt 1 of node 0 follows 1"),
        (&failed, step(STEP, 3), "attempt 3 of node 0 follows 1"),
        (&left_out, step(STEP, 1), "not waiting to start"),
        (&[], call(STEP, 1), "not running"),
        (&running, call(STEP, 1), "not running"),
        (&stepping, call(STEP, 2), "not running"),
        (&stepping, call(OTHER_STEP, 1), "not running"),
        (&done, call(STEP, 1), "not running"),
        (&running, call(NOWHERE, 1), "no step"),
        (&[], waiting(STEP, 1), "not running"),
        (&running, waiting(STEP, 1), "not running"),
        (&stepping, waiting(STEP, 2), "not running"),
        (&done, waiting(STEP, 1), "not running"),
        (&running, waiting(JOIN, 1), "no step"),
        (&[], ended(STEP, 1, true), "not running"),
        (&running, ended(STEP, 1, true), "not running"),
        (&stepping, ended(STEP, 2, true), "not running"),
        (&done, ended(STEP, 1, true), "not running"),
        (&running, ended(COMMIT, 1, true), "no step"),
        (&[], skipped(STEP, SkipReason::Stopped), "not running"),
        (&over, skipped(STEP, SkipReason::Stopped), "not running"),
        (&stepping, skipped(STEP, SkipReason::Operator), "already started"),
        (&done, skipped(STEP, SkipReason::Operator), "already started"),
        (&left_out, skipped(STEP, SkipReason::Operator), "already started"),
        (&running, skipped(COMMIT, SkipReason::Blocked), "no step"),
        (&[], committed(COMMIT, 0), "not running"),
        (&over, committed(COMMIT, 0), "not running"),
        (&running, committed(COMMIT, 1), "no open commit"),
        (&running, committed(STEP, 0), "no open commit"),
        (&running, committed(NOWHERE, 0), "no open commit"),
        (&[], opened(GATE), "not running"),
        (&over, opened(GATE), "not running"),
        (&running, opened(JOIN), "no closed gate"),
        (&running, opened(NOWHERE), "no closed gate"),
    ];
    let twice = [
        (vec![started(), committed(COMMIT, 0)], committed(COMMIT, 0), "no open commit"),
        (vec![started(), opened(GATE)], opened(GATE), "no closed gate"),
    ];
    let twice = twice.iter().map(|(before, event, why)| (before.as_slice(), event.clone(), *why));
    for (before, event, why) in rows.into_iter().chain(twice) {
        let mut state = after(before);
        let unchanged = state.clone();
        let error = state.apply(&event).expect_err(&format!("{event:?} after {before:?}"));
        assert!(error.why.contains(why), "{event:?} after {before:?}: {error}");
        assert_eq!(state, unchanged, "a refused event changes nothing");
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let node = prop::sample::select(vec![STEP, OTHER_STEP, COMMIT, GATE, JOIN, NOWHERE]);
    let outcome = prop::sample::select(vec![RunOutcome::Done, RunOutcome::Failed, RunOutcome::Stopped]);
    let reason = prop::sample::select(vec![SkipReason::Blocked, SkipReason::Operator]);
    prop_oneof![
        1 => Just(started()),
        1 => any::<bool>().prop_map(stop),
        1 => outcome.prop_map(finished),
        2 => (0..2u32).prop_map(dirtied),
        1 => Just(Event::RecordsAmended),
        8 => (node.clone(), 0..4u32).prop_map(|(node, attempt)| step(node, attempt)),
        3 => (node.clone(), 0..4u32).prop_map(|(node, attempt)| call(node, attempt)),
        4 => (node.clone(), 0..4u32).prop_map(|(node, attempt)| waiting(node, attempt)),
        8 => (node.clone(), 0..4u32, any::<bool>()).prop_map(|(node, attempt, well)| ended(node, attempt, well)),
        2 => (node.clone(), reason).prop_map(|(node, reason)| skipped(node, reason)),
        2 => (node.clone(), 0..2u32).prop_map(|(node, change)| committed(node, change)),
        2 => node.prop_map(opened),
    ]
}

/// Says from the history alone, without any state, whether an event may come next.
fn may_follow(history: &[Event], event: &Event) -> bool {
    let begun = history.iter().any(|e| matches!(e, Event::RunStarted { .. }));
    let over = history.iter().any(|e| matches!(e, Event::RunFinished { .. }));
    if let Event::RunStarted { .. } = event {
        return !begun;
    }
    if !begun || over {
        return false;
    }
    let of = |wanted: u32| {
        history.iter().rev().find(move |event| match event {
            Event::StepStarted { node, .. }
            | Event::StepWaiting { node, .. }
            | Event::StepFinished { node, .. }
            | Event::StepSkipped { node, .. } => node.0 == wanted,
            _ => false,
        })
    };
    let is_step = |node: &NodeId| node.0 == STEP || node.0 == OTHER_STEP;
    let open_attempt = |node: u32| match of(node) {
        Some(Event::StepStarted { attempt, .. } | Event::StepWaiting { attempt, .. }) => Some(*attempt),
        _ => None,
    };
    let failed_attempt = |node: u32| match of(node) {
        Some(Event::StepFinished { attempt, outcome, .. }) if !outcome.is_success() => Some(*attempt),
        _ => None,
    };
    match event {
        Event::RunStarted { .. } => unreachable!("decided above"),
        Event::StopRequested { .. } | Event::RecordsAmended | Event::DriftFound { .. } => true,
        Event::RunFinished { .. } => open_attempt(STEP).or(open_attempt(OTHER_STEP)).is_none(),
        Event::InstanceDirtied { change } => change.0 == 0,
        Event::StepStarted { node, attempt, .. } => {
            let previous = if of(node.0).is_none() { Some(0) } else { failed_attempt(node.0) };
            is_step(node) && previous.is_some_and(|previous| *attempt == previous + 1)
        }
        Event::HostCallRecorded { node, attempt, .. }
        | Event::StepWaiting { node, attempt, .. }
        | Event::StepFinished { node, attempt, .. } => is_step(node) && open_attempt(node.0) == Some(*attempt),
        Event::StepSkipped { node, reason, .. } => {
            let again = *reason == SkipReason::Operator && failed_attempt(node.0).is_some();
            is_step(node) && (of(node.0).is_none() || again)
        }
        Event::InstanceCommitted { node, change, .. } => {
            node.0 == COMMIT && change.0 == 0 && !history.iter().any(|e| matches!(e, Event::InstanceCommitted { .. }))
        }
        Event::GateOpened { node, .. } => {
            node.0 == GATE && !history.iter().any(|e| matches!(e, Event::GateOpened { .. }))
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The fold takes exactly what may follow, a refusal leaves no trace, and a replay agrees.
    #[test]
    fn the_fold_agrees_with_the_history(events in prop::collection::vec(any_event(), 0..60), begin in any::<bool>()) {
        let mut state = RunState::new(Arc::new(sample::plan()));
        let mut history = Vec::new();
        let first = begin.then(started);
        for event in first.into_iter().chain(events) {
            let before = state.clone();
            let expected = may_follow(&history, &event);
            match state.apply(&event) {
                Ok(()) => {
                    prop_assert!(expected, "{:?} was taken after {:?}", event, history);
                    history.push(event);
                }
                Err(error) => {
                    prop_assert!(!expected, "{:?} was refused after {:?}: {}", event, history, error);
                    prop_assert_eq!(&state, &before);
                }
            }
        }
        prop_assert_eq!(after(&history), state);
    }
}
