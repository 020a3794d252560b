//! The pass itself.

use std::collections::HashMap;

use launchway_model::{ChangeIndex, ChangeKind, Diagnostic, Diagnostics, InstanceChange, InstanceSpec, PlanNode};

use super::chain::{Chain, Chainer, Part};
use super::components::Components;
use super::draft::{Anchor, Draft, Label};
use super::leaving::{Handover, Leaving, recorded};
use super::reduce::reduce;
use super::relations::{Chains, draw};
use super::steps::StepMaker;
use crate::ask::ChangeSteps;
use crate::edges::Graph;
use crate::error::PlanError;

pub(crate) struct OrderInput<'a> {
    /// Everything that is wanted, sorted by id.
    pub(crate) instances: &'a [InstanceSpec],
    /// Sorted by id; of a type change the delete comes first.
    pub(crate) changes: &'a [InstanceChange],
    pub(crate) steps: Vec<ChangeSteps>,
    pub(crate) handovers: &'a [Handover],
    /// A cycle among what is wanted is no error: it comes from records of several releases.
    pub(crate) forgive_cycles: bool,
}

/// Returns the plan's nodes in a topological order.
pub(crate) fn order(input: OrderInput<'_>, warnings: &mut Diagnostics) -> Result<Vec<PlanNode>, PlanError> {
    let OrderInput { instances, changes, steps, handovers, forgive_cycles } = input;
    if changes.is_empty() {
        return Ok(Vec::new());
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
        if !forgive_cycles {
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
    components.prepare(&relations, &graph, &order);

    let (fates, gone) = sort_out(changes);
    let leaving = Leaving::new(gone, handovers, warnings);
    add_anchors(&mut components, &leaving, changes, handovers);

    let mut draft = Draft::default();
    let part = |at: usize| Part { index: ChangeIndex(at as u32), steps: &steps[at] };
    let mut staying: Vec<(&InstanceChange, Chain, bool)> = Vec::new();
    let mut ends = HandoverEnds::default();
    let mut chains: Chains = Vec::with_capacity(components.list.len());
    let mut barrier = Barrier::default();
    for (number, component) in components.list.iter().enumerate() {
        let mut of_component = Vec::with_capacity(component.instances.len());
        for spec in component.instances {
            let chainer = Chainer::new(&mut draft, number as u32, component.anchors);
            let chain = match fates.get(&spec.id) {
                Some(Fate::Change(at)) => {
                    let chain = chainer.change(part(*at));
                    barrier.add(&chain, component.held);
                    Some((*at, *at, chain))
                }
                Some(Fate::Replacement(at)) => {
                    let chain = chainer.replacement(part(*at), part(*at + 1));
                    barrier.add(&chain, true);
                    Some((*at, *at + 1, chain))
                }
                None if component.per_target => {
                    of_component.push(Some(chainer.unchanged()));
                    continue;
                }
                None => None,
            };
            of_component.push(chain.map(|(_, _, chain)| chain));
            if let Some((old, new, chain)) = chain {
                staying.push((&changes[old], chain, component.held));
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
        let chain = Chainer::new(&mut draft, component, Anchor::StopBegin.bit()).change(part(index.0 as usize));
        barrier.add(&chain, false);
        ends.gone.extend(chain.at(Anchor::Committed).map(|node| (*index, node)));
        gone_chains.push(chain);
    }
    draw(&mut draft, &components, &relations, &chains);
    leaving.draw(&mut draft, &gone_chains, staying.into_iter());
    ends.draw(&mut draft, handovers);
    barrier.draw(&mut draft);
    let offset = components.list.len() as u32;
    // Their work is done, and there may be a great many of them.
    drop((chains, gone_chains, fates));
    let mut maker = StepMaker::new(changes, steps);
    reduce(draft, |label| label_text(label, &names, offset), |step| maker.make(step)).map_err(|why| {
        // Who stays and gives up a path may have to wait, with everything, for the one who takes it.
        let stays = |(giver, _): &&Handover| components.of(&changes[giver.0 as usize].id).is_some();
        match handovers.iter().find(stays) {
            Some((giver, taker)) => PlanError::PathChangesHands {
                from: changes[giver.0 as usize].id.clone(),
                to: changes[taker.0 as usize].id.clone(),
            },
            None => PlanError::Broken(why),
        }
    })
}

/// What happens to an instance that is wanted.
enum Fate {
    Change(usize),
    /// The delete; the create follows it.
    Replacement(usize),
}

type Gone<'a> = Vec<(ChangeIndex, &'a InstanceChange)>;

fn sort_out(changes: &[InstanceChange]) -> (HashMap<&launchway_model::InstanceId, Fate>, Gone<'_>) {
    let mut fates = HashMap::with_capacity(changes.len());
    let mut gone = Vec::new();
    let mut at = 0;
    while at < changes.len() {
        let change = &changes[at];
        if changes.get(at + 1).is_some_and(|next| next.id == change.id) {
            fates.insert(&change.id, Fate::Replacement(at));
            at += 1;
        } else if change.kind == ChangeKind::Delete {
            gone.push((ChangeIndex(at as u32), change));
        } else {
            fates.insert(&change.id, Fate::Change(at));
        }
        at += 1;
    }
    (fates, gone)
}

/// Adds the anchors that what goes is tied to.
fn add_anchors(
    components: &mut Components<'_>,
    leaving: &Leaving<'_>,
    changes: &[InstanceChange],
    handovers: &[Handover],
) {
    for (_, change) in handovers {
        if let Some(at) = components.of(&changes[change.0 as usize].id) {
            components.list[at as usize].anchors |= Anchor::InstallBegin.bit();
        }
    }
    if !leaving.any_goes_first() {
        return;
    }
    for change in changes {
        if let Some(at) = components.of(&change.id)
            && recorded(change).any(|(to, _)| leaving.goes_first(to))
        {
            components.list[at as usize].anchors |= Anchor::StopEnd.bit();
        }
    }
}

/// The nodes between which paths change hands.
#[derive(Default)]
struct HandoverEnds {
    /// Of deletes: their commits.
    gone: HashMap<ChangeIndex, u32>,
    install_begin: HashMap<ChangeIndex, u32>,
}

impl HandoverEnds {
    fn draw(&self, draft: &mut Draft, handovers: &[Handover]) {
        for (giver, taker) in handovers {
            if let (Some(from), Some(to)) = (self.gone.get(giver), self.install_begin.get(taker)) {
                draft.edge(*from, *to);
            }
        }
    }
}

/// Everything is staged everywhere before the first stop.
#[derive(Default)]
struct Barrier {
    staged: Vec<u32>,
    stopping: Vec<u32>,
}

impl Barrier {
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

fn label_text(label: Label, names: &[String], offset: u32) -> String {
    match label {
        Label::Staged => "everything is staged".to_owned(),
        Label::Passed(component, anchor) => format!("{} {}", names[component as usize], anchor.words()),
        Label::Ahead(component, anchor) => format!("{} may be {}", names[component as usize], anchor.words()),
        Label::Leaving(component) => format!("{} may go", names[(offset + component) as usize]),
    }
}
