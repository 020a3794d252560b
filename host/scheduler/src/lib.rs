//! The sans-I/O core that runs a plan, and its thin tokio driver.
//!
//! [`Core`] owns the run's state: which nodes are ready, which permits are taken, what comes next. It does no I/O and
//! reads no clock. [`drive`] owns the one task that feeds it, the journal's thread and the running steps.
//! Not for: knowing what a step is, how state is stored, or what a rollout is.

mod core;
mod drive;
mod graph;
mod options;
mod permits;
mod protocol;
mod seams;

pub use core::Core;
pub use drive::{Control, DriveError, Seams, drive};
pub use graph::InvalidPlan;
pub use options::{Limits, OnFailure, Options, RunIdentity};
pub use protocol::{Command, CoreError, Input};
pub use seams::{Journal, JournalError, Sharing, StepProgress, StepRunner, StepTask};
