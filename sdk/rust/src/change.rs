//! What is proposed to a kind, and the steps it answers with.

use std::time::Duration;

use serde::Serialize;

use crate::wire;
use crate::{Artifact, Cause, Phase};

/// A component on a target, with its properties read.
#[derive(Clone, PartialEq, Debug)]
pub struct Instance<'a, P> {
    pub properties: P,
    pub(crate) wire: &'a wire::Instance,
}

impl<P> Instance<'_, P> {
    pub fn application(&self) -> &str {
        &self.wire.application
    }

    pub fn version(&self) -> &str {
        &self.wire.version
    }

    pub fn component(&self) -> &str {
        &self.wire.component
    }

    pub fn target(&self) -> &str {
        &self.wire.target
    }

    /// Returns the artifact that a property names.
    pub fn artifact(&self, property: &str) -> Option<&Artifact> {
        self.wire.artifacts.iter().find(|artifact| artifact.name == property)
    }
}

/// What happens to an instance.
#[derive(Clone, PartialEq, Debug)]
pub enum Change<'a, P> {
    Create(Instance<'a, P>),
    Update {
        previous: Instance<'a, P>,
        desired: Instance<'a, P>,
    },
    Delete(Instance<'a, P>),
    /// Unchanged itself; only the causes matter.
    Refresh(Instance<'a, P>),
    /// An action: run once, no state.
    Act(Instance<'a, P>),
}

/// A change and why it happens.
#[derive(Clone, PartialEq, Debug)]
pub struct Proposal<'a, P> {
    pub change: Change<'a, P>,
    pub causes: &'a [Cause],
}

impl<'a, P> Proposal<'a, P> {
    /// Returns the instance as it shall be, or as it was if it goes.
    pub fn instance(&self) -> &Instance<'a, P> {
        match &self.change {
            Change::Create(instance)
            | Change::Delete(instance)
            | Change::Refresh(instance)
            | Change::Act(instance)
            | Change::Update { desired: instance, .. } => instance,
        }
    }

    /// Whether nothing of it changes and it is only asked to start anew: no matter for what does not run.
    pub fn is_only_asked(&self) -> bool {
        let is_request = |cause: &Cause| matches!(cause, Cause::Request(_));
        matches!(self.change, Change::Refresh(_)) && self.causes.iter().all(is_request)
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
pub struct Step {
    pub(crate) wire: wire::Step,
    /// Why the payload could not be written.
    pub(crate) problem: Option<String>,
}

impl Step {
    /// Returns an idempotent step. Its name is unique within the instance and stable from plan to plan; its summary is
    /// imperative, for people; its payload is handed back when it runs.
    pub fn new(phase: Phase, name: &str, summary: impl Into<String>, payload: &impl Serialize) -> Self {
        Self::with_payload(phase, name, summary.into(), serde_json::to_string(payload))
    }

    /// Returns an idempotent step whose payload is the properties of an instance: the desired or the previous one.
    pub fn of<P>(instance: &Instance<'_, P>, phase: Phase, name: &str, summary: impl Into<String>) -> Self {
        Self::with_payload(phase, name, summary.into(), Ok(instance.wire.properties.clone()))
    }

    /// The part that does not depend on types.
    fn with_payload(phase: Phase, name: &str, summary: String, payload: serde_json::Result<String>) -> Self {
        let (payload, problem) = match payload {
            Ok(payload) => (payload, None),
            Err(error) => (String::new(), Some(error.to_string())),
        };
        let name = name.to_owned();
        let (idempotent, locks, timeout_ms) = (true, Vec::new(), None);
        Self { wire: wire::Step { name, phase, summary, payload, idempotent, locks, timeout_ms }, problem }
    }

    /// Says whether a second run does no harm.
    #[must_use]
    pub fn idempotent(mut self, idempotent: bool) -> Self {
        self.wire.idempotent = idempotent;
        self
    }

    /// Bounds one attempt, waiting included.
    #[must_use]
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.wire.timeout_ms = timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Names a lock to hold, such as `puppetserver:prod`.
    #[must_use]
    pub fn lock(mut self, name: impl Into<String>) -> Self {
        self.wire.locks.push(name.into());
        self
    }

    /// Names all locks to hold.
    #[must_use]
    pub fn locks(mut self, names: Vec<String>) -> Self {
        self.wire.locks = names;
        self
    }
}
