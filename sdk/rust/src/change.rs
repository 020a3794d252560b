//! What is proposed to a kind, and the steps it answers with.

use std::time::Duration;

use crate::{Artifact, Cause, Phase};

/// A component on a target, with its properties read.
#[derive(Clone, PartialEq, Debug)]
pub struct Instance<P> {
    pub application: String,
    pub version: String,
    pub component: String,
    pub target: String,
    pub properties: P,
    pub artifacts: Vec<Artifact>,
}

impl<P> Instance<P> {
    /// Returns the artifact that a property names.
    pub fn artifact(&self, property: &str) -> Option<&Artifact> {
        self.artifacts.iter().find(|artifact| artifact.name == property)
    }
}

/// What happens to an instance.
#[derive(Clone, PartialEq, Debug)]
pub enum Change<P> {
    Create(Instance<P>),
    Update {
        previous: Instance<P>,
        desired: Instance<P>,
    },
    Delete(Instance<P>),
    /// Unchanged itself; only the causes matter.
    Refresh(Instance<P>),
    /// An action: run once, no state.
    Act(Instance<P>),
}

/// A change and why it happens.
#[derive(Clone, PartialEq, Debug)]
pub struct Proposal<P> {
    pub change: Change<P>,
    pub causes: Vec<Cause>,
}

impl<P> Proposal<P> {
    /// Returns the instance as it shall be, or as it was if it goes.
    pub fn instance(&self) -> &Instance<P> {
        match &self.change {
            Change::Create(instance)
            | Change::Delete(instance)
            | Change::Refresh(instance)
            | Change::Act(instance)
            | Change::Update { desired: instance, .. } => instance,
        }
    }

    /// Returns the words of the subscriptions that caused it, such as `reload`.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.causes.iter().filter_map(|cause| match cause {
            Cause::Subscription(subscription) => Some(subscription.word.as_str()),
            _ => None,
        })
    }
}

/// The smallest tracked thing done.
#[derive(Clone, PartialEq, Debug)]
pub struct Step<T> {
    /// Unique within the instance, stable from plan to plan.
    pub name: String,
    pub phase: Phase,
    /// Imperative, for people.
    pub summary: String,
    /// The kind's own, handed back when the step runs.
    pub payload: T,
    /// A second run does no harm.
    pub idempotent: bool,
    /// Named locks to hold.
    pub locks: Vec<String>,
    /// Bounds one attempt, waiting included.
    pub timeout: Option<Duration>,
}

impl<T> Step<T> {
    /// Returns an idempotent step.
    pub fn new(phase: Phase, name: impl Into<String>, summary: impl Into<String>, payload: T) -> Self {
        Self {
            name: name.into(),
            phase,
            summary: summary.into(),
            payload,
            idempotent: true,
            locks: Vec::new(),
            timeout: None,
        }
    }

    /// Says whether a second run does no harm.
    #[must_use]
    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.idempotent = idempotent;
        self
    }

    #[must_use]
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }
}
