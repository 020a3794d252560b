//! The plugin `haproxy`: takes servers of a HAProxy out of rotation and in again, and looks how many are up.
//!
//! Owns no state: HAProxy is asked through its runtime socket, by a program on its host. It is not for HAProxy's
//! configuration, which is a file like others.

mod backend;
mod needed;
mod server;
mod socket;
mod status;
mod table;

launchway_sdk::plugin! {
    name: "haproxy",
    summary: "Takes servers of a HAProxy out of rotation and in again.",
    capabilities: [("target", "asks HAProxy's runtime socket")],
    kinds: {
        "backend" => backend::BackendCheck,
        "server" => server::SetServer,
    },
}
