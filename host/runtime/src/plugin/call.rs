//! What a plugin is asked to do, and what it answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use launchway_model::{
    ActionSpec, ApplicationName, Artifact, Failure, InstanceId, InstanceSpec, KindRef, PlannedStep, PluginName,
    SecretName, StepOutcome, StepReport, Version,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::PluginFault;
use crate::{Effects, StepSink};

/// One call of a step: `apply`, `poll` or `probe`.
#[derive(Clone)]
pub struct StepCall {
    pub plugin: PluginName,
    pub instance: CallInstance,
    pub step: PlannedStep,
    pub effects: Arc<dyn Effects>,
    pub sink: Arc<dyn StepSink>,
    /// When the step's first attempt began, waiting included.
    pub started: Instant,
    /// Bounds this call.
    pub timeout: Duration,
    pub cancel: CancellationToken,
}

/// A look at an instance, for drift.
#[derive(Clone)]
pub struct InspectCall {
    pub plugin: PluginName,
    pub instance: CallInstance,
    pub effects: Arc<dyn Effects>,
    pub sink: Arc<dyn StepSink>,
    pub timeout: Duration,
    pub cancel: CancellationToken,
}

/// An instance, or an action on an instance's target, as a plugin sees it.
#[derive(Clone, PartialEq, Debug)]
pub struct CallInstance {
    pub application: ApplicationName,
    pub version: Version,
    pub id: InstanceId,
    pub kind: KindRef,
    pub properties: Arc<Value>,
    /// The only ones that it can put on the target.
    pub artifacts: Vec<Artifact>,
    /// The only ones that it can open.
    pub secrets: Vec<SecretName>,
}

impl CallInstance {
    pub fn of_instance(application: &ApplicationName, instance: &InstanceSpec) -> Self {
        Self {
            application: application.clone(),
            version: instance.version.clone(),
            id: instance.id.clone(),
            kind: instance.kind.clone(),
            properties: instance.properties.clone(),
            artifacts: instance.artifacts.clone(),
            secrets: instance.secrets.clone(),
        }
    }

    /// Returns an action with the place and the version of the instance that it is for.
    pub fn of_action(application: &ApplicationName, instance: &InstanceSpec, action: &ActionSpec) -> Self {
        Self {
            application: application.clone(),
            version: instance.version.clone(),
            id: instance.id.clone(),
            kind: action.kind.clone(),
            properties: action.properties.clone(),
            artifacts: action.artifacts.clone(),
            secrets: action.secrets.clone(),
        }
    }
}

/// What came of `apply` or `poll`.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    Changed(StepReport),
    Unchanged(StepReport),
    /// Poll with `token` after so many milliseconds.
    Pending {
        token: String,
        after_ms: u64,
        message: String,
    },
    /// The tool refused to run or never ran.
    NotRun(String),
    RebootNeeded(StepReport),
}

/// What `probe` found out about an interrupted step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    Done,
    SafeToRerun,
    CannotTell(String),
}

/// Why a step's call did not come to an outcome.
#[derive(Clone, PartialEq, Debug)]
pub enum CallError {
    /// The plugin says so.
    Failed(Failure),
    /// The plugin misbehaved.
    Fault {
        plugin: PluginName,
        fault: PluginFault,
    },
    TimedOut {
        after: Duration,
    },
    /// By [`StepCall::cancel`].
    Cancelled,
}

impl CallError {
    /// Returns how the step ends with this.
    pub fn into_outcome(self) -> StepOutcome {
        match self {
            Self::Failed(failure) => StepOutcome::Failed(failure),
            Self::Fault { plugin, fault } => StepOutcome::Failed(fault.into_failure(&plugin)),
            Self::TimedOut { after } => StepOutcome::TimedOut { after_ms: after.as_millis() as u64 },
            Self::Cancelled => StepOutcome::Aborted,
        }
    }
}
