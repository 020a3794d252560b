//! Where the demo plays: on hosts of its own, or in folders of this machine.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use launchway_harness::{Binary, Output, Project, Running, Sandbox, python, requires};
use serde_json::Value;
use walkdir::WalkDir;

use crate::workspace;

/// The ports and the folder in `environments/local.yaml`, for which the demo finds free ones.
const LOCAL_PORTS: [&str; 4] = ["18500", "18081", "18082", "18080"];
const LOCAL_FOLDER: &str = "/tmp/launchway-shop";

/// The project, the environment and the hosts behind it.
pub(super) struct Stage {
    project: Project,
    place: Place,
}

enum Place {
    Hosts(Sandbox),
    Local { front: String },
}

impl Stage {
    /// Makes three hosts, or says why not and goes local.
    pub(super) fn best(binary: Binary) -> Result<Self> {
        if let Some(why) = Sandbox::obstacle() {
            eprintln!("note: {why}; the demo uses the local transport: three folders instead of three hosts");
            return Self::local(binary);
        }
        let sandbox = Sandbox::start(3)?;
        let project = Project::with_binary(binary)?.inside(&sandbox);
        fs::create_dir(project.path("keys"))?;
        // Copied and not linked: the mode matters to ssh, and fs::copy keeps it.
        fs::copy(sandbox.identity(), project.path("keys/id")).context("can't copy the key")?;
        fs::copy(sandbox.known_hosts(), project.path("keys/known_hosts")).context("can't copy the known hosts")?;
        println!("Three hosts run, each with its own disk, network and SSH server.");
        Ok(Self { project, place: Place::Hosts(sandbox) })
    }

    /// Uses folders of this machine.
    pub(super) fn local(binary: Binary) -> Result<Self> {
        ensure!(requires(&[python()]).is_none(), "the shop is written in Python: {} is missing", python());
        let project = Project::with_binary(binary)?;
        Ok(Self { project, place: Place::Local { front: String::new() } })
    }

    /// Checks a release of the shop out over what is there, as `git pull` would, and packs the application.
    pub(super) fn release(&mut self, version: &str) -> Result<()> {
        let source = workspace::root().join("examples/shop").join(version);
        copy_tree(&source, &self.project.path(""))?;
        let build =
            Command::new("/bin/sh").arg(self.project.path("build.sh")).status().context("can't run build.sh")?;
        ensure!(build.success(), "build.sh failed: {build}");
        if let Place::Local { front } = &mut self.place
            && front.is_empty()
        {
            *front = adapt_local_environment(&self.project)?;
        }
        Ok(())
    }

    /// Runs a command of the tool for all to see, and expects an exit code.
    pub(super) fn show(&self, arguments: &[&str], code: i32) -> Result<()> {
        let environment = self.environment();
        println!("\x1b[2m$ launchway {} --environment {environment}\x1b[0m", arguments.join(" "));
        let status = self
            .project
            .command(arguments)
            .args(["--environment", environment])
            .env("TERM", std::env::var_os("TERM").unwrap_or_default())
            .status()
            .context("can't run launchway")?;
        ensure!(status.code() == Some(code), "that ended with {status}; exit code {code} was expected");
        Ok(())
    }

    /// Runs a command of the tool that tells something, and returns what it tells.
    pub(super) fn json(&self, arguments: &[&str]) -> Result<Value> {
        let environment = ["--environment", self.environment(), "--json"];
        self.project.run(arguments.iter().chain(&environment))?.expect(0)?.json()
    }

    /// Asks the proxy until both instances have answered, with this version; returns the last answer.
    pub(super) fn front_page(&self, version: &str) -> Result<String> {
        let mut seen = std::collections::BTreeSet::new();
        let mut page = String::new();
        for _ in 0..4 {
            page = self.fetch()?.expect(0)?.stdout().trim_end().to_owned();
            let answer: Value = serde_json::from_str(&page).with_context(|| format!("no JSON: {page}"))?;
            ensure!(answer["version"] == version, "not version {version}: {page}");
            seen.insert(answer["instance"].to_string());
        }
        ensure!(seen.len() == 2, "only {seen:?} answered");
        Ok(page)
    }

    /// Fails if a file or a process of the shop is left.
    pub(super) fn check_nothing_is_left(&self) -> Result<()> {
        match &self.place {
            Place::Hosts(sandbox) => {
                let look = "ls -d /opt/shop 2>/dev/null || true
                    cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep '^/opt/shop' || true";
                for host in 1..=3 {
                    let left = sandbox.on_host(host, look)?.expect(0)?.stdout();
                    ensure!(left.is_empty(), "left on host {host}:\n{left}");
                }
            }
            Place::Local { .. } => {
                let folder = self.project.outside("hosts");
                let left: Vec<_> = WalkDir::new(&folder).min_depth(1).into_iter().filter_map(Result::ok).collect();
                ensure!(left.is_empty(), "left in {}: {left:?}", folder.display());
                let processes = processes_that_mention(&folder);
                ensure!(processes.is_empty(), "left running: {processes:?}");
            }
        }
        Ok(())
    }

    fn environment(&self) -> &'static str {
        match self.place {
            Place::Hosts(_) => "hosts",
            Place::Local { .. } => "local",
        }
    }

    fn fetch(&self) -> Result<Output> {
        let script =
            "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())";
        let (entrance, url) = match &self.place {
            Place::Hosts(sandbox) => (sandbox.entrance(Path::new("/")), format!("http://{}/", sandbox.address(2))),
            Place::Local { front } => (Vec::new(), front.clone()),
        };
        let mut words = entrance.into_iter().chain([python(), "-c", script, &url].map(str::to_owned));
        let mut command = Command::new(words.next().expect("there is at least Python"));
        command.args(words);
        Running::start(command)?.finish()
    }
}

impl Drop for Stage {
    /// A demo that failed half-way leaves services of the local transport running: they are children of nobody.
    fn drop(&mut self) {
        if let Place::Local { .. } = self.place {
            for pid in processes_that_mention(&self.project.outside("hosts")) {
                let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
                if let Some(pid) = pid {
                    // It may have ended by itself meanwhile.
                    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
                }
            }
        }
    }
}

/// Puts free ports and a folder of the demo's own into the local environment; returns the proxy's address.
fn adapt_local_environment(project: &Project) -> Result<String> {
    let path = project.path("environments/local.yaml");
    let mut text = fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    // Held together until all are known, or one could be given out twice.
    let listeners: Vec<TcpListener> =
        LOCAL_PORTS.iter().map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let mut front = None;
    for (port, listener) in LOCAL_PORTS.iter().zip(&listeners) {
        let free = listener.local_addr()?.port();
        text = text.replace(port, &free.to_string());
        front = Some(free);
    }
    fs::create_dir(project.outside("hosts"))?;
    text = text.replace(LOCAL_FOLDER, &project.outside("hosts").display().to_string());
    fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
    match front {
        Some(port) => Ok(format!("http://127.0.0.1:{port}/")),
        None => bail!("the local environment has no ports"),
    }
}

fn processes_that_mention(folder: &Path) -> Vec<u32> {
    let folder = folder.display().to_string();
    let processes = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&folder)
        })
        .collect()
}

/// Copies a folder's files over those of another one.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    for entry in WalkDir::new(from) {
        let entry = entry?;
        let relative = entry.path().strip_prefix(from).expect("found below it");
        let target = to.join(relative);
        if entry.file_type().is_dir() {
            fs::create_dir_all(&target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| format!("can't copy {}", entry.path().display()))?;
        }
    }
    Ok(())
}
