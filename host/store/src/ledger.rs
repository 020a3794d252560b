//! What a run's events mean for the state.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use launchway_model::{
    ApplicationState, ChangeIndex, Deployed, Digest, Dirty, Event, InstanceId, InstanceRecord, Plan, RunId, RunOutcome,
    Version,
};

/// A write to the state.
#[derive(Clone, PartialEq, Debug)]
pub enum StateWrite {
    /// The instance is being changed. What was confirmed stays on record.
    Dirty { id: InstanceId, to: Option<Arc<Deployed>>, deleting: bool },
    /// The instance is there.
    Confirm { id: InstanceId, deployed: Arc<Deployed>, assumed: bool },
    /// The instance is gone, and maybe a new one of another type is half there already.
    Remove { id: InstanceId, successor: Option<Arc<Deployed>> },
    /// Records change, but nothing on a target.
    Amend(Vec<Arc<Deployed>>),
    /// The run brought the whole application to a version.
    Version { version: Option<Version>, release: Option<Digest> },
}

/// Folds a run's events into writes to the state.
#[derive(Clone, Debug)]
pub struct Ledger {
    plan: Arc<Plan>,
    /// The changes of instances that have two of them: one of the old type, one of the new.
    twins: HashMap<ChangeIndex, ChangeIndex>,
    /// Of each change: it began, and did not commit yet.
    open: Vec<bool>,
}

impl Ledger {
    pub fn new(plan: Arc<Plan>) -> Self {
        let mut first: BTreeMap<&InstanceId, ChangeIndex> = BTreeMap::new();
        let mut twins = HashMap::new();
        for (at, change) in (0..).map(ChangeIndex).zip(&plan.changes) {
            if let Some(other) = first.insert(&change.id, at) {
                twins.insert(at, other);
                twins.insert(other, at);
            }
        }
        Self { open: vec![false; plan.changes.len()], twins, plan }
    }

    /// Returns what an event writes to the state, if anything. Each write raises the state's serial by one.
    pub fn take(&mut self, event: &Event) -> Option<StateWrite> {
        match event {
            Event::InstanceDirtied { change } => {
                let planned = self.plan.change(*change)?;
                self.open[change.0 as usize] = true;
                let (id, deleting) = (planned.id.clone(), planned.desired.is_none());
                // A delete that fails, too, must leave a record of what there is to delete.
                Some(StateWrite::Dirty { id, to: planned.subject().cloned(), deleting })
            }
            Event::InstanceCommitted { change, assumed, .. } => {
                let planned = self.plan.change(*change)?;
                self.open[change.0 as usize] = false;
                let id = planned.id.clone();
                Some(match &planned.desired {
                    Some(deployed) => StateWrite::Confirm { id, deployed: deployed.clone(), assumed: *assumed },
                    None => StateWrite::Remove { id, successor: self.successor(*change) },
                })
            }
            Event::RecordsAmended => Some(StateWrite::Amend(self.plan.amendments.clone())),
            Event::RunFinished { outcome: RunOutcome::Done } if self.plan.basis.only.is_empty() => {
                Some(StateWrite::Version { version: self.plan.version.to.clone(), release: self.plan.basis.release })
            }
            _ => None,
        }
    }

    /// Returns what the other change of the same instance began to put there.
    fn successor(&self, change: ChangeIndex) -> Option<Arc<Deployed>> {
        let twin = self.twins.get(&change).filter(|twin| self.open[twin.0 as usize])?;
        self.plan.change(*twin)?.desired.clone()
    }
}

impl StateWrite {
    /// Does the write to a state in memory.
    pub fn apply(self, state: &mut ApplicationState, run: RunId) {
        state.serial += 1;
        let blank = || InstanceRecord { confirmed: None, dirty: None, assumed: false, run };
        match self {
            Self::Dirty { id, to, deleting } => {
                let record = state.instances.entry(id).or_insert_with(blank);
                record.dirty = Some(Dirty { run, to, deleting });
                record.run = run;
            }
            Self::Confirm { id, deployed, assumed } => {
                let confirmed = Some(deployed);
                state.instances.insert(id, InstanceRecord { confirmed, dirty: None, assumed, run });
            }
            Self::Remove { id, successor: None } => {
                state.instances.remove(&id);
            }
            Self::Remove { id, successor } => {
                let dirty = Some(Dirty { run, to: successor, deleting: false });
                state.instances.insert(id, InstanceRecord { dirty, ..blank() });
            }
            Self::Amend(amendments) => {
                for deployed in amendments {
                    let record = state.instances.entry(deployed.spec.id.clone()).or_insert_with(blank);
                    record.confirmed = Some(deployed);
                    record.run = run;
                }
            }
            Self::Version { version, release } => {
                state.version = version;
                state.release = release;
            }
        }
    }
}
