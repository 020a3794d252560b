//! Plugins in their sandbox: loading, limits, the imports, and the calls.

mod admission;
mod answer;
mod bindings;
mod cache;
mod call;
mod calls;
mod code;
mod compile;
mod convert;
mod engine;
mod fault;
mod guest;
mod imports;
mod limits;
mod linkers;
mod load;
mod precompile;
mod set;
mod state;
mod text;
mod ticker;

pub use cache::CachePlace;
pub use call::{CallError, CallInstance, InspectCall, Outcome, StepCall, Verdict};
pub use compile::compile_child_main;
pub use fault::{Activity, CannotAct, EngineError, LoadError, PluginFault, Where};
pub use limits::Limits;
pub use precompile::{Precompiled, precompile};
pub use set::{EmbeddedPlugin, PluginFile, PluginOptions, PluginSet};
