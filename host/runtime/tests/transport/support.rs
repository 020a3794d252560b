//! A server, a project's folder and the effects of a step, all thrown away at the end.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as StdCommand, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use launchway_model::config::SecretSource;
use launchway_model::{
    Artifact, Digest, Escalation, LogLevel, SecretName, SshOptions, Stream, TargetName, TargetSpec, Transport,
};
use launchway_runtime::{Blobs, Command, Effects, Part, Redactor, SecretStore, StepSink, Targets, TargetsOptions};
use tempfile::TempDir;

/// The secret that every step in these tests may use.
pub(crate) const SECRET: &str = "pass word";
/// Its value.
pub(crate) const SECRET_VALUE: &str = "s3cr3t-Walfisch $HOME `id` 'q' \"d\" \\n";

/// An SSH server of our own on an ephemeral port of all loopback addresses.
pub(crate) struct Sshd {
    process: Child,
    pub(crate) port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const SSHD: &str = "/usr/sbin/sshd";

/// Puts a layer over `/etc` that nobody else sees, changes it, and goes on with a server.
const OWN_ETC: &str = r#"
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
eval "$1"
shift
exec "$@"
"#;

fn with_own_etc(change: &str, program: &str) -> StdCommand {
    let mut command = StdCommand::new("/usr/bin/unshare");
    command.args(["--mount", "--propagation", "private", "/bin/sh", "-euc", OWN_ETC, "sh", change, program]);
    command
}

impl Sshd {
    /// Starts a server with default limits; none where there is no server to start and none is demanded.
    pub(crate) fn start(dir: &Path, more: &str) -> Option<Self> {
        Self::start_by(dir, more, || StdCommand::new(SSHD))
    }

    /// Starts a server by a command to which its own arguments are added.
    fn start_by(dir: &Path, more: &str, command: impl Fn() -> StdCommand) -> Option<Self> {
        let program = Path::new(SSHD);
        if !program.exists() {
            assert!(std::env::var_os("LAUNCHWAY_REQUIRE_SSHD").is_none(), "{} is not installed", program.display());
            eprintln!("skipped: {} is not installed", program.display());
            return None;
        }
        if am_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        for key in ["host", "id", "other"] {
            let done =
                StdCommand::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(dir.join(key)).status();
            assert!(done.unwrap().success());
        }
        fs::copy(dir.join("id.pub"), dir.join("authorized")).unwrap();
        // Somebody else may take the port between asking for it and using it.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let shown = dir.display();
            let text = format!(
                "Port {port}\nListenAddress 0.0.0.0\nHostKey {shown}/host\nAuthorizedKeysFile {shown}/authorized\n\
                 PidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\nPrintMotd no\n{more}\n"
            );
            fs::write(dir.join("sshd_config"), text).unwrap();
            let log = fs::File::create(dir.join("sshd.log")).unwrap();
            let mut process = command()
                .args(["-D", "-e", "-f"])
                .arg(dir.join("sshd_config"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(20) {
                if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    let host_key = fs::read_to_string(dir.join("host.pub")).unwrap();
                    fs::write(dir.join("known_hosts"), format!("[127.0.0.*]:{port} {host_key}")).unwrap();
                    return Some(Self { process, port });
                }
                if process.try_wait().unwrap().is_some() {
                    break;
                }
                std::thread::yield_now();
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        panic!("sshd does not start: {}", fs::read_to_string(dir.join("sshd.log")).unwrap_or_default());
    }

    /// The process numbers of the server's children: one for each connection.
    pub(crate) fn children(&self) -> Vec<u32> {
        let path = format!("/proc/{0}/task/{0}/children", self.process.id());
        let text = fs::read_to_string(path).unwrap();
        text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }
}

/// A project with its targets.
pub(crate) struct World {
    pub(crate) targets: Targets,
    pub(crate) sink: Sink,
    pub(crate) transport: Transport,
    pub(crate) escalation: Escalation,
    pub(crate) sshd: Option<Sshd>,
    pub(crate) blobs: Arc<Folder>,
    pub(crate) artifacts: Mutex<Vec<Artifact>>,
    pub(crate) dir: TempDir,
}

impl World {
    pub(crate) fn ssh() -> Option<Self> {
        Self::ssh_with("")
    }

    /// A world with more lines in the server's configuration.
    pub(crate) fn ssh_with(more: &str) -> Option<Self> {
        let dir = folder();
        let sshd = Sshd::start(dir.path(), more)?;
        Some(Self::new(dir, Some(sshd)))
    }

    /// A world behind a server that sees an `/etc` of its own, changed by a shell line; none, which is said, where a
    /// program is missing or this machine has no namespaces.
    pub(crate) fn ssh_with_etc(program: &str, change: &str) -> Option<Self> {
        let trial = || with_own_etc(":", "/bin/true").output().unwrap();
        let obstacle = match () {
            () if !am_root() => Some("needs root".to_owned()),
            () if !Path::new(program).exists() => Some(format!("{program} is not installed")),
            () => Some(trial()).filter(|output| !output.status.success()).map(|output| {
                format!("a server can't have its own /etc: {}", String::from_utf8_lossy(&output.stderr).trim_end())
            }),
        };
        if let Some(why) = obstacle {
            skip(&why);
            return None;
        }
        let dir = folder();
        let sshd = Sshd::start_by(dir.path(), "", || with_own_etc(change, SSHD))?;
        Some(Self::new(dir, Some(sshd)))
    }

    #[expect(clippy::unnecessary_wraps, reason = "the same shape as `ssh`, which a macro calls in its place")]
    pub(crate) fn local() -> Option<Self> {
        Some(Self::new(folder(), None))
    }

    fn new(dir: TempDir, sshd: Option<Sshd>) -> Self {
        fs::create_dir(dir.path().join("control")).unwrap();
        fs::write(dir.path().join("secret"), SECRET_VALUE).unwrap();
        let sources = BTreeMap::from([
            (SecretName::new(SECRET).unwrap(), SecretSource::File("secret".into())),
            (SecretName::new("login").unwrap(), SecretSource::File("login".into())),
        ]);
        let blobs = Arc::new(Folder(dir.path().join("blobs")));
        fs::create_dir(&blobs.0).unwrap();
        let targets = Targets::new(TargetsOptions {
            project_dir: dir.path().to_owned(),
            control_dir: dir.path().join("control"),
            secrets: Arc::new(SecretStore::new(sources, dir.path().to_owned())),
            blobs: blobs.clone(),
            redactor: Arc::new(Redactor::new()),
            connect_concurrency: 8,
        });
        Self {
            targets,
            sink: Sink::default(),
            transport: if sshd.is_some() { Transport::Ssh } else { Transport::Local },
            escalation: Escalation::default(),
            sshd,
            blobs,
            artifacts: Mutex::default(),
            dir,
        }
    }

    /// The target on 127.0.0.1.
    pub(crate) fn target(&self) -> TargetSpec {
        self.target_at("127.0.0.1")
    }

    pub(crate) fn target_at(&self, address: &str) -> TargetSpec {
        TargetSpec {
            name: TargetName::new(address).unwrap(),
            address: address.to_owned(),
            transport: self.transport,
            user: None,
            port: self.sshd.as_ref().map(|sshd| sshd.port),
            ssh: SshOptions {
                identity_file: Some("id".into()),
                known_hosts: Some("known_hosts".into()),
                config_file: Some("/dev/null".into()),
                ..SshOptions::default()
            },
            escalation: self.escalation.clone(),
            labels: BTreeMap::new(),
            max_steps: None,
        }
    }

    pub(crate) fn effects(&self) -> Arc<dyn Effects> {
        self.effects_on(&self.target())
    }

    pub(crate) fn effects_on(&self, target: &TargetSpec) -> Arc<dyn Effects> {
        let artifacts = self.artifacts.lock().unwrap();
        self.targets.effects(target, &[SecretName::new(SECRET).unwrap()], &artifacts)
    }

    /// Runs a shell line and returns what it printed.
    pub(crate) async fn sh(&self, line: &str) -> String {
        let output = self.effects().exec(sh(line), &self.sink).await.unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// Closes the targets and checks that nothing of them is left.
    pub(crate) async fn close(self) {
        self.targets.close().await;
        let control = self.path("control");
        // A client of a jump host was told to end, and is nobody's child to wait for.
        until("no client is left", || processes_with(&control).is_empty()).await;
    }
}

/// Says why a test is skipped; fails instead where `LAUNCHWAY_REQUIRE_HOSTS` is set.
pub(crate) fn skip(why: &str) {
    let required = std::env::var_os("LAUNCHWAY_REQUIRE_HOSTS").is_some();
    assert!(!required, "LAUNCHWAY_REQUIRE_HOSTS is set, and this test can't run here: {why}");
    eprintln!("skipped: {why}");
}

fn folder() -> TempDir {
    // Others than the owner must be able to pass through: some tests become other users.
    let dir = tempfile::Builder::new().prefix("lw").tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

/// The processes whose command line holds a text.
pub(crate) fn processes_with(text: &str) -> Vec<(u32, String)> {
    let all = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let entry = entry.unwrap();
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        Some((pid, String::from_utf8_lossy(&line).replace('\0', " ")))
    });
    all.filter(|(_, line)| line.contains(text)).collect()
}

pub(crate) fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

/// Waits until something holds. For what happens outside and announces itself to nobody.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn is_running(pid: u32) -> bool {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The state stands behind the name, which is in parentheses.
        Ok(stat) => !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'),
        Err(_) => false,
    }
}

pub(crate) fn am_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub(crate) fn sh(line: &str) -> Command {
    command(&["/bin/sh", "-c", line])
}

pub(crate) fn command(argv: &[&str]) -> Command {
    Command { argv: argv.iter().map(|&word| word.to_owned()).collect(), ..Command::default() }
}

pub(crate) fn secret() -> Part {
    Part::Secret(SecretName::new(SECRET).unwrap())
}

/// Keeps what it is given.
#[derive(Default)]
pub(crate) struct Sink {
    pub(crate) stdout: Mutex<Vec<u8>>,
    pub(crate) stderr: Mutex<Vec<u8>>,
}

impl Sink {
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout.lock().unwrap()).into_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock().unwrap()).into_owned()
    }
}

impl StepSink for Sink {
    fn output(&self, stream: Stream, bytes: &[u8]) {
        let kept = if stream == Stream::Stdout { &self.stdout } else { &self.stderr };
        kept.lock().unwrap().extend_from_slice(bytes);
    }

    fn log(&self, _: LogLevel, _: &str) {}

    fn progress(&self, _: Option<f32>, _: &str) {}
}

/// Blobs in a folder.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Blobs for Folder {
    fn open(&self, digest: &Digest) -> std::io::Result<fs::File> {
        fs::File::open(self.0.join(digest.hex()))
    }

    fn insert(&self, file: &Path) -> std::io::Result<(Digest, u64)> {
        let bytes = fs::read(file)?;
        let digest = Digest::of(&bytes);
        fs::write(self.0.join(digest.hex()), &bytes)?;
        Ok((digest, bytes.len() as u64))
    }
}

/// Writes each case twice: against a server, and on this machine itself.
macro_rules! on_both {
    ($($(#[$about:meta])* async fn $name:ident($world:ident: $kind:ty) $body:block)*) => {
        $($(#[$about])* async fn $name($world: World) $body)*

        mod ssh {
            use super::World;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(world) = World::ssh() { super::$name(world).await }
            })*
        }

        mod local {
            use super::World;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                if let Some(world) = World::local() { super::$name(world).await }
            })*
        }
    };
}
pub(crate) use on_both;
