//! What happens to an instance, why, and the steps a plugin answers with.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ActionSpec, ComponentName, InstanceSpec, SecretName};

/// The lifecycle slots of an instance, in the order in which it passes them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Stage,
    Stop,
    Remove,
    Install,
    Start,
    Verify,
    Finish,
}

impl Phase {
    pub const ALL: [Phase; 7] =
        [Self::Stage, Self::Stop, Self::Remove, Self::Install, Self::Start, Self::Verify, Self::Finish];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stage => "stage",
            Self::Stop => "stop",
            Self::Remove => "remove",
            Self::Install => "install",
            Self::Start => "start",
            Self::Verify => "verify",
            Self::Finish => "finish",
        }
    }
}

/// Why an instance is touched.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// It is not there yet.
    New,
    /// JSON Pointer of a property that differs.
    Property(String),
    /// The name of an artifact whose digest differs.
    Artifact(String),
    /// A secret that was rotated.
    Secret(SecretName),
    /// A component it subscribes to changes; the word is the subscription's, such as `reload`.
    Subscription { component: ComponentName, word: Arc<str> },
    /// An earlier run touched it and did not commit.
    Dirty,
    /// It was taken over, and what is there differs: how.
    Drift(String),
    /// A step of it was skipped, so what is there was assumed.
    Assumed,
    /// Only its `verify` differs.
    Verify,
    /// It is wanted no more: not in the release, or its target left the selection.
    Unwanted,
    /// Its component's type changed: this is one half of a delete and a create.
    TypeChanged { from: String, to: String },
    /// Its target's address changed.
    TargetChanged,
    /// Something that it needs changes, and it runs whenever that happens.
    Needs(ComponentName),
    /// It runs in every deployment.
    Always,
    /// Asked for: `force`, `restart`, a task.
    Request(String),
}

/// What is proposed to a plugin.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    Create(InstanceSpec),
    Update {
        previous: InstanceSpec,
        desired: InstanceSpec,
    },
    Delete(InstanceSpec),
    /// Unchanged itself; only the causes matter.
    Refresh(InstanceSpec),
    /// An action on the instance's target.
    Act {
        instance: InstanceSpec,
        action: ActionSpec,
    },
}

/// A change and its causes, for one plugin.
#[derive(Clone, PartialEq, Debug)]
pub struct Proposal {
    pub change: Change,
    pub causes: Vec<Cause>,
}

/// A step as a plugin planned it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Unique within the instance.
    pub name: Arc<str>,
    pub phase: Phase,
    /// Imperative, for people.
    pub summary: String,
    /// The plugin's own, handed back when the step runs. Often the instance's properties: then they are shared.
    pub payload: Arc<Value>,
    pub idempotent: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locks: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// Something wrong in an instance's properties, as a plugin or a schema says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// JSON Pointer into the properties.
    pub at: String,
    /// The key is at fault, or what should be beside it, not the value.
    pub on_key: bool,
    pub message: String,
    pub hint: Option<String>,
}
