//! What went wrong in a run, with the last lines of each failed step's output.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use launchway_model::{Event, LogLevel, NodeId, Plan, Signal, StepKey, StepOutcome, Stream};

use crate::progress::step;
use crate::sanitise::{Cleaner, inline, sanitise};
use crate::style::{Paint, duration};

/// How many lines of a step's output are kept.
const TAIL: usize = 12;
/// How many failures are shown in full.
const SHOWN: usize = 10;

/// Gathers failed steps.
#[derive(Debug)]
pub struct Failures {
    plan: Arc<Plan>,
    tails: HashMap<NodeId, Tail>,
    failed: Vec<FailedStep>,
}

#[derive(Default, Debug)]
struct Tail {
    stdout: Cleaner,
    stderr: Cleaner,
    lines: VecDeque<String>,
}

/// A step that failed.
#[derive(Clone, PartialEq, Debug)]
pub struct FailedStep {
    pub node: NodeId,
    pub key: StepKey,
    pub instance: String,
    pub summary: String,
    pub outcome: StepOutcome,
    /// The last lines of its output, sanitised.
    pub tail: Vec<String>,
}

impl Failures {
    pub fn new(plan: Arc<Plan>) -> Self {
        Self { plan, tails: HashMap::new(), failed: Vec::new() }
    }

    /// Takes a signal in.
    pub fn on(&mut self, signal: &Signal) {
        match signal {
            Signal::Output { node, stream, bytes } => {
                let tail = self.tails.entry(*node).or_default();
                let lines = match stream {
                    Stream::Stdout => tail.stdout.push(bytes),
                    Stream::Stderr => tail.stderr.push(bytes),
                };
                tail.extend(lines);
            }
            Signal::OutputDropped { node, stream, lines, .. } => {
                let tail = self.tails.entry(*node).or_default();
                // The line that was begun is one of those.
                match stream {
                    Stream::Stdout => tail.stdout = Cleaner::default(),
                    Stream::Stderr => tail.stderr = Cleaner::default(),
                }
                let plural = if *lines == 1 { "" } else { "s" };
                tail.extend([format!("… {lines} line{plural} not shown")]);
            }
            Signal::Log { node, level, message } if *level >= LogLevel::Warn => {
                self.tails.entry(*node).or_default().extend(sanitise(message.as_bytes()).lines().map(str::to_owned));
            }
            Signal::Event(record) => self.on_event(&record.event),
            Signal::Log { .. } | Signal::Progress { .. } | Signal::GateReached { .. } | Signal::Waiting(_) => {}
        }
    }

    fn on_event(&mut self, event: &Event) {
        let Event::StepFinished { node, step: key, outcome, .. } = event else { return };
        let tail = self.tails.remove(node);
        if outcome.is_success() {
            return;
        }
        let planned = step(&self.plan, *node);
        let instance = planned.and_then(|step| self.plan.change(step.owner.change()));
        self.failed.push(FailedStep {
            node: *node,
            key: key.clone(),
            instance: instance.map(|change| inline(&change.id.to_string())).unwrap_or_default(),
            summary: planned.map(|step| inline(&step.step.summary)).unwrap_or_default(),
            outcome: outcome.clone(),
            tail: tail.map(Tail::finish).unwrap_or_default(),
        });
    }

    pub fn failed(&self) -> &[FailedStep] {
        &self.failed
    }
}

impl Tail {
    fn extend(&mut self, lines: impl IntoIterator<Item = String>) {
        for line in lines {
            if self.lines.len() == TAIL {
                self.lines.pop_front();
            }
            self.lines.push_back(line);
        }
    }

    fn finish(mut self) -> Vec<String> {
        let mut rest = self.stdout.finish();
        rest.extend(self.stderr.finish());
        self.extend(rest);
        self.lines.into()
    }
}

/// Returns the failed steps as text, each with its message, hint and last lines.
pub fn failures_text(failed: &[FailedStep], paint: Paint) -> String {
    let mut out = String::new();
    for step in failed.iter().take(SHOWN) {
        let (message, detail, hint) = explain(&step.outcome);
        out.push_str(&format!("\n{} {}\n", paint.red("failed:"), paint.bold(inline(&step.key.0))));
        out.push_str(&format!("  {}\n", step.summary));
        out.push_str(&format!("  {}\n", paint.red(indent(&message))));
        if let Some(hint) = hint {
            out.push_str(&format!("  {} {}\n", paint.cyan("hint:"), indent(&sanitise(hint.as_bytes()))));
        }
        // The tool's own words: what the plugin handed on, else the end of the output.
        let detail = detail.map(|detail| sanitise(detail.as_bytes())).unwrap_or_default();
        let lines: Vec<&str> = detail.lines().collect();
        let from = lines.len().saturating_sub(TAIL);
        let shown: Vec<&str> =
            if lines.is_empty() { step.tail.iter().map(String::as_str).collect() } else { lines[from..].to_vec() };
        for line in shown {
            out.push_str(&format!("  {} {line}\n", paint.dim("|")));
        }
    }
    if failed.len() > SHOWN {
        out.push_str(&format!("\n… and {} more failed steps:\n", failed.len() - SHOWN));
        for step in failed.iter().skip(SHOWN).take(100) {
            out.push_str(&format!("  {}: {}\n", inline(&step.key.0), inline(&explain(&step.outcome).0)));
        }
    }
    out
}

fn indent(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}

/// Returns an outcome's message, detail and hint.
pub(crate) fn explain(outcome: &StepOutcome) -> (String, Option<&str>, Option<&str>) {
    match outcome {
        StepOutcome::Changed(report) | StepOutcome::Unchanged(report) => {
            (sanitise(report.summary.as_bytes()), None, None)
        }
        StepOutcome::NotRun { reason } => (format!("did not run: {}", sanitise(reason.as_bytes())), None, None),
        StepOutcome::RebootNeeded(report) => {
            (format!("the target needs a reboot: {}", sanitise(report.summary.as_bytes())), None, None)
        }
        StepOutcome::Failed(failure) => {
            (sanitise(failure.message.as_bytes()), failure.detail.as_deref(), failure.hint.as_deref())
        }
        StepOutcome::TimedOut { after_ms } => (
            format!("timed out after {}", duration(*after_ms)),
            None,
            Some("look at its output for what it waits for; if its type has a `timeout`, that gives it more time"),
        ),
        StepOutcome::Aborted => ("aborted".to_owned(), None, None),
        StepOutcome::Unknown { reason } => {
            (format!("nobody can tell whether it happened: {}", sanitise(reason.as_bytes())), None, None)
        }
    }
}
