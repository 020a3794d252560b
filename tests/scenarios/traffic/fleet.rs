//! Four instances on four hosts, and a HAProxy on a fifth one.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use launchway_harness::{python, requires};
use serde_json::json;

use super::load::Load;
use super::proxy::{Checks, Fewest, HAPROXY, Proxy};
use crate::site::{Journal, Site};

const INSTANCES: usize = 4;

/// The servers of a release, for its template.
const LISTED: &str = "\
{% for host in components.service.targets -%}
  server {{ host.name }} {{ host.address }}:{{ values.port }} check inter 100ms fall 2 rise 2
{% endfor -%}
";

/// What a release that brings the proxy's configuration says of the proxy, which runs already.
const PROXY: &str = r#"
  proxy-config:
    type: ssh/file
    on: role=lb
    with: { path: "${folder}/haproxy.cfg", template: haproxy.cfg.j2 }
  proxy:
    type: ssh/service
    on: role=lb
    needs: [service]
    subscribe: [{ proxy-config: reload }]
    with:
      provider: command
      cwd: "${folder}"
      start: kill -USR2 "$(cat haproxy.pid)"
      restart: kill -USR2 "$(cat haproxy.pid)"
      reload: kill -USR2 "$(cat haproxy.pid)"
      status: grep -q haproxy "/proc/$(cat haproxy.pid)/cmdline"
      stop: kill "$(cat haproxy.pid)"
      settle: 500ms
    verify:
      - type: haproxy/backend
        with: { backend: api, socket: "${folder}/admin.sock", interval: 100ms }
"#;

/// One release of the application, and how it goes out.
#[derive(Clone, Copy)]
pub(crate) struct Release<'a> {
    pub(crate) version: &'a str,
    /// The version of its code, which is what answers.
    pub(crate) code: &'a str,
    /// Whether its instances are well.
    pub(crate) healthy: bool,
    /// The group's `rollout`.
    pub(crate) rollout: &'a str,
    /// What else is said of `around`; without, nothing is done around.
    pub(crate) around: Option<&'a str>,
    /// It brings the proxy's configuration, too, which lists the hosts.
    pub(crate) proxied: bool,
}

impl<'a> Release<'a> {
    /// A good release of which one instance is replaced at a time.
    pub(crate) fn rolling(version: &'a str) -> Self {
        Self {
            version,
            code: version,
            healthy: true,
            rollout: "[{ rolling: 1 }]",
            around: Some("always: true"),
            proxied: false,
        }
    }
}

/// The hosts, the proxy and the project.
pub(crate) struct Fleet {
    pub(crate) site: Site,
    proxy: Proxy,
    port: u16,
}

impl Fleet {
    /// Starts everything but the application; none if this machine can't, which was said.
    pub(crate) fn new(checks: Checks) -> Option<Self> {
        if requires(&[HAPROXY, python()]).is_some() {
            return None;
        }
        let site = Site::new(INSTANCES as u8 + 1)?;
        let folder = site.folder();
        let front = free(site.hosts.address(INSTANCES));
        let port = free(site.hosts.address(0)).port();
        let server = |at: usize| {
            let address = format!("{}:{port}", site.hosts.address(at)).parse().expect("the address is numeric");
            (format!("host{}", at + 1), address)
        };
        let servers: Vec<(String, SocketAddr)> = (0..INSTANCES).map(server).collect();
        let proxy = Proxy::start(&folder, front, &servers, checks);
        let fleet = Self { site, proxy, port };
        fleet.environment(INSTANCES);
        Some(fleet)
    }

    /// Writes the environment, with so many of the application's hosts and the proxy's.
    pub(crate) fn environment(&self, instances: usize) {
        self.site.environment(|environment| {
            let name = |at: usize| format!("host{at}");
            for (at, dc) in (1..=INSTANCES).zip(["eu", "eu", "us", "us"]) {
                environment["targets"][name(at)]["labels"] = json!({ "role": "app", "dc": dc });
            }
            environment["targets"][name(INSTANCES + 1)]["labels"] = json!({ "role": "lb" });
            let targets = environment["targets"].as_object_mut().expect("there are targets");
            (instances + 1..=INSTANCES).for_each(|at| drop(targets.remove(&name(at))));
            let (folder, front) = (self.site.folder(), self.proxy.front());
            let values = json!({ "folder": folder, "port": self.port, "front": front.to_string(), "python": python() });
            environment["dictionaries"] = json!([values]);
        });
    }

    /// Makes the project's folder hold a release.
    pub(crate) fn release(&self, release: Release<'_>) {
        let Release { version, code, healthy, rollout, around, proxied } = release;
        let project = &self.site.project;
        project.write("release/instance.py", include_str!("instance.py")).expect("it can be written");
        project.write("release/version", code).expect("it can be written");
        let broken = project.path("release/broken");
        if healthy && broken.exists() {
            std::fs::remove_file(&broken).expect("it can be removed");
        } else if !healthy {
            std::fs::write(&broken, "").expect("it can be written");
        }
        project.write("haproxy.cfg.j2", configuration(LISTED)).expect("it can be written");
        let proxied = if proxied { PROXY } else { "" };
        let server = |state: &str, more: &str| {
            format!(
                "{{ type: haproxy/server, with: {{ backend: api, server: \"${{instance.target}}\", state: {state}, \
                 socket: \"${{folder}}/admin.sock\"{more} }} }}"
            )
        };
        let around = around.map_or_else(String::new, |how| {
            let (before, after) = (server("drain", ""), server("ready", ", deadline: 10s"));
            format!("around: [{{ at: role=lb, before: {before}, after: {after}, {how} }}]")
        });
        self.site.application(&format!(
            r#"
application: shop
version: "{version}"
components:
  code:
    type: ssh/directory
    on: role=app
    with: {{ path: "${{folder}}/${{target.name}}/app", directory: release }}
  config:
    type: ssh/file
    on: role=app
    with:
      path: "${{folder}}/${{target.name}}/config.json"
      content: '{{"instance": "${{target.name}}", "listen": "${{target.address}}", "port": ${{port}}, "release": "{version}"}}'
      parents: true
  service:
    type: ssh/service
    on: role=app
    subscribe: [{{ code: restart }}, {{ config: restart }}]
    with:
      provider: command
      cwd: "${{folder}}/${{target.name}}"
      start: |
        setsid ${{python}} app/instance.py config.json </dev/null >>log 2>&1 &
        echo $! >pid
      status: grep -q instance.py "/proc/$(cat pid)/cmdline"
      stop: |
        pid=$(cat pid)
        kill "$pid" 2>/dev/null || true
        while grep -q instance.py "/proc/$pid/cmdline" 2>/dev/null; do sleep 0.02; done
      settle: 100ms
    verify:
      - type: health/http
        with:
          url: "http://${{target.address}}:${{port}}/health"
          json: {{ /version: "{code}" }}
          interval: 100ms
          deadline: 3s
    {around}
{proxied}
groups:
  api: {{ members: [code, config, service], rollout: {rollout} }}
"#
        ));
    }

    /// Deploys a release, and returns the events.
    pub(crate) fn deploy(&self, release: Release<'_>, code: i32) -> Journal {
        self.release(release);
        self.site.deploy(code)
    }

    /// Rolls back the last run, and returns the events.
    pub(crate) fn roll_back(&self) -> Journal {
        Journal::of(&self.site.run(&["rollback", "--yes", "--json"]).exits(0))
    }

    /// Begins to ask for pages, through the proxy.
    pub(crate) fn load(&self) -> Load {
        Load::start(self.proxy.front())
    }

    /// Does something, and returns how few servers were in rotation meanwhile.
    pub(crate) fn watched<T>(&self, act: impl FnOnce() -> T) -> (T, Fewest) {
        let watch = self.proxy.watch();
        let done = act();
        (done, watch.finish())
    }

    /// Returns how HAProxy finds each server.
    pub(crate) fn statuses(&self) -> BTreeMap<String, String> {
        self.proxy.statuses().expect("HAProxy answers")
    }

    /// Whether a server was taken out of rotation and not put back.
    pub(crate) fn is_drained(&self, server: &str) -> bool {
        self.proxy.is_drained(server)
    }

    /// Makes a broken instance well again, without Launchway.
    pub(crate) fn heal(&self, server: &str) {
        let broken = self.site.folder().join(server).join("app/broken");
        std::fs::remove_file(broken).expect("it was broken");
    }

    /// Panics unless HAProxy finds all servers to be up.
    #[track_caller]
    pub(crate) fn assert_all_up(&self) {
        let statuses = self.statuses();
        assert!(all_up(&statuses), "{statuses:?}");
    }

    /// Waits until HAProxy finds all servers to be up.
    #[track_caller]
    pub(crate) fn wait_until_all_up(&self) {
        self.wait_until("all are up", all_up);
    }

    /// Waits until HAProxy finds its servers like this.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, is_good: impl Fn(&BTreeMap<String, String>) -> bool) {
        for _ in 0..1000 {
            if is_good(&self.statuses()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("not yet: {what}: {:?}", self.statuses());
    }
}

/// Returns HAProxy's configuration as a template of a release.
fn configuration(servers: &str) -> String {
    super::proxy::configuration("{{ values.folder }}", "{{ values.front }}", Checks::Health, servers)
}

fn all_up(statuses: &BTreeMap<String, String>) -> bool {
    statuses.len() == INSTANCES && statuses.values().all(|status| status == "UP")
}

/// Returns an address with a port that is free. The address is this process's own, so that nobody else takes it.
pub(crate) fn free(address: &str) -> SocketAddr {
    let listener = TcpListener::bind((address, 0)).expect("the address can be listened on");
    listener.local_addr().expect("it has an address")
}
