//! Hosts that are away, refuse, die or hang.

use std::fs;
use std::path::Path;
use std::process::Command;

use launchway_harness::{Project, Sandbox, skip};
use serde_json::{Value, json};

use crate::site::{Journal, Site};

const ONE_FILE: &str = r#"
application: files
version: "1"
components:
  file: { type: ssh/file, with: { path: "${folder}/${target.name}", content: text } }
"#;

/// Deploys to two hosts of which the second has something wrong with it, and returns what was said.
fn deploy_with_a_bad_second_host(site: &Site, change: impl FnOnce(&mut Value)) -> String {
    site.application(ONE_FILE);
    site.environment(|environment| {
        environment["failures"] = json!({ "on_failure": "continue" });
        change(&mut environment["targets"]["host2"]);
    });
    let output = site.run(&["deploy", "--yes"]).exits(3);
    assert_eq!((site.deployed("host1").as_deref(), site.deployed("host2")), (Some("text"), None));
    output.says("host2").text()
}

#[test]
fn a_refused_login_is_told_from_other_trouble() {
    let Some(site) = Site::new(2) else { return };
    let key = site.project.outside("stranger");
    let made = Command::new("/usr/bin/ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    assert!(made.expect("ssh-keygen runs").success());
    let text = deploy_with_a_bad_second_host(&site, |target| {
        target["ssh"] = json!({ "identity_file": key, "known_hosts": site.hosts.known_hosts() });
    });
    assert!(text.contains(&format!("{} refuses the login of ", at(&site))), "{text}");
    assert!(text.contains("stranger"), "the key is named: {text}");
}

#[test]
fn an_unknown_host_key_is_refused_with_a_way_out() {
    let Some(site) = Site::new(2) else { return };
    let nobody = site.project.outside("nobody-known");
    fs::write(&nobody, "").expect("it can be written");
    let text = deploy_with_a_bad_second_host(&site, |target| {
        target["ssh"] = json!({ "identity_file": site.hosts.identity(), "known_hosts": nobody });
    });
    assert!(text.contains(&format!("the host key of {} is not known", at(&site))), "{text}");
    let (port, address) = (site.hosts.port(), site.hosts.address(1));
    assert!(text.contains(&format!("ssh-keyscan -p {port} {address} >>")), "{text}");
}

#[test]
fn a_missing_host_and_a_missing_server_are_two_things() {
    let Some(mut site) = Site::new(2) else { return };
    site.hosts.crash(1);
    let text = deploy_with_a_bad_second_host(&site, |_| {});
    assert!(text.contains(&format!("{} refuses connections", at(&site))), "{text}");
    let text = deploy_with_a_bad_second_host(&site, |target| target["address"] = json!("no-such-host.invalid"));
    assert!(text.contains("there is no host named `no-such-host.invalid`"), "{text}");
}

#[test]
fn an_address_never_becomes_an_option() {
    let Some(site) = Site::new(2) else { return };
    let trap = site.project.outside("trap");
    let option = format!("-oProxyCommand=touch {}", trap.display());
    site.application(ONE_FILE);
    for (what, target) in [
        ("an address can't begin with `-`", json!({ "address": option })),
        ("a user's name can't begin with `-`", json!({ "address": site.hosts.address(1), "user": option })),
        ("expected a jump host", json!({ "address": site.hosts.address(1), "ssh": { "jump": [option] } })),
    ] {
        site.environment(|environment| environment["targets"]["host2"] = target);
        let output = site.run(&["deploy", "--yes"]).exits(2);
        output.says(what).says("environments/");
        assert_eq!(site.deployed("host1"), None, "nothing was begun");
    }
    assert!(!trap.exists());
}

/// Returns the second host's address and port, as they are shown.
fn at(site: &Site) -> String {
    format!("{}:{}", site.hosts.address(1), site.hosts.port())
}

const WAITING: &str = r#"
application: waiting
version: "1"
components:
  wait:
    type: ssh/command
    on: n=1
    with:
      run: |
        echo $$ >"${folder}/begun"
        until test -e "${folder}/go"; do sleep 0.05; done
  other: { type: ssh/file, on: n=2, with: { path: "${folder}/other", content: text } }
  later: { type: ssh/file, needs: [{ component: wait }], on: n=1, with: { path: "${folder}/later", content: text } }
"#;

#[test]
fn a_host_that_dies_in_the_middle_fails_its_step_and_leaves_the_instance_uncertain() {
    let Some(mut site) = Site::new(2) else { return };
    site.application(WAITING);
    let mut running = site.project.start(["deploy", "--yes", "--json"]).expect("it starts");
    running
        .wait_for(|line| line.contains("instance-committed") && line.contains("other"))
        .expect("the other host is done");
    site.wait_until_deployed("begun");
    site.hosts.crash(0);
    let output = running.finish().expect("it ends").exits(3);
    assert!(output.text().contains(&format!("{} was lost in the middle", site.hosts.address(0))), "{}", output.text());
    assert_eq!(Journal::of(&output).places("instance-committed", "wait").len(), 0);
    fs::write(site.folder().join("go"), "").expect("it can be written");
    let recorded = site.recorded();
    assert!(recorded.contains(&("wait@host1".to_owned(), "dirty".to_owned())), "{recorded:?}");
    assert!(recorded.contains(&("other@host2".to_owned(), "confirmed".to_owned())), "{recorded:?}");

    site.hosts.boot(0).expect("it boots");
    let journal = site.deploy(0);
    assert!(journal.places("step-started", "other").is_empty());
    assert_eq!(site.deployed("later").as_deref(), Some("text"));
    assert!(site.recorded().iter().all(|(_, state)| state == "confirmed"));
}

#[test]
fn a_step_that_hangs_is_ended_and_killed() {
    let Some(site) = Site::new(1) else { return };
    site.application(
        r#"
application: hang
version: "1"
components:
  hang: { type: ssh/command, with: { run: "echo $$ >'${folder}/pid'; sleep 1000 & wait", timeout: 1s } }
"#,
    );
    site.run(&["deploy", "--yes"]).exits(3).says("hang@host1").says("did not end within 1s");
    let pid = site.deployed("pid").expect("it began");
    let process = Path::new("/proc").join(pid.trim());
    for _ in 0..500 {
        if !process.exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("the command still runs");
}

#[test]
fn a_step_that_takes_longer_than_its_timeout_says_what_gives_it_more_time() {
    let Some(site) = Site::new(1) else { return };
    // The way to the host and back takes longer than that.
    site.application(&ONE_FILE.replace("content: text", "content: text, timeout: 1ms"));
    let output = site.run(&["deploy", "--yes"]).exits(3).says("timed out after");
    output.says("if its type has a `timeout`, that gives it more time");
    site.application(ONE_FILE);
    site.run(&["deploy", "--yes"]).exits(0);
}

/// A host with its own network can vanish without a word, which a server on loopback can't.
#[test]
fn a_host_that_falls_silent_is_noticed() {
    if let Some(why) = Sandbox::obstacle() {
        return skip(&why);
    }
    let sandbox = Sandbox::start(2).expect("the hosts start");
    let project = Project::new().expect("the binary is there").inside(&sandbox);
    let mut ssh = sandbox.ssh_options();
    ssh["connect_timeout"] = json!(2);
    let target = |index: u8| json!({ "address": sandbox.address(index), "labels": { "n": index.to_string() } });
    let environment = json!({
        "environment": "test",
        "defaults": { "transport": "ssh", "user": "root", "ssh": ssh },
        "targets": { "host1": target(1), "host2": target(2) },
        "dictionaries": [{ "folder": "/srv" }],
        "failures": { "on_failure": "continue" },
    });
    project.environment(&environment).expect("it can be written");
    project.application(ONE_FILE).expect("it can be written");
    sandbox.cut(2).expect("it can be cut off");
    let text = project.run(["deploy", "--yes"]).expect("it runs").exits(3).says("host2").text();
    assert!(text.contains(&format!("no answer from {}:22 within 2 s", sandbox.address(2))), "{text}");
    let there = |index| sandbox.on_host(index, "cat /srv/host* 2>/dev/null || true").expect("it runs").stdout();
    assert_eq!((there(1), there(2)), ("text".to_owned(), String::new()));
    sandbox.heal(2).expect("it can be healed");
    project.run(["deploy", "--yes"]).expect("it runs").exits(0);
    assert_eq!(there(2), "text");
}
