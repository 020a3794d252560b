//! The pass itself.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use launchway_model::{
    Batches, ChangeIndex, ChangeKind, Diagnostic, Diagnostics, InstanceChange, InstanceId, InstanceRecord,
    InstanceSpec, Phase, PlanNode, TargetName, TargetSpec,
};

use super::chain::{Chain, Chainer, Part, Settling};
use super::components::Components;
use super::draft::{Anchor, Draft, Label};
use super::leaving::{Handover, Leaving, Turn, recorded};
use super::parting;
use super::recorded::{Recorded, Shaken};
use super::reduce::reduce;
use super::relations::{Chains, draw};
use super::retreat::Retreat;
use super::rolls::RollInput;
use super::steps::StepMaker;
use super::succession::{SuccessionEnds, Successions};
use crate::ask::ChangeSteps;
use crate::desired::Ways;
use crate::edges::Graph;
use crate::error::PlanError;

pub(crate) struct OrderInput<'a> {
    /// Everything that is wanted, sorted by id.
    pub(crate) instances: &'a [InstanceSpec],
    /// Sorted by id; of a type change the delete comes first.
    pub(crate) changes: &'a [InstanceChange],
    pub(crate) steps: Vec<ChangeSteps>,
    pub(crate) handovers: &'a [Handover],
    /// Everything that is recorded, by the names it is wanted under.
    pub(crate) recorded: &'a BTreeMap<InstanceId, InstanceRecord>,
    /// How targets are labelled, for what rolls by labels.
    pub(crate) targets: &'a BTreeMap<TargetName, Arc<TargetSpec>>,
    /// How components roll, where that is not what is recorded with their instances.
    pub(crate) ways: &'a Ways,
    /// It goes back to what was recorded: nobody waits between batches.
    pub(crate) rollback: bool,
    /// What is wanted was written earlier, in several releases maybe: that something in it waits for itself is no error.
    pub(crate) lenient: bool,
}

/// The plan's nodes, and what goes in batches.
#[derive(Default)]
pub(crate) struct Ordered {
    /// In a topological order.
    pub(crate) nodes: Vec<PlanNode>,
    pub(crate) rollouts: Vec<Batches>,
}

/// Puts the steps of all changes in order.
pub(crate) fn order<'a>(input: OrderInput<'a>, warnings: &mut Diagnostics) -> Result<Ordered, PlanError> {
    let OrderInput { instances, changes, steps, handovers, recorded, targets, ways, rollback, lenient } = input;
    if changes.is_empty() {
        return Ok(Ordered::default());
    }
    let mut components = Components::new(instances, changes);
    let mut relations = components.relations();
    let edges = |relations: &[super::components::Relation]| -> Vec<(usize, usize)> {
        relations.iter().map(|relation| (relation.from as usize, relation.to as usize)).collect()
    };
    let mut graph = Graph::new(components.list.len(), edges(&relations));
    if let Some(cycle) = graph.cycles().into_iter().next() {
        let mut path: Vec<String> = cycle.iter().map(|at| components.list[*at].name.to_string()).collect();
        path.push(path[0].clone());
        if !lenient {
            return Err(PlanError::Cycle(path));
        }
        let message = format!("by what is recorded, components need each other in a cycle: {}", path.join(" → "));
        warnings.push(Diagnostic::warning("recorded-cycle", message).hint("they change in no particular order"));
        let mut knot_of = HashMap::new();
        for (number, knot) in graph.knots().into_iter().enumerate() {
            knot_of.extend(knot.into_iter().map(|at| (at as u32, number)));
        }
        relations.retain(|relation| {
            let knot = knot_of.get(&relation.from);
            knot.is_none() || knot != knot_of.get(&relation.to)
        });
        graph = Graph::new(components.list.len(), edges(&relations));
    }
    let order = graph.successors_first().expect("all cycles are gone");
    let (fates, gone, alone) = sort_out(changes);
    let roll = RollInput { targets, hurried: rollback, changes: &|id| fates.contains_key(id) };
    let rolls = roll.all(&mut components, ways, &edges(&relations), lenient, warnings)?;
    components.prepare(&relations, &graph, &order);
    rolls.add_anchors(&mut components);
    let successions = Successions::new(&gone, changes, instances, handovers);
    let retreat = Retreat::new(&gone, recorded, targets);
    let shaken = Shaken::new(&components, changes);
    let stays = |change: &&InstanceChange| components.stays(&change.id);
    let settling = changes.iter().filter(stays);
    let first = successions.first();
    let leaving = Leaving::new(gone, retreat, &first, settling, |change| shaken.concern(change), warnings);
    successions.add_anchors(&mut components, changes);
    add_anchors(&mut components, &leaving, changes, &steps);
    let before = Recorded::new(&mut components, &leaving, changes, &edges(&relations));

    let mut draft = Draft::default();
    let part = |at: usize| Part { index: ChangeIndex(at as u32), steps: &steps[at] };
    let mut staying: Vec<Settling<'_>> = Vec::new();
    let mut ends = SuccessionEnds::default();
    let mut chains: Chains = Vec::with_capacity(components.list.len());
    let mut barrier = Barrier::default();
    for (number, component) in components.list.iter().enumerate() {
        let mut of_component = Vec::with_capacity(component.instances.len());
        for spec in component.instances {
            let chainer = Chainer::new(&mut draft, number as u32, component.anchors);
            let chain = match fates.get(&spec.id) {
                Some(Fate::Change(at)) => {
                    let chain = chainer.change(part(*at));
                    barrier.add(&chain, component.held || rolls.stages_late(component.unit));
                    Some((*at, *at, chain))
                }
                Some(Fate::Replacement(at)) => {
                    let chain = chainer.replacement(part(*at), part(*at + 1));
                    barrier.add(&chain, true);
                    Some((*at, *at + 1, chain))
                }
                None if component.per_target || component.gradual => {
                    of_component.push(Some(chainer.unchanged()));
                    continue;
                }
                None => None,
            };
            of_component.push(chain.map(|(_, _, chain)| chain));
            if let Some((old, new, chain)) = chain {
                let waits = component.held || component.gradual;
                let unseen = match steps[old].disturbs_from() {
                    _ if old != new => chain.at(Anchor::StopBegin),
                    Some(Phase::Install) => chain.at(Anchor::InstallBegin),
                    Some(Phase::Start) => chain.at(Anchor::StartBegin),
                    Some(_) => chain.at(Anchor::StopBegin),
                    None => None,
                };
                staying.push(Settling { change: &changes[old], chain, waits, unseen });
                if let Some(node) = chain.at(Anchor::InstallBegin) {
                    ends.install_begin.insert(ChangeIndex(new as u32), node);
                }
                if let Some(node) = chain.replaced {
                    ends.gone.insert(ChangeIndex(old as u32), node);
                }
            }
        }
        chains.push(of_component);
    }
    let names = names(&components, &leaving);
    let mut gone_chains = Vec::with_capacity(leaving.changes.len());
    for (index, change) in &leaving.changes {
        let component = components.list.len() as u32 + leaving.number[&change.id.component];
        let anchors = Anchor::StopBegin.bit() | Anchor::StopReady.bit();
        let chain = Chainer::new(&mut draft, component, anchors).change(part(index.0 as usize));
        barrier.add(&chain, false);
        ends.gone.extend(chain.at(Anchor::Committed).map(|node| (*index, node)));
        gone_chains.push(chain);
    }
    for index in alone {
        let number = components.list.len() as u32;
        Chainer::new(&mut draft, number, 0).alone(part(index.0 as usize), is_final(&changes[index.0 as usize]));
    }
    let outside = draw(&mut draft, &components, &rolls, &relations, &chains);
    let chain_of = |staying: &Settling<'a>| (&staying.change.id, staying.chain);
    let changing: HashMap<&InstanceId, Chain> = staying.iter().map(chain_of).collect();
    let around = |id: &InstanceId| {
        let at = match fates.get(id)? {
            Fate::Change(at) => *at,
            Fate::Replacement(at) => *at + 1,
        };
        Some((ChangeIndex(at as u32), &steps[at]))
    };
    rolls.draw(&mut draft, &mut barrier, &changing, &components, &around, &outside);
    let mut rollouts = rolls.batches();
    rollouts.extend(leaving.retreat.batches());
    let mut unit_names = rolls.names();
    leaving.retreat.draw(&mut draft, &leaving.changes, &gone_chains, unit_names.len() as u32);
    unit_names.extend(leaving.retreat.names());
    before.draw(&mut draft, &components, &gone_chains, &staying);
    leaving.draw(&mut draft, &gone_chains, &staying);
    successions.draw(&mut draft, &ends);
    parting::draw(&mut draft, &mut barrier, &leaving, &gone_chains, &steps, &staying);
    barrier.draw(&mut draft);
    let offset = components.list.len() as u32;
    // Their work is done, and there may be a great many of them.
    drop((chains, gone_chains, changing, fates));
    let mut maker = StepMaker::new(changes, steps);
    let label = |label| label_text(label, &names, offset, &unit_names);
    let nodes = reduce(draft, label, |step| maker.make(step)).map_err(|why| {
        // Who stays and gives up a path may have to wait, with everything, for the one who takes it.
        let stays = |(giver, _): &&Handover| components.of(&changes[giver.0 as usize].id).is_some();
        match handovers.iter().find(stays) {
            Some((giver, taker)) => PlanError::PathChangesHands {
                from: changes[giver.0 as usize].id.clone(),
                to: changes[taker.0 as usize].id.clone(),
            },
            None => PlanError::Broken(why),
        }
    })?;
    Ok(Ordered { nodes, rollouts })
}

/// Whether a change is an action at the end of a run.
fn is_final(change: &InstanceChange) -> bool {
    crate::expand::is_final(&change.id.component)
}

/// What happens to an instance that is wanted.
enum Fate {
    Change(usize),
    /// The delete; the create follows it.
    Replacement(usize),
}

type Gone<'a> = Vec<(ChangeIndex, &'a InstanceChange)>;

/// Sorts changes into what stays, what goes, and actions that stand alone.
fn sort_out(changes: &[InstanceChange]) -> (HashMap<&InstanceId, Fate>, Gone<'_>, Vec<ChangeIndex>) {
    let mut alone = Vec::new();
    let mut fates = HashMap::with_capacity(changes.len());
    let mut gone = Vec::new();
    let mut at = 0;
    while at < changes.len() {
        let change = &changes[at];
        if change.kind == ChangeKind::Act {
            alone.push(ChangeIndex(at as u32));
        } else if changes.get(at + 1).is_some_and(|next| next.id == change.id) {
            fates.insert(&change.id, Fate::Replacement(at));
            at += 1;
        } else if change.kind == ChangeKind::Delete {
            gone.push((ChangeIndex(at as u32), change));
        } else {
            fates.insert(&change.id, Fate::Change(at));
        }
        at += 1;
    }
    (fates, gone, alone)
}

/// Adds the anchors that what goes is tied to.
fn add_anchors(
    components: &mut Components<'_>,
    leaving: &Leaving<'_>,
    changes: &[InstanceChange],
    steps: &[ChangeSteps],
) {
    let asked = parting::asked(leaving, steps);
    for change in changes {
        let Some(at) = components.of(&change.id) else { continue };
        let anchors = &mut components.list[at as usize].anchors;
        if recorded(change).any(|(to, _)| leaving.turn(to) == Some(Turn::First)) {
            *anchors |= Anchor::StopEnd.bit();
        }
        if asked.contains(&change.id.target) {
            *anchors |= Anchor::StopBegin.bit() | Anchor::InstallBegin.bit() | Anchor::StartBegin.bit();
        }
    }
}

/// Everything is staged everywhere before the first stop.
#[derive(Default)]
pub(super) struct Barrier {
    staged: Vec<u32>,
    stopping: Vec<u32>,
}

impl Barrier {
    /// Holds a step up until everything is staged.
    pub(super) fn hold(&mut self, node: u32) {
        self.stopping.push(node);
    }

    /// `late`: its staging itself waits for other changes to be done.
    fn add(&mut self, chain: &Chain, late: bool) {
        self.stopping.extend(chain.first_stop);
        if !late {
            self.staged.extend(chain.last_stage);
        }
    }

    fn draw(self, draft: &mut Draft) {
        if self.stopping.is_empty() || self.staged.is_empty() {
            return;
        }
        let join = draft.junction(Label::Staged);
        self.staged.into_iter().for_each(|node| draft.edge(node, join));
        self.stopping.into_iter().for_each(|node| draft.edge(join, node));
    }
}

/// Returns the components' names: those that stay, then those that go.
fn names(components: &Components<'_>, leaving: &Leaving<'_>) -> Vec<String> {
    let mut names: Vec<String> = components.list.iter().map(|component| component.name.to_string()).collect();
    let mut going: Vec<(u32, String)> = leaving.number.iter().map(|(name, at)| (*at, name.to_string())).collect();
    going.sort_unstable();
    names.extend(going.into_iter().map(|(_, name)| name));
    names
}

fn label_text(label: Label, names: &[String], offset: u32, units: &[String]) -> String {
    match label {
        Label::Batch(unit, cell) => format!("batch {} of {} may begin", cell + 1, units[unit as usize]),
        Label::BatchDone(unit, cell) => format!("batch {} of {} is done", cell + 1, units[unit as usize]),
        Label::Staged => "everything is staged".to_owned(),
        Label::Settled => "what stays has settled".to_owned(),
        Label::Gone => "what goes first is gone".to_owned(),
        Label::Parting => "what goes may be taken out of service".to_owned(),
        Label::Parted => "what goes is out of service".to_owned(),
        Label::Passed(component, anchor) => format!("{} {}", names[component as usize], anchor.words()),
        Label::Ahead(component, anchor) => format!("{} may be {}", names[component as usize], anchor.words()),
        Label::Leaving(component) => format!("{} may go", names[(offset + component) as usize]),
    }
}
