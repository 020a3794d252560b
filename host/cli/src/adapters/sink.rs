//! Where a running step's output goes: its log, always and in full; whoever watches, as long as he keeps up.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use launchway_model::{LogLevel, NodeId, Signal, Stream};
use launchway_runtime::StepSink;
use launchway_store::{LogWriter, StoreError};
use tokio::sync::mpsc::UnboundedSender;

use super::gate::{Gate, Missed};
use crate::error::chain;

/// How much output may be on its way to whoever watches, in bytes; what comes on top is only in the log.
const IN_FLIGHT: usize = 8 * 1024 * 1024;

/// How much output has been sent and not yet shown.
#[derive(Clone, Default, Debug)]
pub(crate) struct OutputBudget(Arc<AtomicUsize>);

impl OutputBudget {
    fn take(&self, bytes: usize) -> bool {
        let taken = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            (used + bytes <= IN_FLIGHT).then_some(used + bytes)
        });
        taken.is_ok()
    }

    /// Tells that a signal was shown.
    pub(crate) fn shown(&self, signal: &Signal) {
        if let Signal::Output { bytes, .. } = signal {
            self.0.fetch_sub(bytes.len(), Ordering::Relaxed);
        }
    }
}

pub(super) struct Sink {
    pub(super) node: NodeId,
    /// None once it can't be written: a full disk must not stop what the journal allows.
    pub(super) log: Mutex<Option<LogWriter>>,
    /// Steps of which it was said.
    pub(super) warned: Arc<Mutex<HashSet<NodeId>>>,
    pub(super) signals: UnboundedSender<Signal>,
    pub(super) budget: OutputBudget,
    /// For standard output and standard error.
    pub(super) gates: Mutex<[Gate; 2]>,
}

impl Sink {
    fn write(&self, bytes: &[u8]) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = log.as_mut()
            && let Err(error) = writer.append(bytes)
        {
            *log = None;
            self.warn(&error);
        }
    }

    /// Says that the log will not be whole, once for each step: each call of a step tries to write anew.
    fn warn(&self, error: &StoreError) {
        if self.warned.lock().unwrap_or_else(PoisonError::into_inner).insert(self.node) {
            let message = format!("the step's output is not kept: {}", chain(error));
            self.send(Signal::Log { node: self.node, level: LogLevel::Warn, message: Arc::from(message) });
        }
    }

    /// Tells what nobody was shown: the call is over, and what it printed with it.
    pub(super) fn finish(&self) {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        for (stream, gate) in [Stream::Stdout, Stream::Stderr].into_iter().zip(gates.iter_mut()) {
            if let Some(missed) = gate.finish() {
                self.send_missed(stream, missed);
            }
        }
    }

    fn send_missed(&self, stream: Stream, missed: Missed) {
        self.send(Signal::OutputDropped { node: self.node, stream, lines: missed.lines, bytes: missed.bytes });
    }

    fn send(&self, signal: Signal) {
        // Nobody watches any more: the run goes on.
        let _ = self.signals.send(signal);
    }
}

impl StepSink for Sink {
    fn output(&self, stream: Stream, bytes: &[u8]) {
        self.write(bytes);
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = &mut gates[usize::from(stream == Stream::Stderr)];
        let Some(passed) = gate.pass(bytes, |count| self.budget.take(count)) else { return };
        if let Some(missed) = passed.missed {
            self.send_missed(stream, missed);
        }
        self.send(Signal::Output { node: self.node, stream, bytes: Arc::from(passed.bytes) });
    }

    fn log(&self, level: LogLevel, message: &str) {
        let word = match level {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warning",
            LogLevel::Error => "error",
        };
        self.write(format!("[{word}] {message}\n").as_bytes());
        self.send(Signal::Log { node: self.node, level, message: Arc::from(message) });
    }

    fn progress(&self, fraction: Option<f32>, message: &str) {
        self.send(Signal::Progress { node: self.node, fraction, message: Arc::from(message) });
    }
}

#[cfg(test)]
mod tests {
    use launchway_model::RunId;
    use launchway_store::Store;
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn a_log_that_cannot_be_written_is_told_once_for_each_step() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        std::fs::write(folder.path().join("runs"), "in the way").unwrap();
        let (signals, mut shown) = unbounded_channel();
        let (warned, budget) = (Arc::default(), OutputBudget::default());
        let sink = |node| Sink {
            node,
            log: Mutex::new(Some(store.log_writer(RunId(1), node, 1))),
            warned: Arc::clone(&warned),
            signals: signals.clone(),
            budget: budget.clone(),
            gates: Mutex::default(),
        };
        for node in [NodeId(1), NodeId(1), NodeId(2)] {
            let sink = sink(node);
            sink.output(Stream::Stdout, b"a");
            sink.output(Stream::Stdout, b"b");
        }
        let mut warnings = Vec::new();
        while let Ok(signal) = shown.try_recv() {
            if let Signal::Log { node, level: LogLevel::Warn, message } = signal {
                assert!(message.starts_with("the step's output is not kept: can't create"), "{message}");
                warnings.push(node);
            }
        }
        assert_eq!(warnings, [NodeId(1), NodeId(2)]);
    }
}
