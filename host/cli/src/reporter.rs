//! Shows a run while it goes on, on a thread of its own: a slow terminal must not slow the run.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use launchway_model::{ChangeKind, Event, Plan, Signal, StepKey};
use launchway_report::{Events, FailedStep, Failures, Live, Plain};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::adapters::OutputBudget;
use crate::console::{Console, complain, write_out};
use crate::error::CliError;
use crate::holder::now;

/// How often a drawing is renewed while nothing happens.
const TICK: Duration = Duration::from_millis(250);
/// How much text is written at once, in bytes.
const BATCH: usize = 64 * 1024;

/// What came of a run.
#[derive(Default, Debug)]
pub(crate) struct Gathered {
    pub failed: Vec<FailedStep>,
    pub created: usize,
    pub updated: usize,
    pub deleted: usize,
    pub refreshed: usize,
    pub forgotten: usize,
    pub adopted: usize,
    pub skipped: usize,
    pub steps: usize,
    /// A target refused that answered only after the run had begun.
    pub refusal: Option<CliError>,
}

enum View {
    Live(Box<Live>),
    Plain(Plain),
    Json(Events),
    Nothing,
}

/// Shows signals until their channel closes, or until the run is `over` and nothing more comes.
pub(crate) fn spawn(
    console: Console,
    plan: Arc<Plan>,
    durations: HashMap<StepKey, u64>,
    mut signals: UnboundedReceiver<Signal>,
    budget: OutputBudget,
    over: Arc<AtomicBool>,
    handle: Handle,
) -> std::io::Result<JoinHandle<Gathered>> {
    std::thread::Builder::new().name("reporter".to_owned()).spawn(move || {
        let paint = console.paint_err;
        let mut view = if console.json {
            View::Json(Events::new(plan.clone()))
        } else if console.quiet {
            View::Nothing
        } else if console.draw {
            View::Live(Box::new(Live::new(plan.clone(), durations, paint, console.verbose)))
        } else {
            View::Plain(Plain::new(plan.clone(), paint, console.verbose))
        };
        let mut failures = Failures::new(plan.clone());
        let mut gathered = Gathered::default();
        loop {
            let next = handle.block_on(async { tokio::time::timeout(TICK, signals.recv()).await });
            match next {
                Ok(Some(first)) => {
                    // What has piled up is written at once.
                    let mut text = String::new();
                    let mut next = Some(first);
                    while let Some(signal) = next {
                        budget.shown(&signal);
                        failures.on(&signal);
                        count(&mut gathered, &plan, &signal);
                        match &mut view {
                            View::Live(live) => live.on(&signal),
                            View::Plain(plain) => text.push_str(&plain.on(&signal)),
                            View::Json(events) => text.push_str(&events.on(&signal)),
                            View::Nothing => {}
                        }
                        next = if text.len() < BATCH { signals.try_recv().ok() } else { None };
                    }
                    match &view {
                        // Nobody reads any more: the run goes on, and the journal has it all.
                        View::Json(_) => drop(write_out(&text)),
                        _ => complain(&text),
                    }
                }
                Ok(None) => break,
                // A step that does not let go of its sink must not keep the process.
                Err(_) if over.load(Ordering::Acquire) => break,
                Err(_) => {
                    if let View::Live(live) = &mut view {
                        live.tick(now());
                    }
                }
            }
        }
        if let View::Live(live) = view {
            live.finish();
        }
        gathered.failed = failures.failed().to_vec();
        gathered
    })
}

fn count(gathered: &mut Gathered, plan: &Plan, signal: &Signal) {
    let Signal::Event(record) = signal else { return };
    match &record.event {
        Event::InstanceCommitted { change, .. } => match plan.change(*change).map(|change| change.kind) {
            Some(ChangeKind::Create) => gathered.created += 1,
            Some(ChangeKind::Update) => gathered.updated += 1,
            Some(ChangeKind::Delete) => gathered.deleted += 1,
            Some(ChangeKind::Refresh) => gathered.refreshed += 1,
            Some(ChangeKind::Act) | None => {}
        },
        Event::RecordsAmended => {
            gathered.forgotten = plan.forgotten.len();
            gathered.adopted = plan.adopted.len();
        }
        Event::StepFinished { .. } => gathered.steps += 1,
        Event::StepSkipped { .. } => gathered.skipped += 1,
        _ => {}
    }
}
