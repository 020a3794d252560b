//! The crates' seams, filled in with one another.

mod blobs;
mod files;
mod gate;
mod journal;
mod pack;
mod plugins;
mod runner;
mod runtime;
mod secrets;
mod sharing;
mod sink;

pub(crate) use blobs::StoreBlobs;
pub(crate) use files::{Origin, ReleaseFiles};
pub(crate) use journal::RunJournalAdapter;
pub(crate) use plugins::PlanningPlugins;
pub(crate) use runner::Runner;
pub(crate) use runtime::LazyRuntime;
pub(crate) use secrets::PlanningSecrets;
pub(crate) use sharing::SharingAdapter;
pub(crate) use sink::OutputBudget;
