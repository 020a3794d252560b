//! What the planner asks of the outside, behind traits: it does no I/O itself.

use launchway_model::{
    Artifact, Digest, Fingerprint, KindInfo, KindRef, PlannedStep, PluginName, Problem, Proposal, SecretName,
};
use serde_json::Value;

/// The plugins, for planning: everything here is pure.
pub trait Plugins {
    /// Returns the kind's description; none if there is no such plugin or kind.
    fn kind(&self, kind: &KindRef) -> Option<&KindInfo>;
    /// Returns all kinds, for suggestions.
    fn kinds(&self) -> Vec<KindRef>;
    fn digest(&self, plugin: &PluginName) -> Option<Digest>;
    /// Returns what the plugin itself finds wrong in properties that satisfy the schema: one answer for each, in order.
    fn validate(&self, kind: &KindRef, properties: &[Value]) -> Result<Vec<Vec<Problem>>, PluginError>;
    /// Returns one answer per proposal, in order.
    fn plan(&self, plugin: &PluginName, proposals: &[Proposal]) -> Result<Vec<PlanAnswer>, PluginError>;
}

/// A plugin's answer to one proposal.
pub type PlanAnswer = Result<Vec<PlannedStep>, Vec<Problem>>;

/// A plugin that trapped, lied or could not be loaded.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("plugin `{plugin}`: {message}")]
pub struct PluginError {
    pub plugin: PluginName,
    pub message: String,
}

/// The files of the release that is planned.
pub trait Files {
    /// Takes a file, or a folder packed as a tar, into the release.
    ///
    /// `reference` is a path relative to the project; the artifact's name is the property's.
    fn artifact(&self, source: FileSource, reference: &str, name: &str) -> Result<Artifact, FileProblem>;
    /// Returns a template's text.
    fn text(&self, reference: &str) -> Result<String, FileProblem>;
    /// Keeps what the planner rendered, and returns the artifact for it.
    fn rendered(&self, name: &str, file_name: &str, bytes: Vec<u8>, has_secrets: bool)
    -> Result<Artifact, FileProblem>;
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FileSource {
    File,
    Directory,
    /// A name under `artifacts:` of the application.
    Artifact,
}

/// Why a file of the release can't be had.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct FileProblem {
    /// A lowercase fragment, such as `no such file: conf/api.conf`.
    pub message: String,
    pub hint: Option<String>,
}

/// The secrets of the environment, as far as a plan may know them.
pub trait Secrets {
    /// Returns what tells the current value from an earlier one; [`Fingerprint::Unchecked`] if it can't be read.
    fn fingerprint(&self, name: &SecretName) -> Fingerprint;
}
