//! A real HAProxy, and somebody who looks at its servers all the time.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use launchway_harness::Running;

pub(crate) const HAPROXY: &str = "/usr/sbin/haproxy";

/// How often the servers are looked at.
const INTERVAL: Duration = Duration::from_millis(10);

/// How HAProxy checks its servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Checks {
    /// By asking the application whether it is well.
    Health,
    /// By connecting, and no more.
    Port,
}

/// It ends with the test.
pub(crate) struct Proxy {
    socket: PathBuf,
    front: SocketAddr,
    _process: Running,
}

impl Proxy {
    /// Starts it with one backend, `api`. Nothing in it covers up for a server that is gone.
    pub(crate) fn start(folder: &Path, front: SocketAddr, servers: &[(String, SocketAddr)], checks: Checks) -> Self {
        let socket = folder.join("admin.sock");
        let lines: String = servers
            .iter()
            .map(|(name, address)| format!("  server {name} {address} check inter 100ms fall 2 rise 2\n"))
            .collect();
        let text = configuration(&folder.display().to_string(), &front.to_string(), checks, &lines);
        let file = folder.join("haproxy.cfg");
        std::fs::write(&file, text).expect("it can be written");
        let mut command = Command::new(HAPROXY);
        // A master reads the configuration anew when it is told to, and lets its worker finish.
        command.args(["-W", "-db", "-p"]).arg(folder.join("haproxy.pid")).arg("-f").arg(&file).env_clear();
        let process = Running::start(command).expect("HAProxy starts");
        let proxy = Self { socket, front, _process: process };
        for _ in 0..1000 {
            if proxy.statuses().is_some_and(|found| found.len() == servers.len()) {
                return proxy;
            }
            std::thread::sleep(INTERVAL);
        }
        panic!("HAProxy does not answer");
    }

    /// Returns where to ask.
    pub(crate) fn front(&self) -> SocketAddr {
        self.front
    }

    /// Returns how HAProxy finds each server: `UP`, `DRAIN`, `DOWN` and so on.
    pub(crate) fn statuses(&self) -> Option<BTreeMap<String, String>> {
        statuses(&self.socket)
    }

    /// Whether somebody has taken a server out of rotation; whether it is well does not matter.
    pub(crate) fn is_drained(&self, server: &str) -> bool {
        const DRAIN: u32 = 8;
        let answer = ask(&self.socket, "show servers state api").expect("HAProxy answers");
        let rows = answer.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let mut rows = rows.filter(|row| row.len() > 6 && row[3] == server);
        let state: u32 = rows.next().and_then(|row| row[6].parse().ok()).expect("it has such a server");
        state & DRAIN != 0
    }

    /// Begins to watch how many servers are in rotation.
    pub(crate) fn watch(&self) -> Watch {
        let stop = Arc::new(AtomicBool::new(false));
        let fewest = Arc::new(Mutex::new(Fewest { up: usize::MAX, how: BTreeMap::new(), looks: 0 }));
        let (stopped, found, socket) = (stop.clone(), fewest.clone(), self.socket.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if let Some(how) = statuses(&socket) {
                    found.lock().expect("nobody panics with it").see(how);
                }
                std::thread::sleep(INTERVAL);
            }
        });
        Watch { stop, fewest, thread: Some(thread) }
    }
}

/// Returns HAProxy's configuration. Nothing in it covers up for a server that is gone, and no connection is cut off by
/// a reload.
pub(super) fn configuration(folder: &str, front: &str, checks: Checks, servers: &str) -> String {
    let check = if checks == Checks::Health { "  option httpchk GET /health\n" } else { "" };
    format!(
        "global\n  stats socket {folder}/admin.sock mode 600 level admin expose-fd listeners\ndefaults\n  mode http\n  \
         retries 0\n  option idle-close-on-response\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n  \
         timeout check 5s\nfrontend front\n  bind {front}\n  default_backend api\nbackend api\n{check}{servers}"
    )
}

/// The moment with the fewest servers in rotation.
#[derive(Clone, Debug)]
pub(crate) struct Fewest {
    pub(crate) up: usize,
    pub(crate) how: BTreeMap<String, String>,
    pub(crate) looks: usize,
}

impl Fewest {
    fn see(&mut self, how: BTreeMap<String, String>) {
        // `UP 1/2` is in rotation until it is not.
        let up = how.values().filter(|status| status.starts_with("UP")).count();
        self.looks += 1;
        if up < self.up {
            (self.up, self.how) = (up, how);
        }
    }
}

pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    fewest: Arc<Mutex<Fewest>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(crate) fn finish(mut self) -> Fewest {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it does not panic");
        }
        self.fewest.lock().expect("nobody panics with it").clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn statuses(socket: &Path) -> Option<BTreeMap<String, String>> {
    let answer = ask(socket, "show stat -1 4 -1")?;
    let mut lines = answer.lines();
    let columns: Vec<&str> = lines.next()?.split(',').collect();
    let at = columns.iter().position(|column| *column == "status")?;
    let rows = lines.map(|line| line.split(',').collect::<Vec<_>>()).filter(|row| row.len() > at);
    Some(rows.map(|row| (row[1].to_owned(), row[at].to_owned())).collect())
}

fn ask(socket: &Path, line: &str) -> Option<String> {
    let mut connection = UnixStream::connect(socket).ok()?;
    connection.write_all(format!("{line}\n").as_bytes()).ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    Some(answer)
}
