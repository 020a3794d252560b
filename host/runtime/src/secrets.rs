//! The values of an environment's secrets: read when first needed, kept in memory only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use launchway_model::config::{AgeSource, SecretSource};
use launchway_model::{Failure, Fault, Fingerprint, SecretName};
use rustix::process::{Pid, Signal, kill_process_group};
use sha2::Sha256;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{Mutex, OnceCell};
use zeroize::Zeroizing;

use crate::sealed::{Sealed, SealedError};
use crate::target::expand;
use crate::{EffectFuture, SecretValues};

/// How long a command that prints a secret may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// A secret is a password, a key or a certificate; what is larger is a mistake.
const SIZE_LIMIT: u64 = 1024 * 1024;

/// How much of a failed command's complaint is shown, in bytes.
const COMPLAINT_LIMIT: u64 = 4096;

/// An encrypted file, or why it can't be opened.
type Opened = Result<Sealed, SealedError>;

type Value = Arc<Zeroizing<Vec<u8>>>;

/// The secrets of one environment.
pub struct SecretStore {
    base: PathBuf,
    secrets: BTreeMap<SecretName, Secret>,
    /// Encrypted files, as the sources name them: each is opened once.
    sealed: Mutex<BTreeMap<PathBuf, Arc<OnceCell<Opened>>>>,
}

struct Secret {
    source: SecretSource,
    value: OnceCell<Value>,
}

impl std::fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.secrets.keys()).finish()
    }
}

impl SecretStore {
    /// Takes over the references. Relative files start at `base`, where commands run too.
    pub fn new(sources: BTreeMap<SecretName, SecretSource>, base: PathBuf) -> Self {
        let secrets =
            sources.into_iter().map(|(name, source)| (name, Secret { source, value: OnceCell::new() })).collect();
        Self { base, secrets, sealed: Mutex::default() }
    }

    /// Returns what tells this value from another one without telling it; the key must stay outside the state's store.
    pub async fn fingerprint(&self, name: &SecretName, key: &[u8; 32]) -> Fingerprint {
        let Ok(value) = self.value(name).await else { return Fingerprint::Unchecked };
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        // The name is part of it: two secrets with one value must not be seen to be the same.
        mac.update(&(name.as_str().len() as u64).to_le_bytes());
        mac.update(name.as_str().as_bytes());
        mac.update(&value);
        Fingerprint::Hmac(mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    async fn read(&self, name: &SecretName, source: &SecretSource) -> Result<Value, Failure> {
        let mut bytes = match source {
            SecretSource::Env(variable) => self.read_variable(name, variable)?,
            SecretSource::File(path) => self.read_file(name, &expand(&self.base, path)).await?,
            SecretSource::Command(argv) => self.read_command(name, argv).await?,
            SecretSource::Age(source) => self.read_sealed(name, source).await?,
        };
        if matches!(source, SecretSource::File(_) | SecretSource::Command(_)) && bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        Ok(Arc::new(bytes))
    }

    fn read_variable(&self, name: &SecretName, variable: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
        use std::os::unix::ffi::OsStringExt as _;
        // A name the system can't hold is a variable that is not set; `var_os` says so for `=` and NUL.
        match std::env::var_os(variable) {
            Some(value) => Ok(Zeroizing::new(value.into_vec())),
            None => Err(unreadable(
                name,
                format!("environment variable `{variable}` is not set"),
                "set it where launchway runs",
            )),
        }
    }

    async fn read_file(&self, name: &SecretName, path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let shown = path.display();
        let fail = |error: std::io::Error| {
            unreadable(name, format!("file {shown}: {error}"), "check the path and its permissions")
        };
        let file = tokio::fs::File::open(path).await.map_err(fail)?;
        let bytes = read_limited(file, SIZE_LIMIT + 1).await.map_err(fail)?;
        check_size(name, bytes)
    }

    async fn read_sealed(&self, name: &SecretName, source: &AgeSource) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let (file, key) = match source {
            AgeSource::File(file) => (file, name.as_str()),
            AgeSource::Entry(entry) => (&entry.file, entry.key.as_str()),
        };
        let fail = |error: SealedError| unreadable(name, error.message, &error.hint);
        let opened = self.sealed.lock().await.entry(file.clone()).or_default().clone();
        let path = expand(&self.base, file);
        // Once for all secrets in it, and once for all time that it could not be opened.
        let opened = opened.get_or_init(|| async move {
            let opening = tokio::task::spawn_blocking(move || Sealed::open(&path));
            opening.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
        });
        let sealed = opened.await.as_ref().map_err(|error| fail(error.clone()))?;
        Ok(Zeroizing::new(sealed.get(key).map_err(fail)?.as_bytes().to_vec()))
    }

    async fn read_command(&self, name: &SecretName, argv: &[String]) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let Some((program, args)) = argv.split_first() else {
            return Err(unreadable(name, "its command is empty".into(), "give a program and its arguments"));
        };
        let fail = |error: std::io::Error| {
            unreadable(
                name,
                format!("command `{program}`: {error}"),
                "check that the program is installed where launchway runs",
            )
        };
        let mut child = tokio::process::Command::new(program)
            .args(args)
            .current_dir(&self.base)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(fail)?;
        let group = Group(child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())));
        let (stdout, stderr) = (child.stdout.take().expect("it is piped"), child.stderr.take().expect("it is piped"));
        let all = async {
            let (out, err) = tokio::join!(read_limited(stdout, SIZE_LIMIT + 1), read_tail(stderr));
            let status = child.wait().await?;
            group.has_ended();
            Ok::<_, std::io::Error>((out?, err, status))
        };
        let (out, complaint, status) = match tokio::time::timeout(COMMAND_TIMEOUT, all).await {
            Ok(done) => done.map_err(fail)?,
            Err(_) => {
                return Err(unreadable(
                    name,
                    format!("command `{program}` gave no answer in {} s", COMMAND_TIMEOUT.as_secs()),
                    "it must not ask questions: its standard input is empty",
                ));
            }
        };
        if !status.success() {
            let how =
                status.code().map_or_else(|| "was killed".to_owned(), |code| format!("ended with exit status {code}"));
            let mut failure =
                unreadable(name, format!("command `{program}` {how}"), "run the command by hand to see why");
            failure.detail = (!complaint.is_empty()).then_some(complaint);
            return Err(failure);
        }
        check_size(name, out)
    }
}

/// Kills a command's whole process group when dropped, unless the command has ended by itself.
struct Group(Option<Pid>);

impl Group {
    fn has_ended(mut self) {
        // Its number may become somebody else's.
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // All of it may be gone already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl SecretValues for SecretStore {
    fn value<'a>(&'a self, name: &'a SecretName) -> EffectFuture<'a, Value> {
        Box::pin(async move {
            let Some(secret) = self.secrets.get(name) else {
                return Err(Failure {
                    fault: Fault::Configuration,
                    message: format!("the environment has no secret `{name}`"),
                    detail: None,
                    hint: Some("add it to `secrets:` of the environment".into()),
                    retryable: false,
                });
            };
            secret.value.get_or_try_init(|| self.read(name, &secret.source)).await.cloned()
        })
    }

    fn known(&self) -> Vec<(SecretName, Value)> {
        self.secrets.iter().filter_map(|(name, secret)| Some((name.clone(), secret.value.get()?.clone()))).collect()
    }
}

fn unreadable(name: &SecretName, why: String, hint: &str) -> Failure {
    Failure {
        fault: Fault::Configuration,
        message: format!("can't read secret `{name}`: {why}"),
        detail: None,
        hint: Some(hint.to_owned()),
        retryable: false,
    }
}

fn check_size(name: &SecretName, bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(unreadable(
            name,
            "it is larger than 1 MiB".into(),
            "a secret is a password, a key or a certificate",
        ));
    }
    Ok(bytes)
}

async fn read_limited(source: impl AsyncRead + Unpin, limit: u64) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    source.take(limit).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// Reads all, keeps the beginning: a program that complains says the main thing first.
async fn read_tail(mut source: impl AsyncRead + Unpin) -> String {
    let mut bytes = Vec::new();
    // What can't be read is not shown; the exit status decides.
    let _ = (&mut source).take(COMPLAINT_LIMIT).read_to_end(&mut bytes).await;
    let _ = tokio::io::copy(&mut source, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(sources: &[(&str, SecretSource)], base: &Path) -> SecretStore {
        let sources = sources.iter().map(|(name, source)| (SecretName::new(*name).unwrap(), source.clone())).collect();
        SecretStore::new(sources, base.to_owned())
    }

    fn name(text: &str) -> SecretName {
        SecretName::new(text).unwrap()
    }

    #[tokio::test]
    async fn each_source_is_read_and_one_line_end_taken_off() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), "from file\n\n").unwrap();
        let echo = vec!["printf".to_owned(), "from command\\r\\n".to_owned()];
        let store = store(
            &[
                ("file", SecretSource::File("key".into())),
                ("command", SecretSource::Command(echo)),
                ("env", SecretSource::Env("PATH".into())),
            ],
            dir.path(),
        );
        assert!(store.known().is_empty());
        assert_eq!(***store.value(&name("file")).await.unwrap(), *b"from file\n");
        assert_eq!(***store.value(&name("command")).await.unwrap(), *b"from command");
        assert_eq!(***store.value(&name("env")).await.unwrap(), *std::env::var("PATH").unwrap().as_bytes());
        assert_eq!(store.known().len(), 3);
    }

    #[tokio::test]
    async fn a_failure_names_the_source_and_never_what_was_printed() {
        let dir = tempfile::tempdir().unwrap();
        let script = "echo half-a-secret; echo the vault is sealed >&2; exit 3";
        let store = store(
            &[
                ("file", SecretSource::File("missing".into())),
                ("command", SecretSource::Command(vec!["sh".into(), "-c".into(), script.into()])),
                ("program", SecretSource::Command(vec!["/no/such/program".into()])),
                ("env", SecretSource::Env("LAUNCHWAY_TEST_UNSET".into())),
            ],
            dir.path(),
        );
        let said = async |secret: &str| store.value(&name(secret)).await.unwrap_err();
        assert!(said("file").await.message.contains("missing"));
        assert!(said("env").await.message.contains("`LAUNCHWAY_TEST_UNSET` is not set"));
        assert!(said("program").await.message.contains("/no/such/program"));
        assert_eq!(said("other").await.message, "the environment has no secret `other`");
        let command = said("command").await;
        assert!(command.message.contains("exit status 3"), "{command:?}");
        assert_eq!(command.detail.as_deref(), Some("the vault is sealed"));
        assert!(!format!("{command:?}").contains("half-a-secret"));
    }

    #[tokio::test]
    async fn a_command_that_is_given_up_ends_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let script = "sleep 600 & echo $! >pid.new; mv pid.new pid; wait";
        let command = vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()];
        let store = store(&[("command", SecretSource::Command(command))], dir.path());
        let pid = dir.path().join("pid");
        let secret = name("command");
        let begun = async {
            while !pid.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            _ = store.value(&secret) => panic!("it waits"),
            () = begun => {}
        }
        let stat = format!("/proc/{}/stat", std::fs::read_to_string(pid).unwrap().trim());
        let ended = async {
            // Its parent is gone too, so it is a zombie only until somebody else has waited for it.
            while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ended).await.expect("the child ends");
    }

    #[tokio::test]
    async fn fingerprints_tell_values_names_and_keys_apart() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "value").unwrap();
        std::fs::write(dir.path().join("b"), "value").unwrap();
        let store = store(&[("a", SecretSource::File("a".into())), ("b", SecretSource::File("b".into()))], dir.path());
        let a = store.fingerprint(&name("a"), &[1; 32]).await;
        assert!(matches!(&a, Fingerprint::Hmac(hex) if hex.len() == 64));
        assert_eq!(a, store.fingerprint(&name("a"), &[1; 32]).await);
        assert_ne!(a, store.fingerprint(&name("b"), &[1; 32]).await);
        assert_ne!(a, store.fingerprint(&name("a"), &[2; 32]).await);
        assert_eq!(store.fingerprint(&name("c"), &[1; 32]).await, Fingerprint::Unchecked);
    }
}
