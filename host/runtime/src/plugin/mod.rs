//! Plugins in their sandbox: loading, limits, the imports, and the calls.

mod cache;
mod call;
mod compile;
mod fault;
mod limits;
mod set;

pub use cache::CachePlace;
pub use call::{CallError, CallInstance, InspectCall, Outcome, StepCall, Verdict};
pub use compile::compile_child_main;
pub use fault::{Activity, CannotAct, EngineError, LoadError, PluginFault, Where};
pub use limits::Limits;
pub use set::{EmbeddedPlugin, PluginFile, PluginOptions, PluginSet};
