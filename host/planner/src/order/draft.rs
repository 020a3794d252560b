//! The graph while it is put together: steps, commits, and junctions that carry order only.

use launchway_model::ChangeIndex;

/// A graph under construction. Edges may be redundant; junctions may be needless.
#[derive(Default)]
pub(crate) struct Draft {
    pub(crate) nodes: Vec<DraftNode>,
    /// From what ends to what may begin then.
    pub(crate) edges: Vec<(u32, u32)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DraftNode {
    Step(StepRef),
    Commit(ChangeIndex),
    Junction(Label),
}

/// A step that a plugin planned: where to find it once its place is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StepRef {
    pub(crate) change: ChangeIndex,
    /// Of one of the actions that verify the change; none: of the change itself.
    pub(crate) action: Option<u32>,
    pub(crate) at: u32,
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
}

/// Places in the life of an instance to which edges between components are tied, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub(crate) enum Anchor {
    Begin,
    StopBegin,
    StopEnd,
    InstallBegin,
    StartBegin,
    VerifyEnd,
    Committed,
}

impl Anchor {
    pub(crate) const COUNT: usize = 7;

    pub(crate) fn bit(self) -> u8 {
        1 << self as u8
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Begin => "begun",
            Self::StopBegin | Self::StopEnd => "stopped",
            Self::InstallBegin => "installed",
            Self::StartBegin => "started",
            Self::VerifyEnd => "verified",
            Self::Committed => "committed",
        }
    }
}

impl Draft {
    pub(crate) fn step(&mut self, step: StepRef) -> u32 {
        self.node(DraftNode::Step(step))
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

    fn node(&mut self, node: DraftNode) -> u32 {
        self.nodes.push(node);
        self.nodes.len() as u32 - 1
    }
}
