//! Runs a plan: lease, journal, targets, signals, progress, and what to say at the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use launchway_model::config::{Drift, OnFailure};
use launchway_model::{Digest, Event, EventRecord, Operation, Plan, RunId, RunOutcome};
use launchway_report::{Events, duration, failures_text, inline, line};
use launchway_runtime::{PluginSet, Redactor, SecretStore, Targets, TargetsOptions};
use launchway_scheduler::{Control, Core, DriveError, JournalError, Limits, Options, RunIdentity, Seams, drive};
use launchway_store::{BeginError, LEASE_MS, LeaseInfo, NewRun, RunJournal, Store, StoreError};
use serde::Serialize;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::adapters::{OutputBudget, RunJournalAdapter, Runner, SharingAdapter, StoreBlobs};
use crate::console::{Console, complain};
use crate::context::{Context, store_error};
use crate::drift;
use crate::environment::LoadedEnvironment;
use crate::error::{CliError, Result, chain};
use crate::exit::Exit;
use crate::gates::{Gates, attend};
use crate::holder::{holder, now};
use crate::interrupts::Interrupts;
use crate::kept_plugins;
use crate::markers::{Kept, Markers};
use crate::next_steps::{Again, NextStep, next_steps};
use crate::release::Manifest;
use crate::reporter::{self, Gathered};
use crate::requirements::refused;

/// How many connections are begun at once; a default sshd refuses more than ten.
pub(crate) const CONNECT_CONCURRENCY: usize = 10;

/// A plan that is to be run.
pub(crate) struct LiveRun {
    pub plan: Plan,
    pub digest: Digest,
    pub environment: LoadedEnvironment,
    pub plugins: PluginSet,
    pub secrets: Arc<SecretStore>,
    pub release: Option<Manifest>,
    /// It came from a file, and may be run once.
    pub saved: bool,
    pub ignore_requires: bool,
    /// What to do where what is there is not what was deployed.
    pub drift: Drift,
    /// How it was asked for.
    pub again: Again,
    pub gates: Gates,
    /// Lines of the JSON stream that come before the run.
    pub preface: String,
}

/// Runs a plan to its end, and says what came of it.
pub(crate) fn run(context: &Context, store: &Store, live: LiveRun) -> Result<Exit> {
    let console = context.console;
    let plan = Arc::new(live.plan);
    let started = now();
    let journal = store.begin_run(NewRun {
        plan: plan.clone(),
        plan_digest: live.digest,
        holder: holder(),
        started,
        saved_plan: live.saved,
        ignore_requires: live.ignore_requires,
    });
    let journal = Arc::new(journal.map_err(|error| begin_error(&error))?);
    let gates = live.gates;
    // A drawing would run over the question.
    let console = if gates.ask() { console.without_drawing() } else { console };
    let job = Job { console, gates, store: store.clone(), plan: plan.clone(), digest: live.digest, journal };
    let settings = Settings::of(&live.environment, live.drift);
    let result = keep_release(store, live.release.as_ref())
        .and_then(|()| kept_plugins::keep(store, &live.plugins, &plan, job.journal.run()))
        .and_then(|()| match console.json {
            true => console.data(&(Events::header(&plan, live.digest) + &live.preface)),
            false => Ok(()),
        })
        .and_then(|()| context.runtime.block_on(job.run(&context.project.dir, live.plugins, live.secrets, settings)));
    let run = job.journal.run();
    let (outcome, mut gathered) = result.inspect_err(|_| {
        // The error at hand is the one to be told; without this the lease expires on its own.
        let _ = job.journal.abandon(now());
    })?;
    let exit = match outcome {
        RunOutcome::Done => Exit::Done,
        RunOutcome::Failed => Exit::Failed,
        RunOutcome::RolledBack => Exit::RolledBack,
        RunOutcome::Stopped => Exit::Stopped,
    };
    let took = now().0.saturating_sub(started.0);
    let next = next_steps(&plan, &live.again, run, outcome, &gathered);
    if console.json {
        console.data(&summary_json(run, outcome, exit, &gathered, next))?;
    } else {
        say_end(console, &plan, run, outcome, took, &gathered, &next);
    }
    // A target that answered late: what was refused there was said with its steps.
    if gathered.refusal.take().is_some() { Ok(Exit::Refused) } else { Ok(exit) }
}

/// Keeps what is needed to deploy the release again.
fn keep_release(store: &Store, release: Option<&Manifest>) -> Result<()> {
    let Some(release) = release else { return Ok(()) };
    let digest = store.put_bytes(&release.bytes()).map_err(|error| store_error(&error))?;
    let recorded = store.record_release(&release.application, &release.version, &digest);
    recorded.map_err(|error| store_error(&error))
}

/// What the environment says of how plans are run.
#[derive(Clone)]
struct Settings {
    on_failure: launchway_scheduler::OnFailure,
    max_steps: Option<u32>,
    drift: Drift,
    markers: Kept,
}

impl Settings {
    fn of(environment: &LoadedEnvironment, drift: Drift) -> Self {
        let environment = &environment.environment.value;
        let on_failure = match environment.failures.on_failure {
            OnFailure::Stop => launchway_scheduler::OnFailure::Stop,
            OnFailure::Continue => launchway_scheduler::OnFailure::Continue,
        };
        Self { on_failure, max_steps: environment.max_steps, drift, markers: Kept::of(environment) }
    }
}

struct Job {
    console: Console,
    gates: Gates,
    store: Store,
    plan: Arc<Plan>,
    digest: Digest,
    journal: Arc<RunJournal>,
}

impl Job {
    async fn run(
        &self,
        project: &std::path::Path,
        plugins: PluginSet,
        secrets: Arc<SecretStore>,
        settings: Settings,
    ) -> Result<(RunOutcome, Gathered)> {
        let internal = |error: &dyn std::error::Error| CliError::internal(error);
        let interrupts = Interrupts::listen().map_err(|error| internal(&error))?;
        let durations = self
            .store
            .durations(&self.plan.environment, &self.plan.application)
            .map_err(|error| store_error(&error))?;
        let (signals, raised) = unbounded_channel();
        let (show, shown) = unbounded_channel();
        let (control, asked) = unbounded_channel();
        let listener = tokio::spawn(interrupts.pass_on(self.console, control.clone()));
        let control_dir = tempfile::Builder::new().prefix("launchway-").tempdir().map_err(|error| internal(&error))?;
        let targets = Arc::new(Targets::new(TargetsOptions {
            project_dir: project.to_path_buf(),
            control_dir: control_dir.path().to_path_buf(),
            secrets,
            blobs: Arc::new(StoreBlobs(self.store.clone())),
            redactor: Arc::new(Redactor::new()),
            connect_concurrency: CONNECT_CONCURRENCY,
        }));
        let markers = Markers::new(
            self.console,
            &self.store,
            targets.clone(),
            self.plan.clone(),
            &self.journal,
            &settings.markers,
        );
        let markers = Arc::new(markers?);
        let global = settings.max_steps.map_or(Limits::default().global, |steps| steps as usize);
        let surveyed = match markers.survey().await {
            Ok(()) => drift::survey(&self.plan, &plugins, &targets, global, settings.drift).await,
            Err(refusal) => Err(refusal),
        };
        let drift = match surveyed {
            Ok(drift) => drift,
            Err(refusal) => {
                listener.abort();
                targets.close().await;
                self.refuse()?;
                return Err(refusal);
            }
        };
        tokio::spawn(attend(self.gates, self.plan.clone(), self.console, raised, show, control.clone()));
        let budget = OutputBudget::default();
        let over = Arc::new(AtomicBool::new(false));
        let handle = tokio::runtime::Handle::current();
        let reporter = reporter::spawn(
            self.console,
            self.plan.clone(),
            durations.clone(),
            shown,
            budget.clone(),
            over.clone(),
            handle,
        )
        .map_err(|error| internal(&error))?;
        let runner = Runner {
            plugins,
            targets: targets.clone(),
            markers: markers.clone(),
            store: self.store.clone(),
            run: self.journal.run(),
            signals: signals.clone(),
            budget,
            started: Arc::default(),
            warned: Arc::default(),
        };
        let mut options = Options::new(RunIdentity {
            run: self.journal.run(),
            plan: self.digest,
            fence: self.journal.fence(),
            holder: holder(),
        });
        options.limits = Limits { global, ..Limits::default() };
        options.on_failure = settings.on_failure;
        options.durations = durations;
        options.shared = self.journal.is_shared();
        options.drift = drift;
        let core = Core::new(self.plan.clone(), options).map_err(|error| internal(&error))?;
        let heart = tokio::spawn(beat(self.journal.clone(), control));
        let seams = Seams {
            runner: Arc::new(runner),
            journal: Arc::new(RunJournalAdapter(self.journal.clone())),
            sharing: Some(Arc::new(SharingAdapter(self.journal.clone()))),
            signals,
            clock: Arc::new(now),
        };
        let outcome = drive(core, seams, asked).await;
        listener.abort();
        heart.abort();
        markers.tidy().await;
        targets.close().await;
        over.store(true, Ordering::Release);
        let gathered = tokio::task::spawn_blocking(move || reporter.join()).await;
        let gathered = gathered.map_err(|error| internal(&error))?;
        let gathered = gathered.map_err(|_| CliError::new(Exit::Internal, "internal", "the progress display broke"))?;
        match outcome {
            Ok(RunOutcome::Failed) => Ok((RunOutcome::Failed, Gathered { refusal: markers.refusal(), ..gathered })),
            Ok(outcome) => Ok((outcome, gathered)),
            Err(error) => Err(broken_off(self.journal.run(), &error)),
        }
    }
}

impl Job {
    /// Records that the run ended before it did anything.
    fn refuse(&self) -> Result<()> {
        let plan = &self.plan;
        let started = Event::RunStarted {
            run: self.journal.run(),
            plan: self.digest,
            operation: plan.operation.clone(),
            application: plan.application.clone(),
            environment: plan.environment.clone(),
            version: plan.version.clone(),
            fence: self.journal.fence(),
            holder: holder(),
        };
        let finished = Event::RunFinished { outcome: RunOutcome::Failed };
        let record = |(index, event)| Arc::new(EventRecord { index, at: now(), event });
        let records: Vec<_> = (0..).zip([started, finished]).map(record).collect();
        self.journal.append(&records).map_err(|error| store_error(&error))
    }
}

/// Renews the lease until it is lost, and ends the run then.
async fn beat(journal: Arc<RunJournal>, control: UnboundedSender<Control>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(LEASE_MS / 3));
    loop {
        ticks.tick().await;
        let journal = journal.clone();
        let renewed = tokio::task::spawn_blocking(move || journal.heartbeat(now())).await;
        if let Ok(Err(StoreError::LeaseLost { .. })) = renewed {
            // The run has ended: there is nobody left to tell.
            let _ = control.send(Control::Abort);
            return;
        }
    }
}

/// Returns the refusal of a run that finds another one at work.
pub(crate) fn locked(lease: LeaseInfo) -> CliError {
    begin_error(&BeginError::Locked { run: lease.run, holder: lease.holder, since: lease.since })
}

/// Returns the refusal of a plan that was used.
pub(crate) fn used(run: RunId) -> CliError {
    begin_error(&BeginError::Used { run })
}

/// Tells a store that gave way under a run from a bug.
fn broken_off(run: RunId, error: &DriveError) -> CliError {
    let recorded = "what was begun is recorded; `launchway status` shows it, and the next deployment takes it up";
    let store = match error {
        DriveError::Journal(JournalError(source)) => source.downcast_ref::<StoreError>(),
        _ => None,
    };
    let Some(store) = store else {
        return CliError::new(Exit::Internal, "run", format!("run {run}: {}", chain(error))).hint(recorded);
    };
    let mut error = store_error(store);
    error.message = format!("the run was broken off: {}", error.message);
    error.hint.get_or_insert_with(|| recorded.to_owned());
    error
}

fn begin_error(error: &BeginError) -> CliError {
    match error {
        BeginError::Locked { .. } => {
            CliError::new(Exit::Locked, "locked", chain(error)).hint("wait until it ends; `launchway runs` shows it")
        }
        BeginError::Stale { .. } | BeginError::OtherLineage => {
            CliError::new(Exit::Refused, "stale-plan", chain(error)).hint("make a new plan")
        }
        BeginError::Used { .. } => {
            CliError::new(Exit::Refused, "used-plan", chain(error)).hint("a saved plan runs once; make a new one")
        }
        BeginError::Unmet(unmet) => refused(unmet),
        BeginError::Store(error) => store_error(error),
    }
}

#[derive(Serialize)]
struct SummaryJson<'a> {
    event: &'static str,
    run: Option<RunId>,
    outcome: &'static str,
    exit_code: u8,
    created: usize,
    updated: usize,
    deleted: usize,
    refreshed: usize,
    forgotten: usize,
    adopted: usize,
    failed: Vec<FailedJson<'a>>,
    /// Commands that go on from here.
    next: Vec<NextStep>,
}

#[derive(Serialize)]
struct FailedJson<'a> {
    step: &'a str,
    instance: &'a str,
    outcome: &'a launchway_model::StepOutcome,
    tail: &'a [String],
}

/// Returns the last line of a stream in which nothing had to be done.
pub(crate) fn unchanged_json() -> String {
    line(&SummaryJson {
        event: "summary",
        run: None,
        outcome: "unchanged",
        exit_code: Exit::Done.number(),
        created: 0,
        updated: 0,
        deleted: 0,
        refreshed: 0,
        forgotten: 0,
        adopted: 0,
        failed: Vec::new(),
        next: Vec::new(),
    })
}

fn word(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Done => "done",
        RunOutcome::Failed => "failed",
        RunOutcome::RolledBack => "rolled-back",
        RunOutcome::Stopped => "stopped",
    }
}

fn summary_json(run: RunId, outcome: RunOutcome, exit: Exit, gathered: &Gathered, next: Vec<NextStep>) -> String {
    let failed = gathered.failed.iter().map(|step| FailedJson {
        step: &step.key.0,
        instance: &step.instance,
        outcome: &step.outcome,
        tail: &step.tail,
    });
    line(&SummaryJson {
        event: "summary",
        run: Some(run),
        outcome: word(outcome),
        exit_code: exit.number(),
        created: gathered.created,
        updated: gathered.updated,
        deleted: gathered.deleted,
        refreshed: gathered.refreshed,
        forgotten: gathered.forgotten,
        adopted: gathered.adopted,
        failed: failed.collect(),
        next,
    })
}

fn is_task(plan: &Plan) -> bool {
    matches!(plan.operation, Operation::Task { .. })
}

/// Says how the run ended, and what to do next.
fn say_end(
    console: Console,
    plan: &Plan,
    run: RunId,
    outcome: RunOutcome,
    took: u64,
    gathered: &Gathered,
    next: &[NextStep],
) {
    let paint = console.paint_err;
    let mut counts: Vec<String> = [
        (gathered.created, "created"),
        (gathered.updated, "updated"),
        (gathered.deleted, "deleted"),
        (gathered.refreshed, "refreshed"),
        (gathered.forgotten, "forgotten"),
        (gathered.adopted, "taken over"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| format!("{count} {word}"))
    .collect();
    if counts.is_empty() {
        counts.push(if is_task(plan) { "task" } else { "nothing committed" }.to_owned());
    }
    let plural = if gathered.steps == 1 { "" } else { "s" };
    let ended = format!("{}, {} step{plural} in {} (run {run})", counts.join(", "), gathered.steps, duration(took));
    if !gathered.failed.is_empty() {
        complain(&failures_text(&gathered.failed, paint));
        complain("\n");
    }
    match outcome {
        RunOutcome::Done => {
            let note =
                if gathered.failed.is_empty() { "" } else { "; steps after the commit failed, which only warns" };
            let records = plan.changes.is_empty() && !plan.is_of_records();
            let counts = if records { "records brought up to date".to_owned() } else { ended };
            console.say(&format!("{} {counts}{note}\n", paint.green("Done:")));
        }
        RunOutcome::Failed => {
            complain(&format!("{} {ended}", paint.red("Failed:")));
            if gathered.skipped > 0 {
                let plural = if gathered.skipped == 1 { "" } else { "s" };
                complain(&format!(", {} step{plural} not run", gathered.skipped));
            }
            complain("\n");
        }
        RunOutcome::Stopped => complain(&format!("{} {ended}\n", paint.yellow("Stopped:"))),
        RunOutcome::RolledBack => complain(&format!("{} {ended}\n", paint.yellow("Failed and rolled back:"))),
    }
    for (at, next) in next.iter().enumerate() {
        let head = if at == 0 { paint.cyan("next:") } else { "     ".into() };
        complain(&format!("{head} {}   {}\n", inline(&next.command), next.effect));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_that_gives_way_is_told_from_a_bug() {
        let (run, text) = (RunId(3), "the run was broken off: run 3 lost its lease: another run has taken over");
        let told = |source| broken_off(run, &DriveError::Journal(JournalError(source)));
        let lost = told(Box::new(StoreError::LeaseLost { run }));
        assert_eq!((lost.exit, lost.code, lost.message.as_str()), (Exit::Locked, "store", text));
        let damaged = told(Box::new(StoreError::BlobMissing { digest: Digest::of(b"") }));
        assert_eq!((damaged.exit, damaged.hint.is_some()), (Exit::Usage, true));
        let bug = told("a bug".into());
        let text = "run 3: the run was broken off: can't write the journal: a bug";
        assert_eq!((bug.exit, bug.message.as_str()), (Exit::Internal, text));
    }
}
