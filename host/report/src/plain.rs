//! Progress as plain lines: for logs, pipes and CI servers.

use std::collections::HashMap;
use std::sync::Arc;

use launchway_model::{Event, LogLevel, NodeId, Plan, RunId, Signal, SkipReason, StepOutcome, Stream, Timestamp};

use crate::drift::found_before;
use crate::failures::explain;
use crate::progress::{gate_message, step};
use crate::sanitise::{Cleaner, inline, sanitise};
use crate::style::{Paint, duration, shell_quote};

/// Turns signals into lines.
#[derive(Debug)]
pub struct Plain {
    plan: Arc<Plan>,
    paint: Paint,
    /// Tools' output too.
    verbose: bool,
    started: HashMap<NodeId, Timestamp>,
    output: HashMap<(NodeId, bool), Cleaner>,
    total: usize,
    ended: usize,
    run: Option<RunId>,
}

impl Plain {
    pub fn new(plan: Arc<Plan>, paint: Paint, verbose: bool) -> Self {
        let total = plan.step_count();
        Self { plan, paint, verbose, started: HashMap::new(), output: HashMap::new(), total, ended: 0, run: None }
    }

    /// Takes a signal in, and returns the lines that it makes, each with its line end.
    pub fn on(&mut self, signal: &Signal) -> String {
        match signal {
            Signal::Event(record) => self.on_event(&record.event, record.at),
            Signal::Output { node, stream, bytes } if self.verbose => {
                let lines = self.output.entry((*node, *stream == Stream::Stderr)).or_default().push(bytes);
                self.output_lines(*node, lines)
            }
            Signal::OutputDropped { node, stream, lines, .. } if self.verbose => {
                // The line that was begun is one of those.
                self.output.remove(&(*node, *stream == Stream::Stderr));
                self.output_lines(*node, vec![self.missed(*node, *lines)])
            }
            Signal::Log { node, level, message } if self.verbose || *level >= LogLevel::Warn => {
                let lines = sanitise(message.as_bytes()).lines().map(str::to_owned).collect();
                self.output_lines(*node, lines)
            }
            Signal::GateReached { node } => {
                let message = gate_message(&self.plan, *node);
                format!("{} {}\n", self.paint.dim("gate     "), inline(&message))
            }
            Signal::Waiting(wait) => {
                format!("{} {}: {}\n", self.paint.dim("waiting  "), self.key(wait.node), inline(&wait.to_string()))
            }
            Signal::Output { .. } | Signal::OutputDropped { .. } | Signal::Log { .. } | Signal::Progress { .. } => {
                String::new()
            }
        }
    }

    fn on_event(&mut self, event: &Event, at: Timestamp) -> String {
        match event {
            Event::RunStarted { run, .. } => {
                self.run = Some(*run);
                String::new()
            }
            Event::StepStarted { node, attempt, .. } => {
                self.started.insert(*node, at);
                let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                format!("{} {}{again}\n", self.paint.dim("start    "), self.describe(*node))
            }
            Event::StepWaiting { node, message, .. } => {
                format!("{} {}: {}\n", self.paint.dim("waiting  "), self.key(*node), inline(message))
            }
            Event::StepFinished { node, outcome, .. } => {
                let mut out = String::new();
                for stderr in [false, true] {
                    if let Some(mut cleaner) = self.output.remove(&(*node, stderr)) {
                        out.push_str(&self.output_lines(*node, cleaner.finish()));
                    }
                }
                self.ended += 1;
                out.push_str(&self.finished(*node, outcome, at));
                out
            }
            Event::StepSkipped { node, reason, .. } => {
                self.ended += usize::from(reason.is_settled());
                let reason = match reason {
                    SkipReason::NothingChanged => "nothing it waits on changed",
                    // Told once, at the end: after one failure there may be thousands of these.
                    SkipReason::Blocked | SkipReason::Stopped if !self.verbose => return String::new(),
                    SkipReason::Blocked => "something it depends on failed",
                    SkipReason::Stopped => "the run was stopped before its turn",
                    SkipReason::Operator => "as asked for",
                };
                format!("{} {} ({reason})\n", self.paint.dim("skipped  "), self.key(*node))
            }
            Event::DriftFound { change, differs } => found_before(&self.plan, *change, differs, self.paint),
            Event::StopRequested { abort: false } => "stopping: running steps end, nothing new starts\n".to_owned(),
            Event::StopRequested { abort: true } => "aborting: running steps are killed\n".to_owned(),
            _ => String::new(),
        }
    }

    fn finished(&mut self, node: NodeId, outcome: &StepOutcome, at: Timestamp) -> String {
        let took = self.started.remove(&node).map_or(0, |since| at.0.saturating_sub(since.0));
        let (message, ..) = explain(outcome);
        let word = match outcome {
            StepOutcome::Changed(_) => self.paint.green("changed  "),
            StepOutcome::Unchanged(_) => self.paint.dim("unchanged"),
            _ => self.paint.red("failed   "),
        };
        let message = inline(&message);
        let message = if message.is_empty() { message } else { format!(": {message}") };
        let progress = self.paint.dim(format!("[{}/{}]", self.ended, self.total));
        format!("{word} {} ({}){message} {progress}\n", self.key(node), duration(took))
    }

    fn output_lines(&self, node: NodeId, lines: Vec<String>) -> String {
        let key = self.key(node);
        lines.iter().map(|line| format!("{} {key} | {line}\n", self.paint.dim("output   "))).collect()
    }

    fn missed(&self, node: NodeId, lines: u64) -> String {
        let plural = if lines == 1 { "" } else { "s" };
        let run = self.run.map(|run| format!("{run} ")).unwrap_or_default();
        let step = shell_quote(&self.key(node));
        format!("… {lines} line{plural} not shown; `launchway show {run}--step {step} --log` has all")
    }

    fn key(&self, node: NodeId) -> String {
        step(&self.plan, node).map(|step| inline(&step.key.0)).unwrap_or_default()
    }

    fn describe(&self, node: NodeId) -> String {
        let summary = step(&self.plan, node).map(|step| inline(&step.step.summary)).unwrap_or_default();
        format!("{}  {summary}", self.key(node))
    }
}
