//! The pure function from a desired release and a recorded state to a plan.
//!
//! Ordered passes, a file each: expand, diff, ask the plugins, order, reduce, lint. Owns no state and does no I/O;
//! plugins, files and secrets are behind the traits of [`inputs`].
//! Not for: reading projects, or running plans.

pub mod inputs;
