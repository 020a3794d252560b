use jiff::tz::TimeZone;
use launchway_model::{Event, EventRecord, NodeId, RunId, StepKey};
use launchway_report::{LogPiece, RunView, run_json, run_text};
use launchway_store::{RunDetail, StoredEvent};
use serde_json::Value;

use super::runs::row;
use crate::args::{Global, ShowArgs};
use crate::console::Console;
use crate::context::{Context, store_error};
use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::holder::now;

/// Shows a run.
pub(super) fn run(global: &Global, console: Console, args: &ShowArgs) -> Result<Exit> {
    let context = Context::open(global, console)?;
    let unknown =
        || CliError::usage("unknown-run", format!("there is no run {}", args.run)).hint("`launchway runs` lists them");
    let store = context.store_if_any()?.ok_or_else(unknown)?;
    let found = store.run(RunId(args.run), now()).map_err(|error| store_error(&error))?;
    let RunDetail { summary, plan, events } = found.ok_or_else(unknown)?;
    let mut known: Vec<EventRecord> = Vec::new();
    let mut others: Vec<Value> = Vec::new();
    for event in events {
        match event {
            StoredEvent::Known(record) => known.push(record),
            StoredEvent::Unknown(value) => others.push(value),
        }
    }
    let wanted = |key: &StepKey| args.step.as_ref().is_none_or(|text| key.0.contains(text.as_str()));
    if args.step.is_some() && !known.iter().filter_map(|record| step_of(&record.event)).any(|(_, key)| wanted(key)) {
        let name = args.step.as_deref().unwrap_or_default();
        return Err(CliError::usage("unknown-step", format!("no step of run {} has `{name}` in its key", args.run))
            .hint(format!("`launchway show {}` lists them", args.run)));
    }
    let logs = if args.log { logs(&known, wanted) } else { Vec::new() };
    let run = summary.id;
    // A step that printed nothing has no log.
    let read_log = &|log: &LogPiece| {
        let bytes = std::fs::read(store.log_path(run, log.node, log.attempt)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let (row, step) = (row(summary), args.step.as_deref());
    let view = RunView { row: &row, plan: &plan, events: &known, unknown: &others, step, logs: &logs, read_log };
    if console.json {
        console.data(&run_json(&view))?;
    } else {
        run_text(&view, &TimeZone::system(), console.paint, |piece| console.data(piece))?;
    }
    Ok(Exit::Done)
}

fn step_of(event: &Event) -> Option<(NodeId, &StepKey)> {
    match event {
        Event::StepStarted { node, step, .. }
        | Event::StepFinished { node, step, .. }
        | Event::StepSkipped { node, step, .. } => Some((*node, step)),
        _ => None,
    }
}

/// Returns which logs there may be: one for each attempt.
fn logs(events: &[EventRecord], wanted: impl Fn(&StepKey) -> bool) -> Vec<LogPiece> {
    let started = events.iter().filter_map(|record| match &record.event {
        Event::StepStarted { node, step, attempt } if wanted(step) => {
            Some(LogPiece { node: *node, step: step.clone(), attempt: *attempt })
        }
        _ => None,
    });
    started.collect()
}
