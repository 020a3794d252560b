//! The plugin `ssh`: commands, files, folders, releases and services on a target, over the host's transports.
//!
//! Owns no state: what a step has to know is in its payload, and what is there is asked of the target. It is not for
//! connections; those are the host's, and `local` targets work alike.

mod archive;
mod archive_format;
mod command;
mod directory;
mod file;
mod service;
mod service_command;
mod service_systemd;
mod shared;
mod waiting;

launchway_sdk::plugin! {
    name: "ssh",
    summary: "Commands, files, folders, releases and services on a target.",
    capabilities: [
        ("target", "runs commands and puts files in place"),
        ("secrets", "fills secrets into environment variables, standard input and files"),
    ],
    kinds: {
        "archive" => archive::Archive,
        "command" => command::RunCommand,
        "directory" => directory::Mirror,
        "file" => file::PutFile,
        "service" => service::Service,
    },
}
