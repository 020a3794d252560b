//! One instance's steps, one after the other, with the anchors that edges between components are tied to.

use launchway_model::{ChangeIndex, InstanceChange, Phase};

use super::draft::{Anchor, Draft, Label, Source, StepRef};
use crate::ask::ChangeSteps;

/// Where an instance's chain has its anchors, and what the barrier between staging and stopping is tied to.
#[derive(Clone, Copy, Default)]
pub(crate) struct Chain {
    anchors: [Option<u32>; Anchor::COUNT],
    pub(crate) last_stage: Option<u32>,
    /// The first step that takes something away.
    pub(crate) first_stop: Option<u32>,
    /// Of an instance that is replaced: the commit of the one that goes.
    pub(crate) replaced: Option<u32>,
}

impl Chain {
    pub(crate) fn at(&self, anchor: Anchor) -> Option<u32> {
        self.anchors[anchor as usize]
    }
}

/// An instance that stays and changes, with its chain.
pub(crate) struct Settling<'a> {
    /// Of one that is replaced: the delete.
    pub(crate) change: &'a InstanceChange,
    pub(crate) chain: Chain,
    /// Its stop waits for others to have settled, so that nobody else waits for that.
    pub(crate) waits: bool,
    /// What comes before anything that somebody outside could notice.
    pub(crate) unseen: Option<u32>,
}

/// A change with its steps.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) index: ChangeIndex,
    pub(crate) steps: &'a ChangeSteps,
}

/// Puts chains into a draft.
pub(crate) struct Chainer<'d> {
    draft: &'d mut Draft,
    component: u32,
    /// The anchors to make, as bits.
    wanted: u8,
    chain: Chain,
    last: Option<u32>,
    /// See [`super::draft::DraftNode::Step`].
    guard: Option<Option<u32>>,
}

impl<'d> Chainer<'d> {
    pub(crate) fn new(draft: &'d mut Draft, component: u32, wanted: u8) -> Self {
        Self { draft, component, wanted, chain: Chain::default(), last: None, guard: None }
    }

    /// An instance that is created, updated, refreshed, or deleted for good.
    pub(crate) fn change(mut self, part: Part<'_>) -> Chain {
        let mut run = Run::new(part);
        self.anchor(Anchor::Begin);
        self.steps(&mut run, Phase::Stage);
        self.chain.last_stage = self.last.filter(|_| run.passed > 0);
        self.anchor(Anchor::StopBegin);
        self.anchor(Anchor::StopReady);
        self.steps(&mut run, Phase::Stop);
        self.anchor(Anchor::StopEnd);
        self.steps(&mut run, Phase::Remove);
        self.rest(&mut run);
        self.chain
    }

    /// An instance that is replaced, as when its type changes: deleted and committed, then created.
    pub(crate) fn replacement(mut self, old: Part<'_>, new: Part<'_>) -> Chain {
        let (mut old, mut new) = (Run::new(old), Run::new(new));
        self.anchor(Anchor::Begin);
        self.anchor(Anchor::StopBegin);
        self.anchor(Anchor::StopReady);
        self.steps(&mut old, Phase::Stage);
        self.steps(&mut old, Phase::Verify);
        self.commit(&old);
        self.chain.replaced = self.last;
        // It is not only stopped but gone before what it needs may stop.
        self.anchor(Anchor::StopEnd);
        self.steps(&mut old, Phase::Finish);
        // Nothing of the new one, staging included, before the record of the old one is gone: it has only one.
        self.steps(&mut new, Phase::Remove);
        self.rest(&mut new);
        self.chain
    }

    /// An action that stands alone; `last`: it runs when all else has ended, whatever became of that.
    pub(crate) fn alone(mut self, part: Part<'_>, last: bool) {
        self.guard = last.then_some(None);
        self.steps(&mut Run::new(part), Phase::Finish);
    }

    /// An instance that stays as it is, for the order between those on both sides of it.
    pub(crate) fn unchanged(mut self) -> Chain {
        self.anchor(Anchor::StopBegin);
        self.anchor(Anchor::StopEnd);
        // Stopping and starting have nothing to do with each other where neither happens.
        self.last = None;
        for anchor in [Anchor::Begin, Anchor::StartBegin, Anchor::VerifyEnd, Anchor::Committed] {
            self.anchor(anchor);
        }
        self.chain
    }

    fn rest(&mut self, run: &mut Run<'_>) {
        self.anchor(Anchor::InstallBegin);
        self.steps(run, Phase::Install);
        self.anchor(Anchor::StartBegin);
        self.steps(run, Phase::Verify);
        self.actions(run);
        self.anchor(Anchor::VerifyEnd);
        self.commit(run);
        self.steps(run, Phase::Finish);
    }

    /// Adds the steps that are left up to and including a phase.
    fn steps(&mut self, run: &mut Run<'_>, through: Phase) {
        while let Some(phase) = run.next_phase().filter(|phase| *phase <= through) {
            let step = StepRef { change: run.part.index, source: Source::Own, at: run.passed as u32 };
            run.passed += 1;
            let node = self.step(step);
            if matches!(phase, Phase::Stop | Phase::Remove) && self.chain.first_stop.is_none() {
                self.chain.first_stop = Some(node);
            }
        }
    }

    fn actions(&mut self, run: &Run<'_>) {
        for (number, action) in run.part.steps.verify.iter().enumerate() {
            for at in 0..action.steps.len() as u32 {
                self.step(StepRef { change: run.part.index, source: Source::Verify(number as u32), at });
            }
        }
    }

    fn step(&mut self, step: StepRef) -> u32 {
        let node = self.draft.step(step, self.guard);
        self.append(node);
        node
    }

    fn commit(&mut self, run: &Run<'_>) {
        let node = self.draft.commit(run.part.index);
        self.append(node);
        self.chain.anchors[Anchor::Committed as usize] = Some(node);
    }

    fn anchor(&mut self, anchor: Anchor) {
        if self.wanted & anchor.bit() != 0 {
            let node = self.draft.junction(Label::Passed(self.component, anchor));
            self.append(node);
            self.chain.anchors[anchor as usize] = Some(node);
        }
    }

    fn append(&mut self, node: u32) {
        if let Some(last) = self.last.replace(node) {
            self.draft.edge(last, node);
        }
    }
}

/// How far a part's own steps are in the chain.
struct Run<'a> {
    part: Part<'a>,
    passed: usize,
}

impl<'a> Run<'a> {
    fn new(part: Part<'a>) -> Self {
        Self { part, passed: 0 }
    }

    fn next_phase(&self) -> Option<Phase> {
        self.part.steps.own.get(self.passed)?.as_ref().map(|step| step.phase)
    }
}
