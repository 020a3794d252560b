//! Keys for test hosts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// A key pair in two files, the public one with `.pub` at its end.
#[derive(Clone, Debug)]
pub(crate) struct KeyPair(PathBuf);

impl KeyPair {
    /// Makes a new key pair without a passphrase.
    pub(crate) fn generate(path: PathBuf) -> Result<Self> {
        let status = Command::new("/usr/bin/ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "launchway-test", "-f"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .context("can't run ssh-keygen")?;
        ensure!(status.success(), "ssh-keygen failed: {status}");
        Ok(Self(path))
    }

    pub(crate) fn private(&self) -> &Path {
        &self.0
    }

    /// Returns the line that goes into `authorized_keys` and, after a host's name, into `known_hosts`.
    pub(crate) fn public(&self) -> Result<String> {
        let path = self.0.with_extension("pub");
        let line = std::fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
        Ok(line.trim_end().to_owned())
    }
}
