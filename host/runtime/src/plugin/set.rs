//! All plugins of a project: those embedded in the binary, and those it names as files.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use launchway_model::{Digest, KindRef, PluginInfo, PluginName};

use super::code::TrustedCode;
use super::engine::{Sandbox, chain};
use super::linkers::Linked;
use super::load::{Loader, Ready};
use super::{CachePlace, EngineError, Limits, LoadError, PluginFault};

/// A plugin that was compiled when the binary was built, by `launchway-aot` of the same build.
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
#[derive(Clone, Debug, Default)]
pub struct PluginOptions {
    /// The command, program first, that runs [`compile_child_main`](super::compile_child_main).
    pub compiler: Vec<OsString>,
    /// Where compiled plugins are kept; none keeps them nowhere.
    pub cache: Option<CachePlace>,
    pub limits: Limits,
}

/// The plugins of a project.
///
/// Cheap to make when all of them are embedded: the engine and the plugins' code are loaded on first use. Cheap to
/// clone.
#[derive(Clone)]
pub struct PluginSet {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    plugins: BTreeMap<PluginName, Plugin>,
    sandbox: OnceLock<Result<Sandbox, EngineError>>,
    pub(super) limits: Limits,
}

struct Plugin {
    info: PluginInfo,
    digest: Digest,
    /// Where it came from, if it is not embedded.
    file: Option<PluginFile>,
    code: TrustedCode,
    linked: OnceLock<Result<Linked, EngineError>>,
}

impl From<Ready> for Plugin {
    fn from(ready: Ready) -> Self {
        Self { info: ready.info, digest: ready.digest, file: None, code: ready.code, linked: OnceLock::new() }
    }
}

impl PluginSet {
    /// Reads, checks and, where it must, compiles the plugins; returns all that is wrong with them.
    ///
    /// Blocks: with embedded plugins only, for microseconds; with a file that is new, for as long as it compiles.
    pub fn load(
        embedded: &[EmbeddedPlugin],
        files: &[PluginFile],
        options: PluginOptions,
    ) -> Result<Self, Vec<LoadError>> {
        let mut plugins = BTreeMap::new();
        let mut errors = Vec::new();
        for plugin in embedded {
            match open_embedded(plugin) {
                Ok(ready) => drop(plugins.insert(ready.info.name.clone(), Plugin::from(ready))),
                Err(reason) => errors.push(LoadError::Embedded { name: plugin.name.to_owned(), reason }),
            }
        }
        if !files.is_empty() {
            let loader = Loader::new(&options).map_err(|error| vec![error.into()])?;
            for file in files {
                let loaded = match plugins.contains_key(&file.name) {
                    true => Err(LoadError::Taken { plugin: file.name.clone() }),
                    false => loader.load(file),
                };
                match loaded {
                    Ok(ready) => {
                        let plugin = Plugin { file: Some(file.clone()), ..Plugin::from(ready) };
                        plugins.insert(file.name.clone(), plugin);
                    }
                    Err(error) => errors.push(error),
                }
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self { inner: Arc::new(Inner { plugins, sandbox: OnceLock::new(), limits: options.limits }) })
    }

    /// Returns the names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &PluginName> {
        self.inner.plugins.keys()
    }

    pub fn info(&self, plugin: &PluginName) -> Option<&PluginInfo> {
        self.inner.plugins.get(plugin).map(|plugin| &plugin.info)
    }

    /// Returns the digest of the component.
    pub fn digest(&self, plugin: &PluginName) -> Option<Digest> {
        self.inner.plugins.get(plugin).map(|plugin| plugin.digest)
    }

    /// Returns the file that a plugin was loaded from; none if it is embedded.
    pub fn file(&self, plugin: &PluginName) -> Option<&PluginFile> {
        self.inner.plugins.get(plugin)?.file.as_ref()
    }

    /// Returns all kinds of all plugins.
    pub fn kinds(&self) -> impl Iterator<Item = KindRef> {
        self.inner.plugins.iter().flat_map(|(name, plugin)| {
            let kinds = plugin.info.kinds.iter();
            kinds.map(|kind| KindRef { plugin: name.clone(), kind: kind.name.clone() })
        })
    }
}

impl Inner {
    /// Returns the sandbox, made on first use.
    pub(super) fn sandbox(&self) -> Result<&Sandbox, PluginFault> {
        self.sandbox.get_or_init(Sandbox::pooled).as_ref().map_err(|error| error.clone().into())
    }

    /// Returns a plugin that can be instantiated; its code is loaded on first use.
    pub(super) fn linked(&self, name: &PluginName) -> Result<&Linked, PluginFault> {
        let sandbox = self.sandbox()?;
        let plugin = self.plugins.get(name).ok_or(PluginFault::Unknown)?;
        let linked = plugin.linked.get_or_init(|| {
            let component = plugin.code.load(sandbox.engine())?;
            Linked::new(&component).map_err(|error| EngineError::Code(chain(&error)))
        });
        linked.as_ref().map_err(|error| error.clone().into())
    }
}

fn open_embedded(plugin: &EmbeddedPlugin) -> Result<Ready, String> {
    let info: PluginInfo = serde_json::from_str(plugin.info_json).map_err(|error| error.to_string())?;
    if info.name.as_str() != plugin.name {
        return Err(format!("it calls itself `{}`", info.name));
    }
    let digest = plugin.digest.parse().map_err(|error: launchway_model::IdError| error.to_string())?;
    Ok(Ready { info, digest, code: TrustedCode::embedded(plugin.cwasm) })
}
