//! What the core is told, and what it asks for.

use std::sync::Arc;

use launchway_model::{Answer, EventRecord, Exchange, Holder, IllegalTransition, NodeId, RunOutcome, Wait};

use crate::seams::StepProgress;

/// Something that happened outside.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// Begins the run; comes first and once.
    Start,
    /// A call of a step came back.
    Progressed { node: NodeId, progress: StepProgress },
    /// The time asked for with [`Command::WakeAfter`] has passed.
    Due { node: NodeId },
    /// Somebody let a gate open.
    Approve { node: NodeId, by: Holder },
    /// Another run is at work in the store: from now on locks and room on targets are shared with it.
    Joined,
    /// The store's answers to the questions of a [`Command::Exchange`].
    Answered(Vec<Answer>),
    /// The time asked for with [`Command::RetryAfter`] has passed.
    Retry,
    /// Ends the run at the next safe point.
    Stop,
    /// Ends the run now.
    Abort,
}

/// Something to be done outside, in the order given.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Append to the journal.
    Record(Arc<EventRecord>),
    /// Call a step, once everything recorded so far is durable. With a token it is asked whether it is done by now.
    Run { node: NodeId, attempt: u32, token: Option<String> },
    /// Come back with [`Input::Due`].
    WakeAfter { node: NodeId, ms: u64 },
    /// Tell somebody that a gate waits for approval.
    Ask { node: NodeId },
    /// Tell the store, after all that it was told before. To questions, [`Input::Answered`] is expected.
    Exchange(Exchange),
    /// Come back with [`Input::Retry`].
    RetryAfter { ms: u64 },
    /// Tell somebody that a step waits for a run of another application.
    Tell(Wait),
    /// Make a running step end soon. Its [`Input::Progressed`] is still expected.
    Cancel { node: NodeId },
    /// The run is over; nothing comes after this.
    Finish(RunOutcome),
}

/// A bug: of the driver or of the core itself.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CoreError {
    #[error("the scheduler made an event that can't be")]
    Illegal(#[from] IllegalTransition),
    #[error("node {} is not running, yet it made progress", .0.0)]
    NotRunning(NodeId),
    #[error("the run can't start twice")]
    Started,
}
