//! Which step comes before which: each instance's phases, the edges between components, what rolls in batches, and
//! what goes in reverse.

mod batches;
mod chain;
mod components;
mod draft;
mod leaving;
mod links;
mod parting;
mod pass;
mod recorded;
mod reduce;
mod relations;
mod retreat;
mod rolls;
mod steps;
mod succession;

pub(crate) use leaving::{Handover, recorded};
pub(crate) use pass::{OrderInput, Ordered, order};
pub(crate) use succession::{replace_by, replace_of};
