//! The driver: one task that feeds the core, runs steps, keeps time and writes ahead.
//!
//! A step is called only when the journal is durable up to everything recorded before the call, its own
//! `StepStarted` included. One batch commits on the journal's thread while the next one gathers here.

mod driver;
mod error;
mod journal;
mod sharing;
mod timers;

pub use self::driver::{Control, Seams, drive};
pub use self::error::DriveError;
