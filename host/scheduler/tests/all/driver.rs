//! The driver with a scripted runner and a scripted journal, on a paused clock.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use crate::support::plans::{self, plan};
use crate::support::world::{changed, options};
use launchway_model::{Event, EventRecord, NodeId, Phase, Plan, RunOutcome, Signal, StepOutcome, Timestamp};
use launchway_scheduler::{
    Control, Core, DriveError, Journal, JournalError, Limits, OnFailure, Seams, StepProgress, StepRunner, StepTask,
    drive,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

type Running = Pin<Box<dyn Future<Output = StepProgress> + Send>>;

struct Script<F>(F);

impl<F: Fn(StepTask) -> Running + Send + Sync + 'static> StepRunner for Script<F> {
    fn run(&self, task: StepTask) -> Running {
        self.0(task)
    }
}

fn runner(run: impl Fn(StepTask) -> Running + Send + Sync + 'static) -> Arc<dyn StepRunner> {
    Arc::new(Script(run))
}

fn ends(outcome: StepOutcome) -> Running {
    Box::pin(async { StepProgress::Ended(outcome) })
}

#[derive(Default)]
struct Book {
    durable: Mutex<Vec<Arc<EventRecord>>>,
    batches: AtomicUsize,
    fails_at: Option<usize>,
    /// Each batch waits for a word, if there is anybody to give it.
    gate: Option<Mutex<mpsc::Receiver<()>>>,
}

impl Book {
    fn has_started(&self, node: NodeId) -> bool {
        let durable = self.durable.lock().unwrap();
        durable.iter().any(|record| matches!(record.event, Event::StepStarted { node: n, .. } if n == node))
    }
}

impl Journal for Book {
    fn append(&self, events: &[Arc<EventRecord>]) -> Result<(), JournalError> {
        if let Some(gate) = &self.gate {
            let _ = gate.lock().unwrap().recv();
        }
        if Some(self.batches.fetch_add(1, Ordering::Relaxed)) == self.fails_at {
            return Err(JournalError("the disk is full".into()));
        }
        self.durable.lock().unwrap().extend_from_slice(events);
        Ok(())
    }
}

struct Desk {
    control: UnboundedSender<Control>,
    signals: UnboundedReceiver<Signal>,
}

fn begin(
    plan: &Arc<Plan>,
    runner: Arc<dyn StepRunner>,
    book: &Arc<Book>,
) -> (tokio::task::JoinHandle<Result<RunOutcome, DriveError>>, Desk) {
    let core = Core::new(plan.clone(), options(Limits::default(), OnFailure::Stop)).unwrap();
    let (control, requests) = unbounded_channel();
    let (sender, signals) = unbounded_channel();
    let clock = Arc::new(|| Timestamp(42));
    let seams = Seams { runner, journal: book.clone(), sharing: None, signals: sender, clock };
    let handle = tokio::spawn(drive(core, seams, requests));
    (handle, Desk { control, signals })
}

fn single() -> Arc<Plan> {
    let mut builder = plan();
    let change = builder.change("a", "t");
    let step = builder.step(change, Phase::Install, &[]);
    builder.commit(change, &[step]);
    builder.build()
}

#[tokio::test(start_paused = true)]
async fn no_step_is_called_before_its_start_is_durable() {
    for seed in 0..20 {
        let plan = plans::random(seed, 30);
        let book = Arc::new(Book::default());
        let seen = book.clone();
        let runner = runner(move |task| {
            assert!(seen.has_started(task.node));
            // Everything a step waits for ended durably before it was called.
            let durable = seen.durable.lock().unwrap();
            let done = crate::support::world::done(&task.plan, &durable);
            let node = &task.plan.nodes[task.node.0 as usize];
            assert!(node.after.iter().all(|before| done.contains(before)));
            ends(changed())
        });
        let (run, mut desk) = begin(&plan, runner, &book);
        assert_eq!(run.await.unwrap().unwrap(), RunOutcome::Done);
        let mut shown = Vec::new();
        while let Ok(Signal::Event(record)) = desk.signals.try_recv() {
            shown.push(record);
        }
        assert_eq!(shown, *book.durable.lock().unwrap(), "all that is shown is durable, and in order");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_hangs_holds_back_the_step() {
    let (word, gate) = mpsc::channel();
    let book = Arc::new(Book { gate: Some(Mutex::new(gate)), ..Book::default() });
    let called = Arc::new(AtomicUsize::new(0));
    let count = called.clone();
    let runner = runner(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        ends(changed())
    });
    let (run, mut desk) = begin(&single(), runner, &book);
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(called.load(Ordering::SeqCst), 0);
    assert!(desk.signals.try_recv().is_err());
    for _ in 0..3 {
        let _ = word.send(());
    }
    assert_eq!(run.await.unwrap().unwrap(), RunOutcome::Done);
    assert_eq!(called.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_journal_cancels_what_runs_and_ends_the_run() {
    let mut builder = plan();
    let change = builder.change("a", "t");
    builder.step(change, Phase::Install, &[]);
    builder.step(change, Phase::Install, &[]);
    let book = Arc::new(Book { fails_at: Some(1), ..Book::default() });
    let cancelled = Arc::new(AtomicUsize::new(0));
    let count = cancelled.clone();
    let runner = runner(move |task| {
        let count = count.clone();
        Box::pin(async move {
            if task.node == NodeId(0) {
                return StepProgress::Ended(changed());
            }
            task.cancel.cancelled().await;
            count.fetch_add(1, Ordering::SeqCst);
            StepProgress::Ended(StepOutcome::Aborted)
        })
    });
    let (run, _desk) = begin(&builder.build(), runner, &book);
    let error = run.await.unwrap().unwrap_err();
    assert!(matches!(error, DriveError::Journal(_)), "{error}");
    assert_eq!(cancelled.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_panics_fails_its_step_only() {
    let book = Arc::new(Book::default());
    let runner = runner(|_| Box::pin(async { panic!("a bug") }));
    let (run, _desk) = begin(&single(), runner, &book);
    assert_eq!(run.await.unwrap().unwrap(), RunOutcome::Failed);
    let durable = book.durable.lock().unwrap();
    let failure = durable.iter().find_map(|record| match &record.event {
        Event::StepFinished { outcome: StepOutcome::Failed(failure), .. } => Some(failure),
        _ => None,
    });
    assert_eq!(failure.unwrap().detail.as_deref(), Some("a bug"));
}

#[tokio::test(start_paused = true)]
async fn a_pending_step_is_asked_again_when_it_said_so() {
    let book = Arc::new(Book::default());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let times = asked.clone();
    let runner = runner(move |task| {
        let mut times = times.lock().unwrap();
        times.push((tokio::time::Instant::now(), task.token.clone()));
        if times.len() == 4 {
            return ends(changed());
        }
        let token = times.len().to_string();
        Box::pin(async { StepProgress::Pending { token, after_ms: 60_000, message: "queued".into() } })
    });
    let (run, _desk) = begin(&single(), runner, &book);
    assert_eq!(run.await.unwrap().unwrap(), RunOutcome::Done);
    let asked = asked.lock().unwrap();
    let tokens: Vec<_> = asked.iter().map(|(_, token)| token.as_deref()).collect();
    assert_eq!(tokens, [None, Some("1"), Some("2"), Some("3")]);
    for pair in asked.windows(2) {
        assert!(pair[1].0 - pair[0].0 >= Duration::from_secs(60));
    }
}

#[tokio::test(start_paused = true)]
async fn an_abort_ends_even_a_step_that_does_not_listen() {
    let mut builder = plan();
    let change = builder.change("a", "t");
    builder.step(change, Phase::Install, &[]);
    builder.step(change, Phase::Install, &[]);
    let book = Arc::new(Book::default());
    let (begun, mut steps) = unbounded_channel();
    let runner = runner(move |task| {
        begun.send(task.node).unwrap();
        Box::pin(async move {
            if task.node == NodeId(0) {
                std::future::pending::<()>().await;
            }
            task.cancel.cancelled().await;
            StepProgress::Ended(StepOutcome::Aborted)
        })
    });
    let (run, desk) = begin(&builder.build(), runner, &book);
    let running: BTreeSet<_> = [steps.recv().await.unwrap(), steps.recv().await.unwrap()].into();
    assert_eq!(running.len(), 2);
    desk.control.send(Control::Stop).unwrap();
    desk.control.send(Control::Abort).unwrap();
    assert_eq!(run.await.unwrap().unwrap(), RunOutcome::Stopped);
    let durable = book.durable.lock().unwrap();
    let aborted = durable
        .iter()
        .filter(|record| matches!(record.event, Event::StepFinished { outcome: StepOutcome::Aborted, .. }))
        .count();
    assert_eq!(aborted, 2);
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_the_running_step_end_and_starts_no_other() {
    let mut builder = plan();
    let change = builder.change("a", "t");
    let first = builder.step(change, Phase::Install, &[]);
    builder.step(change, Phase::Start, &[first]);
    let book = Arc::new(Book::default());
    let (begun, mut steps) = unbounded_channel();
    let release = Arc::new(tokio::sync::Notify::new());
    let released = release.clone();
    let runner = runner(move |task| {
        begun.send(task.node).unwrap();
        let released = released.clone();
        Box::pin(async move {
            released.notified().await;
            StepProgress::Ended(changed())
        })
    });
    let (run, desk) = begin(&builder.build(), runner, &book);
    assert_eq!(steps.recv().await, Some(first));
    desk.control.send(Control::Stop).unwrap();
    // The receiver of signals is gone and nobody is left at the controls: no reason to stop early.
    drop(desk);
    release.notify_one();
    assert_eq!(run.await.unwrap().unwrap(), RunOutcome::Stopped);
    assert!(steps.recv().await.is_none());
    assert!(!book.has_started(NodeId(1)));
}

#[tokio::test(start_paused = true)]
async fn what_gathers_while_a_batch_commits_goes_into_one_batch() {
    let mut builder = plan();
    for at in 0..100 {
        let change = builder.change("a", &format!("t{at}"));
        let step = builder.step(change, Phase::Install, &[]);
        builder.commit(change, &[step]);
    }
    let book = Arc::new(Book::default());
    let (run, _desk) = begin(&builder.build(), runner(|_| ends(changed())), &book);
    assert_eq!(run.await.unwrap().unwrap(), RunOutcome::Done);
    let (batches, events) = (book.batches.load(Ordering::SeqCst), book.durable.lock().unwrap().len());
    assert_eq!(events, 1 + 4 * 100 + 1);
    assert!(batches < 100, "{batches} commits for 100 steps side by side");
}
