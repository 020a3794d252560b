//! All plugins of a project: those embedded in the binary, and those it names as files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use launchway_model::{
    ApplicationName, Digest, KindRef, PlannedStep, PluginInfo, PluginName, Problem, Proposal, StepReport,
};
use serde_json::Value;

use super::{CallError, InspectCall, LoadError, Outcome, PluginFault, StepCall, Verdict};

/// A plugin that was compiled when the binary was built.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedPlugin {
    pub name: &'static str,
    /// Of the component, as text: `sha256:` and 64 hex digits.
    pub digest: &'static str,
    /// What it answered to `describe`.
    pub info_json: &'static str,
    pub cwasm: &'static [u8],
}

/// A plugin from a file that the project names.
#[derive(Clone, PartialEq, Debug)]
pub struct PluginFile {
    pub name: PluginName,
    pub path: PathBuf,
    /// The capabilities it gets: `target`, `secrets`, `http`, `net`.
    pub grant: Vec<String>,
}

/// What a [`PluginSet`] needs beside the plugins.
#[derive(Clone, Debug)]
pub struct PluginOptions {
    /// The command, program first, that runs [`compile_child_main`](super::compile_child_main).
    pub compiler: Vec<OsString>,
    /// Where compiled plugins are kept; none keeps them nowhere.
    pub cache: Option<super::CachePlace>,
    pub limits: super::Limits,
}

/// The plugins of a project.
///
/// Cheap to make when all of them are embedded: the engine and the plugins' code are loaded on first use.
#[derive(Clone)]
pub struct PluginSet {
    inner: Arc<BTreeMap<PluginName, (PluginInfo, Digest)>>,
}

impl PluginSet {
    /// Reads, checks and, where it must, compiles the plugins. Blocks; with embedded ones only, for microseconds.
    pub fn load(
        _embedded: &[EmbeddedPlugin],
        _files: &[PluginFile],
        _options: PluginOptions,
    ) -> Result<Self, Vec<LoadError>> {
        Ok(Self { inner: Arc::default() })
    }

    /// Returns the names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &PluginName> {
        self.inner.keys()
    }

    pub fn info(&self, plugin: &PluginName) -> Option<&PluginInfo> {
        self.inner.get(plugin).map(|plugin| &plugin.0)
    }

    /// Returns the digest of the component.
    pub fn digest(&self, plugin: &PluginName) -> Option<Digest> {
        self.inner.get(plugin).map(|plugin| plugin.1)
    }

    /// Returns what the plugin itself finds wrong in properties that satisfy the schema.
    pub async fn validate(&self, _kind: &KindRef, _properties: &Value) -> Result<Vec<Problem>, PluginFault> {
        Err(PluginFault::Unknown)
    }

    /// Returns one answer per proposal, in order.
    pub async fn plan(
        &self,
        _plugin: &PluginName,
        _application: &ApplicationName,
        _proposals: &[Proposal],
    ) -> Result<Vec<Result<Vec<PlannedStep>, Vec<Problem>>>, PluginFault> {
        Err(PluginFault::Unknown)
    }

    /// Carries a step out.
    pub async fn apply(&self, _call: StepCall) -> Result<Outcome, CallError> {
        Err(CallError::Cancelled)
    }

    /// Asks again about a step that answered [`Outcome::Pending`].
    pub async fn poll(&self, _call: StepCall, _token: &str) -> Result<Outcome, CallError> {
        Err(CallError::Cancelled)
    }

    /// Asks whether an interrupted step happened.
    pub async fn probe(&self, _call: StepCall) -> Result<Verdict, CallError> {
        Err(CallError::Cancelled)
    }

    /// Asks what is there now.
    pub async fn inspect(&self, _call: InspectCall) -> Result<StepReport, CallError> {
        Err(CallError::Cancelled)
    }
}
