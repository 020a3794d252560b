//! Which step comes before which: each instance's phases, the edges between components, and what goes in reverse.
//!
//! Rollouts, groups and `around` will be passes of their own between [`relations`] and the drawing of edges: they
//! add junctions and gates to the same draft.

mod chain;
mod components;
mod draft;
mod leaving;
mod pass;
mod reduce;
mod relations;
mod steps;

pub(crate) use leaving::Handover;
pub(crate) use pass::{OrderInput, order};
