//! Targets reached by the SSH client that is installed where Launchway runs.

mod connection;
mod diagnosis;
mod forward;
mod guard;
mod master;
mod settings;

pub(super) use connection::{Shared, Ssh};
pub(super) use settings::Settings;
pub(crate) use settings::expand;
