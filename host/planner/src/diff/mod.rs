//! What changes: the wanted instances held against the recorded ones.

mod compare;
mod instance;
mod run;
mod subscribe;
mod value;

pub(crate) use instance::{Delta, DiffInput, diff};
