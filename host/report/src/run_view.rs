//! Runs: the list, and one of them with its steps and how long they took.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use launchway_model::{
    Event, EventRecord, InstanceId, NodeId, Plan, RunId, SkipReason, StepKey, StepOutcome, Timestamp, VersionChange,
};
use serde::Serialize;
use serde_json::Value;

use crate::drift::found_before;
use crate::failures::explain;
use crate::json::document;
use crate::plan_json::{AdoptedJson, adopted_json};
use crate::plan_view::records_text;
use crate::progress::step;
use crate::sanitise::{inline, sanitise};
use crate::style::{Paint, duration, time};
use crate::table::table;

/// A run in a list.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct RunRow {
    pub run: RunId,
    pub operation: String,
    pub application: String,
    pub environment: String,
    pub version: VersionChange,
    pub status: String,
    pub started: Timestamp,
    pub finished: Option<Timestamp>,
    pub user: String,
    pub host: String,
    /// Requirements that were not met, and that it was told to ignore.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

impl RunRow {
    /// Returns how long it went on, or was seen to, in milliseconds.
    fn took(&self) -> Option<u64> {
        Some(self.finished?.0.saturating_sub(self.started.0))
    }

    fn is_interrupted(&self) -> bool {
        self.status == "interrupted"
    }
}

/// One run with all that is known of it.
pub struct RunView<'a> {
    pub row: &'a RunRow,
    pub plan: &'a Plan,
    pub events: &'a [EventRecord],
    /// Events of kinds that this version does not know.
    pub unknown: &'a [Value],
    /// Only steps whose key contains this.
    pub step: Option<&'a str>,
    pub logs: &'a [LogPiece],
    /// Reads a log when it is shown: all of them together may be large. None where nothing was printed.
    pub read_log: &'a dyn Fn(&LogPiece) -> Option<String>,
}

/// The log of one attempt of a step.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct LogPiece {
    pub node: NodeId,
    pub step: StepKey,
    pub attempt: u32,
}

#[derive(Serialize)]
struct RunsJson<'a> {
    runs: &'a [RunRow],
}

/// Returns a list of runs as a JSON document.
pub fn runs_json(runs: &[RunRow]) -> String {
    document(&RunsJson { runs })
}

/// Returns a list of runs as text.
pub fn runs_text(runs: &[RunRow], zone: &TimeZone) -> String {
    let head = ["run", "started", "took", "operation", "application", "environment", "version", "status", "by"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for run in runs {
        rows.push(vec![
            run.run.to_string(),
            time(run.started, zone),
            run.took().filter(|_| !run.is_interrupted()).map_or_else(|| "-".to_owned(), duration),
            inline(&run.operation),
            inline(&run.application),
            inline(&run.environment),
            versions(&run.version),
            inline(&run.status),
            inline(&format!("{}@{}", run.user, run.host)),
        ]);
    }
    table(&rows)
}

fn versions(version: &VersionChange) -> String {
    let text =
        |version: &Option<launchway_model::Version>| version.as_ref().map_or("-".to_owned(), |v| inline(v.as_str()));
    if let Some(part) = version.part.as_ref().filter(|_| version.from == version.to) {
        format!("{} (a part: {})", text(&version.to), inline(part.as_str()))
    } else if version.from == version.to {
        text(&version.to)
    } else {
        format!("{} → {}", text(&version.from), text(&version.to))
    }
}

/// One step of a run: what became of its last attempt.
#[derive(Clone, PartialEq, Debug, Serialize)]
struct StepRow<'a> {
    step: &'a StepKey,
    node: NodeId,
    summary: &'a str,
    attempt: u32,
    started: Option<Timestamp>,
    finished: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'a StepOutcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<SkipReason>,
}

fn steps<'a>(view: &RunView<'a>) -> Vec<StepRow<'a>> {
    let mut rows: Vec<Option<StepRow<'a>>> = vec![None; view.plan.nodes.len()];
    let mut order: Vec<usize> = Vec::new();
    for record in view.events {
        let (node, key) = match &record.event {
            Event::StepStarted { node, step, .. }
            | Event::StepFinished { node, step, .. }
            | Event::StepSkipped { node, step, .. } => (*node, step),
            _ => continue,
        };
        let Some(slot) = rows.get_mut(node.0 as usize) else { continue };
        let row = slot.get_or_insert_with(|| {
            order.push(node.0 as usize);
            let summary = step(view.plan, node).map_or("", |step| &step.step.summary);
            StepRow {
                step: key,
                node,
                summary,
                attempt: 0,
                started: None,
                finished: None,
                outcome: None,
                skipped: None,
            }
        });
        match &record.event {
            Event::StepStarted { attempt, .. } => {
                (row.attempt, row.started, row.finished, row.outcome) = (*attempt, Some(record.at), None, None);
            }
            Event::StepFinished { outcome, .. } => (row.finished, row.outcome) = (Some(record.at), Some(outcome)),
            Event::StepSkipped { reason, .. } => row.skipped = Some(*reason),
            _ => {}
        }
    }
    let found = order.into_iter().filter_map(|at| rows[at].take());
    found.filter(|row| view.step.is_none_or(|text| row.step.0.contains(text))).collect()
}

#[derive(Serialize)]
struct RunJson<'a> {
    #[serde(flatten)]
    row: &'a RunRow,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    forgotten: &'a [InstanceId],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    adopted: Vec<AdoptedJson<'a>>,
    steps: Vec<StepRow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<&'a [EventRecord]>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    unknown_events: &'a [Value],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logs: Vec<LogJson<'a>>,
}

#[derive(Serialize)]
struct LogJson<'a> {
    #[serde(flatten)]
    piece: &'a LogPiece,
    /// As it was written.
    text: String,
}

/// Returns a run as a JSON document; its events too, unless it is restricted to a step.
pub fn run_json(view: &RunView<'_>) -> String {
    let logs = view.logs.iter().filter_map(|piece| Some(LogJson { piece, text: (view.read_log)(piece)? }));
    document(&RunJson {
        row: view.row,
        forgotten: &view.plan.forgotten,
        adopted: adopted_json(view.plan),
        steps: steps(view),
        events: view.step.is_none().then_some(view.events),
        unknown_events: view.unknown,
        logs: logs.collect(),
    })
}

/// Writes a run as text, piece by piece: a head, the steps as they began, and logs where asked for.
pub fn run_text<E>(
    view: &RunView<'_>,
    zone: &TimeZone,
    paint: Paint,
    mut write: impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    let row = view.row;
    let mut out = paint.bold(format!(
        "run {}: {} {} on {} ({})",
        row.run,
        inline(&row.operation),
        inline(&row.application),
        inline(&row.environment),
        versions(&row.version)
    ));
    // When it broke off nobody knows.
    let words = if row.is_interrupted() { "last heard of after" } else { "took" };
    let took = row.took().map(|took| format!(", {words} {}", duration(took)));
    let by = inline(&format!("{}@{}", row.user, row.host));
    out.push_str(&format!(
        "\n{} · started {} by {by}{}\n\n",
        inline(&row.status),
        time(row.started, zone),
        took.unwrap_or_default()
    ));
    for ignored in &row.ignored {
        out.push_str(&format!("{} {}\n", paint.yellow("ignored, as asked for:"), inline(ignored)));
    }
    if !row.ignored.is_empty() {
        out.push('\n');
    }
    for record in view.events {
        if let Event::DriftFound { change, differs } = &record.event {
            out.push_str(&found_before(view.plan, *change, differs, paint));
        }
    }
    out.push_str(&records_text(view.plan, paint));
    let mut logs: HashMap<NodeId, Vec<&LogPiece>> = HashMap::new();
    view.logs.iter().for_each(|log| logs.entry(log.node).or_default().push(log));
    for step in steps(view) {
        write_step(&step, row.started, paint, &mut out);
        let detail = step.outcome.and_then(|outcome| explain(outcome).1).map(|detail| sanitise(detail.as_bytes()));
        let mut detail = detail.unwrap_or_default();
        for log in logs.remove(&step.node).unwrap_or_default() {
            let Some(text) = (view.read_log)(log) else { continue };
            if log.attempt > 1 {
                out.push_str(&format!("    attempt {}\n", log.attempt));
            }
            let text = sanitise(text.as_bytes());
            // What a tool said at its end is mostly what failed steps are told by.
            if log.attempt == step.attempt && detail.lines().all(|line| text.contains(line.trim())) {
                detail.clear();
            }
            write_lines(&text, paint, &mut out);
            write(&std::mem::take(&mut out))?;
        }
        write_lines(&detail, paint, &mut out);
    }
    if !view.unknown.is_empty() {
        out.push_str(&format!("\n{} events are of kinds this version does not know\n", view.unknown.len()));
    }
    write(&out)
}

fn write_lines(text: &str, paint: Paint, out: &mut String) {
    text.lines().for_each(|line| out.push_str(&format!("    {} {line}\n", paint.dim("|"))));
}

fn write_step(step: &StepRow<'_>, begin: Timestamp, paint: Paint, out: &mut String) {
    let key = inline(&step.step.0);
    let since = |at: Timestamp| duration(at.0.saturating_sub(begin.0));
    let when = step.started.map_or_else(String::new, since);
    let took = match (step.started, step.finished) {
        (Some(from), Some(to)) => duration(to.0.saturating_sub(from.0)),
        _ => "-".to_owned(),
    };
    let (word, message, hint) = match (step.outcome, step.skipped) {
        (Some(outcome), _) => {
            let (message, _, hint) = explain(outcome);
            let word = match outcome {
                StepOutcome::Changed(_) => paint.green("changed  "),
                StepOutcome::Unchanged(_) => paint.dim("unchanged"),
                _ => paint.red("failed   "),
            };
            (word, message, hint)
        }
        (None, Some(reason)) => {
            let reason = match reason {
                SkipReason::NothingChanged => "nothing it waits on changed",
                SkipReason::Blocked => "something it depends on failed",
                SkipReason::Stopped => "the run was stopped before its turn",
                SkipReason::Operator => "as asked for",
            };
            (paint.dim("skipped  "), reason.to_owned(), None)
        }
        (None, None) => (paint.yellow("not ended"), String::new(), None),
    };
    out.push_str(&format!("{when:>10}  {word}  {took:>9}  {key}  {}\n", paint.dim(inline(step.summary))));
    let failed = step.outcome.is_some_and(|outcome| !outcome.is_success());
    if failed || step.skipped.is_some() {
        out.push_str(&format!("    {}\n", message.replace('\n', "\n    ")));
    }
    if let Some(hint) = hint {
        out.push_str(&format!("    {} {}\n", paint.cyan("hint:"), inline(hint)));
    }
}
