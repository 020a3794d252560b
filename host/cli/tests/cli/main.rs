//! The binary from outside: arguments, files, exit codes, streams; and real deployments to folders of this machine.

mod deployments;
mod drift;
mod files;
mod interruption;
mod inventory;
mod markers;
mod place;
mod records;
mod requirements;
mod saved_plans;
mod stores;
mod streams;
mod usage;
