//! How targets are reached: connections, commands, files.

mod cleanup;
mod effects;
mod escalation;
mod exec;
mod failure;
mod fill;
mod inspect;
mod local;
mod marker;
mod pool;
mod put;
mod run;
mod scan;
mod shell;
mod ssh;
mod transport;
mod wrapper;

pub(crate) use failure::{FailureExt, failure};
pub(crate) use fill::Filler;
pub(crate) use ssh::expand;
pub(crate) use transport::Transport;

pub use marker::{FoundMarker, Marked, Marker, Marking};
pub use pool::{Targets, TargetsOptions};
