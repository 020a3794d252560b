//! Batches, gates, one of several, and releases side by side.

use std::process::Command;

use launchway_harness::{Running, python, requires};
use serde_json::json;

use crate::site::Site;
use crate::traffic::{Load, free};

fn once(version: &str) -> String {
    format!(
        r#"
application: shop
version: "{version}"
components:
  schema: {{ type: ssh/command, once: true, with: {{ run: "echo {version} >>'${{folder}}/migrations'" }} }}
  api:
    type: ssh/file
    needs: [schema]
    rollout: [{{ rolling: 1 }}]
    with: {{ path: "${{folder}}/${{target.name}}", content: "{version}" }}
"#
    )
}

#[test]
fn a_migration_runs_once_for_all_instances() {
    let Some(site) = Site::new(3) else { return };
    for version in ["1", "2"] {
        site.application(&once(version));
        let journal = site.deploy(0);
        assert_eq!((journal.places("step-started", "schema").len(), journal.count("instance-committed")), (1, 4));
        journal.assert_before("schema", "api");
    }
    let migrations = || site.deployed("migrations").expect("one ran");
    assert_eq!(migrations(), "1\n2\n");
    assert_eq!(site.deploy(0).count("step-started"), 0);
    site.run(&["rollback", "--yes"]).exits(0);
    assert_eq!(site.deployed("host3").as_deref(), Some("1"));
    assert_eq!(migrations(), "1\n2\n", "what was migrated stays migrated");
    // The instance that had it goes; another one has it then, and nothing runs again.
    site.application(&once("2"));
    site.environment(|environment| {
        environment["targets"].as_object_mut().expect("it is an object").remove("host1");
    });
    let journal = site.deploy(0);
    assert!(journal.places("step-started", "schema").is_empty());
    assert_eq!(migrations(), "1\n2\n");
    assert!(site.recorded().contains(&("schema@host2".to_owned(), "confirmed".to_owned())), "{:?}", site.recorded());
    site.application(&once("3"));
    site.deploy(0);
    assert_eq!(migrations(), "1\n2\n3\n");
}

fn stack(version: &str, check: &str) -> String {
    let component = |name: &str, role: &str, more: &str| {
        format!(
            "  {name}: {{ type: ssh/command, on: role={role}, {more}, with: {{ run: \"echo {name} \
             ${{target.labels.dc}} {version} >>'${{folder}}/log'\" }} }}\n"
        )
    };
    format!(
        "application: shop\nversion: \"{version}\"\nrollout: [{{ by: dc, order: [us] }}]\ncomponents:\n{}{}{}",
        component("db", "db", "needs: []"),
        component("api", "app", "needs: [db]"),
        component("web", "app", &format!("needs: [api], verify: [{{ type: health/command, with: {check} }}]")),
    )
}

#[test]
fn one_data_centre_after_the_other_gets_the_whole_stack() {
    let Some(site) = Site::new(4) else { return };
    site.environment(|environment| {
        for (host, role, dc) in
            [("host1", "db", "eu"), ("host2", "db", "us"), ("host3", "app", "eu"), ("host4", "app", "us")]
        {
            environment["targets"][host]["labels"] = json!({ "role": role, "dc": dc });
        }
    });
    let log = |version: &str| -> Vec<String> {
        let log = site.deployed("log").expect("something ran");
        log.lines().filter_map(|line| Some(line.strip_suffix(version)?.trim_end().to_owned())).collect()
    };
    for version in ["1", "2"] {
        site.application(&stack(version, "{ run: \"true\" }"));
        site.deploy(0);
        assert_eq!(log(version), ["db us", "api us", "web us", "db eu", "api eu", "web eu"]);
    }
    // What fails in the first one never comes to the second.
    site.application(&stack("3", "{ run: \"false\", retries: 0 }"));
    site.deploy(3);
    assert_eq!(log("3"), ["db us", "api us", "web us"]);
}

const GATED: &str = r#"
application: shop
version: "1"
components:
  page:
    type: ssh/file
    rollout: [{ ramp: [1, 100%], gate: { approve: "Is host1 well?" } }]
    with: { path: "${folder}/${target.name}", content: text }
  other:
    type: ssh/file
    rollout: [{ rolling: 1, gate: { bake: 1s } }]
    with: { path: "${folder}/${target.name}-other", content: text }
"#;

#[test]
fn a_gate_waits_for_somebody_or_for_time() {
    let Some(site) = Site::new(2) else { return };
    site.application(GATED);
    site.run(&["deploy", "--yes"]).exits(2).says("--approve");
    assert_eq!(site.deployed("host1"), None, "nothing was begun");
    let output = site.run(&["deploy", "--yes", "--approve", "--json"]).exits(0);
    let opened = output.events("gate-opened").expect("every line is JSON");
    assert_eq!(opened.len(), 2, "{opened:?}");
    assert_eq!(opened.iter().filter(|event| event["by"].is_null()).count(), 1, "nobody opened the one that bakes");
    let finished = |step: &str| {
        let events = output.events("step-finished").expect("every line is JSON");
        let event = events.iter().find(|event| event["step"] == step).expect("it ran");
        event["at"].as_u64().expect("it has a time")
    };
    let apart = finished("other@host2/install/put") - finished("other@host1/install/put");
    assert!(apart >= 1000, "{apart} ms");
    site.run(&["deploy"]).exits(0);
}

/// Releases lie side by side, and one link says which of them is used.
#[test]
fn switching_a_link_between_releases_loses_no_request() {
    const TAR: &str = "/usr/bin/tar";
    if requires(&[TAR, python()]).is_some() {
        return;
    }
    let Some(site) = Site::new(1) else { return };
    let application = |version: &str| {
        site.project
            .write("site/index.html", json!({ "version": version, "instance": "web" }).to_string())
            .expect("it can be written");
        let mut tar = Command::new(TAR);
        tar.arg("-cf").arg(site.project.path("site.tar")).arg("-C").arg(site.project.path("site")).arg("index.html");
        assert!(tar.status().expect("tar runs").success());
        site.application(&format!(
            "application: pages\nversion: \"{version}\"\nartifacts: {{ site: site.tar }}\ncomponents:\n  \
             site: {{ type: ssh/archive, with: {{ artifact: site, path: \"${{folder}}/site\" }} }}\n"
        ));
    };
    application("1");
    site.deploy(0);
    let address = free(site.hosts.address(0));
    let mut server = Command::new(python());
    server.args(["-m", "http.server", "--bind", &address.ip().to_string(), "--directory"]);
    server.arg(site.folder().join("site/current")).arg(address.port().to_string());
    let _server = Running::start(server).expect("it starts");
    for _ in 0..1000 {
        if std::net::TcpStream::connect(address).is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let load = Load::start(address);
    for version in ["2", "3", "4"] {
        application(version);
        site.deploy(0);
    }
    let back = site.run(&["rollback", "--yes", "--json"]).exits(0).events("step-finished").expect("every line is JSON");
    let changed: Vec<&str> = back
        .iter()
        .filter(|event| event["outcome"]["changed"].is_object())
        .filter_map(|event| event["step"].as_str())
        .collect();
    assert_eq!(changed, ["site@host1/start/switch"], "what is still there is only switched to");
    let answers = load.finish();
    eprintln!("{} requests: {:?}", answers.total(), answers.versions);
    assert!(answers.failures.is_empty(), "{answers:?}");
    assert_eq!(answers.versions.keys().collect::<Vec<_>>(), ["1", "2", "3", "4"]);
}
