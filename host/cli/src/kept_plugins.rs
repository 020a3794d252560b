//! Plugins from files, kept in the store with what they were granted: what they deployed can be taken away, and brought
//! back, after the project has let go of them.

use std::collections::BTreeSet;

use launchway_model::config::Application;
use launchway_model::{ApplicationState, Deployed, InstanceSpec, Plan, PluginName, RunId};
use launchway_runtime::{PluginFile, PluginSet};
use launchway_store::{KeptPlugin, Store};

use crate::context::store_error;
use crate::embedded::EMBEDDED;
use crate::error::{CliError, Result};
use crate::exit::Exit;

/// Returns the plugins of what is recorded.
pub(crate) fn recorded(state: &ApplicationState) -> BTreeSet<&PluginName> {
    let dirty = state.instances.values().filter_map(|record| record.dirty.as_ref()?.to.as_ref());
    let confirmed = state.instances.values().filter_map(|record| record.confirmed.as_ref());
    confirmed.chain(dirty).flat_map(|deployed: &std::sync::Arc<Deployed>| of(&deployed.spec)).collect()
}

/// Returns the plugins that an instance needs.
pub(crate) fn of(spec: &InstanceSpec) -> impl Iterator<Item = &PluginName> {
    let around = spec.around.iter().flat_map(|around| around.before.iter().chain(&around.after));
    let actions = spec.verify.iter().chain(around);
    std::iter::once(&spec.kind.plugin).chain(actions.map(|action| &action.kind.plugin))
}

/// Returns what was last used of those plugins that are needed and that neither the binary nor the project has.
pub(crate) fn missing<'a>(
    store: Option<&Store>,
    application: &Application,
    needed: impl IntoIterator<Item = &'a PluginName>,
) -> Result<Vec<PluginFile>> {
    let Some(store) = store else { return Ok(Vec::new()) };
    let there = |name: &PluginName| {
        application.plugins.contains_key(name) || EMBEDDED.iter().any(|plugin| plugin.name == name.as_str())
    };
    let needed: BTreeSet<&PluginName> = needed.into_iter().filter(|name| !there(name)).collect();
    let found = needed.into_iter().map(|name| last(store, name)).collect::<Result<Vec<_>>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// Takes what was last used in place of a file that is not there any more.
pub(crate) fn replace_lost(store: Option<&Store>, files: &mut [PluginFile]) -> Result<()> {
    let Some(store) = store else { return Ok(()) };
    for file in files.iter_mut().filter(|file| !file.path.exists()) {
        if let Some(kept) = last(store, &file.name)? {
            *file = kept;
        }
    }
    Ok(())
}

fn last(store: &Store, name: &PluginName) -> Result<Option<PluginFile>> {
    let Some(kept) = store.last_plugin(name).map_err(|error| store_error(&error))? else { return Ok(None) };
    let path = store.blob_path(&kept.digest).map_err(|error| store_error(&error))?;
    Ok(Some(PluginFile { name: kept.name, path, grant: kept.grant }))
}

/// Keeps the plugins that a run uses, before it begins to.
pub(crate) fn keep(store: &Store, plugins: &PluginSet, plan: &Plan, run: RunId) -> Result<()> {
    for (name, digest) in &plan.basis.plugins {
        let Some(file) = plugins.file(name) else { continue };
        let (taken, _) = store.put_file(&file.path).map_err(|error| store_error(&error))?;
        if taken != *digest {
            let message = format!("the plugin `{name}` has changed since the plan was made");
            return Err(CliError::new(Exit::Refused, "stale-plan", message).hint("run it again"));
        }
        let kept = KeptPlugin { name: name.clone(), digest: taken, grant: file.grant.clone(), run };
        store.record_plugin(&kept).map_err(|error| store_error(&error))?;
    }
    Ok(())
}
