//! What a run's events mean for the state.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use launchway_model::{
    Adoption, ApplicationState, ChangeIndex, ChangeKind, ComponentName, Deployed, Digest, Dirty, Event, InstanceId,
    InstanceRecord, Move, NodeKind, Operation, Owner, Plan, Requirement, RunId, RunOutcome, StepNode, StepOutcome,
    TargetName, Version,
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
    /// Records change, but nothing on a target: some go by other names first.
    Amend { moves: Vec<Move>, deployed: Vec<Arc<Deployed>> },
    /// These are no longer recorded.
    Forget(Vec<InstanceId>),
    /// These are recorded as they were found.
    Adopt(Vec<Adoption>),
    /// What these run with is out of date until they are told so.
    Owe(Vec<InstanceId>),
    /// The run brought the whole application to a version.
    Version { version: Option<Version>, release: Option<Digest>, requires: BTreeSet<Requirement> },
}

/// Folds a run's events into writes to the state.
#[derive(Clone, Debug)]
pub struct Ledger {
    plan: Arc<Plan>,
    /// The changes of instances that have two of them: one of the old type, one of the new.
    twins: HashMap<ChangeIndex, ChangeIndex>,
    /// Of each change: it began, and did not commit yet.
    open: Vec<bool>,
    /// Of each change: a step of it changed something.
    changed: Vec<bool>,
    /// Who has to be told of a change of a component, on one target or on any.
    owed: HashMap<(ComponentName, Option<TargetName>), Vec<InstanceId>>,
    /// A second write that an event means.
    next: Option<StateWrite>,
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
        let mut owed: HashMap<_, Vec<InstanceId>> = HashMap::new();
        for debt in &plan.owed {
            owed.entry((debt.by.clone(), debt.on.clone())).or_default().push(debt.to.clone());
        }
        let count = plan.changes.len();
        Self { open: vec![false; count], changed: vec![false; count], owed, next: None, twins, plan }
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
                if planned.kind == ChangeKind::Act {
                    return None;
                }
                self.open[change.0 as usize] = false;
                let id = planned.id.clone();
                if self.changed[change.0 as usize] {
                    self.next = self.debts(&id);
                }
                let planned = self.plan.change(*change)?;
                Some(match &planned.desired {
                    Some(deployed) => StateWrite::Confirm { id, deployed: deployed.clone(), assumed: *assumed },
                    None => StateWrite::Remove { id, successor: self.successor(*change) },
                })
            }
            Event::StepFinished { node, outcome: StepOutcome::Changed(_), .. } => {
                if let NodeKind::Step(StepNode { owner: Owner::Instance { change }, .. }) = &self.plan.node(*node)?.kind
                {
                    self.changed[change.0 as usize] = true;
                }
                None
            }
            Event::RecordsAmended if !self.plan.forgotten.is_empty() => {
                Some(StateWrite::Forget(self.plan.forgotten.clone()))
            }
            Event::RecordsAmended if !self.plan.adopted.is_empty() => {
                Some(StateWrite::Adopt(self.plan.adopted.clone()))
            }
            Event::RecordsAmended => {
                Some(StateWrite::Amend { moves: self.plan.moves.clone(), deployed: self.plan.amendments.clone() })
            }
            Event::RunFinished { outcome: RunOutcome::Done }
                if self.plan.basis.only.is_empty() && self.is_of_versions() =>
            {
                let (version, requires) = (self.plan.version.to.clone(), self.plan.requires.to.clone());
                Some(StateWrite::Version { version, release: self.plan.basis.release, requires })
            }
            _ => None,
        }
    }

    /// Returns the rest of what the last event writes, if it means more than one write.
    pub fn take_next(&mut self) -> Option<StateWrite> {
        self.next.take()
    }

    /// Whether the run is about a version at all.
    fn is_of_versions(&self) -> bool {
        match self.plan.operation {
            Operation::Restart | Operation::Task { .. } => false,
            // A part of the records says nothing of the whole.
            Operation::Forget | Operation::Adopt => self.plan.version.from != self.plan.version.to,
            _ => true,
        }
    }

    /// Returns who has to be told of the change of an instance, each once.
    fn debts(&mut self, id: &InstanceId) -> Option<StateWrite> {
        let keys = [Some(id.target.clone()), None].map(|target| (id.component.clone(), target));
        let owed: Vec<InstanceId> = keys.iter().filter_map(|key| self.owed.remove(key)).flatten().collect();
        (!owed.is_empty()).then_some(StateWrite::Owe(owed))
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
                record.dirty = Some(Dirty { run, to, deleting, differs: None });
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
                let dirty = Some(Dirty { run, to: successor, deleting: false, differs: None });
                state.instances.insert(id, InstanceRecord { dirty, ..blank() });
            }
            Self::Amend { moves, deployed } => {
                for Move { from, to, same_target } in moves {
                    if let Some(record) = state.instances.remove(&from) {
                        state.instances.insert(to.clone(), InstanceRecord { run, ..record.renamed(&to, same_target) });
                    }
                }
                for deployed in deployed {
                    let record = state.instances.entry(deployed.spec.id.clone()).or_insert_with(blank);
                    record.confirmed = Some(deployed);
                    record.run = run;
                }
            }
            Self::Forget(ids) => ids.iter().for_each(|id| drop(state.instances.remove(id))),
            Self::Adopt(found) => {
                for Adoption { deployed, differs } in found {
                    let dirty = differs.map(|differs| Dirty {
                        run,
                        to: Some(deployed.clone()),
                        deleting: false,
                        differs: Some(differs),
                    });
                    let id = deployed.spec.id.clone();
                    state.instances.insert(id, InstanceRecord { dirty, confirmed: Some(deployed), ..blank() });
                }
            }
            Self::Owe(ids) => {
                for id in ids {
                    let Some(record) = state.instances.get_mut(&id).filter(|record| record.dirty.is_none()) else {
                        continue;
                    };
                    record.dirty = Some(Dirty { run, to: record.confirmed.clone(), deleting: false, differs: None });
                    record.run = run;
                }
            }
            Self::Version { version, release, requires } => {
                state.version = version;
                state.release = release;
                state.requires = requires;
            }
        }
    }
}
