//! SSH servers on loopback addresses.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::keys::KeyPair;
use crate::process::{descendants, end};
use crate::requires;

const SSHD: &str = "/usr/sbin/sshd";
/// How long a server may take to answer.
const START: Duration = Duration::from_secs(30);

/// SSH servers, one per host, each on a loopback address of its own; all see this machine's files.
///
/// They run as whoever runs the test, with the server's own defaults for `MaxSessions` and `MaxStartups`.
pub struct Hosts {
    folder: TempDir,
    key: KeyPair,
    host_key: KeyPair,
    port: u16,
    hosts: Vec<Host>,
}

/// One SSH server.
pub struct Host {
    address: String,
    server: Option<Child>,
}

impl Hosts {
    /// Starts so many servers; none if this machine has no SSH server, which is said.
    pub fn start(count: u8) -> Result<Option<Self>> {
        if requires(&[SSHD, "/usr/bin/ssh", "/usr/bin/ssh-keygen"]).is_some() {
            return Ok(None);
        }
        let folder = tempfile::Builder::new().prefix("launchway-hosts-").tempdir().context("can't make a folder")?;
        if crate::is_root() {
            // The server wants this folder; on a machine that never started it, nobody has made it.
            fs::create_dir_all("/run/sshd").context("can't make /run/sshd")?;
        }
        let key = KeyPair::generate(folder.path().join("id"))?;
        let host_key = KeyPair::generate(folder.path().join("host"))?;
        fs::write(folder.path().join("authorized_keys"), key.public()?)?;
        let hosts = (0..count).map(|index| Host { address: address(index), server: None }).collect();
        let mut hosts = Self { folder, key, host_key, port: 0, hosts };
        // Another program may take the port between asking for a free one and using it.
        for _ in 0..10 {
            hosts.port = free_port(&hosts.hosts)?;
            if hosts.boot_all()? {
                hosts.write_known_hosts()?;
                return Ok(Some(hosts));
            }
        }
        bail!("found no free port")
    }

    /// Returns the port, the same on every host.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn address(&self, index: usize) -> &str {
        &self.hosts[index].address
    }

    /// Returns the home of whoever logs in: each host has its own.
    pub fn home(&self, index: usize) -> PathBuf {
        self.home_of(self.address(index))
    }

    fn home_of(&self, address: &str) -> PathBuf {
        self.folder.path().join(format!("home-{address}"))
    }

    pub fn identity(&self) -> &Path {
        self.key.private()
    }

    pub fn known_hosts(&self) -> PathBuf {
        self.folder.path().join("known_hosts")
    }

    /// Returns the options for an environment's `ssh:`.
    pub fn ssh_options(&self) -> Value {
        json!({ "identity_file": self.identity(), "known_hosts": self.known_hosts() })
    }

    /// Returns an environment with the hosts as targets `host1`, `host2`, … labelled `role=host` and `n=1`, `n=2`, ….
    pub fn environment(&self, name: &str) -> Value {
        let targets: serde_json::Map<String, Value> = self
            .hosts
            .iter()
            .enumerate()
            .map(|(index, host)| {
                let number = (index + 1).to_string();
                let target = json!({ "address": host.address, "labels": { "role": "host", "n": number } });
                (format!("host{number}"), target)
            })
            .collect();
        json!({
            "environment": name,
            "defaults": { "transport": "ssh", "port": self.port, "ssh": self.ssh_options() },
            "targets": targets,
        })
    }

    /// Kills a server and every connection it has, as a crash does; commands it started may run on.
    pub fn crash(&mut self, index: usize) {
        if let Some(mut server) = self.hosts[index].server.take() {
            end_connections(&mut server);
        }
    }

    /// Starts a crashed server again.
    pub fn boot(&mut self, index: usize) -> Result<()> {
        let server = self.spawn(&self.hosts[index].address)?;
        ensure!(self.answers(index, server)?, "the server did not come back");
        Ok(())
    }

    /// Starts all servers, then awaits them: false if one could not have its port.
    fn boot_all(&mut self) -> Result<bool> {
        let servers = self.hosts.iter().map(|host| self.spawn(&host.address)).collect::<Result<Vec<_>>>()?;
        let mut all = true;
        for (index, server) in servers.into_iter().enumerate() {
            all &= self.answers(index, server)?;
        }
        if !all {
            (0..self.hosts.len()).for_each(|index| self.crash(index));
        }
        Ok(all)
    }

    fn spawn(&self, address: &str) -> Result<Child> {
        let folder = self.folder.path();
        let path = folder.join(format!("sshd-{address}"));
        // Whoever runs the tests keeps his own, and each host has another.
        let home = self.home_of(address);
        fs::create_dir_all(&home).context("can't make a home")?;
        let config = [
            format!("ListenAddress {address}:{}", self.port),
            format!("HostKey {}", self.host_key.private().display()),
            format!("AuthorizedKeysFile {}", folder.join("authorized_keys").display()),
            "PidFile none\nUsePAM no\nUseDNS no\nStrictModes no\nPrintMotd no".to_owned(),
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password".to_owned(),
            // Many key exchanges at once are what costs time on a small machine, and then the start-up files of
            // whoever runs the tests: bash leaves those out below another shell.
            "KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org\nSubsystem sftp internal-sftp".to_owned(),
            format!("SetEnv SHLVL=5 HOME={}\n", home.display()),
        ];
        fs::write(&path, config.join("\n")).context("can't write a server's configuration")?;
        let log = fs::File::create(folder.join(format!("sshd-{address}.log")))?;
        Command::new(SSHD)
            .args(["-D", "-e", "-f"])
            .arg(&path)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("can't run {SSHD}"))
    }

    /// Waits until a server takes connections: false if it ended instead.
    fn answers(&mut self, index: usize, mut server: Child) -> Result<bool> {
        let host = &mut self.hosts[index];
        let socket: SocketAddr = format!("{}:{}", host.address, self.port).parse().expect("the address is numeric");
        let deadline = Instant::now() + START;
        loop {
            if server.try_wait()?.is_some() {
                return Ok(false);
            }
            if TcpStream::connect_timeout(&socket, START).is_ok() {
                host.server = Some(server);
                return Ok(true);
            }
            ensure!(Instant::now() < deadline, "the server on {socket} does not answer");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn write_known_hosts(&self) -> Result<()> {
        let key = self.host_key.public()?;
        let lines: String = self.hosts.iter().map(|host| format!("[{}]:{} {key}\n", host.address, self.port)).collect();
        fs::write(self.known_hosts(), lines).context("can't write known_hosts")
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for mut server in self.hosts.iter_mut().filter_map(|host| host.server.take()) {
            end(&mut server);
        }
    }
}

/// Kills a server and its own processes, but not what they started for the user.
fn end_connections(server: &mut Child) {
    let connections: Vec<u32> = descendants(server.id())
        .into_iter()
        .filter(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("sshd")))
        .collect();
    // The server is this process's child and not yet reaped, so its number can't be another's.
    let _ = server.kill();
    for pid in connections.into_iter().filter_map(|pid| rustix::process::Pid::from_raw(pid as i32)) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    let _ = server.wait();
}

/// Returns a loopback address of this test's own: tests run at the same time, each in its own process.
fn address(index: u8) -> String {
    let pid = std::process::id();
    format!("127.{}.{}.{}", 1 + (pid >> 8) % 250, pid & 255, u16::from(index) + 1)
}

fn free_port(hosts: &[Host]) -> Result<u16> {
    let address = hosts.first().map_or("127.0.0.1", |host| host.address.as_str());
    let listener = TcpListener::bind((address, 0)).context("can't listen on loopback")?;
    Ok(listener.local_addr()?.port())
}
