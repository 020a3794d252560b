//! Targets that others know of: asks the environment's inventories, and adds what they answer to its targets.
//!
//! Every answer becomes JSON text of one form, which the configuration's own reader checks: what is wrong in it is
//! shown at its place.

mod ansible;
mod resolve;
mod script;
mod ssh_config;
mod terraform;

pub(crate) use resolve::{Asking, Found, check, resolve};
