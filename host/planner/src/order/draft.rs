//! The graph while it is put together: steps, commits, and junctions that carry order only.

use launchway_model::{ChangeIndex, Gate};

/// A graph under construction. Edges may be redundant; junctions may be needless.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) nodes: Vec<DraftNode>,
    /// From what ends to what may begin then.
    pub(crate) edges: Vec<(u32, u32)>,
    pub(crate) gates: Vec<Gate>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DraftNode {
    /// With a guard it runs whatever becomes of what is before it; if there is a node in it, only if that was called.
    Step(StepRef, Option<Option<u32>>),
    Gate(u32),
    Commit(ChangeIndex),
    Junction(Label),
}

/// A step that a plugin planned: where to find it once its place is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StepRef {
    pub(crate) change: ChangeIndex,
    pub(crate) source: Source,
    pub(crate) at: u32,
}

/// Whose step it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    /// The change's own.
    Own,
    /// One of the actions that verify it.
    Verify(u32),
    /// One of the actions around it, and on which of its targets.
    Before(u32, u32),
    After(u32, u32),
}

/// What a junction is for; becomes a text only if the junction stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Label {
    Staged,
    /// All of a component's instances have passed an anchor.
    Passed(u32, Anchor),
    /// None of a component's instances may pass an anchor before.
    Ahead(u32, Anchor),
    /// Instances of a component that go.
    Leaving(u32),
    /// All that stays has settled.
    Settled,
    /// What is needed in its place may come: what goes first is gone.
    Gone,
    /// What goes may be taken out of service, where what stays changes then.
    Parting,
    /// What goes is taken out of service.
    Parted,
    /// A unit's batch may begin.
    Batch(u32, u32),
    /// All of a unit's batch is done.
    BatchDone(u32, u32),
}

/// Places in the life of an instance to which edges between components are tied, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub(crate) enum Anchor {
    Begin,
    StopBegin,
    /// What is done elsewhere before it stops is done.
    StopReady,
    StopEnd,
    InstallBegin,
    StartBegin,
    VerifyEnd,
    Committed,
}

impl Anchor {
    pub(crate) const COUNT: usize = 8;

    pub(crate) fn bit(self) -> u8 {
        1 << self as u8
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Begin => "begun",
            Self::StopBegin | Self::StopReady | Self::StopEnd => "stopped",
            Self::InstallBegin => "installed",
            Self::StartBegin => "started",
            Self::VerifyEnd => "verified",
            Self::Committed => "committed",
        }
    }
}

impl Draft {
    /// `guard`: see [`DraftNode::Step`].
    pub(crate) fn step(&mut self, step: StepRef, guard: Option<Option<u32>>) -> u32 {
        self.node(DraftNode::Step(step, guard))
    }

    pub(crate) fn gate(&mut self, gate: Gate) -> u32 {
        self.gates.push(gate);
        self.node(DraftNode::Gate(self.gates.len() as u32 - 1))
    }

    pub(crate) fn commit(&mut self, change: ChangeIndex) -> u32 {
        self.node(DraftNode::Commit(change))
    }

    pub(crate) fn junction(&mut self, label: Label) -> u32 {
        self.node(DraftNode::Junction(label))
    }

    pub(crate) fn edge(&mut self, from: u32, to: u32) {
        self.edges.push((from, to));
    }

    /// Returns for each node whether it comes after one of some nodes, or is one of them.
    pub(crate) fn after(&self, start: &[u32]) -> Vec<bool> {
        let mut next: Vec<Vec<u32>> = vec![Vec::new(); self.nodes.len()];
        self.edges.iter().for_each(|(from, to)| next[*from as usize].push(*to));
        let mut found = vec![false; self.nodes.len()];
        let mut open = start.to_vec();
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut found[at as usize], true) {
                open.extend(&next[at as usize]);
            }
        }
        found
    }

    fn node(&mut self, node: DraftNode) -> u32 {
        self.nodes.push(node);
        self.nodes.len() as u32 - 1
    }
}
