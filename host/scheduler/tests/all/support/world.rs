//! A world in virtual time: it does what the core asks, and checks on the way that the core keeps its promises.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;

use launchway_model::{
    Digest, Event, EventRecord, Failure, Fault, Holder, NodeId, NodeKind, Phase, Plan, RunId, RunOutcome, RunState,
    SkipReason, StepOutcome, StepReport, Timestamp,
};
use launchway_scheduler::{Command, Core, Input, Limits, OnFailure, Options, RunIdentity, StepProgress};

use super::plans::Numbers;

pub(crate) fn options(limits: Limits, on_failure: OnFailure) -> Options {
    let run = RunIdentity {
        run: RunId(1),
        plan: Digest::of(b"plan"),
        fence: 1,
        holder: Holder { user: "ada".into(), host: "ci".into(), url: None },
    };
    Options { limits, on_failure, ..Options::new(run) }
}

pub(crate) fn changed() -> StepOutcome {
    StepOutcome::Changed(StepReport::default())
}

pub(crate) fn unchanged() -> StepOutcome {
    StepOutcome::Unchanged(StepReport::default())
}

pub(crate) fn failed() -> StepOutcome {
    StepOutcome::Failed(Failure {
        fault: Fault::Tool,
        message: "it broke".into(),
        detail: None,
        hint: None,
        retryable: false,
    })
}

/// What a step will do.
#[derive(Clone)]
pub(crate) struct Fate {
    /// How long each call takes.
    pub(crate) takes: u64,
    /// How often it says "not yet" first.
    pub(crate) pending: u32,
    pub(crate) outcome: StepOutcome,
}

pub(crate) type Fates = BTreeMap<NodeId, Fate>;

pub(crate) fn fates(plan: &Plan, seed: u64, failing: u64) -> Fates {
    let mut numbers = Numbers(seed ^ 0x5eed);
    let mut fates = Fates::new();
    for (at, node) in plan.nodes.iter().enumerate() {
        if !matches!(node.kind, NodeKind::Step(_)) {
            continue;
        }
        let outcome = match numbers.below(100) {
            n if n < failing => match numbers.below(6) {
                0 => StepOutcome::NotRun { reason: "disabled".into() },
                1 => StepOutcome::RebootNeeded(StepReport::default()),
                2 => StepOutcome::TimedOut { after_ms: 5 },
                3 => StepOutcome::Unknown { reason: "nobody saw".into() },
                4 => StepOutcome::Aborted,
                _ => failed(),
            },
            n if n < 60 => unchanged(),
            _ => changed(),
        };
        let pending = if numbers.percent(15) { 1 + numbers.below(3) as u32 } else { 0 };
        fates.insert(NodeId(at as u32), Fate { takes: 1 + numbers.below(50), pending, outcome });
    }
    fates
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Coming {
    Call(NodeId),
    Due(NodeId),
    Stop,
    Abort,
}

pub(crate) struct World<'a> {
    pub(crate) core: Core,
    pub(crate) plan: Arc<Plan>,
    limits: Limits,
    fates: &'a Fates,
    calls: HashMap<NodeId, u32>,
    coming: BinaryHeap<Reverse<(u64, u64, Coming)>>,
    sequence: u64,
    pub(crate) now: u64,
    running: BTreeSet<NodeId>,
    /// Running, or waiting for the next call.
    holding: BTreeSet<NodeId>,
    asked_again: BTreeSet<NodeId>,
    pub(crate) events: Vec<Arc<EventRecord>>,
    pub(crate) outcome: Option<RunOutcome>,
    /// Compares each step of the way with a slow, simple reckoning.
    pub(crate) is_checked: bool,
}

impl<'a> World<'a> {
    pub(crate) fn new(plan: &Arc<Plan>, options: Options, fates: &'a Fates) -> Self {
        Self {
            limits: options.limits,
            core: Core::new(plan.clone(), options).unwrap(),
            plan: plan.clone(),
            fates,
            calls: HashMap::new(),
            coming: BinaryHeap::new(),
            sequence: 0,
            now: 0,
            running: BTreeSet::new(),
            holding: BTreeSet::new(),
            asked_again: BTreeSet::new(),
            events: Vec::new(),
            outcome: None,
            is_checked: true,
        }
    }

    pub(crate) fn stop_at(&mut self, at: u64) {
        self.push(at, Coming::Stop);
    }

    pub(crate) fn abort_at(&mut self, at: u64) {
        self.push(at, Coming::Abort);
    }

    /// Runs to the end and returns how it ended.
    pub(crate) fn run(&mut self) -> RunOutcome {
        self.handle(Input::Start);
        while self.outcome.is_none() {
            let Reverse((at, _, what)) = self.coming.pop().expect("a run that has not ended waits for something");
            self.now = at;
            match what {
                Coming::Call(node) if self.running.contains(&node) => {
                    self.running.remove(&node);
                    let fate = &self.fates[&node];
                    let call = self.calls[&node];
                    let progress = if call <= fate.pending {
                        let message = if call.is_multiple_of(2) { "even" } else { "odd" };
                        StepProgress::Pending { token: "t".into(), after_ms: 7, message: message.into() }
                    } else {
                        self.holding.remove(&node);
                        StepProgress::Ended(fate.outcome.clone())
                    };
                    self.handle(Input::Progressed { node, progress });
                }
                // It was cancelled meanwhile.
                Coming::Call(_) => {}
                Coming::Due(node) => {
                    if self.holding.contains(&node) {
                        self.asked_again.insert(node);
                    }
                    self.handle(Input::Due { node });
                }
                Coming::Stop => self.handle(Input::Stop),
                Coming::Abort => self.handle(Input::Abort),
            }
        }
        self.outcome.expect("the loop ends with an outcome")
    }

    fn push(&mut self, at: u64, what: Coming) {
        self.sequence += 1;
        self.coming.push(Reverse((at, self.sequence, what)));
    }

    fn handle(&mut self, input: Input) {
        let commands = self.core.handle(input, Timestamp(self.now)).unwrap();
        let mut cancelled = Vec::new();
        for command in commands {
            assert_eq!(self.outcome, None, "nothing comes after the end");
            match command {
                // Nobody is there to be asked, or to share with.
                Command::Ask { .. } | Command::Exchange(_) | Command::RetryAfter { .. } | Command::Tell(_) => {}
                Command::Record(record) => {
                    assert_eq!(record.index, self.events.len() as u64);
                    if let Event::StepFinished { node, .. } = &record.event {
                        self.holding.remove(node);
                        self.asked_again.remove(node);
                    }
                    self.events.push(record);
                }
                Command::Run { node, token, .. } => {
                    assert!(self.running.insert(node), "{node:?} runs already");
                    self.holding.insert(node);
                    self.asked_again.remove(&node);
                    let call = self.calls.entry(node).or_default();
                    assert_eq!(token.is_some(), *call > 0);
                    *call += 1;
                    if self.is_checked {
                        self.check_limits();
                    }
                    let at = self.now + self.fates[&node].takes;
                    self.push(at, Coming::Call(node));
                }
                Command::WakeAfter { node, ms } => self.push(self.now + ms, Coming::Due(node)),
                Command::Cancel { node } => cancelled.push(node),
                Command::Finish(outcome) => self.outcome = Some(outcome),
            }
        }
        for node in cancelled {
            assert!(self.running.remove(&node));
            self.holding.remove(&node);
            self.handle(Input::Progressed { node, progress: StepProgress::Ended(StepOutcome::Aborted) });
        }
        if self.outcome.is_some() {
            assert!(self.running.is_empty() && self.holding.is_empty(), "all that began has ended");
        } else if self.is_checked {
            self.check_nothing_idles();
        }
    }

    /// Whether a step could start as far as targets and locks go.
    fn has_room(&self, node: NodeId) -> bool {
        let (target, locks) = needs(&self.plan, node);
        let limit = self.target_limit(&target);
        let on_target = self.holding.iter().filter(|other| needs(&self.plan, **other).0 == target).count();
        let locked = self.holding.iter().any(|other| !needs(&self.plan, *other).1.is_disjoint(&locks));
        on_target < limit && !locked
    }

    fn target_limit(&self, target: &str) -> usize {
        let own = self.plan.targets[target].max_steps.map(|own| own as usize);
        own.unwrap_or(self.limits.per_target).max(1)
    }

    fn check_limits(&self) {
        assert!(self.running.len() <= self.limits.global.max(1));
        let mut on_target: BTreeMap<String, usize> = BTreeMap::new();
        let mut locked = BTreeSet::new();
        for node in &self.holding {
            let (target, locks) = needs(&self.plan, *node);
            *on_target.entry(target).or_default() += 1;
            for lock in locks {
                assert!(locked.insert(lock), "one holder per lock");
            }
        }
        for (target, count) in on_target {
            assert!(count <= self.target_limit(&target));
        }
    }

    /// Nothing that may start and has room is left lying about.
    fn check_nothing_idles(&self) {
        if self.running.len() >= self.limits.global.max(1) {
            return;
        }
        assert!(self.asked_again.is_empty(), "a waiting step was forgotten");
        if self.events.iter().any(|record| matches!(record.event, Event::StopRequested { .. }))
            || self.events.iter().any(|record| self.fails(record)) && self.stops_on_failure()
        {
            return;
        }
        let done = done(&self.plan, &self.events);
        let begun: BTreeSet<NodeId> = self.events.iter().filter_map(|record| begun(&record.event)).collect();
        for (at, node) in self.plan.nodes.iter().enumerate() {
            let id = NodeId(at as u32);
            let is_step = matches!(node.kind, NodeKind::Step(_));
            if is_step && !begun.contains(&id) && node.after.iter().all(|before| done.contains(before)) {
                assert!(!self.has_room(id), "{id:?} could run");
            }
        }
    }

    fn stops_on_failure(&self) -> bool {
        self.events
            .iter()
            .any(|record| matches!(&record.event, Event::StepSkipped { reason, .. } if *reason == SkipReason::Stopped))
    }

    fn fails(&self, record: &EventRecord) -> bool {
        matches!(&record.event, Event::StepFinished { outcome, .. } if !outcome.is_success())
    }

    /// The core's own state is the fold of what it recorded.
    pub(crate) fn check_fold(&self) {
        let mut state = RunState::new(self.plan.clone());
        for record in &self.events {
            state.apply(&record.event).unwrap();
        }
        assert_eq!(&state, self.core.state());
    }
}

fn needs(plan: &Plan, node: NodeId) -> (String, BTreeSet<String>) {
    let step = step(plan, node);
    let target = plan.changes[step.owner.change().0 as usize].id.target.to_string();
    (target, step.step.locks.iter().cloned().collect())
}

pub(crate) fn step(plan: &Plan, node: NodeId) -> &launchway_model::StepNode {
    match &plan.nodes[node.0 as usize].kind {
        NodeKind::Step(step) => step,
        other => panic!("{other:?} is no step"),
    }
}

fn begun(event: &Event) -> Option<NodeId> {
    match event {
        Event::StepStarted { node, .. } | Event::StepSkipped { node, .. } => Some(*node),
        _ => None,
    }
}

/// Returns the nodes that are done, worked out from the events with no cleverness.
pub(crate) fn done(plan: &Plan, events: &[Arc<EventRecord>]) -> BTreeSet<NodeId> {
    let mut done = BTreeSet::new();
    for record in events {
        match &record.event {
            Event::StepFinished { node, outcome, .. }
                if outcome.is_success() || step(plan, *node).step.phase == Phase::Finish =>
            {
                done.insert(*node);
            }
            Event::StepSkipped { node, reason: SkipReason::NothingChanged, .. }
            | Event::InstanceCommitted { node, .. }
            | Event::GateOpened { node, .. } => {
                done.insert(*node);
            }
            _ => {}
        }
        for (at, node) in plan.nodes.iter().enumerate() {
            if matches!(node.kind, NodeKind::Join { .. }) && node.after.iter().all(|before| done.contains(before)) {
                done.insert(NodeId(at as u32));
            }
        }
    }
    done
}
