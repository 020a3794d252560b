//! The task itself.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use launchway_model::{Failure, Fault, Holder, NodeId, RunOutcome, Signal, StepOutcome, Timestamp};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::error::DriveError;
use super::journal::JournalThread;
use super::sharing::{News, SharingThread};
use super::timers::Timers;
use crate::core::Core;
use crate::protocol::{Command, Input};
use crate::seams::{Journal, Sharing, StepProgress, StepRunner, StepTask};

/// How long a cancelled step may take to end before its task is dropped.
const CANCEL_GRACE: Duration = Duration::from_secs(10);

/// What an operator asks of a live run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Control {
    /// End at the next safe point.
    Stop,
    /// End now.
    Abort,
    /// Let a gate open.
    Approve { node: NodeId, by: Holder },
}

type Ended = Result<(Id, (NodeId, StepProgress)), JoinError>;

/// What a run needs from outside.
pub struct Seams {
    pub runner: Arc<dyn StepRunner>,
    pub journal: Arc<dyn Journal>,
    /// None where no other run can be.
    pub sharing: Option<Arc<dyn Sharing>>,
    /// Where everything that happens is told; events once they are durable, in order.
    pub signals: UnboundedSender<Signal>,
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// Runs a plan to its end.
///
/// A closed `control` or a dropped receiver of signals is no reason to stop. When the journal fails, running steps are
/// cancelled and the run ends with an error.
pub async fn drive(core: Core, seams: Seams, control: UnboundedReceiver<Control>) -> Result<RunOutcome, DriveError> {
    let Seams { runner, journal, sharing, signals, clock } = seams;
    let mut driver = Driver {
        sharing: SharingThread::new(sharing, core.is_sharing()),
        core,
        runner,
        signals,
        clock,
        journal: JournalThread::spawn(journal)?,
        held: VecDeque::new(),
        tasks: JoinSet::new(),
        running: HashMap::new(),
        cancels: HashMap::new(),
        timers: Timers::default(),
        retry: None,
        grace: None,
        outcome: None,
    };
    let result = driver.run(Some(control)).await;
    if result.is_err() {
        driver.break_off().await;
    }
    result
}

struct Driver {
    core: Core,
    runner: Arc<dyn StepRunner>,
    signals: UnboundedSender<Signal>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    journal: JournalThread,
    sharing: SharingThread,
    /// Calls that wait until the journal is durable up to the given number of events.
    held: VecDeque<(u64, StepTask)>,
    tasks: JoinSet<(NodeId, StepProgress)>,
    running: HashMap<Id, NodeId>,
    cancels: HashMap<NodeId, CancellationToken>,
    timers: Timers,
    /// When what other runs have is asked for again.
    retry: Option<Instant>,
    /// When cancelled steps are given up.
    grace: Option<Instant>,
    outcome: Option<RunOutcome>,
}

impl Driver {
    async fn run(&mut self, mut control: Option<UnboundedReceiver<Control>>) -> Result<RunOutcome, DriveError> {
        self.feed(Input::Start)?;
        loop {
            self.journal.flush()?;
            if let Some(outcome) = self.outcome.filter(|_| self.journal.is_idle()) {
                return Ok(outcome);
            }
            tokio::select! {
                biased;
                request = receive(&mut control) => match request {
                    Some(Control::Stop) => self.feed(Input::Stop)?,
                    Some(Control::Abort) => self.feed(Input::Abort)?,
                    Some(Control::Approve { node, by }) => self.feed(Input::Approve { node, by })?,
                    None => control = None,
                },
                durable = self.journal.committed() => {
                    for record in durable? {
                        let _ = self.signals.send(Signal::Event(record));
                    }
                    self.release_held();
                }
                Some(ended) = self.tasks.join_next_with_id() => {
                    self.take_in(ended)?;
                    // Whoever ended meanwhile goes into the same batch.
                    while let Some(ended) = self.tasks.try_join_next_with_id() {
                        self.take_in(ended)?;
                    }
                }
                () = sleep_until(self.timers.next()) => {
                    for node in self.timers.take_due(Instant::now()) {
                        self.feed(Input::Due { node })?;
                    }
                }
                news = self.sharing.news() => match news {
                    Ok(News::Asked) => self.feed(Input::Joined)?,
                    Ok(News::Answers(answers)) => self.feed(Input::Answered(answers))?,
                    // What the run held ended with it.
                    Err(_) if self.outcome.is_some() => {}
                    Err(error) => return Err(error.into()),
                },
                () = sleep_until(self.retry) => {
                    self.retry = None;
                    self.feed(Input::Retry)?;
                }
                () = sleep_until(self.grace) => {
                    self.grace = None;
                    self.tasks.abort_all();
                }
            }
        }
    }

    fn feed(&mut self, input: Input) -> Result<(), DriveError> {
        let now = (self.clock)();
        for command in self.core.handle(input, now)? {
            match command {
                Command::Record(record) => self.journal.push(record),
                Command::Run { node, attempt, token } => {
                    let cancel = CancellationToken::new();
                    self.cancels.insert(node, cancel.clone());
                    let plan = self.core.plan().clone();
                    self.held.push_back((self.journal.recorded(), StepTask { plan, node, attempt, token, cancel }));
                }
                Command::Ask { node } => drop(self.signals.send(Signal::GateReached { node })),
                Command::WakeAfter { node, ms } => self.timers.add(node, ms),
                Command::Exchange(exchange) => self.sharing.push(exchange),
                Command::RetryAfter { ms } => self.retry = Some(Instant::now() + Duration::from_millis(ms)),
                Command::Tell(wait) => drop(self.signals.send(Signal::Waiting(Arc::new(wait)))),
                Command::Cancel { node } => {
                    if let Some(cancel) = self.cancels.get(&node) {
                        cancel.cancel();
                    }
                    self.grace.get_or_insert_with(|| Instant::now() + CANCEL_GRACE);
                }
                Command::Finish(outcome) => self.outcome = Some(outcome),
            }
        }
        self.release_held();
        Ok(())
    }

    /// Calls the steps whose start is durable by now.
    fn release_held(&mut self) {
        while let Some((_, task)) = self.held.pop_front_if(|(needs, _)| *needs <= self.journal.durable()) {
            let node = task.node;
            let runner = self.runner.clone();
            let handle = self.tasks.spawn(async move {
                // Aborted between its record and its call: nothing has happened yet, and nothing shall.
                let progress = match task.cancel.is_cancelled() {
                    true => StepProgress::Ended(StepOutcome::Aborted),
                    false => runner.run(task).await,
                };
                (node, progress)
            });
            self.running.insert(handle.id(), node);
        }
    }

    fn take_in(&mut self, ended: Ended) -> Result<(), DriveError> {
        let (id, progress) = match ended {
            Ok((id, (_, progress))) => (id, progress),
            Err(error) => (error.id(), StepProgress::Ended(outcome_of(error))),
        };
        // Every task is entered when it is spawned.
        let Some(node) = self.running.remove(&id) else { return Ok(()) };
        self.cancels.remove(&node);
        self.feed(Input::Progressed { node, progress })
    }

    /// Makes running steps end, with nobody left to tell.
    async fn break_off(&mut self) {
        for cancel in self.cancels.values() {
            cancel.cancel();
        }
        let all_ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(CANCEL_GRACE, all_ended).await.is_err() {
            self.tasks.shutdown().await;
        }
    }
}

/// Returns what became of a step whose task did not come back.
fn outcome_of(error: JoinError) -> StepOutcome {
    if error.is_cancelled() {
        return StepOutcome::Aborted;
    }
    let panic = error.into_panic();
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    StepOutcome::Failed(Failure {
        fault: Fault::Plugin,
        message: "the step broke down inside launchway".into(),
        detail: text.map(str::to_owned),
        hint: Some("this is a bug in launchway: please report it".into()),
        retryable: false,
    })
}

async fn receive(control: &mut Option<UnboundedReceiver<Control>>) -> Option<Control> {
    match control {
        Some(control) => control.recv().await,
        None => pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => pending().await,
    }
}
