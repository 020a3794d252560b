//! The plan: an immutable graph of steps and everything it was computed from.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    ActionSpec, ApplicationName, Cause, Deployed, Digest, EnvironmentName, FormatVersion, InstanceId, Lineage,
    PlannedStep, PluginName, RunId, StepKey, TargetName, TargetSpec, Version,
};

/// What will be done, in which order, and why.
///
/// The same inputs give the same bytes: all maps and lists are sorted, nothing reads a clock.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Plan {
    pub format: FormatVersion,
    pub operation: Operation,
    pub application: ApplicationName,
    pub environment: EnvironmentName,
    pub version: VersionChange,
    pub basis: Basis,
    /// Every target that a step, a record or an amendment refers to.
    pub targets: BTreeMap<TargetName, Arc<TargetSpec>>,
    /// What changes, sorted by instance; a type change is two entries, the delete first.
    pub changes: Vec<InstanceChange>,
    /// Instances that stay as they are.
    pub unchanged: Vec<InstanceId>,
    /// Records to bring up to date without a step: edges, properties that are no trigger.
    pub amendments: Vec<Arc<Deployed>>,
    /// What the amendments replace, in the same order, for a rollback.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amended: Vec<Arc<Deployed>>,
    /// The graph, in a topological order.
    pub nodes: Vec<PlanNode>,
}

impl Plan {
    pub const FORMAT: FormatVersion = FormatVersion(1);

    /// Whether running it would leave everything, the state included, as it is.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.amendments.is_empty() && self.version.from == self.version.to
    }

    pub fn change(&self, index: ChangeIndex) -> Option<&InstanceChange> {
        self.changes.get(index.0 as usize)
    }

    pub fn node(&self, id: NodeId) -> Option<&PlanNode> {
        self.nodes.get(id.0 as usize)
    }

    /// Returns how many steps it has.
    pub fn step_count(&self) -> usize {
        self.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Step(_))).count()
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    Deploy,
    Undeploy,
    /// Restores what a run touched.
    Rollback {
        run: RunId,
    },
    /// Plans an earlier release again.
    RollbackTo {
        version: Version,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VersionChange {
    pub from: Option<Version>,
    pub to: Option<Version>,
}

/// What a plan was computed from. A saved plan is refused when any of it moved.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Basis {
    pub lineage: Lineage,
    pub serial: u64,
    /// Of the release; none when undeploying or rolling back.
    pub release: Option<Digest>,
    /// Of the environment's files and of values given on the command line.
    pub environment: Digest,
    pub plugins: BTreeMap<PluginName, Digest>,
    /// Restrictions given on the command line: part of the application was left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChangeIndex(pub u32);

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u32);

/// An instance that changes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct InstanceChange {
    pub id: InstanceId,
    pub kind: ChangeKind,
    pub causes: Vec<Cause>,
    /// What is recorded to be there; if the instance was dirty, what it was to become.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Arc<Deployed>>,
    /// The last confirmed record, where it differs from `previous`: the instance is dirty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Arc<Deployed>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dirty: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired: Option<Arc<Deployed>>,
}

impl InstanceChange {
    /// Returns the spec its steps work on: the desired one, or for a delete the recorded one.
    pub fn subject(&self) -> Option<&Arc<Deployed>> {
        self.desired.as_ref().or(self.previous.as_ref())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    Create,
    Update,
    Delete,
    /// Unchanged itself: a subscription, a dirty mark or a changed `verify` touches it.
    Refresh,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PlanNode {
    pub kind: NodeKind,
    /// The nodes that must end well before this one begins; all have smaller ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<NodeId>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    Step(StepNode),
    /// The change is confirmed: the state is written.
    Commit {
        change: ChangeIndex,
    },
    /// Carries order only.
    Join {
        label: String,
    },
    /// Waits for something outside.
    Gate(Gate),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StepNode {
    pub key: StepKey,
    pub owner: Owner,
    pub step: PlannedStep,
    /// Skipped if every one of these changes turned out to change nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only_if_changed: Vec<ChangeIndex>,
}

/// To whom a step belongs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    Instance { change: ChangeIndex },
    Action { change: ChangeIndex, place: ActionPlace, action: Arc<ActionSpec> },
}

impl Owner {
    pub fn change(&self) -> ChangeIndex {
        match self {
            Self::Instance { change } | Self::Action { change, .. } => *change,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionPlace {
    Verify,
    Before,
    After,
    Task,
    Finally,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    Approve {
        message: String,
    },
    /// Waits for so many seconds.
    Bake {
        seconds: u64,
    },
}
