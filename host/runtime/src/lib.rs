//! Sandboxed plugins, what they may do, and how targets are reached.
//!
//! Owns the WebAssembly engine, the compiled plugins, the connections to targets and the values of secrets.
//! Not for: deciding which step runs when (`launchway-scheduler`), or what the steps are (`launchway-planner`).

mod effects;
mod forms;
mod http;
mod net;
mod plugin;
mod redact;
mod sealed;
mod secrets;
mod target;

pub use effects::{
    BODY_LIMIT, Blobs, Command, CommandOutput, EffectFuture, Effects, Exit, FileOptions, FileStatus, FileType,
    HttpRequest, HttpResponse, OUTPUT_TAIL, Part, SecretValues, Source, StepSink, Vantage, Written,
};
pub use plugin::{
    Activity, CachePlace, CallError, CallInstance, CannotAct, EmbeddedPlugin, EngineError, InspectCall, Limits,
    LoadError, Outcome, PluginFault, PluginFile, PluginOptions, PluginSet, Precompiled, StepCall, Verdict, Where,
    compile_child_main, precompile,
};
pub use redact::{Redactor, StreamRedactor};
pub use sealed::{Sealed, SealedError};
pub use secrets::SecretStore;
pub use target::{FoundMarker, Marked, Marker, Marking, Targets, TargetsOptions};
