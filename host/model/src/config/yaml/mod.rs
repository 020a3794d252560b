//! YAML text to values that know their places.

mod fault;
mod node;
mod read;
mod scalar;

pub(super) use fault::Fault;
pub(super) use node::{Content, Entry, Node};
pub(super) use read::read;
pub(super) use scalar::plain;
