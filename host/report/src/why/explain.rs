//! The explanation itself.

use std::collections::{BTreeMap, HashMap, HashSet};

use launchway_model::{Cause, ChangeIndex, ChangeKind, InstanceChange, InstanceId, NodeId, Plan, RunId, Timestamp};
use serde::Serialize;

use super::asked::{Names, UnknownName};
use super::causes::{CauseWhy, Causes};
use super::order::{Order, StepWhy, Stop};

/// How many changes are explained in full; alike ones count as one. Each takes as long as the plan is big.
const EXPLAINED: usize = 8;

/// Why a component, or one instance of it, is touched or not.
#[derive(Debug, Serialize)]
pub struct Why<'a> {
    pub asked: &'a str,
    pub changes: Vec<Explained<'a>>,
    /// Those that change for still other causes.
    pub further: Vec<&'a InstanceId>,
    pub unchanged: Vec<Unchanged<'a>>,
    /// Those that would change, but are left out on request.
    pub omitted: Vec<&'a InstanceId>,
}

/// A change that is explained.
#[derive(Debug, Serialize)]
pub struct Explained<'a> {
    #[serde(flatten)]
    pub id: &'a InstanceId,
    pub change: ChangeKind,
    /// Others that change for the same causes.
    pub alike: Vec<&'a InstanceId>,
    pub dirty: bool,
    pub causes: Vec<CauseWhy<'a>>,
    pub steps: Vec<StepWhy<'a>>,
    /// The most steps in a row that end with its last one.
    pub longest_way: Vec<Stop>,
}

/// An instance that stays as it is.
#[derive(Debug, Serialize)]
pub struct Unchanged<'a> {
    #[serde(flatten)]
    pub id: &'a InstanceId,
    /// Its record is brought up to date, without a step.
    pub amended: bool,
    pub last: Option<LastChange>,
}

/// The run that last wrote an instance's record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct LastChange {
    pub run: RunId,
    /// Such as `deploy`.
    pub operation: Option<String>,
    pub finished: Option<Timestamp>,
}

/// Explains `COMPONENT[@TARGET]`; `last` tells what the state knows of an instance.
pub fn why<'a>(
    plan: &'a Plan,
    asked: &'a str,
    last: &dyn Fn(&InstanceId) -> Option<LastChange>,
) -> Result<Why<'a>, UnknownName> {
    let found = Names::of(plan, false).find(asked)?;
    let mut alike: Vec<(ChangeIndex, &InstanceChange, Vec<&InstanceId>)> = Vec::new();
    let mut known: BTreeMap<(&str, &[Cause]), usize> = BTreeMap::new();
    for (at, change) in plan.changes.iter().enumerate().filter(|(_, change)| found.is(&change.id)) {
        let index = ChangeIndex(u32::try_from(at).unwrap_or(u32::MAX));
        match known.get(&(kind_word(change.kind), change.causes.as_slice())) {
            Some(&at) => alike[at].2.push(&change.id),
            None => {
                known.insert((kind_word(change.kind), &change.causes), alike.len());
                alike.push((index, change, Vec::new()));
            }
        }
    }
    let rest = alike.split_off(alike.len().min(EXPLAINED));
    let further = rest.into_iter().flat_map(|(_, change, others)| std::iter::once(&change.id).chain(others)).collect();
    let amended: HashSet<&InstanceId> = plan.amendments.iter().map(|deployed| &deployed.spec.id).collect();
    let stays = |id: &'a InstanceId| Unchanged { id, amended: amended.contains(id), last: last(id) };
    Ok(Why {
        asked,
        changes: explained(plan, alike),
        further,
        unchanged: plan.unchanged.iter().filter(|id| found.is(id)).map(stays).collect(),
        omitted: plan.omitted.iter().filter(|id| found.is(id)).collect(),
    })
}

fn explained<'a>(
    plan: &'a Plan,
    changes: Vec<(ChangeIndex, &'a InstanceChange, Vec<&'a InstanceId>)>,
) -> Vec<Explained<'a>> {
    let (causes, order) = (Causes::of(plan), Order::of(plan));
    let wanted: HashSet<ChangeIndex> = changes.iter().map(|(index, ..)| *index).collect();
    let nodes: HashMap<ChangeIndex, Vec<NodeId>> = order.nodes_of(&wanted);
    let explain = |(index, change, alike): (ChangeIndex, &'a InstanceChange, Vec<&'a InstanceId>)| {
        let nodes = nodes.get(&index).map_or(&[][..], Vec::as_slice);
        Explained {
            id: &change.id,
            change: change.kind,
            alike,
            dirty: change.dirty,
            causes: causes.explain(change),
            steps: order.steps(nodes),
            longest_way: nodes.last().map(|last| order.longest(*last)).unwrap_or_default(),
        }
    };
    changes.into_iter().map(explain).collect()
}

/// Returns what becomes of an instance, as the end of a sentence.
pub(super) fn kind_word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Create => "is created",
        ChangeKind::Update => "is updated",
        ChangeKind::Delete => "is deleted",
        ChangeKind::Refresh => "is refreshed",
        ChangeKind::Act => "is run",
    }
}
