//! The plan: an immutable graph of steps and everything it was computed from.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    ActionSpec, ApplicationName, Cause, ComponentName, Deployed, Digest, EnvironmentName, FormatVersion, InstanceId,
    Lineage, PlannedStep, PluginName, RequiresChange, RunId, StepKey, TargetName, TargetSpec, Unit, Version,
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
    /// What it needs of other applications.
    #[serde(default, skip_serializing_if = "RequiresChange::is_nothing")]
    pub requires: RequiresChange,
    pub basis: Basis,
    /// Every target that a step, a record or an amendment refers to.
    pub targets: BTreeMap<TargetName, Arc<TargetSpec>>,
    /// What changes, sorted by instance; a type change is two entries, the delete first.
    pub changes: Vec<InstanceChange>,
    /// Instances that stay as they are.
    pub unchanged: Vec<InstanceId>,
    /// Instances that would change, but are left out on request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omitted: Vec<InstanceId>,
    /// Records to bring up to date without a step: edges, properties that are no trigger.
    pub amendments: Vec<Arc<Deployed>>,
    /// What the amendments replace, in the same order, for a rollback.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amended: Vec<Arc<Deployed>>,
    /// Records that go by another name from now on; before everything else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moves: Vec<Move>,
    /// Records that are dropped, and nothing else: what is there stays there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<InstanceId>,
    /// What is there and not recorded, and is taken over as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<Adoption>,
    /// Targets that another state, or a newer one, has marked, and that are of this one from now on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reclaimed: Vec<TargetName>,
    /// Who has to be told of changes, in this run or, where that leaves them out, in a later one; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owed: Vec<Owed>,
    /// What goes in batches, for people; the nodes say so, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<Batches>,
    /// The graph, in a topological order.
    pub nodes: Vec<PlanNode>,
}

/// A record that goes by another name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Move {
    pub from: InstanceId,
    pub to: InstanceId,
    /// It is the same target under another name; otherwise another target from now on.
    pub same_target: bool,
}

/// An instance that is recorded because it was found, not because it was deployed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Adoption {
    pub deployed: Arc<Deployed>,
    /// How what is there differs from that, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs: Option<String>,
}

/// A subscriber that has to be told of a change. Until that is done, what it runs with is out of date: from the moment
/// the change commits, whatever becomes of the run.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Owed {
    /// The component that changes.
    pub by: ComponentName,
    /// On which target; none: on any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<TargetName>,
    pub to: InstanceId,
}

/// The batches of what rolls together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Batches {
    pub unit: Unit,
    /// It is what goes for good, in reverse, and not what stays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub going: bool,
    pub batches: Vec<Vec<TargetName>>,
}

impl Plan {
    pub const FORMAT: FormatVersion = FormatVersion(1);

    /// Returns a plan that does nothing, to be filled in.
    pub fn empty(
        operation: Operation,
        application: ApplicationName,
        environment: EnvironmentName,
        basis: Basis,
    ) -> Self {
        Self {
            format: Self::FORMAT,
            operation,
            application,
            environment,
            version: VersionChange::default(),
            requires: RequiresChange::default(),
            basis,
            targets: BTreeMap::new(),
            changes: Vec::new(),
            unchanged: Vec::new(),
            omitted: Vec::new(),
            amendments: Vec::new(),
            amended: Vec::new(),
            moves: Vec::new(),
            forgotten: Vec::new(),
            adopted: Vec::new(),
            reclaimed: Vec::new(),
            owed: Vec::new(),
            rollouts: Vec::new(),
            nodes: Vec::new(),
        }
    }

    /// Whether running it would leave everything, the state included, as it is.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.amendments.is_empty()
            && self.moves.is_empty()
            && !self.is_of_records()
            && self.version.from == self.version.to
            && self.requires.from == self.requires.to
    }

    /// Whether it drops or takes over records, and nothing else.
    pub fn is_of_records(&self) -> bool {
        !self.forgotten.is_empty() || !self.adopted.is_empty() || !self.reclaimed.is_empty()
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
    /// Restarts what runs; nothing else changes.
    Restart,
    /// Runs a task of the application; no state changes.
    Task {
        name: ComponentName,
    },
    /// Drops records; nothing is touched.
    Forget,
    /// Takes over what is there into the records; nothing is touched.
    Adopt,
}

#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct VersionChange {
    pub from: Option<Version>,
    pub to: Option<Version>,
    /// Where a part of the application goes, if the rest is left out and its version stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Version>,
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
    /// An action that stands alone, such as a task: no state knows of it.
    Act,
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
    /// It runs whatever became of what comes before it, and in a run that is being stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub always: Option<Always>,
}

impl StepNode {
    /// Returns where it runs.
    pub fn target<'a>(&'a self, plan: &'a Plan) -> Option<&'a TargetName> {
        match &self.owner {
            Owner::Action { at: Some(target), .. } => Some(target),
            owner => plan.change(owner.change()).map(|change| &change.id.target),
        }
    }
}

/// When a step runs that does not depend on others' success.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Always {
    /// In any case.
    Anyway,
    /// If this step was called.
    IfCalled(NodeId),
}

/// To whom a step belongs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    Instance {
        change: ChangeIndex,
    },
    Action {
        change: ChangeIndex,
        place: ActionPlace,
        action: Arc<ActionSpec>,
        /// Where it runs, if not on the instance's own target.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<TargetName>,
    },
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
