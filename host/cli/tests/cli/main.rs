//! The binary from outside: arguments, files, exit codes, streams; and real deployments to folders of this machine.

mod deployments;
mod files;
mod interruption;
mod place;
mod requirements;
mod saved_plans;
mod stores;
mod streams;
mod usage;
