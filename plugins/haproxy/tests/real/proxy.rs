//! A HAProxy that runs in a folder of its own, with sockets only: no port is taken.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const HAPROXY: &str = "/usr/sbin/haproxy";

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(20);

/// It ends with the test.
pub(crate) struct Proxy {
    folder: tempfile::TempDir,
    process: Child,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Proxy {
    /// Starts it; none where HAProxy is not installed.
    ///
    /// In its backend `api`, `app1` is up, `app2` is down, and `app3` is in maintenance and not checked.
    pub(crate) fn start() -> Option<Self> {
        if !is_there(HAPROXY) {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().display();
        // A frontend and a backend with one name, as many have them.
        let configuration = format!(
            "global
               stats socket {root}/admin.sock mode 600 level admin
               stats socket {root}/user.sock mode 600 level user
             defaults
               mode tcp
               timeout connect 5s
               timeout client 60s
               timeout server 60s
             frontend api
               bind unix@{root}/front.sock
               default_backend api
             backend api
               server app1 unix@{root}/app1.sock check inter 100ms
               server app2 unix@{root}/nobody.sock check inter 100ms
               server app3 unix@{root}/app1.sock disabled
             backend empty\n"
        );
        let file = folder.path().join("haproxy.cfg");
        std::fs::write(&file, configuration).expect("a configuration");
        echo(UnixListener::bind(folder.path().join("app1.sock")).expect("a socket"));
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let process = Command::new(HAPROXY)
            .args(["-db", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("HAProxy");
        let proxy = Self { folder, process };
        proxy.wait_until("app1 is up and app2 is down", |stat| {
            stat.contains("app1:UP\n") && stat.contains("app2:DOWN\n")
        });
        Some(proxy)
    }

    /// Returns the path of a file in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until a list of `SERVER:STATUS` of the backend `api` is as it should be.
    pub(crate) fn wait_until(&self, what: &str, is_good: impl Fn(&str) -> bool) {
        let start = Instant::now();
        loop {
            let statuses = self.statuses();
            if is_good(&statuses) {
                return;
            }
            let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(start.elapsed() < PATIENCE, "not yet: {what}\n{statuses}\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks it without the plugin.
    fn statuses(&self) -> String {
        let Ok(mut connection) = UnixStream::connect(self.path("admin.sock")) else { return String::new() };
        let mut answer = String::new();
        let asked = connection.write_all(b"show stat -1 4 -1\n").and_then(|()| connection.read_to_string(&mut answer));
        if asked.is_err() {
            return String::new();
        }
        let mut lines = answer.lines();
        let columns: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let at = columns.iter().position(|column| *column == "status").unwrap_or_default();
        let fields = lines.map(|line| line.split(',').collect::<Vec<_>>()).filter(|fields| fields.len() > at);
        fields.map(|fields| format!("{}:{}\n", fields[1], fields[at])).collect()
    }

    /// Opens a session through it, and waits until it has reached a server.
    pub(crate) fn session(&self) -> UnixStream {
        let mut connection = UnixStream::connect(self.path("front.sock")).expect("a frontend");
        connection.write_all(b"hello\n").expect("a frontend that reads");
        let mut line = String::new();
        BufReader::new(&connection).read_line(&mut line).expect("a server that answers");
        assert_eq!(line, "hello\n");
        connection
    }
}

/// Gives back what it gets, until the test ends.
fn echo(listener: UnixListener) {
    std::thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let Ok(mut writer) = connection.try_clone() else { return };
                let _ = std::io::copy(&mut &connection, &mut writer);
            });
        }
    });
}

/// Whether a program is there; says so if it is not, and fails where it has to be.
fn is_there(program: &str) -> bool {
    let found = Path::new(program).exists();
    assert!(found || std::env::var_os("LAUNCHWAY_REQUIRE_HOSTS").is_none(), "{program} is missing");
    if !found {
        eprintln!("skipped: {program} is missing");
    }
    found
}
