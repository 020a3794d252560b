//! The commands, a file each.

mod adopt;
mod completions;
mod deploy;
mod dispatch;
mod forget;
mod graph;
mod init;
mod plan;
mod plugin;
mod restart;
mod rollback;
mod runs;
mod schema;
mod show;
mod status;
mod targets;
mod task;
mod undeploy;
mod validate;

pub(crate) use dispatch::run;
