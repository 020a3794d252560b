//! A release that fails, the way back, and the next release.

use serde_json::Value;

use crate::site::Site;

fn release(version: &str, healthy: bool) -> String {
    let check = if healthy { "true" } else { "echo it is ill >&2; exit 7" };
    format!(
        r#"
application: patient
version: "{version}"
components:
  base: {{ type: ssh/file, with: {{ path: "${{folder}}/${{target.name}}-base", content: base }} }}
  schema: {{ type: ssh/command, on: n=1, with: {{ run: "echo {version} >>'${{folder}}/schema'" }} }}
  file:
    type: ssh/file
    needs: [base, schema]
    with: {{ path: "${{folder}}/${{target.name}}", content: "{version}" }}
    verify:
      - type: health/command
        with: {{ run: "{check}", retries: 1, interval: 100ms }}
  follower: {{ type: ssh/command, needs: [file], on: n=2, with: {{ run: "echo {version} >>'${{folder}}/follower'" }} }}
  added: {{ type: ssh/file, needs: [file], with: {{ path: "${{folder}}/${{target.name}}-{version}", content: new }} }}
"#
    )
}

fn without_runs(status: &Value, except: &str) -> Vec<Value> {
    let instances = status["instances"].as_array().expect("it is a list");
    let others = instances.iter().filter(|instance| instance["component"] != except);
    others
        .map(|instance| {
            let mut instance = instance.clone();
            instance.as_object_mut().expect("it is an object").remove("run");
            instance
        })
        .collect()
}

#[test]
fn a_failed_verify_is_rolled_back_and_the_fixed_release_goes_through() {
    let Some(site) = Site::new(2) else { return };
    site.application(&release("1", true));
    site.deploy(0);
    let before = site.status();

    site.application(&release("2", false));
    let failed = site.run(&["deploy", "--yes"]).exits(3).says("it is ill");
    assert!(failed.text().contains("rollback"), "the way back is shown: {}", failed.text());
    assert_eq!(site.deployed("host1").as_deref(), Some("2"), "it was installed before it was checked");
    assert_eq!(site.deployed("follower").as_deref(), Some("1\n"), "what needs it did not start");
    assert!(site.recorded().contains(&("file@host1".to_owned(), "dirty".to_owned())));

    site.run(&["rollback", "--yes"]).exits(0);
    assert_eq!((site.deployed("host1").as_deref(), site.deployed("host2").as_deref()), (Some("1"), Some("1")));
    assert_eq!((site.deployed("host1-1").as_deref(), site.deployed("host1-2")), (Some("new"), None));
    let after = site.status();
    assert_eq!(without_runs(&after, "schema"), without_runs(&before, "schema"));
    assert_eq!((&after["version"], &after["release"]), (&before["version"], &before["release"]));
    assert_eq!(site.deployed("schema").as_deref(), Some("1\n2\n"), "a command is kept");

    site.application(&release("3", true));
    site.deploy(0);
    assert_eq!((site.deployed("host2").as_deref(), site.deployed("host2-3").as_deref()), (Some("3"), Some("new")));
    assert_eq!(site.status()["version"], "3");
    assert_eq!(site.deployed("host2-1"), None, "what only release 1 had is gone");
}

#[test]
fn an_earlier_release_comes_back_without_its_files() {
    let Some(site) = Site::new(1) else { return };
    let release = |version: &str| {
        format!(
            "application: files\nversion: \"{version}\"\ncomponents:\n  file: {{ type: ssh/file, with: {{ \
             path: \"${{folder}}/file\", file: payload }} }}\n"
        )
    };
    for version in ["1", "2"] {
        site.project.write("payload", format!("payload of {version}")).expect("it can be written");
        site.application(&release(version));
        site.deploy(0);
    }
    assert_eq!(site.deployed("file").as_deref(), Some("payload of 2"));
    site.run(&["rollback", "--to", "1", "--yes"]).exits(0);
    assert_eq!(site.deployed("file").as_deref(), Some("payload of 1"));
    assert_eq!(site.status()["version"], "1");
    site.run(&["rollback", "--to", "7", "--yes"]).exits(2).says("7");
}

#[test]
fn a_rolled_back_creation_is_removed() {
    let Some(site) = Site::new(2) else { return };
    site.application(&release("1", false));
    site.run(&["deploy", "--yes"]).exits(3);
    assert_eq!(site.deployed("host1").as_deref(), Some("1"));
    site.run(&["rollback", "--yes"]).exits(0);
    assert_eq!((site.deployed("host1"), site.deployed("host1-base")), (None, None));
}
