//! What the driver needs from outside: somebody who runs steps, and somebody who keeps the journal.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use launchway_model::{Answer, EventRecord, Exchange, NodeId, Plan, StepOutcome};
use tokio_util::sync::CancellationToken;

/// Runs single steps.
pub trait StepRunner: Send + Sync + 'static {
    /// Begins or goes on with a step. Never panics; ends soon after `cancel`.
    fn run(&self, task: StepTask) -> Pin<Box<dyn Future<Output = StepProgress> + Send>>;
}

/// One call of a step.
#[derive(Clone, Debug)]
pub struct StepTask {
    pub plan: Arc<Plan>,
    pub node: NodeId,
    /// From 1.
    pub attempt: u32,
    /// Given when the step answered `pending`: ask again with it.
    pub token: Option<String>,
    pub cancel: CancellationToken,
}

/// What came of a call.
#[derive(Clone, PartialEq, Debug)]
pub enum StepProgress {
    Ended(StepOutcome),
    /// Call again after so many milliseconds.
    Pending {
        token: String,
        after_ms: u64,
        message: String,
    },
}

/// Keeps events durably, in order.
pub trait Journal: Send + Sync + 'static {
    /// Appends events and the state writes they imply in one transaction; returns once they are durable.
    ///
    /// Called from a thread of its own and may block.
    fn append(&self, events: &[Arc<EventRecord>]) -> Result<(), JournalError>;
}

/// Keeps count of what the runs in one store share.
///
/// Both calls are made from a blocking thread, one at a time.
pub trait Sharing: Send + Sync + 'static {
    /// Whether another run has asked this one to share.
    fn is_asked(&self) -> Result<bool, JournalError>;

    /// Tells the store, and returns its answers in the order of the questions.
    fn exchange(&self, exchange: &Exchange) -> Result<Vec<Answer>, JournalError>;
}

/// The journal can't be written: the run stops.
#[derive(Debug, thiserror::Error)]
#[error("can't write the journal")]
pub struct JournalError(#[source] pub Box<dyn Error + Send + Sync>);
