//! How targets are reached: connections, commands, files.

mod pool;

pub use pool::{Targets, TargetsOptions};
