//! Where runs leave their traces: state, journal, lease, content-addressed bytes and step logs, all in one folder.
//!
//! Owns a SQLite database (`launchway.db`), `blobs/`, `runs/ID/logs/` and `keys/`. An append to the journal and the
//! state writes it implies are one durable transaction; only the holder of the lease can make one.
//! Not for: deciding what an event means for a run (`launchway-model`), or which event comes next
//! (`launchway-scheduler`).

mod begin;
mod blobs;
mod db;
mod error;
mod intern;
mod journal;
mod keys;
mod lease;
mod ledger;
mod logs;
mod markers;
mod plugins;
mod releases;
mod requirements;
mod runs;
mod sharing;
mod state;
mod store;

pub use begin::{BeginError, NewRun};
pub use error::StoreError;
pub use journal::RunJournal;
pub use lease::{LEASE_MS, LeaseInfo};
pub use ledger::{Ledger, StateWrite};
pub use logs::LogWriter;
pub use plugins::KeptPlugin;
pub use runs::{RunDetail, RunFilter, RunStanding, RunSummary, StepCounts, StoredEvent};
pub use state::NEW_LINEAGE;
pub use store::Store;
