//! Which step comes before which: each instance's phases, the edges between components, what rolls in batches, and
//! what goes in reverse.

mod batches;
mod chain;
mod components;
mod draft;
mod leaving;
mod pass;
mod recorded;
mod reduce;
mod relations;
mod rolls;
mod steps;

pub(crate) use leaving::Handover;
pub(crate) use pass::{OrderInput, Ordered, order};
