//! Progress as a stream of JSON lines.

use std::collections::HashMap;
use std::sync::Arc;

use launchway_model::{ChangeKind, Digest, EventRecord, LogLevel, NodeId, Plan, Signal, StepKey, Stream, Wait};
use serde::Serialize;

use crate::json::{SCHEMA, line};
use crate::progress::{gate_message, step};
use crate::sanitise::Cleaner;

/// Turns signals into JSON lines. The first line is [`Events::header`].
#[derive(Debug)]
pub struct Events {
    plan: Arc<Plan>,
    output: HashMap<(NodeId, bool), Cleaner>,
}

#[derive(Serialize)]
struct Header<'a> {
    schema: u32,
    event: &'static str,
    application: &'a str,
    environment: &'a str,
    plan: Digest,
    create: usize,
    update: usize,
    delete: usize,
    refresh: usize,
    unchanged: usize,
    steps: usize,
}

#[derive(Serialize)]
struct StepEvent<'a> {
    #[serde(flatten)]
    record: &'a EventRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
}

#[derive(Serialize)]
struct Output<'a> {
    event: &'static str,
    node: NodeId,
    step: Option<&'a StepKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<Stream>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<LogLevel>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fraction: Option<f32>,
    /// What a step waits for, and whose run has it.
    #[serde(flatten)]
    wait: Option<&'a Wait>,
    text: &'a str,
}

#[derive(Serialize)]
struct Dropped<'a> {
    event: &'static str,
    node: NodeId,
    step: Option<&'a StepKey>,
    stream: Stream,
    lines: u64,
    bytes: u64,
}

impl Events {
    pub fn new(plan: Arc<Plan>) -> Self {
        Self { plan, output: HashMap::new() }
    }

    /// Returns the first line: the schema version and what is planned.
    pub fn header(plan: &Plan, digest: Digest) -> String {
        let count = |kind: ChangeKind| plan.changes.iter().filter(|change| change.kind == kind).count();
        line(&Header {
            schema: SCHEMA,
            event: "planned",
            application: plan.application.as_str(),
            environment: plan.environment.as_str(),
            plan: digest,
            create: count(ChangeKind::Create),
            update: count(ChangeKind::Update),
            delete: count(ChangeKind::Delete),
            refresh: count(ChangeKind::Refresh),
            unchanged: plan.unchanged.len(),
            steps: plan.step_count(),
        })
    }

    /// Takes a signal in, and returns the lines that it makes.
    pub fn on(&mut self, signal: &Signal) -> String {
        match signal {
            Signal::Event(record) => {
                let mut out = String::new();
                if let launchway_model::Event::StepFinished { node, .. } = &record.event {
                    for stream in [Stream::Stdout, Stream::Stderr] {
                        if let Some(mut cleaner) = self.output.remove(&(*node, stream == Stream::Stderr)) {
                            out.push_str(&self.lines(*node, stream, cleaner.finish()));
                        }
                    }
                }
                out.push_str(&self.event(record));
                out
            }
            Signal::Output { node, stream, bytes } => {
                let lines = self.output.entry((*node, *stream == Stream::Stderr)).or_default().push(bytes);
                self.lines(*node, *stream, lines)
            }
            Signal::OutputDropped { node, stream, lines, bytes } => {
                // The line that was begun is one of those.
                self.output.remove(&(*node, *stream == Stream::Stderr));
                let step = step(&self.plan, *node).map(|step| &step.key);
                line(&Dropped {
                    event: "output-dropped",
                    node: *node,
                    step,
                    stream: *stream,
                    lines: *lines,
                    bytes: *bytes,
                })
            }
            Signal::Log { node, level, message } => {
                line(&Output { level: Some(*level), ..self.output("log", *node, message) })
            }
            Signal::GateReached { node } => line(&self.output("gate-reached", *node, &gate_message(&self.plan, *node))),
            Signal::Waiting(wait) => {
                let text = wait.to_string();
                line(&Output { wait: Some(wait), ..self.output("lock-waiting", wait.node, &text) })
            }
            Signal::Progress { node, fraction, message } => {
                line(&Output { fraction: *fraction, ..self.output("progress", *node, message) })
            }
        }
    }

    fn event(&self, record: &EventRecord) -> String {
        let change = change_of(record).and_then(|at| match at {
            At::Node(node) => self.plan.change(step(&self.plan, node)?.owner.change()),
            At::Change(change) => self.plan.change(change),
        });
        line(&StepEvent {
            record,
            component: change.map(|change| change.id.component.as_str()),
            target: change.map(|change| change.id.target.as_str()),
        })
    }

    fn lines(&self, node: NodeId, stream: Stream, lines: Vec<String>) -> String {
        lines.iter().map(|text| line(&Output { stream: Some(stream), ..self.output("output", node, text) })).collect()
    }

    fn output<'a>(&'a self, event: &'static str, node: NodeId, text: &'a str) -> Output<'a> {
        let step = step(&self.plan, node).map(|step| &step.key);
        Output { event, node, step, stream: None, level: None, fraction: None, wait: None, text }
    }
}

enum At {
    Node(NodeId),
    Change(launchway_model::ChangeIndex),
}

fn change_of(record: &EventRecord) -> Option<At> {
    use launchway_model::Event as E;
    match &record.event {
        E::StepStarted { node, .. }
        | E::StepWaiting { node, .. }
        | E::StepFinished { node, .. }
        | E::StepSkipped { node, .. } => Some(At::Node(*node)),
        E::InstanceDirtied { change } | E::InstanceCommitted { change, .. } | E::DriftFound { change, .. } => {
            Some(At::Change(*change))
        }
        _ => None,
    }
}
