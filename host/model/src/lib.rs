//! Launchway's data: ids, configuration, release, plan, events and state, and the rules that hold between them.
//!
//! Owns no state, does no I/O and reads no clock: whatever comes from outside is handed in as text or values.
//! Not for: deciding what to do (`launchway-planner`), doing it (`launchway-scheduler`, `launchway-runtime`).

mod change;
pub mod config;
mod diagnostic;
mod event;
mod id;
mod instance;
mod kind;
mod login;
mod plan;
mod range;
mod requirement;
mod rollout;
mod run;
mod sharing;
mod state;
mod suggest;

pub use change::{Cause, Change, Phase, PlannedStep, Problem, Proposal};
pub use diagnostic::{Diagnostic, Diagnostics, Label, Severity, SourceId, Sources, Span};
pub use event::{
    Event, EventRecord, Failure, Fault, Holder, LogLevel, ResourceResult, ResourceStatus, RunOutcome, Signal,
    SkipReason, StepOutcome, StepReport, Stream, Timestamp,
};
pub use id::{
    ApplicationName, ArtifactName, ComponentName, Digest, EnvironmentName, FormatVersion, IdError, InstanceId, KindRef,
    Lineage, PluginName, RunId, SecretName, StepKey, TargetName, Version,
};
pub use instance::{ActionSpec, Around, Artifact, Edge, Edges, InstanceSpec, OnRollback, Replace, Scope, Subscription};
pub use kind::{Capability, KindInfo, PluginInfo, RunRule, Usage};
pub use plan::{
    ActionPlace, Adoption, Always, Basis, Batches, ChangeIndex, ChangeKind, Gate, InstanceChange, Move, NodeId,
    NodeKind, Operation, Owed, Owner, Plan, PlanNode, StepNode, VersionChange,
};
pub use range::{Mismatch, RangeError, VersionRange};
pub use requirement::{Moving, Neighbour, Requirement, RequiresChange, Unmet, UnmetProblem, unmet};
pub use rollout::{
    ApproveSpec, BakeSpec, By, GateSpec, GateWord, Parallel, Pause, Ramp, Roll, Rolling, Size, Staging, Strategy, Unit,
};
pub use run::{IllegalTransition, NodeState, RunState, RunStatus};
pub use sharing::{Answer, Ask, Claim, Exchange, Occupant, Shareable, Verdict, Wait};
pub use state::{
    ApplicationState, Deployed, Dirty, Escalation, EscalationMethod, Fingerprint, HostKeyChecking, InstanceRecord,
    SshOptions, TargetSpec, Transport,
};
pub use suggest::closest;
