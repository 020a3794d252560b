//! What a Launchway plugin is written with.
//!
//! A plugin is a list of kinds: types that implement [`Kind`], named in [`plugin!`]. Planning is pure; steps act
//! through a [`Context`], which is the host in a component and a script or a shell in a test. Owns no state. It is not
//! for the host's side: that has its own types.

#[cfg(target_family = "wasm")]
mod allocator;
#[doc(hidden)]
pub mod bindings;
mod change;
mod context;
mod effect;
mod failure;
#[cfg(target_family = "wasm")]
mod guest;
mod json;
mod kind;
mod pairs;
mod path;
mod patience;
mod plugin;
mod property;
#[cfg(not(target_family = "wasm"))]
pub mod reference;
#[cfg(not(target_family = "wasm"))]
pub mod schema;
mod span;
mod text;
mod user;
#[doc(hidden)]
pub mod wire;

pub use change::{Change, Instance, Proposal, Step};
pub use context::{Context, Host, HostRef};
pub use effect::{Command, Exit, FileOptions, FileStatus, FileType, Output, Request, Response, Source, Tls, Written};
pub use failure::tail;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub use guest::{ComponentHost, report_panics};
pub use json::{JsonError, from_json};
pub use kind::Kind;
pub use pairs::Pairs;
pub use path::{file_name, is_protected, parent, path_problems};
pub use patience::{Patience, Try};
pub use plugin::{Capability, KindEntry, Plugin};
pub use property::{ArtifactName, Directory, FileMode, OwnedPath, ProjectFile, Run, Setting, Template};
pub use span::Span;
pub use text::{Part, Text};
pub use user::user_problems;
pub use wire::{
    Artifact, Cause, Failure, Fault, Level, Outcome, Phase, Problem, Report, ResourceResult, ResourceStatus,
    RollbackRule, RunRule, Subscription, Usage, Vantage, Verdict, Wait,
};
