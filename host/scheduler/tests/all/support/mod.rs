//! Plans from a few words, and a world in virtual time that runs them.

pub(crate) mod plans;
pub(crate) mod world;
