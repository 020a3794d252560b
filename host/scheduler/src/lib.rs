//! The sans-I/O core that runs a plan, and its thin tokio driver.
//!
//! The core owns the run's state: which nodes are ready, which permits are taken, what comes next.
//! Not for: knowing what a step is, how state is stored, or what a rollout is.

mod seams;

pub use seams::{Journal, JournalError, StepProgress, StepRunner, StepTask};
