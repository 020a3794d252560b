//! All targets of a run, and what they share.

use std::path::PathBuf;
use std::sync::Arc;

use launchway_model::{Artifact, SecretName, TargetSpec};

use crate::{Blobs, Effects, Redactor, SecretValues};

/// What the targets of a run are given.
pub struct TargetsOptions {
    /// Where relative paths of identity files and the like start.
    pub project_dir: PathBuf,
    /// A private folder for connection sockets; must be there, and stays.
    pub control_dir: PathBuf,
    pub secrets: Arc<dyn SecretValues>,
    pub blobs: Arc<dyn Blobs>,
    pub redactor: Arc<Redactor>,
    /// How many connections may be under way at once; a default sshd refuses more than ten.
    pub connect_concurrency: usize,
}

/// The targets of a run. Connects when a step first needs to, and keeps the connection for the next one.
pub struct Targets {
    options: TargetsOptions,
}

impl Targets {
    /// Prepares; starts and connects nothing.
    pub fn new(options: TargetsOptions) -> Self {
        Self { options }
    }

    /// Returns what a step may do on its target; `secrets` and `artifacts` are those of the step's instance.
    pub fn effects(&self, target: &TargetSpec, secrets: &[SecretName], artifacts: &[Artifact]) -> Arc<dyn Effects> {
        let _ = (&self.options, target, secrets, artifacts);
        todo!()
    }

    /// Ends all connections and what dropped commands left behind.
    pub async fn close(&self) {}
}
