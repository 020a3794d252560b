//! From a project and a command's wishes to a plan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use launchway_model::config::{Application, Parsed, parse_application};
use launchway_model::{
    ApplicationState, ComponentName, Diagnostic, Diagnostics, Digest, EnvironmentName, InstanceId, Operation, Plan,
    RunId, SecretName, Sources, TargetName, Version,
};
use launchway_planner::{
    Desired, ExpandInput, LastTargets, PlanError, PlanInput, RestoreError, Restored, Restriction, Since, expand, plan,
    plan_digest, restore, target_specs,
};
use launchway_runtime::{PluginSet, SecretStore};
use launchway_store::{RunFilter, Store};
use serde_json::Value;

use crate::adapters::{Origin, PlanningPlugins, PlanningSecrets, ReleaseFiles};
use crate::args::PartArgs;
use crate::context::{Context, load_plugins, missing_plugins_hint, plugin_files, store_error};
use crate::environment::{FOLDER, LoadedEnvironment};
use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::holder::now;
use crate::kept_plugins;
use crate::release::Manifest;

/// A plan with what belongs to it.
pub(crate) struct Ready {
    pub plan: Plan,
    pub digest: Digest,
    pub warnings: Diagnostics,
    pub environment: LoadedEnvironment,
    pub plugins: PluginSet,
    /// What was read of them to make the plan is not read again to run it.
    pub secrets: Arc<SecretStore>,
    /// The release it deploys; none for an undeployment and for the rollback of a run.
    pub release: Option<Manifest>,
    /// New rendered files that are not in the store, for diffs.
    pub rendered: BTreeMap<Digest, Vec<u8>>,
    /// Lines of the JSON stream that come before the run.
    pub preface: String,
}

/// What shall be deployed.
pub(crate) enum Wish<'a> {
    /// The project as it is.
    Project {
        version: Option<&'a str>,
        set: BTreeMap<String, Value>,
        /// Patterns of components that are deployed again although nothing differs.
        force: Vec<String>,
    },
    /// A release that was deployed before.
    Recorded {
        version: Version,
        set: BTreeMap<String, Value>,
    },
    /// What was there before a run.
    Before(RunId),
    Nothing,
    /// What is deployed, restarted.
    Restart,
    /// A task of the project.
    Task {
        name: ComponentName,
        version: Option<&'a str>,
        set: BTreeMap<String, Value>,
    },
}

/// Makes a plan. With `keep`, the release's bytes go into the store; otherwise nothing is written.
pub(crate) fn make(
    context: &mut Context,
    wish: Wish<'_>,
    part: &PartArgs,
    store: Option<&Store>,
    keep: bool,
    state: Option<ApplicationState>,
) -> Result<Ready> {
    let environment = context.load_environment()?;
    let name = environment.environment.value.environment.clone();
    let state = match state {
        Some(state) => state,
        None => context.state(store, &name)?,
    };
    match wish {
        Wish::Project { version, set, force } => {
            let source = Source { force, ..Source::project(context, version, set)? };
            deployment(context, environment, source, Operation::Deploy, part, store, keep, &state)
        }
        Wish::Task { name, version, set } => {
            let source = Source::project(context, version, set)?;
            let ready = deployment(context, environment, source, Operation::Task { name }, part, store, keep, &state)?;
            // It is no deployment of the release.
            Ok(Ready { release: None, ..ready })
        }
        Wish::Recorded { version, set } => {
            let manifest = recorded(context, store, &version)?;
            let parsed =
                parse_application(&mut context.sources, &format!("launchway.yaml of {version}"), &manifest.text);
            let application = parsed.map_err(|findings| CliError::findings(&context.sources, findings))?;
            let operation = Operation::RollbackTo { version: version.clone() };
            let origin = Origin::Release(manifest.files);
            let source = Source { application, text: manifest.text, origin, version, set, force: Vec::new() };
            deployment(context, environment, source, operation, part, store, keep, &state)
        }
        Wish::Before(run) => {
            let Restored { desired, kept } = restored(context, &environment, store, &state, run, part)?;
            let operation = Operation::Rollback { run };
            let mut ready = finish(context, environment, Some(&desired), operation, part, store, keep, &state)?;
            ready.warnings.extend(kept_warning(&kept));
            Ok(ready)
        }
        Wish::Restart => {
            let desired = Desired::recorded(&state);
            finish(context, environment, Some(&desired), Operation::Restart, part, store, keep, &state)
        }
        Wish::Nothing => finish(context, environment, None, Operation::Undeploy, part, store, keep, &state),
    }
}

/// A release to be expanded.
struct Source {
    application: Parsed<Application>,
    text: String,
    origin: Origin,
    version: Version,
    set: BTreeMap<String, Value>,
    force: Vec<String>,
}

impl Source {
    fn project(context: &Context, version: Option<&str>, set: BTreeMap<String, Value>) -> Result<Self> {
        Ok(Self {
            version: context.version(version)?,
            application: context.project.application.clone(),
            text: context.project.text.clone(),
            origin: Origin::Project(context.project.dir.clone()),
            set,
            force: Vec::new(),
        })
    }
}

#[expect(clippy::too_many_arguments, reason = "one caller, and each argument is of another type")]
fn deployment(
    context: &mut Context,
    mut environment: LoadedEnvironment,
    source: Source,
    operation: Operation,
    part: &PartArgs,
    store: Option<&Store>,
    keep: bool,
    state: &ApplicationState,
) -> Result<Ready> {
    let mut plugin_files = plugin_files(&source.application.value, &context.project.dir);
    if let Origin::Release(_) = source.origin {
        kept_plugins::replace_lost(store, &mut plugin_files)?;
    }
    let recorded = kept_plugins::recorded(state);
    plugin_files.extend(kept_plugins::missing(store, &source.application.value, recorded)?);
    let plugins = load_plugins(&plugin_files)?;
    let files = ReleaseFiles::new(source.origin, &source.application.value.artifacts, store, keep);
    let (mut desired, mut warnings) =
        expanded(context, &environment, &source.application, &source.version, &source.set, state, &plugins, &files)?;
    let manifest = Manifest {
        format: Manifest::FORMAT,
        application: source.application.value.application.clone(),
        version: source.version,
        text: source.text,
        files: files.taken(),
    };
    desired.release = Some(manifest.digest());
    environment.digest = with_values(environment.digest, &source.set);
    let mut ready =
        planned(context, environment, plugins, Some(&desired), operation, part, &source.force, store, keep, state)?;
    warnings.extend(std::mem::take(&mut ready.warnings));
    ready.rendered = rendered(&ready.plan, &files);
    Ok(Ready { warnings, release: Some(manifest), ..ready })
}

#[expect(clippy::too_many_arguments, reason = "one caller, and each argument is of another type")]
fn finish(
    context: &mut Context,
    environment: LoadedEnvironment,
    desired: Option<&Desired>,
    operation: Operation,
    part: &PartArgs,
    store: Option<&Store>,
    keep: bool,
    state: &ApplicationState,
) -> Result<Ready> {
    let wanted = desired.into_iter().flat_map(|desired| &desired.instances).flat_map(kept_plugins::of);
    let plugins = context.plugins_for(store, kept_plugins::recorded(state).into_iter().chain(wanted))?;
    planned(context, environment, plugins, desired, operation, part, &[], store, keep, state)
}

/// Resolves a release for every target.
#[expect(clippy::too_many_arguments, reason = "two callers, and each argument is of another type")]
pub(crate) fn expanded(
    context: &Context,
    environment: &LoadedEnvironment,
    application: &Parsed<Application>,
    version: &Version,
    set: &BTreeMap<String, Value>,
    state: &ApplicationState,
    plugins: &PluginSet,
    files: &ReleaseFiles<'_>,
) -> Result<(Desired, Diagnostics)> {
    let input = ExpandInput {
        application,
        environment: &environment.environment,
        dictionary_files: &environment.dictionaries,
        version,
        set,
        last_targets: &last_targets(state),
        plugins: &PlanningPlugins { set: plugins, application: context.application(), runtime: &context.runtime },
        files,
    };
    match (expand(input), files.refused()) {
        (_, Some(error)) => Err(store_error(&error)),
        (Ok(expanded), None) => Ok((expanded.desired, expanded.warnings)),
        (Err(findings), None) => {
            Err(with_plugin_hint(CliError::findings(&context.sources, findings), application, plugins))
        }
    }
}

/// Returns where each component was last deployed.
fn last_targets(state: &ApplicationState) -> LastTargets {
    let mut last: BTreeMap<&ComponentName, (RunId, &TargetName)> = BTreeMap::new();
    for (id, record) in &state.instances {
        let known = last.entry(&id.component).or_insert((record.run, &id.target));
        if record.run > known.0 {
            *known = (record.run, &id.target);
        }
    }
    last.into_iter().map(|(name, (_, target))| (name.clone(), target.clone())).collect()
}

/// Adds why plugins are missing, if that may be what is wrong.
pub(crate) fn with_plugin_hint(error: CliError, application: &Parsed<Application>, plugins: &PluginSet) -> CliError {
    let mut kinds = application.value.components.values().map(|component| &component.kind.plugin);
    match kinds.find_map(|plugin| missing_plugins_hint(plugins, plugin)) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

#[expect(clippy::too_many_arguments, reason = "two callers, and each argument is of another type")]
fn planned(
    context: &Context,
    environment: LoadedEnvironment,
    plugins: PluginSet,
    desired: Option<&Desired>,
    operation: Operation,
    part: &PartArgs,
    force: &[String],
    store: Option<&Store>,
    keep: bool,
    state: &ApplicationState,
) -> Result<Ready> {
    let name = environment.environment.value.environment.clone();
    let secrets = Arc::new(secret_store(&environment, &context.project.dir));
    let key = match store {
        Some(store) if keep => store.secret_key(&name).map(Some),
        Some(store) => store.find_secret_key(&name),
        None => Ok(None),
    };
    // Without a key nothing is recorded that a fingerprint could be compared with.
    let key = key.map_err(|error| store_error(&error))?.unwrap_or([0; 32]);
    let result = plan(PlanInput {
        operation,
        desired,
        application: context.application(),
        environment: &name,
        state,
        targets: &target_specs(&environment.environment.value),
        plugins: &PlanningPlugins { set: &plugins, application: context.application(), runtime: &context.runtime },
        secrets: &PlanningSecrets::new(&secrets, key, &context.runtime),
        environment_digest: environment.digest,
        restrict: &restriction(part),
        force: &Restriction { components: force.to_vec(), targets: Vec::new() },
    });
    let planned = result.map_err(|error| plan_error(&context.sources, &error))?;
    let digest = plan_digest(&planned.plan);
    Ok(Ready {
        plan: planned.plan,
        digest,
        warnings: planned.warnings,
        environment,
        plugins,
        secrets,
        release: None,
        rendered: BTreeMap::new(),
        preface: String::new(),
    })
}

pub(crate) fn plan_error(sources: &Sources, error: &PlanError) -> CliError {
    let mut converted = CliError::findings(sources, error.diagnostics());
    if let PlanError::Broken(_) = error {
        converted.exit = Exit::Internal;
    }
    converted
}

/// Returns the secrets of an environment.
pub(crate) fn secret_store(environment: &LoadedEnvironment, project: &Path) -> SecretStore {
    let sources: BTreeMap<SecretName, _> = environment.environment.value.secrets.clone();
    SecretStore::new(sources, project.join(FOLDER))
}

/// Returns the digest of an environment's files and of the values given on the command line.
pub(crate) fn with_values(files: Digest, set: &BTreeMap<String, Value>) -> Digest {
    if set.is_empty() {
        return files;
    }
    let values = serde_json::to_string(set).expect("plain data with text keys is always JSON");
    Digest::of(format!("{}\n{values}", files.hex()).as_bytes())
}

/// Returns the new files of updates that are only in memory: they are needed once more, to show what differs.
fn rendered(plan: &Plan, files: &ReleaseFiles<'_>) -> BTreeMap<Digest, Vec<u8>> {
    let updates = plan.changes.iter().filter(|change| change.previous.is_some());
    let artifacts = updates.filter_map(|change| change.desired.as_ref()).flat_map(|desired| &desired.spec.artifacts);
    artifacts.filter_map(|artifact| Some((artifact.digest, files.rendered_bytes(&artifact.digest)?))).collect()
}

fn recorded(context: &Context, store: Option<&Store>, version: &Version) -> Result<Manifest> {
    let unknown = || {
        CliError::usage(
            "unknown-release",
            format!("release {version} of {} was never deployed from here", context.application()),
        )
        .hint("`launchway runs` shows what was; only what was deployed can be deployed again without its files")
    };
    let store = store.ok_or_else(unknown)?;
    let found = store.find_release(context.application(), version).map_err(|error| store_error(&error))?;
    let bytes = store.read_blob(&found.ok_or_else(unknown)?).map_err(|error| store_error(&error))?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| CliError::internal(&error))?;
    if manifest.format > Manifest::FORMAT {
        return Err(
            CliError::usage("format", "the release was recorded by a newer launchway").hint("use a newer launchway")
        );
    }
    Ok(manifest)
}

fn restored(
    context: &Context,
    environment: &LoadedEnvironment,
    store: Option<&Store>,
    state: &ApplicationState,
    run: RunId,
    part: &PartArgs,
) -> Result<Restored> {
    let name: &EnvironmentName = &environment.environment.value.environment;
    let unknown = || {
        CliError::usage("unknown-run", format!("there is no run {run} of {} on {name}", context.application()))
            .hint("`launchway runs` lists them")
    };
    let store = store.ok_or_else(unknown)?;
    let detail = store.run(run, now()).map_err(|error| store_error(&error))?.ok_or_else(unknown)?;
    if detail.plan.application != *context.application() || detail.plan.environment != *name {
        return Err(unknown());
    }
    if detail.plan.is_of_records() {
        let message = format!("run {run} changed records and nothing else, so there is nothing to restore");
        return Err(CliError::new(Exit::Refused, "rollback", message)
            .hint("`launchway adopt` takes over what was forgotten, `launchway forget` drops what was adopted"));
    }
    let filter =
        RunFilter { environment: Some(name.clone()), application: Some(context.application().clone()), limit: None };
    let mut since = Since::default();
    for later in store.runs(&filter, now()).map_err(|error| store_error(&error))? {
        if later.id > run && later.operation == (Operation::Rollback { run }) {
            since.attempts.insert(later.id);
        } else if later.id > run {
            since.others = true;
        }
    }
    restore(state, run, &detail.plan, &since, &restriction(part)).map_err(|error| restore_error(&error))
}

pub(crate) fn restriction(part: &PartArgs) -> Restriction {
    Restriction { components: part.component.clone(), targets: part.target.clone() }
}

/// Says what a rollback leaves as it is.
fn kept_warning(kept: &[InstanceId]) -> Diagnostics {
    let mut warnings = Diagnostics::default();
    if !kept.is_empty() {
        let names: Vec<String> = kept.iter().map(InstanceId::to_string).collect();
        let message = format!("left as the run left it, as `on_rollback` says keep: {}", names.join(", "));
        let hint = "deploy a release that mends it, or undeploy it with --component";
        warnings.push(Diagnostic::warning("kept", message).hint(hint));
    }
    warnings
}

fn restore_error(error: &RestoreError) -> CliError {
    CliError::new(Exit::Refused, "rollback", crate::error::chain(error)).hint(error.hint())
}

/// Returns a path as it is shown to people: relative to where they are, if it is below.
pub(crate) fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).to_path_buf()
}
