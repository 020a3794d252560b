//! What the end-to-end tests, the demo and the benchmarks share: the binary, throw-away projects, hosts to deploy to.
//!
//! - [`Project`] is a folder with an application, and runs the binary in it with a cleared environment.
//! - [`Hosts`] are SSH servers on loopback addresses: cheap, for any user, many at once.
//! - [`Sandbox`] holds hosts with their own network, disk and processes, for root: they can be cut off and crash.
//!
//! Everything is started by this process, stopped by process id when the value is dropped, and lives in one temporary
//! folder. Nothing here knows the product beyond its command line.

mod binary;
mod hosts;
mod keys;
mod machine;
mod output;
mod process;
mod project;
mod sandbox;

pub use binary::{Binary, find_binary};
pub use hosts::{Host, Hosts};
pub use machine::{is_root, python, requires, skip};
pub use output::Output;
pub use process::Running;
pub use project::Project;
pub use sandbox::Sandbox;
