//! The plugin against a HAProxy that runs.
//!
//! Where none is installed the tests say so and are skipped; with `LAUNCHWAY_REQUIRE_HOSTS` set they fail instead.

mod programs;
mod proxy;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;

use launchway_plugin_haproxy::PLUGIN;
use launchway_sdk::{Failure, Outcome, Report, ResourceStatus};
use launchway_sdk_testing::act;
use serde_json::{Value, json};

use proxy::Proxy;

/// Runs an action on it, through its socket for administrators unless another one is named.
fn run(proxy: &Proxy, kind: &str, mut with: Value) -> Result<Outcome, Failure> {
    let name = with["socket"].as_str().unwrap_or("admin.sock").to_owned();
    with["socket"] = json!(proxy.path(&name));
    act(&PLUGIN, kind, &with)
}

fn set(proxy: &Proxy, server: &str, state: &str, more: Value) -> Result<Outcome, Failure> {
    let mut with = json!({ "backend": "api", "server": server, "state": state });
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    run(proxy, "server", with)
}

#[track_caller]
fn changed(outcome: Result<Outcome, Failure>) -> Report {
    match outcome {
        Ok(Outcome::Changed(report)) => report,
        other => panic!("nothing was changed: {other:?}"),
    }
}

#[track_caller]
fn unchanged(outcome: Result<Outcome, Failure>) -> Report {
    match outcome {
        Ok(Outcome::Unchanged(report)) => report,
        other => panic!("it is not as it was: {other:?}"),
    }
}

#[track_caller]
fn failed(outcome: Result<Outcome, Failure>) -> String {
    let failure = outcome.expect_err("it did not fail");
    format!("{}: {}", failure.fault, failure.message)
}

#[test]
fn a_server_is_drained_when_its_last_session_ends() {
    let Some(proxy) = Proxy::start() else { return };
    let session = proxy.session();
    std::thread::scope(|scope| {
        let drain = scope.spawn(|| set(&proxy, "app1", "drain", json!({})));
        proxy.wait_until("app1 is drained", |statuses| statuses.contains("app1:DRAIN\n"));
        drop(session);
        let report = changed(drain.join().unwrap());
        assert_eq!(report.summary, "api/app1 is drained, with no sessions");
        assert_eq!(report.resources[0].message.as_deref(), Some("DRAIN, no sessions"));
    });
    unchanged(set(&proxy, "app1", "drain", json!({})));
    assert_eq!(changed(set(&proxy, "app1", "ready", json!({}))).summary, "api/app1 is UP");
    unchanged(set(&proxy, "app1", "ready", json!({})));
}

#[test]
fn a_session_that_does_not_end_is_left_or_a_failure() {
    let Some(proxy) = Proxy::start() else { return };
    let _session = proxy.session();
    let report = changed(set(&proxy, "app1", "drain", json!({ "deadline": "100ms" })));
    assert_eq!(report.summary, "api/app1 is drained, with 1 session after 100ms");
    let fail = json!({ "deadline": "100ms", "on_deadline": "fail" });
    assert_eq!(
        failed(set(&proxy, "app1", "maint", fail)),
        "target: api/app1 is in maintenance, with 1 session after 100ms"
    );
    unchanged(set(&proxy, "app1", "maint", json!({ "wait": false })));
}

#[test]
fn a_server_in_rotation_is_up_or_a_failure() {
    let Some(proxy) = Proxy::start() else { return };
    let more = json!({ "deadline": "300ms" });
    let message = failed(set(&proxy, "app2", "ready", more.clone()));
    assert!(message.starts_with("target: api/app2 is DOWN ("), "{message}");
    // From maintenance it is `UP 1/3` until its checks have succeeded.
    changed(set(&proxy, "app1", "maint", json!({})));
    assert_eq!(changed(set(&proxy, "app1", "ready", json!({}))).summary, "api/app1 is UP");
    changed(set(&proxy, "app2", "maint", json!({})));
    failed(set(&proxy, "app2", "ready", more.clone()));
    let proceed = json!({ "deadline": "300ms", "on_deadline": "proceed" });
    unchanged(set(&proxy, "app2", "ready", proceed));
    assert_eq!(changed(set(&proxy, "app3", "ready", more)).summary, "api/app3 is up without checks");
}

#[test]
fn enough_servers_are_up_or_not() {
    let Some(proxy) = Proxy::start() else { return };
    let check = |up: Value| run(&proxy, "backend", json!({ "backend": "api", "up": up, "retries": 0 }));
    let report = unchanged(check(json!("50%")));
    assert_eq!(report.summary, "1 of 2 servers is up, 1 in maintenance");
    let resources: Vec<_> = report.resources.iter().map(|server| (server.name.as_str(), server.status)).collect();
    let expected = [ResourceStatus::Unchanged, ResourceStatus::Failed, ResourceStatus::Skipped];
    assert_eq!(resources, ["api/app1", "api/app2", "api/app3"].into_iter().zip(expected).collect::<Vec<_>>());
    let message = failed(check(json!(2)));
    assert_eq!(message, "target: 1 of 2 servers is up, 1 in maintenance, and it takes 2");
    let message = failed(run(&proxy, "backend", json!({ "backend": "empty", "retries": 0 })));
    assert_eq!(message, "target: 0 of 0 servers are up, and it takes 1");
}

#[test]
fn each_obstacle_is_told() {
    let Some(proxy) = Proxy::start() else { return };
    let with = |backend: &str, server: &str, socket: &str| {
        let with = json!({ "backend": backend, "server": server, "state": "maint", "socket": socket });
        failed(run(&proxy, "server", with))
    };
    assert_eq!(with("nope", "app1", "admin.sock"), "configuration: HAProxy has no backend `nope`");
    assert_eq!(with("api", "nope", "admin.sock"), "configuration: the backend `api` has no server `nope`");
    let path = |name: &str| proxy.path(name).display().to_string();
    assert_eq!(
        with("api", "app1", "user.sock"),
        format!("target: HAProxy lets nobody change servers through {}", path("user.sock"))
    );
    assert_eq!(
        with("api", "app1", "none.sock"),
        format!("target: there is no socket {}, or it is in a closed folder", path("none.sock"))
    );
    assert_eq!(with("api", "app1", "log"), format!("target: {} is no socket", path("log")));
    drop(UnixListener::bind(proxy.path("dead.sock")).unwrap());
    assert_eq!(
        with("api", "app1", "dead.sock"),
        format!("target: nobody answers at {}; is HAProxy running?", path("dead.sock"))
    );
    let other = UnixListener::bind(proxy.path("other.sock")).unwrap();
    std::thread::spawn(move || {
        let (mut connection, _) = other.accept().unwrap();
        BufReader::new(&connection).read_line(&mut String::new()).unwrap();
        connection.write_all(b"220 hello\n").unwrap();
    });
    assert_eq!(
        with("api", "app1", "other.sock"),
        format!("target: what answers at {} does not answer like HAProxy", path("other.sock"))
    );
}
