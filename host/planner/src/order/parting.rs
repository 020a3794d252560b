//! What is done on other targets before an instance goes for good: out of the proxy, and then away.
//!
//! Where what stays changes on such a target, as when the proxy's configuration forgets the instance, that comes after
//! it, so that the proxy still knows whom it is told of; and it is done as late as that allows.

use std::collections::{BTreeMap, BTreeSet};

use launchway_model::TargetName;

use super::chain::{Chain, Settling};
use super::draft::{Anchor, Draft, Label, Source, StepRef};
use super::leaving::{Leaving, Turn};
use super::pass::Barrier;
use super::rolls::in_a_row;
use crate::ask::ChangeSteps;

/// Returns the targets on which something is done before an instance goes.
pub(super) fn asked<'a>(leaving: &Leaving<'_>, steps: &'a [ChangeSteps]) -> BTreeSet<&'a TargetName> {
    let steps = leaving.changes.iter().map(|(index, _)| &steps[index.0 as usize]);
    steps.filter(|steps| steps.is_disturbing()).flat_map(|steps| &steps.around).flat_map(|around| &around.at).collect()
}

/// Draws it. All other edges are there already.
pub(super) fn draw(
    draft: &mut Draft,
    barrier: &mut Barrier,
    leaving: &Leaving<'_>,
    chains: &[Chain],
    steps: &[ChangeSteps],
    settling: &[Settling<'_>],
) {
    let asked = asked(leaving, steps);
    if asked.is_empty() {
        return;
    }
    let mut changing: BTreeMap<&TargetName, Vec<u32>> = BTreeMap::new();
    for staying in settling.iter().filter(|staying| asked.contains(&staying.change.id.target)) {
        if let Some(unseen) = staying.unseen {
            changing.entry(&staying.change.id.target).or_default().push(unseen);
        }
    }
    let mut parted: BTreeMap<&TargetName, u32> = BTreeMap::new();
    let mut open = Vec::new();
    for ((index, change), chain) in leaving.changes.iter().zip(chains) {
        let steps = &steps[index.0 as usize];
        if !steps.is_disturbing() {
            continue;
        }
        let is_ahead = steps.around.iter().flat_map(|around| &around.at).any(|at| changing.contains_key(at));
        for (number, around) in steps.around.iter().enumerate() {
            let Some(before) = &around.before else { continue };
            for (at, target) in around.at.iter().enumerate() {
                let source = Source::Before(number as u32, at as u32);
                let reference = |step| StepRef { change: *index, source, at: step };
                let nodes = in_a_row(draft, before.steps.len(), None, reference);
                let (Some(first), Some(last)) = (nodes.first(), nodes.last()) else { continue };
                barrier.hold(*first);
                chain.at(Anchor::StopReady).into_iter().for_each(|ready| draft.edge(*last, ready));
                if !is_ahead {
                    chain.at(Anchor::StopBegin).into_iter().for_each(|begin| draft.edge(begin, *first));
                    continue;
                }
                if leaving.turn(&change.id.component) == Some(Turn::Last) {
                    open.push(*first);
                }
                if let Some(begins) = changing.get(target) {
                    let join = *parted.entry(target).or_insert_with(|| {
                        let join = draft.junction(Label::Parted);
                        begins.iter().for_each(|begin| draft.edge(join, *begin));
                        join
                    });
                    draft.edge(*last, join);
                }
            }
        }
    }
    delay(draft, &open, settling);
}

/// Lets nobody be taken out of service before all has settled that does not wait for it.
fn delay(draft: &mut Draft, open: &[u32], settling: &[Settling<'_>]) {
    if open.is_empty() {
        return;
    }
    let waiting = draft.after(open);
    let commits = settling.iter().filter_map(|staying| staying.chain.at(Anchor::Committed));
    let commits: Vec<u32> = commits.filter(|commit| !waiting[*commit as usize]).collect();
    let join = draft.junction(Label::Parting);
    commits.into_iter().for_each(|commit| draft.edge(commit, join));
    open.iter().for_each(|node| draft.edge(join, *node));
}
