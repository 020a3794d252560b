//! What the tests with hostile guests share: the guest with its marks, a world that only takes notes, and calls.
//!
//! Owns nothing but temporary files. Not for: plugins that behave, which have their own case directories.

mod guest;
mod subject;
mod world;

pub use guest::{Guest, component_of};
pub use subject::{Subject, compiler, first_party, instance, proposal, shared_cache, step};
pub use world::World;
