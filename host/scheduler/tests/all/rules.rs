//! The core's rules one by one, on plans small enough to follow by eye.

use std::sync::Arc;

use crate::support::plans::{PlanBuilder, plan};
use crate::support::world::{changed, failed, options, unchanged};
use launchway_model::{
    ActionPlace, Always, ChangeIndex, ChangeKind, Event, Gate, Holder, NodeId, NodeKind, Owner, Phase, Plan, PlanNode,
    RunOutcome, StepOutcome, Timestamp,
};
use launchway_scheduler::{Command, Core, CoreError, Input, InvalidPlan, Limits, OnFailure, Options, StepProgress};

/// A core fed by hand; events as short words.
struct Run {
    core: Core,
    seen: Vec<String>,
    calls: Vec<(u32, Option<String>)>,
    wakes: Vec<(u32, u64)>,
    cancels: Vec<u32>,
}

impl Run {
    fn new(plan: Arc<Plan>, options: Options) -> Self {
        let core = Core::new(plan, options).unwrap();
        let mut run = Self { core, seen: Vec::new(), calls: Vec::new(), wakes: Vec::new(), cancels: Vec::new() };
        run.feed(Input::Start);
        run
    }

    fn start(builder: PlanBuilder) -> Self {
        Self::new(builder.build(), options(Limits::default(), OnFailure::Stop))
    }

    fn feed(&mut self, input: Input) {
        for command in self.core.handle(input, Timestamp(1)).unwrap() {
            match command {
                Command::Record(record) => self.seen.extend(word(&record.event)),
                Command::Run { node, token, .. } => self.calls.push((node.0, token)),
                Command::WakeAfter { node, ms } => self.wakes.push((node.0, ms)),
                Command::Ask { node } => self.seen.push(format!("ask {}", node.0)),
                Command::Cancel { node } => self.cancels.push(node.0),
                Command::Exchange(_) | Command::RetryAfter { .. } | Command::Tell(_) => {}
                Command::Finish(outcome) => self.seen.push(format!("end {outcome:?}")),
            }
        }
    }

    fn end(&mut self, node: NodeId, outcome: StepOutcome) {
        self.feed(Input::Progressed { node, progress: StepProgress::Ended(outcome) });
    }

    fn wait(&mut self, node: NodeId, message: &str) {
        let (token, message) = ("t".to_owned(), message.to_owned());
        self.feed(Input::Progressed { node, progress: StepProgress::Pending { token, after_ms: 9, message } });
    }

    fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.seen)
    }
}

fn word(event: &Event) -> Option<String> {
    Some(match event {
        Event::InstanceDirtied { change } => format!("dirty {}", change.0),
        Event::StepStarted { node, .. } => format!("start {}", node.0),
        Event::StepWaiting { node, message, .. } => format!("wait {} {message}", node.0),
        Event::StepFinished { node, outcome, .. } if outcome.is_success() => format!("good {}", node.0),
        Event::StepFinished { node, .. } => format!("bad {}", node.0),
        Event::StepSkipped { node, reason, .. } => format!("skip {} {reason:?}", node.0),
        Event::InstanceCommitted { change, .. } => format!("commit {}", change.0),
        Event::RecordsAmended => "amend".into(),
        Event::DriftFound { change, .. } => format!("drift {}", change.0),
        Event::GateOpened { node, .. } => format!("open {}", node.0),
        Event::StopRequested { abort } => format!("stop {abort}"),
        Event::RunStarted { .. } | Event::RunFinished { .. } | Event::HostCallRecorded { .. } => return None,
    })
}

#[test]
fn an_empty_plan_ends_at_once() {
    let mut run = Run::start(plan());
    assert_eq!(run.news(), ["end Done"]);
}

#[test]
fn an_instance_is_dirty_before_its_first_step_and_commits_after_its_last() {
    let mut builder = plan();
    let change = builder.change("a", "t");
    let stage = builder.step(change, Phase::Stage, &[]);
    let start = builder.step(change, Phase::Start, &[stage]);
    let commit = builder.commit(change, &[start]);
    let finish = builder.step(change, Phase::Finish, &[commit]);
    let mut run = Run::start(builder);
    assert_eq!(run.news(), ["dirty 0", "start 0"]);
    run.end(stage, changed());
    assert_eq!(run.news(), ["good 0", "start 1"]);
    run.end(start, changed());
    assert_eq!(run.news(), ["good 1", "commit 0", "start 3"]);
    run.end(finish, failed());
    assert_eq!(run.news(), ["bad 3", "end Done"], "what comes after the commit only warns");
}

#[test]
fn a_failed_verify_leaves_the_instance_uncommitted() {
    let mut builder = plan();
    let change = builder.change("a", "t");
    let start = builder.step(change, Phase::Start, &[]);
    let verify = builder.step(change, Phase::Verify, &[start]);
    builder.make_action(verify);
    let commit = builder.commit(change, &[verify]);
    builder.step(change, Phase::Finish, &[commit]);
    let mut run = Run::start(builder);
    run.end(start, changed());
    run.end(verify, StepOutcome::TimedOut { after_ms: 1 });
    assert_eq!(run.news(), ["dirty 0", "start 0", "good 0", "start 1", "bad 1", "skip 3 Blocked", "end Failed"]);
}

#[test]
fn after_a_failure_what_runs_ends_and_commits_and_nothing_else_starts() {
    let mut builder = plan();
    let a = builder.change("a", "t");
    let b = builder.change("b", "t");
    let breaks = builder.step(a, Phase::Install, &[]);
    let runs = builder.step(b, Phase::Install, &[]);
    builder.commit(b, &[runs]);
    builder.step(a, Phase::Start, &[breaks]);
    builder.step(b, Phase::Finish, &[runs]);
    let mut run = Run::start(builder);
    run.news();
    run.end(breaks, failed());
    assert_eq!(run.news(), ["bad 0", "skip 3 Blocked", "skip 4 Stopped"]);
    run.end(runs, changed());
    assert_eq!(run.news(), ["good 1", "commit 1", "end Failed"]);
}

#[test]
fn a_subscriber_is_skipped_when_nothing_changed_and_commits_all_the_same() {
    for (outcome, word) in [(changed(), "start 1"), (unchanged(), "skip 1 NothingChanged")] {
        let mut builder = plan();
        let config = builder.change("config", "t");
        let service = builder.change("service", "t");
        let write = builder.step(config, Phase::Install, &[]);
        let reload = builder.step(service, Phase::Start, &[write]);
        builder.edit(reload, |step| step.only_if_changed = vec![config]);
        builder.commit(service, &[reload]);
        let mut run = Run::start(builder);
        run.end(write, outcome);
        assert!(run.news().contains(&word.to_owned()));
        if word.starts_with("start") {
            run.end(reload, changed());
        }
        assert_eq!(run.news().last().map(String::as_str), Some("end Done").filter(|_| word.starts_with("start")));
    }
}

#[test]
fn a_waiting_step_keeps_its_target_and_gives_back_its_global_permit() {
    let mut builder = plan();
    let a = builder.change("a", "t");
    let b = builder.change("b", "t");
    let c = builder.change("c", "elsewhere");
    let first = builder.step(a, Phase::Install, &[]);
    builder.step(b, Phase::Install, &[]);
    let third = builder.step(c, Phase::Install, &[]);
    let limits = Limits { global: 1, per_target: 1 };
    let mut run = Run::new(builder.build(), options(limits, OnFailure::Stop));
    assert_eq!(run.news(), ["dirty 0", "start 0"]);
    run.wait(first, "queued");
    assert_eq!(run.news(), ["wait 0 queued", "dirty 2", "start 2"]);
    run.feed(Input::Due { node: first });
    assert_eq!(run.calls.len(), 2, "asking again takes a global permit too");
    run.end(third, changed());
    assert_eq!(run.calls.last(), Some(&(0, Some("t".into()))));
    run.wait(first, "queued");
    assert_eq!(run.news(), ["good 2"], "saying the same again is no news");
    assert_eq!(run.wakes, [(0, 9), (0, 9)]);
    run.feed(Input::Due { node: first });
    run.end(first, changed());
    assert_eq!(run.news(), ["good 0", "dirty 1", "start 1"]);
}

#[test]
fn steps_with_locks_in_common_take_turns_whatever_the_order_of_names() {
    let mut builder = plan();
    let nodes: Vec<NodeId> = [["x", "y"], ["y", "x"]]
        .iter()
        .enumerate()
        .map(|(at, locks)| {
            let change = builder.change("a", &format!("t{at}"));
            let node = builder.step(change, Phase::Install, &[]);
            builder.edit(node, |step| step.step.locks = locks.iter().map(|lock| lock.to_string()).collect());
            node
        })
        .collect();
    let mut run = Run::start(builder);
    assert_eq!(run.calls.len(), 1);
    run.end(nodes[0], changed());
    assert_eq!(run.calls.len(), 2);
    run.end(nodes[1], changed());
    assert_eq!(run.news().last().unwrap(), "end Done");
}

#[test]
fn a_stop_lets_running_steps_end_and_an_abort_does_not() {
    let mut builder = plan();
    let a = builder.change("a", "t");
    let first = builder.step(a, Phase::Install, &[]);
    let waits = builder.step(a, Phase::Install, &[]);
    builder.step(a, Phase::Start, &[first]);
    let mut run = Run::start(builder);
    run.wait(waits, "queued");
    run.news();
    run.feed(Input::Stop);
    run.feed(Input::Stop);
    assert_eq!(run.news(), ["stop false", "skip 2 Stopped"]);
    assert!(run.cancels.is_empty());
    run.feed(Input::Abort);
    assert_eq!(run.news(), ["stop true", "bad 1"], "what only waits ends at once");
    assert_eq!(run.cancels, [0]);
    run.feed(Input::Due { node: waits });
    run.end(first, failed());
    assert_eq!(run.news(), ["bad 0", "end Stopped"], "a step broken off by us did not fail");
}

#[test]
fn a_stop_when_all_has_started_changes_nothing() {
    let mut builder = plan();
    let a = builder.change("a", "t");
    let step = builder.step(a, Phase::Install, &[]);
    builder.commit(a, &[step]);
    let mut run = Run::start(builder);
    run.feed(Input::Stop);
    run.end(step, changed());
    assert_eq!(run.news().last().unwrap(), "end Done");
}

#[test]
fn gates_open_by_time_or_by_word_and_stay_shut_after_a_stop() {
    let gated = || {
        let mut builder = plan();
        let bake = builder.node(NodeKind::Gate(Gate::Bake { seconds: 3 }), &[]);
        let approve = builder.node(NodeKind::Gate(Gate::Approve { message: "sure?".into() }), &[bake]);
        let a = builder.change("a", "t");
        builder.step(a, Phase::Install, &[approve]);
        (Run::start(builder), bake, approve)
    };
    let (mut run, bake, approve) = gated();
    assert_eq!(run.wakes, [(0, 3000)]);
    run.feed(Input::Due { node: bake });
    assert_eq!(run.news(), ["open 0", "ask 1"]);
    run.feed(Input::Approve { node: approve, by: Holder { user: "bo".into(), host: "h".into(), url: None } });
    assert_eq!(run.news(), ["open 1", "dirty 0", "start 2"]);

    let (mut run, bake, _) = gated();
    run.feed(Input::Stop);
    assert_eq!(run.news(), ["stop false", "skip 2 Stopped", "end Stopped"]);
    assert_eq!(run.core.handle(Input::Due { node: bake }, Timestamp(2)), Ok(Vec::new()));
}

#[test]
fn amendments_are_recorded_once_at_the_start() {
    let mut builder = plan();
    let change = builder.change("a", "t");
    builder.step(change, Phase::Install, &[]);
    let target = builder.plan.targets.values().next().unwrap().clone();
    let id = builder.plan.changes[0].id.clone();
    builder.plan.amendments.push(Arc::new(launchway_model::Deployed {
        spec: launchway_model::InstanceSpec {
            id,
            version: launchway_model::Version::new("1").unwrap(),
            kind: "ssh/file".parse().unwrap(),
            properties: Arc::default(),
            artifacts: Vec::new(),
            secrets: Vec::new(),
            verify: Vec::new(),
            around: Vec::new(),
            run: None,
            edges: Arc::default(),
            on_rollback: launchway_model::OnRollback::Run,
        },
        target,
        plugin: launchway_model::Digest::of(b"plugin"),
        secrets: Default::default(),
    }));
    let mut run = Run::start(builder);
    assert_eq!(run.news(), ["amend", "dirty 0", "start 0"]);
}

#[test]
fn plans_that_no_planner_makes_are_refused() {
    let refused = |builder: PlanBuilder| Core::new(builder.build(), options(Limits::default(), OnFailure::Stop)).err();
    let mut builder = plan();
    builder.join(&[NodeId(0)]);
    assert_eq!(refused(builder), Some(InvalidPlan::Order { node: NodeId(0), after: NodeId(0) }));
    let mut builder = plan();
    builder.plan.nodes.push(PlanNode { kind: NodeKind::Commit { change: ChangeIndex(3) }, after: Vec::new() });
    assert_eq!(refused(builder), Some(InvalidPlan::Change { node: NodeId(0), change: ChangeIndex(3) }));
    let mut builder = plan();
    let change = builder.change("a", "t");
    let node = builder.step(change, Phase::Start, &[]);
    builder.edit(node, |step| step.only_if_changed = vec![ChangeIndex(7)]);
    assert_eq!(refused(builder), Some(InvalidPlan::Change { node, change: ChangeIndex(7) }));
}

#[test]
fn news_of_steps_that_do_not_run_is_an_error() {
    let mut builder = plan();
    let change = builder.change("a", "t");
    let step = builder.step(change, Phase::Install, &[]);
    let mut run = Run::start(builder);
    run.end(step, changed());
    let again = Input::Progressed { node: step, progress: StepProgress::Ended(changed()) };
    assert_eq!(run.core.handle(again, Timestamp(2)), Err(CoreError::NotRunning(step)));
    let beyond = Input::Progressed { node: NodeId(99), progress: StepProgress::Ended(changed()) };
    assert_eq!(run.core.handle(beyond, Timestamp(2)), Err(CoreError::NotRunning(NodeId(99))));
    assert_eq!(run.core.handle(Input::Start, Timestamp(2)), Err(CoreError::Started));
    assert_eq!(run.core.state().status, launchway_model::RunStatus::Finished(RunOutcome::Done));
}

/// A step that is done elsewhere, around a change.
fn around(builder: &mut PlanBuilder, node: NodeId, place: ActionPlace, always: Option<Always>) {
    builder.make_action(node);
    builder.edit(node, |step| {
        step.always = always;
        if let Owner::Action { place: own, .. } = &mut step.owner {
            *own = place;
        }
    });
}

/// Before, the change's own step, its commit, after; and something at the very end.
fn drained() -> (PlanBuilder, [NodeId; 4]) {
    let mut builder = plan();
    let change = builder.change("a", "t");
    let before = builder.step(change, Phase::Stop, &[]);
    let own = builder.step(change, Phase::Start, &[before]);
    let commit = builder.commit(change, &[own]);
    let after = builder.step(change, Phase::Verify, &[commit]);
    around(&mut builder, before, ActionPlace::Before, None);
    around(&mut builder, after, ActionPlace::After, Some(Always::IfCalled(before)));
    let last = builder.change("z", "t");
    builder.plan.changes[last.0 as usize].kind = ChangeKind::Act;
    let last = builder.step(last, Phase::Start, &[]);
    builder.edit(last, |step| step.always = Some(Always::Anyway));
    (builder, [before, own, after, last])
}

#[test]
fn what_is_done_before_is_undone_after_a_failure_and_the_end_comes_in_any_case() {
    let (builder, [before, own, after, last]) = drained();
    let mut run = Run::start(builder);
    assert_eq!(run.news(), ["dirty 0", "start 0"], "whoever is out of rotation is not as he was");
    run.end(before, changed());
    assert_eq!(run.news(), ["good 0", "start 1"]);
    run.end(own, failed());
    assert_eq!(run.news(), ["bad 1", "start 3"]);
    run.end(after, changed());
    assert_eq!(run.news(), ["good 3", "start 4"], "the very end waits for all else");
    run.end(last, changed());
    assert_eq!(run.news(), ["good 4", "end Failed"]);
}

#[test]
fn nothing_is_undone_that_was_not_done() {
    let (builder, [before, ..]) = drained();
    let mut run = Run::start(builder);
    run.end(before, failed());
    assert_eq!(
        run.news(),
        ["dirty 0", "start 0", "bad 0", "skip 1 Blocked", "start 3"],
        "it was called, whatever came of it"
    );

    let (builder, [_, own, _, last]) = drained();
    let mut builder = builder;
    // Something ahead of it all fails, so that it is never called.
    let first = builder.change("b", "t");
    let first = builder.step(first, Phase::Start, &[]);
    builder.plan.nodes.rotate_right(1);
    let shift = |node: &mut NodeId| node.0 = if *node == first { 0 } else { node.0 + 1 };
    for node in &mut builder.plan.nodes {
        node.after.iter_mut().for_each(shift);
        if let NodeKind::Step(step) = &mut node.kind
            && let Some(Always::IfCalled(called)) = &mut step.always
        {
            shift(called);
        }
    }
    builder.plan.nodes[1].after = vec![NodeId(0)];
    let mut run = Run::start(builder);
    run.end(NodeId(0), failed());
    let news = run.news();
    assert_eq!(news[..3], ["dirty 2", "start 0", "bad 0"]);
    assert!(news.contains(&format!("skip {} Blocked", own.0 + 1)), "{news:?}");
    assert!(news.contains(&"skip 4 Blocked".to_owned()), "{news:?}");
    assert_eq!(news.last(), Some(&format!("start {}", last.0 + 1)));
}

#[test]
fn a_stop_still_undoes_and_ends_and_an_abort_does_not() {
    let (builder, [before, own, after, last]) = drained();
    let mut run = Run::start(builder);
    run.end(before, changed());
    run.feed(Input::Stop);
    run.end(own, changed());
    assert_eq!(run.news(), ["dirty 0", "start 0", "good 0", "start 1", "stop false", "good 1", "commit 0", "start 3"]);
    run.end(after, changed());
    run.end(last, failed());
    assert_eq!(run.news(), ["good 3", "start 4", "bad 4", "end Failed"], "an end that fails is a failure");

    let (builder, [before, own, ..]) = drained();
    let mut run = Run::start(builder);
    run.end(before, changed());
    run.feed(Input::Abort);
    run.end(own, failed());
    let news = run.news();
    assert_eq!(news[4..], ["stop true", "skip 3 Stopped", "skip 4 Stopped", "bad 1", "end Stopped"], "{news:?}");
}
