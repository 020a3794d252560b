//! Hosts with their own network, disk and processes, out of kernel namespaces: for root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::keys::KeyPair;
use crate::process::end;
use crate::{Output, Running, is_root};

/// What is run inside, to make the network and the hosts.
const SCRIPT: &str = include_str!("sandbox.sh");
/// The first three octets of the hosts' addresses: a range set aside for benchmarks, which no real network uses.
const NETWORK: &str = "198.18.0";

const NAMESPACES: [&str; 8] =
    ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"];
/// What a kernel or a container may refuse even to root.
const TRIAL: &str = "mount -t tmpfs tmpfs /mnt; cd /mnt; mkdir u w r
    mount -t overlay overlay -o lowerdir=/,upperdir=u,workdir=w r
    ip link add br0 type bridge; ip link add v0 type veth peer name e0";

/// A private network with hosts in it. No packet can leave it, and no change of a host's files reaches this machine's.
///
/// All of it lives in namespaces whose first process ends when this value is dropped or this program dies; the kernel
/// then removes the rest.
pub struct Sandbox {
    folder: TempDir,
    key: KeyPair,
    first: Child,
    /// The process id of the namespaces' first process, as this machine sees it.
    pid: u32,
}

impl Sandbox {
    /// Returns why this machine can't have such hosts, if it can't.
    pub fn obstacle() -> Option<String> {
        if !is_root() {
            return Some("only root can make hosts of their own".to_owned());
        }
        let programs = ["/usr/sbin/sshd", "/usr/sbin/ip", "/usr/bin/unshare", "/usr/bin/nsenter"];
        if let Some(missing) = programs.into_iter().find(|program| !Path::new(program).exists()) {
            return Some(format!("{missing} is missing"));
        }
        let trial = Command::new("/usr/bin/unshare").args(NAMESPACES).args(["/bin/sh", "-euc", TRIAL]).output();
        match trial {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(format!(
                "the kernel, or the container, allows no namespaces with a network and disks of their own: {}",
                String::from_utf8_lossy(&output.stderr).trim_end()
            )),
            Err(error) => Some(format!("can't run unshare: {error}")),
        }
    }

    /// Starts so many hosts, on a machine without an [obstacle](Self::obstacle).
    pub fn start(count: u8) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("launchway-sandbox-").tempdir().context("can't make a folder")?;
        let key = KeyPair::generate(folder.path().join("id"))?;
        fs::create_dir(folder.path().join("hosts")).context("can't make a folder")?;
        fs::write(folder.path().join("sandbox.sh"), SCRIPT).context("can't write the script")?;
        let (first, pid) = first_process()?;
        let sandbox = Self { folder, key, first, pid };
        sandbox.script(&["network", NETWORK])?;
        let mut known_hosts = String::new();
        for index in 1..=count {
            let key = sandbox.run(&["boot", NETWORK, &index.to_string()])?.expect(0)?.stdout();
            known_hosts += &format!("{} {key}", sandbox.address(index));
        }
        fs::write(sandbox.known_hosts(), known_hosts).context("can't write known_hosts")?;
        Ok(sandbox)
    }

    /// Returns a host's address; hosts count from 1.
    pub fn address(&self, index: u8) -> String {
        format!("{NETWORK}.{index}")
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

    /// Returns the words that a command begins with in order to run inside, in a folder.
    pub fn entrance(&self, folder: &Path) -> Vec<String> {
        let mut words = ["/usr/bin/nsenter", "--net", "--mount", "--pid", "--target"].map(str::to_owned).to_vec();
        words.extend([self.pid.to_string(), format!("--wdns={}", folder.display()), "--".to_owned()]);
        words
    }

    /// Runs a shell command on a host, as its root, past the SSH server.
    pub fn on_host(&self, index: u8, script: &str) -> Result<Output> {
        self.run(&["on", NETWORK, &index.to_string(), script])
    }

    /// Cuts a host off silently: connections hang, new ones time out.
    pub fn cut(&self, index: u8) -> Result<()> {
        self.script(&["cut", NETWORK, &index.to_string()])
    }

    /// Undoes [`Self::cut`].
    pub fn heal(&self, index: u8) -> Result<()> {
        self.script(&["heal", NETWORK, &index.to_string()])
    }

    /// Ends a host at once with all its processes; its disk stays.
    pub fn crash(&self, index: u8) -> Result<()> {
        self.script(&["crash", NETWORK, &index.to_string()])
    }

    /// Starts a host, or starts it again.
    pub fn boot(&self, index: u8) -> Result<()> {
        self.script(&["boot", NETWORK, &index.to_string()])
    }

    fn script(&self, arguments: &[&str]) -> Result<()> {
        self.run(arguments)?.expect(0).map(drop)
    }

    fn run(&self, arguments: &[&str]) -> Result<Output> {
        let entrance = self.entrance(self.folder.path());
        let mut command = Command::new(&entrance[0]);
        command.args(&entrance[1..]).arg("/bin/sh").arg("-eu").arg(self.folder.path().join("sandbox.sh"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir(self.folder.path());
        Running::start(command)?.finish()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        end(&mut self.first);
    }
}

/// Starts the namespaces' first process and returns the child and the process id of the first one inside.
///
/// It reads from a pipe that only this program holds, so it ends with this program, however that ends.
fn first_process() -> Result<(Child, u32)> {
    let mut child = Command::new("/usr/bin/unshare")
        .args(NAMESPACES)
        .args(["/bin/sh", "-c", "echo ready; exec cat >/dev/null"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("can't run unshare")?;
    let mut line = String::new();
    let stdout = child.stdout.take().context("unshare has no output")?;
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).context("can't read from unshare")?;
    let inside = crate::process::descendants(child.id()).first().copied();
    match inside {
        Some(pid) if line == "ready\n" => Ok((child, pid)),
        _ => {
            let output = child.wait_with_output().context("can't wait for unshare")?;
            bail!("unshare failed: {}", String::from_utf8_lossy(&output.stderr).trim_end())
        }
    }
}
