//! One instance's steps, one after the other, with the anchors that edges between components are tied to.

use std::sync::Arc;

use launchway_model::{ActionPlace, ChangeIndex, InstanceChange, Owner, Phase, PlannedStep, StepKey, StepNode};

use super::draft::{Anchor, Draft, Label};
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

/// A change with its steps.
pub(crate) struct Part<'a> {
    pub(crate) index: ChangeIndex,
    pub(crate) change: &'a InstanceChange,
    pub(crate) steps: ChangeSteps,
    /// Changes that may turn out to change nothing, so that there is nothing to start for.
    pub(crate) only_if_changed: Vec<ChangeIndex>,
}

/// Puts chains into a draft.
pub(crate) struct Chainer<'d> {
    draft: &'d mut Draft,
    component: u32,
    /// The anchors to make, as bits.
    wanted: u8,
    chain: Chain,
    last: Option<u32>,
}

impl<'d> Chainer<'d> {
    pub(crate) fn new(draft: &'d mut Draft, component: u32, wanted: u8) -> Self {
        Self { draft, component, wanted, chain: Chain::default(), last: None }
    }

    /// An instance that is created, updated, refreshed, or deleted for good.
    pub(crate) fn change(mut self, part: Part<'_>) -> Chain {
        let mut run = Run::new(part, false);
        self.anchor(Anchor::Begin);
        self.steps(&mut run, Phase::Stage);
        self.chain.last_stage = self.last.filter(|_| run.passed > 0);
        self.anchor(Anchor::StopBegin);
        self.steps(&mut run, Phase::Stop);
        self.anchor(Anchor::StopEnd);
        self.steps(&mut run, Phase::Remove);
        self.rest(&mut run);
        self.chain
    }

    /// An instance that is replaced, as when its type changes: deleted and committed, then created.
    pub(crate) fn replacement(mut self, old: Part<'_>, new: Part<'_>) -> Chain {
        let (mut old, mut new) = (Run::new(old, true), Run::new(new, false));
        self.anchor(Anchor::Begin);
        self.anchor(Anchor::StopBegin);
        self.steps(&mut old, Phase::Stage);
        self.steps(&mut old, Phase::Stop);
        self.anchor(Anchor::StopEnd);
        self.steps(&mut old, Phase::Verify);
        self.commit(&old);
        self.chain.replaced = self.last;
        self.steps(&mut old, Phase::Finish);
        // Nothing of the new one, staging included, before the record of the old one is gone: it has only one.
        self.steps(&mut new, Phase::Remove);
        self.rest(&mut new);
        self.chain
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

    fn rest(&mut self, run: &mut Run) {
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
    fn steps(&mut self, run: &mut Run, through: Phase) {
        while let Some(step) = run.own.next_if(|step| step.phase <= through) {
            run.passed += 1;
            let takes_away = matches!(step.phase, Phase::Stop | Phase::Remove);
            let key = format!("{}{}/{}", run.prefix, step.phase.as_str(), step.name);
            let only_if_changed = if step.phase == Phase::Start { run.only_if_changed.clone() } else { Vec::new() };
            let owner = Owner::Instance { change: run.index };
            let node = self.step(StepNode { key: StepKey(Arc::from(key)), owner, step, only_if_changed });
            if takes_away && self.chain.first_stop.is_none() {
                self.chain.first_stop = Some(node);
            }
        }
    }

    fn actions(&mut self, run: &mut Run) {
        for (number, action) in std::mem::take(&mut run.verify).into_iter().enumerate() {
            for step in action.steps {
                let key = format!("{}verify/{}.{}", run.prefix, number + 1, step.name);
                let owner =
                    Owner::Action { change: run.index, place: ActionPlace::Verify, action: action.action.clone() };
                self.step(StepNode { key: StepKey(Arc::from(key)), owner, step, only_if_changed: Vec::new() });
            }
        }
    }

    fn step(&mut self, step: StepNode) -> u32 {
        let node = self.draft.step(step);
        self.append(node);
        node
    }

    fn commit(&mut self, run: &Run) {
        let node = self.draft.commit(run.index);
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

/// A part while its steps are taken out of it.
struct Run {
    index: ChangeIndex,
    own: std::iter::Peekable<std::vec::IntoIter<PlannedStep>>,
    verify: Vec<crate::ask::ActionSteps>,
    only_if_changed: Vec<ChangeIndex>,
    prefix: String,
    passed: usize,
}

impl Run {
    fn new(part: Part<'_>, replaced: bool) -> Self {
        let Part { index, change, steps, only_if_changed } = part;
        // Both halves of a type change may have steps of the same name.
        let prefix = format!("{}/{}", change.id, if replaced { "replaced/" } else { "" });
        let own = steps.own.into_iter().peekable();
        Self { index, own, verify: steps.verify, only_if_changed, prefix, passed: 0 }
    }
}
