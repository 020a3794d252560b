//! The core: takes in what happened, decides what comes next, and records all of it as events.
//!
//! Decisions that are not obvious:
//! - A step that waits (`pending`) gives back its global permit and keeps its target and locks: the tool is still at
//!   work there. When it is asked again it takes a global permit first.
//! - A stop, or a failure under [`OnFailure::Stop`], starts nothing new; steps under way, the waiting ones included,
//!   go on to their end, and changes whose steps all succeeded still commit.
//! - A step that runs in any case (`always`) opens when all that comes before it has ended, however that ended; those
//!   at the very end when nothing else is left. Only an abort leaves them out.
//! - Steps of the `finish` phase come after the commit: when they fail, that blocks nothing and fails no run.

mod always;
mod sharing;

use std::collections::HashMap;
use std::sync::Arc;

use launchway_model::{
    ChangeIndex, Event, EventRecord, Gate, Holder, NodeId, NodeKind, NodeState, Owner, Phase, Plan, RunOutcome,
    RunState, RunStatus, SkipReason, StepNode, StepOutcome, Timestamp,
};

use self::always::touches;
use self::sharing::RETRY_MS;
use crate::graph::{Graph, InvalidPlan, is_final};
use crate::options::{OnFailure, Options, RunIdentity};
use crate::permits::Permits;
use crate::protocol::{Command, CoreError, Input};
use crate::seams::StepProgress;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    New,
    Running,
    /// Nothing new starts.
    Draining,
    Finished,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    /// Waits for predecessors or permits.
    Ahead,
    Running,
    /// Between two calls of a step, or a gate before it opens.
    Waiting,
    /// Ended well, or as good as that.
    Done,
    /// Failed, skipped, or behind such a node.
    Lost,
}

#[derive(Clone, Copy, Default, Debug)]
struct Progress {
    dirtied: bool,
    committed: bool,
    /// A step of the instance's own changed something.
    changed: bool,
}

/// The scheduler of one run.
#[derive(Debug)]
pub struct Core {
    state: RunState,
    identity: RunIdentity,
    /// What was found to differ before the run: told once it has begun.
    drift: Vec<(ChangeIndex, Vec<String>)>,
    on_failure: OnFailure,
    graph: Graph,
    /// How many predecessors of each node are not done yet.
    left: Vec<u32>,
    permits: Permits,
    slots: Vec<Slot>,
    changes: Vec<Progress>,
    /// What the last recorded `pending` of a waiting step said beside its token.
    pending: HashMap<u32, (u64, String)>,
    mode: Mode,
    /// What runs at the very end has had its turn.
    finalized: bool,
    aborting: bool,
    failed: bool,
    /// Something was left out or broken off because somebody asked to stop.
    stopped: bool,
    /// Steps that run or wait, and gates that wait.
    active: usize,
    next_index: u64,
    /// How long to wait before what others have is asked for again.
    retry_ms: u64,
    is_retrying: bool,
    commands: Vec<Command>,
}

impl Core {
    pub fn new(plan: Arc<Plan>, options: Options) -> Result<Self, InvalidPlan> {
        let mut graph = Graph::new(&plan, &options.durations)?;
        Ok(Self {
            permits: Permits::new(&plan, options.limits, options.shared),
            slots: vec![Slot::Ahead; plan.nodes.len()],
            changes: vec![Progress::default(); plan.changes.len()],
            left: std::mem::take(&mut graph.predecessors),
            graph,
            state: RunState::new(plan),
            identity: options.run,
            drift: options.drift,
            on_failure: options.on_failure,
            pending: HashMap::new(),
            mode: Mode::New,
            finalized: false,
            aborting: false,
            failed: false,
            stopped: false,
            active: 0,
            next_index: 0,
            retry_ms: RETRY_MS.start,
            is_retrying: false,
            commands: Vec::new(),
        })
    }

    /// Returns where the run stands.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Whether locks and room on targets are shared with other runs.
    pub(crate) fn is_sharing(&self) -> bool {
        self.permits.is_sharing()
    }

    pub fn plan(&self) -> &Arc<Plan> {
        self.state.plan()
    }

    /// Takes in what happened and returns what is to be done about it.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Result<Vec<Command>, CoreError> {
        match input {
            Input::Start => self.start(now)?,
            Input::Progressed { node, progress } => self.progressed(node, progress, now)?,
            Input::Due { node } => self.due(node, now)?,
            Input::Approve { node, by } => self.approve(node, by, now)?,
            Input::Joined => self.permits.share(),
            Input::Answered(answers) => self.answered(answers, now)?,
            Input::Retry => self.retry(),
            Input::Stop => self.stop(false, now)?,
            Input::Abort => self.stop(true, now)?,
        }
        self.go_on(now)?;
        self.tell_store();
        Ok(std::mem::take(&mut self.commands))
    }

    fn start(&mut self, now: Timestamp) -> Result<(), CoreError> {
        if self.mode != Mode::New {
            return Err(CoreError::Started);
        }
        self.mode = Mode::Running;
        let plan = self.plan().clone();
        let RunIdentity { run, plan: digest, fence, holder } = self.identity.clone();
        self.record(
            Event::RunStarted {
                run,
                plan: digest,
                operation: plan.operation.clone(),
                application: plan.application.clone(),
                environment: plan.environment.clone(),
                version: plan.version.clone(),
                fence,
                holder,
            },
            now,
        )?;
        for (change, differs) in std::mem::take(&mut self.drift) {
            self.record(Event::DriftFound { change, differs }, now)?;
        }
        if !plan.amendments.is_empty() || !plan.moves.is_empty() || plan.is_of_records() {
            self.record(Event::RecordsAmended, now)?;
        }
        let is_root = |node: &u32| self.left[*node as usize] == 0 && !is_final(&plan, *node as usize);
        let roots = (0..self.slots.len() as u32).filter(is_root).collect();
        self.open(roots, now)
    }

    fn progressed(&mut self, node: NodeId, progress: StepProgress, now: Timestamp) -> Result<(), CoreError> {
        if self.slot(node) != Some(Slot::Running) {
            return Err(CoreError::NotRunning(node));
        }
        self.permits.release_global();
        match progress {
            StepProgress::Ended(outcome) => self.ended(node, outcome, now),
            StepProgress::Pending { .. } if self.aborting => self.ended(node, StepOutcome::Aborted, now),
            StepProgress::Pending { token, after_ms, message } => {
                self.slots[node.0 as usize] = Slot::Waiting;
                let (attempt, known) = match &self.state.nodes[node.0 as usize] {
                    NodeState::Waiting { attempt, token: known } => (*attempt, *known == token),
                    NodeState::Running { attempt } => (*attempt, false),
                    _ => return Err(CoreError::NotRunning(node)),
                };
                self.commands.push(Command::WakeAfter { node, ms: after_ms });
                // A thousand steps that say "not yet" every second are no news.
                let said = (after_ms, message);
                if known && self.pending.get(&node.0) == Some(&said) {
                    return Ok(());
                }
                let message = said.1.clone();
                self.pending.insert(node.0, said);
                self.record(Event::StepWaiting { node, attempt, token, after_ms, message }, now)
            }
        }
    }

    fn ended(&mut self, node: NodeId, outcome: StepOutcome, now: Timestamp) -> Result<(), CoreError> {
        let plan = self.plan().clone();
        let Some(step) = step_of(&plan, node) else { return Err(CoreError::NotRunning(node)) };
        let attempt = match &self.state.nodes[node.0 as usize] {
            NodeState::Running { attempt } | NodeState::Waiting { attempt, .. } => *attempt,
            _ => return Err(CoreError::NotRunning(node)),
        };
        self.active -= 1;
        self.pending.remove(&node.0);
        self.permits.release_held(node.0, now);
        let success = outcome.is_success();
        // Whatever a cancelled step says, it did not fail on its own.
        let broken_off = self.aborting && !success;
        if matches!((&outcome, &step.owner), (StepOutcome::Changed(_), Owner::Instance { .. })) {
            self.changes[step.owner.change().0 as usize].changed = true;
        }
        self.record(Event::StepFinished { node, step: step.key.clone(), attempt, outcome }, now)?;
        self.stopped |= broken_off;
        if success || step.step.phase == Phase::Finish {
            return self.settle(node.0, now);
        }
        self.block_behind(node.0, now)?;
        if !broken_off {
            self.failed = true;
            if self.on_failure == OnFailure::Stop {
                self.drain(now)?;
            }
        }
        Ok(())
    }

    fn due(&mut self, node: NodeId, now: Timestamp) -> Result<(), CoreError> {
        // A step that was aborted meanwhile, or a gate that stays shut, is past waking.
        if self.slot(node) != Some(Slot::Waiting) {
            return Ok(());
        }
        match &self.plan().nodes[node.0 as usize].kind {
            NodeKind::Gate(Gate::Bake { .. }) => self.open_gate(node, None, now),
            NodeKind::Step(_) => {
                self.permits.push_poll(node.0, self.graph.priorities[node.0 as usize]);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn approve(&mut self, node: NodeId, by: Holder, now: Timestamp) -> Result<(), CoreError> {
        let is_gate = matches!(self.plan().node(node).map(|node| &node.kind), Some(NodeKind::Gate(_)));
        if is_gate && self.slot(node) == Some(Slot::Waiting) {
            return self.open_gate(node, Some(by), now);
        }
        Ok(())
    }

    fn open_gate(&mut self, node: NodeId, by: Option<Holder>, now: Timestamp) -> Result<(), CoreError> {
        self.active -= 1;
        self.record(Event::GateOpened { node, by }, now)?;
        self.settle(node.0, now)
    }

    fn stop(&mut self, abort: bool, now: Timestamp) -> Result<(), CoreError> {
        let known = if abort { self.aborting } else { self.stop_requested() };
        if known || !matches!(self.mode, Mode::Running | Mode::Draining) {
            return Ok(());
        }
        self.record(Event::StopRequested { abort }, now)?;
        self.aborting |= abort;
        self.drain(now)?;
        if abort {
            self.break_off(now)?;
        }
        Ok(())
    }

    fn stop_requested(&self) -> bool {
        matches!(self.state.status, RunStatus::Stopping { .. })
    }

    /// Cancels what runs and ends what waits.
    fn break_off(&mut self, now: Timestamp) -> Result<(), CoreError> {
        self.permits.drop_ready();
        let plan = self.plan().clone();
        for at in 0..self.slots.len() as u32 {
            let node = NodeId(at);
            match self.slots[at as usize] {
                Slot::Ahead => {
                    if let Some(step) = step_of(&plan, node) {
                        self.skip(at, step, SkipReason::Stopped, now)?;
                    }
                }
                Slot::Running => self.commands.push(Command::Cancel { node }),
                Slot::Waiting => self.ended(node, StepOutcome::Aborted, now)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// From here on nothing new starts. What has not started is skipped; only commits can still come.
    fn drain(&mut self, now: Timestamp) -> Result<(), CoreError> {
        if self.mode != Mode::Running {
            return Ok(());
        }
        self.mode = Mode::Draining;
        self.permits.drop_ready();
        let plan = self.plan().clone();
        let mut open = self.ready_always();
        for (at, node) in (0..).zip(&plan.nodes) {
            match (&node.kind, self.slots[at as usize]) {
                (NodeKind::Step(step), Slot::Ahead) if step.always.is_some() => continue,
                (NodeKind::Step(step), Slot::Ahead) => self.skip(at, step, SkipReason::Stopped, now)?,
                (NodeKind::Gate(_), Slot::Waiting) => {
                    self.slots[at as usize] = Slot::Lost;
                    self.active -= 1;
                    self.stopped = true;
                }
                (_, Slot::Ahead) if node.after.iter().any(|before| self.slot(*before) == Some(Slot::Lost)) => {
                    self.slots[at as usize] = Slot::Lost;
                }
                _ => continue,
            }
            self.tell_always(at, &mut open);
        }
        self.open(open, now)
    }

    /// Starts what may start, or ends the run.
    fn go_on(&mut self, now: Timestamp) -> Result<(), CoreError> {
        if !matches!(self.mode, Mode::Running | Mode::Draining) {
            return Ok(());
        }
        loop {
            while let Some(node) = self.permits.pop() {
                self.run(node, now)?;
            }
            if self.active > 0 || self.permits.has_ready() || self.finalized || self.aborting {
                break;
            }
            self.finalized = true;
            self.open(self.finals(), now)?;
        }
        if self.active == 0 && !self.permits.has_ready() {
            let outcome = match (self.failed, self.stopped) {
                (true, _) => RunOutcome::Failed,
                (false, true) => RunOutcome::Stopped,
                (false, false) => RunOutcome::Done,
            };
            self.record(Event::RunFinished { outcome }, now)?;
            self.mode = Mode::Finished;
            self.commands.push(Command::Finish(outcome));
        }
        Ok(())
    }

    fn run(&mut self, at: u32, now: Timestamp) -> Result<(), CoreError> {
        let node = NodeId(at);
        if self.slots[at as usize] == Slot::Waiting {
            self.slots[at as usize] = Slot::Running;
            if let NodeState::Waiting { attempt, token } = &self.state.nodes[at as usize] {
                let (attempt, token) = (*attempt, Some(token.clone()));
                self.commands.push(Command::Run { node, attempt, token });
            }
            return Ok(());
        }
        if self.slots[at as usize] != Slot::Ahead {
            // It was to be asked again, and was aborted before its turn.
            self.permits.release_global();
            return Ok(());
        }
        let plan = self.plan().clone();
        let Some(step) = step_of(&plan, node) else { return Err(CoreError::NotRunning(node)) };
        let change = step.owner.change();
        let progress = &mut self.changes[change.0 as usize];
        if touches(&plan, step) && !progress.dirtied && !progress.committed {
            progress.dirtied = true;
            self.record(Event::InstanceDirtied { change }, now)?;
        }
        self.record(Event::StepStarted { node, step: step.key.clone(), attempt: 1 }, now)?;
        self.slots[at as usize] = Slot::Running;
        self.active += 1;
        self.commands.push(Command::Run { node, attempt: 1, token: None });
        Ok(())
    }

    /// Marks a node as done and opens what waited for it alone.
    fn settle(&mut self, node: u32, now: Timestamp) -> Result<(), CoreError> {
        let mut open = Vec::new();
        self.count_down(node, &mut open);
        self.open(open, now)
    }

    fn count_down(&mut self, node: u32, open: &mut Vec<u32>) {
        self.slots[node as usize] = Slot::Done;
        for next in self.graph.successors(node).to_vec() {
            self.pass(node, next, open);
        }
    }

    /// Takes nodes whose predecessors are all done; those that need nobody else are done at once.
    fn open(&mut self, mut open: Vec<u32>, now: Timestamp) -> Result<(), CoreError> {
        let plan = self.plan().clone();
        while let Some(at) = open.pop() {
            let node = NodeId(at);
            match &plan.nodes[at as usize].kind {
                NodeKind::Step(step) if !self.may_run(step) => {
                    self.skip(at, step, SkipReason::Blocked, now)?;
                    self.block_behind(at, now)?;
                }
                NodeKind::Step(step) if self.is_idle(step) => {
                    self.record(
                        Event::StepSkipped { node, step: step.key.clone(), reason: SkipReason::NothingChanged },
                        now,
                    )?;
                    self.count_down(at, &mut open);
                }
                NodeKind::Step(_) => self.permits.push(at, self.graph.priorities[at as usize]),
                NodeKind::Join { .. } => self.count_down(at, &mut open),
                NodeKind::Commit { change } => {
                    self.changes[change.0 as usize].committed = true;
                    // Nobody can skip a step by hand yet, so nothing is merely assumed.
                    self.record(Event::InstanceCommitted { node, change: *change, assumed: false }, now)?;
                    self.count_down(at, &mut open);
                }
                NodeKind::Gate(_) if self.mode == Mode::Draining => {
                    self.slots[at as usize] = Slot::Lost;
                    self.stopped = true;
                }
                NodeKind::Gate(gate) => {
                    self.slots[at as usize] = Slot::Waiting;
                    self.active += 1;
                    self.commands.push(match gate {
                        Gate::Bake { seconds } => Command::WakeAfter { node, ms: seconds.saturating_mul(1000) },
                        Gate::Approve { .. } => Command::Ask { node },
                    });
                }
            }
        }
        Ok(())
    }

    /// Whether all that a step waits on turned out to have changed nothing.
    fn is_idle(&self, step: &StepNode) -> bool {
        let changed = |change: &ChangeIndex| self.changes[change.0 as usize].changed;
        !step.only_if_changed.is_empty() && !step.only_if_changed.iter().any(changed)
    }

    /// Skips all steps behind a failed node, but for those that run in any case.
    fn block_behind(&mut self, node: u32, now: Timestamp) -> Result<(), CoreError> {
        self.slots[node as usize] = Slot::Lost;
        let plan = self.plan().clone();
        let mut open = Vec::new();
        let mut behind = vec![node];
        while let Some(lost) = behind.pop() {
            self.tell_always(lost, &mut open);
            for at in self.graph.successors(lost).to_vec() {
                if self.slots[at as usize] != Slot::Ahead {
                    continue;
                }
                match &plan.nodes[at as usize].kind {
                    NodeKind::Step(step) if step.always.is_some() => continue,
                    NodeKind::Step(step) => self.skip(at, step, SkipReason::Blocked, now)?,
                    _ => self.slots[at as usize] = Slot::Lost,
                }
                behind.push(at);
            }
        }
        self.open(open, now)
    }

    fn skip(&mut self, at: u32, step: &StepNode, reason: SkipReason, now: Timestamp) -> Result<(), CoreError> {
        self.slots[at as usize] = Slot::Lost;
        self.stopped |= reason == SkipReason::Stopped;
        self.record(Event::StepSkipped { node: NodeId(at), step: step.key.clone(), reason }, now)
    }

    fn record(&mut self, event: Event, at: Timestamp) -> Result<(), CoreError> {
        self.state.apply(&event)?;
        let record = EventRecord { index: self.next_index, at, event };
        self.next_index += 1;
        self.commands.push(Command::Record(Arc::new(record)));
        Ok(())
    }

    fn slot(&self, node: NodeId) -> Option<Slot> {
        self.slots.get(node.0 as usize).copied()
    }
}

fn step_of(plan: &Plan, node: NodeId) -> Option<&StepNode> {
    match &plan.node(node)?.kind {
        NodeKind::Step(step) => Some(step),
        _ => None,
    }
}
