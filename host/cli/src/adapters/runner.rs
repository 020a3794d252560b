//! Runs a plan's steps: each one a call of its plugin, with the effects of its target.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use launchway_model::{
    Deployed, Failure, Fault, InstanceChange, NodeId, NodeKind, Owner, Plan, RunId, Signal, StepNode, StepOutcome,
};
use launchway_runtime::{CallInstance, Outcome, PluginSet, StepCall, Targets};
use launchway_scheduler::{StepProgress, StepRunner, StepTask};
use launchway_store::Store;
use tokio::sync::mpsc::UnboundedSender;

use super::sink::{OutputBudget, Sink};
use crate::markers::Markers;

/// How long an attempt may take if its step says nothing.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

/// All that steps of one run share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Runner {
    pub(crate) plugins: PluginSet,
    pub(crate) targets: Arc<Targets>,
    pub(crate) markers: Arc<Markers>,
    pub(crate) store: Store,
    pub(crate) run: RunId,
    pub(crate) signals: UnboundedSender<Signal>,
    pub(crate) budget: OutputBudget,
    /// When the present attempt of a step began.
    pub(crate) started: Arc<Mutex<HashMap<NodeId, Instant>>>,
    /// Steps of which it was said that their log can't be written.
    pub(crate) warned: Arc<Mutex<HashSet<NodeId>>>,
}

impl StepRunner for Runner {
    fn run(&self, task: StepTask) -> Pin<Box<dyn Future<Output = StepProgress> + Send>> {
        let runner = self.clone();
        Box::pin(async move { runner.call(task).await })
    }
}

impl Runner {
    async fn call(self, task: StepTask) -> StepProgress {
        let Some((step, change, subject)) = find(&task.plan, task.node) else {
            return failed("the plan has no such step; this is a bug in launchway");
        };
        let started = self.begin(&task);
        let limit = step.step.timeout_ms.map_or(DEFAULT_TIMEOUT, Duration::from_millis);
        // The limit is the attempt's: what its waiting took is gone.
        let Some(timeout) = limit.checked_sub(started.elapsed()).filter(|left| !left.is_zero()) else {
            return StepProgress::Ended(StepOutcome::TimedOut { after_ms: millis(limit) });
        };
        let sink = self.sink(&task);
        let application = &task.plan.application;
        let (plugin, instance) = match &step.owner {
            Owner::Instance { .. } => {
                (subject.spec.kind.plugin.clone(), CallInstance::of_instance(application, &subject.spec))
            }
            Owner::Action { action, .. } => {
                (action.kind.plugin.clone(), CallInstance::of_action(application, &subject.spec, action))
            }
        };
        let elsewhere = step.target(&task.plan).filter(|name| **name != change.id.target);
        let target = match elsewhere {
            Some(name) => task.plan.targets.get(name),
            None => task.plan.targets.get(&change.id.target).filter(|_| change.desired.is_some()),
        };
        let target = target.unwrap_or(&subject.target);
        if let Err(failure) = self.markers.check(target).await {
            return StepProgress::Ended(StepOutcome::Failed(failure));
        }
        let effects = self.targets.effects(target, &instance.secrets, &instance.artifacts);
        let step = step.step.clone();
        let call = StepCall {
            plugin,
            instance,
            step,
            effects,
            sink: sink.clone(),
            started,
            timeout,
            cancel: task.cancel.clone(),
        };
        let result = match &task.token {
            None => self.plugins.apply(call).await,
            Some(token) => self.plugins.poll(call, token).await,
        };
        sink.finish();
        match result {
            Ok(Outcome::Pending { token, after_ms, message }) => {
                let after_ms = within(after_ms, limit.saturating_sub(started.elapsed()));
                StepProgress::Pending { token, after_ms, message }
            }
            Ok(Outcome::Changed(report)) => StepProgress::Ended(StepOutcome::Changed(report)),
            Ok(Outcome::Unchanged(report)) => StepProgress::Ended(StepOutcome::Unchanged(report)),
            Ok(Outcome::NotRun(reason)) => StepProgress::Ended(StepOutcome::NotRun { reason }),
            Ok(Outcome::RebootNeeded(report)) => StepProgress::Ended(StepOutcome::RebootNeeded(report)),
            Err(error) => StepProgress::Ended(error.into_outcome()),
        }
    }

    /// Returns when the attempt began: now, or when it was first called.
    fn begin(&self, task: &StepTask) -> Instant {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        match task.token {
            None => {
                let now = Instant::now();
                started.insert(task.node, now);
                now
            }
            Some(_) => *started.entry(task.node).or_insert_with(Instant::now),
        }
    }

    fn sink(&self, task: &StepTask) -> Arc<Sink> {
        let log = self.store.log_writer(self.run, task.node, task.attempt);
        Arc::new(Sink {
            node: task.node,
            warned: self.warned.clone(),
            log: Mutex::new(Some(log)),
            signals: self.signals.clone(),
            budget: self.budget.clone(),
            gates: Mutex::default(),
        })
    }
}

fn find(plan: &Plan, node: NodeId) -> Option<(&StepNode, &InstanceChange, &Arc<Deployed>)> {
    let NodeKind::Step(step) = &plan.node(node)?.kind else { return None };
    let change = plan.change(step.owner.change())?;
    Some((step, change, change.subject()?))
}

/// Returns how long to wait at most: an attempt whose time is up is not told so by waiting on.
fn within(after_ms: u64, left: Duration) -> u64 {
    // A little more than what is left: asked once more, the step is out of time, and not by a hair within it.
    after_ms.min(millis(left).saturating_add(1))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn failed(message: impl Into<String>) -> StepProgress {
    StepProgress::Ended(StepOutcome::Failed(Failure {
        fault: Fault::Configuration,
        message: message.into(),
        detail: None,
        hint: None,
        retryable: false,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_step_waits_beyond_its_time() {
        let minute = Duration::from_secs(60);
        assert_eq!(within(5000, minute), 5000);
        assert_eq!(within(3_600_000, minute), 60_001);
        assert_eq!(within(u64::MAX, Duration::ZERO), 1);
    }
}
