//! What commands on a project begin with: its files, its plugins, its store.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use launchway_model::config::{Application, PluginSource, parse_scalar};
use launchway_model::{ApplicationName, ApplicationState, EnvironmentName, Lineage, PluginName, Sources, Version};
use launchway_runtime::{CachePlace, LoadError, PluginFile, PluginOptions, PluginSet};
use launchway_store::{LeaseInfo, NEW_LINEAGE, Store, StoreError};
use serde_json::Value;

use crate::adapters::LazyRuntime;
use crate::args::Global;
use crate::console::Console;
use crate::embedded::EMBEDDED;
use crate::environment::{self, LoadedEnvironment};
use crate::error::{CliError, Result, chain};
use crate::exit::Exit;
use crate::holder::now;
use crate::inventory::{self, Asking};
use crate::kept_plugins;
use crate::process::COMPILE_PLUGIN;
use crate::project::{self, Project};

/// The store's folder within a project.
const STORE: &str = ".launchway";

/// A project at work.
pub(crate) struct Context {
    pub console: Console,
    pub sources: Sources,
    pub project: Project,
    pub runtime: LazyRuntime,
    environment: Option<String>,
    store: PathBuf,
}

impl Context {
    /// Finds the project and reads its main file.
    pub(crate) fn open(global: &Global, console: Console) -> Result<Self> {
        let dir = project::find(global.directory.as_deref())?;
        let store = store_folder(global, &dir);
        let mut sources = Sources::default();
        let project = Project::load(dir, &mut sources)?;
        let environment = global.environment.clone();
        Ok(Self { console, sources, project, runtime: LazyRuntime::default(), environment, store })
    }

    pub(crate) fn application(&self) -> &ApplicationName {
        &self.project.application.value.application
    }

    /// Returns the environment asked for, or the only one.
    pub(crate) fn environment_name(&self) -> Result<EnvironmentName> {
        environment::choose(&self.project.dir, self.environment.as_deref())
    }

    /// Reads the environment asked for, or the only one, and asks its inventories.
    pub(crate) fn load_environment(&mut self) -> Result<LoadedEnvironment> {
        let name = self.environment_name()?;
        let mut environment = environment::load(&self.project.dir, &name, &mut self.sources)?;
        inventory::resolve(&mut environment, &self.project.dir, &self.runtime, &mut self.sources, Asking::All)?;
        Ok(environment)
    }

    /// Returns the project's plugins and those of the binary.
    pub(crate) fn plugins(&self) -> Result<PluginSet> {
        plugins_of(&self.project.application.value, &self.project.dir)
    }

    /// Returns the project's plugins, those of the binary, and of others that are needed those that were kept.
    pub(crate) fn plugins_for<'a>(
        &self,
        store: Option<&Store>,
        needed: impl IntoIterator<Item = &'a PluginName>,
    ) -> Result<PluginSet> {
        let application = &self.project.application.value;
        let mut files = plugin_files(application, &self.project.dir);
        files.extend(kept_plugins::missing(store, application, needed)?);
        load_plugins(&files)
    }

    /// Opens the store, creating it if need be.
    pub(crate) fn store(&self) -> Result<Store> {
        Store::open(&self.store).map_err(|error| store_error(&error))
    }

    /// Opens the store if there is one: looking at something leaves no traces.
    pub(crate) fn store_if_any(&self) -> Result<Option<Store>> {
        Store::open_to_read(&self.store).map_err(|error| store_error(&error))
    }

    /// Returns the recorded state of the application.
    pub(crate) fn state(&self, store: Option<&Store>, environment: &EnvironmentName) -> Result<ApplicationState> {
        match store {
            Some(store) => store.state(environment, self.application()).map_err(|error| store_error(&error)),
            None => Ok(ApplicationState::empty(
                environment.clone(),
                self.application().clone(),
                Lineage(NEW_LINEAGE.into()),
            )),
        }
    }

    /// Returns the version to deploy: the one given, or the one in the project.
    pub(crate) fn version(&self, given: Option<&str>) -> Result<Version> {
        match (given, &self.project.application.value.version) {
            (Some(text), _) => version(text),
            (None, Some(version)) => Ok(version.clone()),
            (None, None) => Err(CliError::usage("no-version", "the release has no version")
                .hint(format!("give one with --version, or write `version:` in {}", project::FILE))),
        }
    }
}

/// Returns the store's folder: the one asked for, or the project's own.
pub(crate) fn store_folder(global: &Global, project: &Path) -> PathBuf {
    global.store.clone().unwrap_or_else(|| project.join(STORE))
}

/// Returns a version from the command line.
pub(crate) fn version(text: &str) -> Result<Version> {
    Version::new(text).map_err(|error| CliError::usage("usage", format!("`{text}` is no version: {error}")))
}

/// Returns the plugins of the binary.
pub(crate) fn binary_plugins() -> Result<PluginSet> {
    load_plugins(&[])
}

/// Returns the plugins of the binary and those that an application names.
pub(crate) fn plugins_of(application: &Application, folder: &Path) -> Result<PluginSet> {
    load_plugins(&plugin_files(application, folder))
}

/// Returns the plugins that an application names.
pub(crate) fn plugin_files(application: &Application, folder: &Path) -> Vec<PluginFile> {
    let file = |(name, source): (&PluginName, &PluginSource)| PluginFile {
        name: name.clone(),
        path: folder.join(source.file()),
        grant: source.grant().to_vec(),
    };
    application.plugins.iter().map(file).collect()
}

pub(crate) fn load_plugins(files: &[PluginFile]) -> Result<PluginSet> {
    let options = PluginOptions { compiler: compiler()?, cache: CachePlace::of_user(), ..PluginOptions::default() };
    PluginSet::load(EMBEDDED, files, options).map_err(|errors| {
        let broken = errors.iter().any(|error| matches!(error, LoadError::Engine(_)));
        let hint = errors.iter().find_map(LoadError::hint);
        let messages: Vec<String> = errors.iter().map(|error| chain(error)).collect();
        let refused = errors.iter().any(|error| matches!(error, LoadError::NotGranted { .. }));
        let exit = match (broken, refused) {
            (true, _) => Exit::Internal,
            (false, true) => Exit::Refused,
            (false, false) => Exit::Usage,
        };
        let error = CliError::new(exit, "plugin", messages.join("\n"));
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    })
}

fn compiler() -> Result<Vec<OsString>> {
    let this = std::env::current_exe().map_err(|error| CliError::internal(&error))?;
    Ok(vec![this.into_os_string(), OsString::from(COMPILE_PLUGIN)])
}

/// Says what is missing when a binary without plugins meets a project that needs some.
pub(crate) fn missing_plugins_hint(plugins: &PluginSet, needed: &PluginName) -> Option<String> {
    let is_bare = EMBEDDED.is_empty() && plugins.info(needed).is_none();
    is_bare.then(|| "this binary was built without plugins; build with `cargo xtask build`".to_owned())
}

/// Reads `--set KEY=VALUE`.
pub(crate) fn set_values(given: &[String]) -> Result<BTreeMap<String, Value>> {
    let mut values = BTreeMap::new();
    for text in given {
        let pair = text.split_once('=').filter(|(key, _)| !key.trim().is_empty());
        let (key, value) =
            pair.ok_or_else(|| CliError::usage("usage", format!("--set takes KEY=VALUE, not `{text}`")))?;
        if values.insert(key.trim().to_owned(), parse_scalar(value)).is_some() {
            return Err(CliError::usage("usage", format!("--set gives `{}` twice", key.trim())));
        }
    }
    Ok(values)
}

/// Returns the lease of a run that is at work on the application.
pub(crate) fn live_lease(context: &Context, store: &Store, environment: &EnvironmentName) -> Result<Option<LeaseInfo>> {
    let lease = store.lease(environment, context.application()).map_err(|error| store_error(&error))?;
    Ok(lease.filter(|lease| lease.is_live(now())))
}

fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Tells what users can do something about from bugs.
pub(crate) fn store_error(error: &StoreError) -> CliError {
    use StoreError as E;
    let (exit, hint) = match error {
        E::Io { source, .. } if is_full(source) => (Exit::Usage, Some("free some space and run it again")),
        E::Io { .. } => (Exit::Usage, Some("--store DIR or LAUNCHWAY_STORE names another folder")),
        E::ReadOnly { .. } => (Exit::Usage, Some("make the store's folder writable, or name another one with --store")),
        E::Unmerged { .. } => (Exit::Usage, Some("make the store's folder writable, or ask whoever deploys from it")),
        E::NotAFolder { .. } => (Exit::Usage, Some("--store and LAUNCHWAY_STORE name a folder")),
        E::NotAStore { .. }
        | E::Lost { .. }
        | E::Corrupt { .. }
        | E::BlobMissing { .. }
        | E::BlobDamaged { .. }
        | E::KeyDamaged { .. }
        | E::Record { .. }
        | E::Value { .. } => {
            (Exit::Usage, Some("restore it from a backup; without it launchway does not know what is deployed"))
        }
        E::Newer { .. } | E::PlanFormat { .. } => (Exit::Usage, Some("use a newer launchway")),
        E::Full { .. } => (Exit::Usage, Some("free some space and run it again")),
        E::LeaseLost { .. } => (Exit::Locked, Some("`launchway runs` shows which run took over")),
        E::Busy { .. } => (Exit::Locked, Some("wait for the other process, then run it again")),
        _ => (Exit::Internal, None),
    };
    let message = match error {
        // SQLite's own words say no more.
        E::Full { .. } | E::ReadOnly { .. } | E::Busy { .. } => error.to_string(),
        _ => chain(error),
    };
    let converted = CliError::new(exit, "store", message);
    match hint {
        Some(hint) => converted.hint(hint),
        None => converted,
    }
}

#[cfg(test)]
mod tests {
    use launchway_model::Digest;

    use super::*;

    #[test]
    fn a_damaged_store_is_no_bug_and_says_what_to_do() {
        let (digest, path) = (Digest::of(b""), PathBuf::from("/store/x"));
        let source = serde_json::from_str::<bool>("x").unwrap_err();
        let damages = [
            StoreError::BlobMissing { digest },
            StoreError::BlobDamaged { digest, path: path.clone() },
            StoreError::KeyDamaged { path },
            StoreError::Record { what: "event".to_owned(), source },
            StoreError::Value { what: "digest", text: "x".to_owned() },
        ];
        for damage in damages {
            let error = store_error(&damage);
            assert_eq!(error.exit, Exit::Usage, "{damage:?}");
            assert!(error.hint.is_some_and(|hint| hint.contains("backup")), "{damage:?}");
        }
    }
}
