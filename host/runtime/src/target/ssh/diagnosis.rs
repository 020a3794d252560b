//! Reads from the SSH client's words why there is no connection.

use launchway_model::{Failure, Fault};

use super::settings::Settings;
use crate::net::place;
use crate::target::failure::{FailureExt as _, failure};

/// What the client's words mean for going on.
pub(super) enum Diagnosis {
    /// The server has too many logins under way, or looks as if: trying again a little later helps.
    Crowded(Failure),
    Final(Failure),
}

/// Reads the words of a client that could not connect.
pub(super) fn connecting(settings: &Settings, said: &str) -> Diagnosis {
    let at = place(&settings.address, settings.port.unwrap_or(22));
    let has = |words: &str| said.contains(words);
    if let Some(failure) = jump_host(settings, said) {
        return failure;
    }
    let refusal = if has("REMOTE HOST IDENTIFICATION HAS CHANGED") || has("host key has changed") {
        failure(Fault::Configuration, format!("the host key of {at} has changed")).hint(format!(
            "if the host was set up anew, remove the old key with `{}`, then run `{}`; if not, somebody may be in \
                 between",
            settings.forget_key(),
            settings.keyscan()
        ))
    } else if has("Host key verification failed") {
        failure(Fault::Configuration, format!("the host key of {at} is not known")).hint(format!(
            "compare the key with the host's own, then run `{}`; or set `host_key_checking: accept-new`",
            settings.keyscan()
        ))
    } else if has("Permission denied")
        || has("Too many authentication failures")
        || has("No supported authentication methods")
    {
        login_refused(settings, said)
    } else if has("Could not resolve hostname") {
        failure(Fault::Configuration, format!("there is no host named `{}`", settings.address))
            .hint("check the target's `address:`, and that the name resolves where launchway runs")
            .retryable()
    } else if has("Connection refused") {
        failure(Fault::Network, format!("{at} refuses connections"))
            .hint("check that the SSH server runs there and listens on that port")
            .retryable()
    } else if has("No route to host") || has("Network is unreachable") {
        failure(Fault::Network, format!("there is no route to {at}"))
            .hint("check the address and the network")
            .retryable()
    } else if has("Connection timed out")
        || has("Operation timed out")
        || has("timed out during banner exchange")
        || has("not responding")
    {
        no_answer(settings)
    } else if has("no matching") && has("found") || has("Unable to negotiate") {
        failure(Fault::Configuration, format!("the SSH client and {at} have no common cryptography"))
            .hint("the server's offer is in the detail; old servers need settings in an SSH configuration file")
    } else if has("Bad configuration option")
        || has("bad configuration options")
        || has("keyword") && has("extra arguments")
    {
        failure(Fault::Configuration, "the SSH client does not accept its configuration")
            .hint("see the detail for file and line")
    } else if has("Bad owner or permissions") {
        failure(Fault::Configuration, "the SSH client refuses its configuration file because of its permissions")
            .hint("only its owner may write to it")
    } else if has("Exceeded MaxStartups")
        || has("Connection reset")
        || has("Connection closed by")
        || has("kex_exchange_identification")
        || has("Broken pipe")
    {
        return Diagnosis::Crowded(
            failure(Fault::Network, format!("{at} closes connections before the login"))
                .detail(said.as_bytes())
                .hint("it may have too many logins under way (MaxStartups), or a rule against this address")
                .retryable(),
        );
    } else {
        failure(Fault::Network, format!("can't connect to {at} by SSH")).retryable()
    };
    Diagnosis::Final(refusal.detail(said.as_bytes()))
}

/// The failure of an attempt that never came to an end.
pub(super) fn no_answer(settings: &Settings) -> Failure {
    let at = place(&settings.address, settings.port.unwrap_or(22));
    failure(Fault::Network, format!("no answer from {at} within {} s", settings.connect_timeout))
        .hint("check the address, firewalls, and that the host is up")
        .retryable()
}

/// The failure of a connection that was there and is gone.
pub(super) fn lost(settings: &Settings, said: &str) -> Failure {
    let message = format!("the connection to {} was lost in the middle", settings.login());
    failure(Fault::Network, message).detail(said.as_bytes()).hint("what ran there may still be running").retryable()
}

/// Reads why a jump host, or the way on from it, failed.
fn jump_host(settings: &Settings, said: &str) -> Option<Diagnosis> {
    if settings.jump.is_empty() || !said.contains("UNKNOWN port 65535") && !said.contains("stdio forwarding failed") {
        return None;
    }
    let at = place(&settings.address, settings.port.unwrap_or(22));
    let hosts = settings.jump.join(", ");
    if said.contains("open failed") || said.contains("stdio forwarding failed") {
        let why = said.lines().find_map(|line| line.split_once("open failed: ")).map_or("", |(_, why)| why.trim());
        return Some(Diagnosis::Final(
            failure(Fault::Network, format!("jump host {hosts} can't reach {at}: {why}").trim_end_matches([':', ' ']))
                .detail(said.as_bytes())
                .hint("check the address as seen from the jump host, and that it allows forwarding")
                .retryable(),
        ));
    }
    let (why, retryable) = if said.contains("Host key verification failed") {
        ("its host key is not known", false)
    } else if said.contains("Permission denied") {
        ("it refuses the login", false)
    } else if said.contains("Could not resolve hostname") {
        ("there is no host of that name", true)
    } else if said.contains("Connection refused") {
        ("it refuses connections", true)
    } else if said.contains("timed out") {
        ("it gives no answer", true)
    } else {
        ("it closes the connection", true)
    };
    let refusal = failure(Fault::Network, format!("can't pass through jump host {hosts} to {at}: {why}"))
        .detail(said.as_bytes())
        .hint("try `ssh` to the jump host by hand; it needs a known host key and a key that it accepts");
    let refusal = if retryable { refusal.retryable() } else { refusal };
    Some(match why {
        "it closes the connection" => Diagnosis::Crowded(refusal),
        _ => Diagnosis::Final(refusal),
    })
}

fn login_refused(settings: &Settings, said: &str) -> Failure {
    let key = settings.identity_file.as_ref().map_or_else(
        || "the keys of the SSH agent and the SSH configuration".to_owned(),
        |file| format!("identity file {}", file.display()),
    );
    let who = match &settings.user {
        Some(user) => format!("user `{user}`"),
        None => "the user of the SSH configuration".to_owned(),
    };
    let message = format!("{} refuses the login of {who}", place(&settings.address, settings.port.unwrap_or(22)));
    let hint = if said.contains("error in libcrypto") || said.contains("invalid format") {
        format!("{key} is no usable private key")
    } else {
        format!(
            "{key} must be among the user's authorized keys there; a key with a passphrase must be loaded into the SSH agent"
        )
    };
    failure(Fault::Configuration, message).hint(hint)
}
