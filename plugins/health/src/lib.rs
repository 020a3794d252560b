//! The plugin `health`: checks that something answers as it should, again and again until it does.
//!
//! Owns no state: between two tries the host waits, with a token that says how far the check is. It is not for
//! monitoring: a check ends with its verdict.

mod answer;
mod command;
mod http;
mod tcp;

launchway_sdk::plugin! {
    name: "health",
    summary: "Health checks over HTTP, TCP and commands.",
    capabilities: [
        ("http", "asks what `health/http` checks"),
        ("net", "opens the connections of `health/tcp`"),
        ("target", "runs the commands of `health/command`"),
        ("secrets", "fills secrets into request headers and environment variables"),
    ],
    kinds: {
        "command" => command::CommandCheck,
        "http" => http::HttpCheck,
        "tcp" => tcp::TcpCheck,
    },
}
