//! What happened in a run: past-tense facts. The journal is a list of these, and everything shown is a fold over them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    ApplicationName, ChangeIndex, Digest, EnvironmentName, NodeId, Operation, RunId, StepKey, VersionChange, Wait,
};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

/// An event with its place in the run's journal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EventRecord {
    /// Grows by one, from 0.
    pub index: u64,
    pub at: Timestamp,
    #[serde(flatten)]
    pub event: Event,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    RunStarted {
        run: RunId,
        plan: Digest,
        operation: Operation,
        application: ApplicationName,
        environment: EnvironmentName,
        version: VersionChange,
        /// Grows with every lease of this environment and application; older holders are refused.
        fence: u64,
        holder: Holder,
    },
    /// Comes before the first effect on an instance.
    InstanceDirtied {
        change: ChangeIndex,
    },
    StepStarted {
        node: NodeId,
        step: StepKey,
        attempt: u32,
    },
    /// A host call's result, for re-execution after a crash.
    HostCallRecorded {
        node: NodeId,
        attempt: u32,
        call: u32,
        request: Digest,
        result: Digest,
    },
    StepWaiting {
        node: NodeId,
        attempt: u32,
        token: String,
        after_ms: u64,
        message: String,
    },
    StepFinished {
        node: NodeId,
        step: StepKey,
        attempt: u32,
        outcome: StepOutcome,
    },
    StepSkipped {
        node: NodeId,
        step: StepKey,
        reason: SkipReason,
    },
    InstanceCommitted {
        node: NodeId,
        change: ChangeIndex,
        assumed: bool,
    },
    /// Records brought up to date without a step.
    RecordsAmended,
    /// What is replaced or taken away is not what was deployed: somebody else changed it.
    DriftFound {
        change: ChangeIndex,
        /// Resource by resource, for people.
        differs: Vec<String>,
    },
    GateOpened {
        node: NodeId,
        by: Option<Holder>,
    },
    StopRequested {
        abort: bool,
    },
    RunFinished {
        outcome: RunOutcome,
    },
}

/// Who runs it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Holder {
    pub user: String,
    pub host: String,
    /// The CI job's address, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// Nothing it waits on turned out to have changed.
    NothingChanged,
    /// Something it depends on failed.
    Blocked,
    /// The run was stopped before its turn.
    Stopped,
    /// The operator chose so.
    Operator,
}

impl SkipReason {
    /// Whether that was all there was to do: nobody waits for the step any more.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::NothingChanged | Self::Operator)
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    Changed(StepReport),
    Unchanged(StepReport),
    /// The tool refused to run or never ran.
    NotRun {
        reason: String,
    },
    RebootNeeded(StepReport),
    Failed(Failure),
    TimedOut {
        after_ms: u64,
    },
    /// The run was aborted.
    Aborted,
    /// Nobody can tell whether it happened.
    Unknown {
        reason: String,
    },
}

impl StepOutcome {
    /// Whether what depends on the step may go on.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Changed(_) | Self::Unchanged(_))
    }
}

#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct StepReport {
    pub summary: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceResult>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ResourceResult {
    pub name: String,
    pub status: ResourceStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResourceStatus {
    Unchanged,
    Changed,
    Failed,
    Skipped,
}

/// Why a step failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    pub fault: Fault,
    /// A lowercase fragment.
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What the operator can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    pub retryable: bool,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    Configuration,
    Target,
    Tool,
    Network,
    Plugin,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    Done,
    Failed,
    RolledBack,
    Stopped,
}

/// What reporters see: the journal's events, and what is not worth a journal entry.
#[derive(Clone, Debug)]
pub enum Signal {
    Event(Arc<EventRecord>),
    /// A piece of a step's output, secrets already redacted; raw bytes otherwise, to be sanitised where shown.
    Output {
        node: NodeId,
        stream: Stream,
        bytes: Arc<[u8]>,
    },
    /// Whole lines that nobody was shown because they came too fast; the step's log has them.
    OutputDropped {
        node: NodeId,
        stream: Stream,
        lines: u64,
        bytes: u64,
    },
    /// A line that the plugin itself logged.
    Log {
        node: NodeId,
        level: LogLevel,
        message: Arc<str>,
    },
    /// The run waits at a gate for somebody to open it.
    GateReached {
        node: NodeId,
    },
    /// A step waits for what a run of another application has.
    Waiting(Arc<Wait>),
    Progress {
        node: NodeId,
        fraction: Option<f32>,
        message: Arc<str>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    Stdout,
    Stderr,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}
