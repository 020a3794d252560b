//! From what people wrote to what is wanted: every component on every target of its selector, fully resolved.

mod assemble;
mod descend;
mod edges;
mod files;
mod findings;
mod pass;
mod properties;
mod resolve;
mod secrets;
mod shape;
mod template;
mod world;

pub(crate) use findings::{Findings, Origin};
pub(crate) use pass::is_final;
pub use pass::{ExpandInput, Expanded, expand};
pub(crate) use shape::{Reference, Shape, ShapeError};
pub use world::{DictionaryFiles, LastTargets};
