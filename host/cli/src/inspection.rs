//! Looks at instances on their targets through the plugins' `inspect`. Nothing is written, so nobody needs the lease.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use launchway_model::{ApplicationName, Fault, InstanceId, InstanceSpec, LogLevel, Stream, TargetName, TargetSpec};
use launchway_report::Finding;
use launchway_runtime::{
    CallError, CallInstance, Command, InspectCall, PluginSet, Redactor, StepSink, Targets, TargetsOptions,
};
use launchway_scheduler::Limits;
use launchway_store::Store;
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::adapters::StoreBlobs;
use crate::context::Context;
use crate::environment::LoadedEnvironment;
use crate::error::{CliError, Result, chain};
use crate::exit::Exit;
use crate::live_run::CONNECT_CONCURRENCY;
use crate::planning::secret_store;

/// How long one look may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// An instance to look at, and where.
pub(crate) struct Look {
    pub spec: InstanceSpec,
    pub target: Arc<TargetSpec>,
}

/// Looks at instances, many at a time, within the limits of the environment and its targets.
pub(crate) fn look(
    context: &Context,
    store: &Store,
    environment: &LoadedEnvironment,
    plugins: PluginSet,
    looks: Vec<Look>,
) -> Result<BTreeMap<InstanceId, Finding>> {
    let (_control_dir, targets) = open_targets(context, store, environment)?;
    let global = environment.environment.value.max_steps.map_or(Limits::default().global, |steps| steps as usize);
    let inspector = Inspector::new(context.application(), plugins, targets.clone(), global);
    context.runtime.block_on(async move {
        let cancel = inspector.cancel.clone();
        let found = tokio::select! {
            found = inspector.all(looks) => Ok(found),
            () = stopped() => Err(CliError::new(Exit::Stopped, "stopped", "stopped; nothing was changed")),
        };
        cancel.cancel();
        targets.close().await;
        found
    })
}

/// Looks at instances before a run, by the run's own connections. Who stops it ends the looking.
pub(crate) async fn look_ahead(
    application: &ApplicationName,
    plugins: PluginSet,
    targets: Arc<Targets>,
    global: usize,
    looks: Vec<Look>,
) -> BTreeMap<InstanceId, Finding> {
    let inspector = Inspector::new(application, plugins, targets, global);
    let cancel = inspector.cancel.clone();
    let found = tokio::select! {
        found = inspector.all(looks) => found,
        // The run hears of it, too.
        () = stopped() => BTreeMap::new(),
    };
    cancel.cancel();
    found
}

/// Returns the targets of something that is no run, and a folder that has to outlast them.
pub(crate) fn open_targets(
    context: &Context,
    store: &Store,
    environment: &LoadedEnvironment,
) -> Result<(TempDir, Arc<Targets>)> {
    let internal = |error: std::io::Error| CliError::internal(&error);
    let control_dir = tempfile::Builder::new().prefix("launchway-").tempdir().map_err(internal)?;
    let targets = Targets::new(TargetsOptions {
        project_dir: context.project.dir.clone(),
        control_dir: control_dir.path().to_path_buf(),
        secrets: Arc::new(secret_store(environment, &context.project.dir)),
        blobs: Arc::new(StoreBlobs(store.clone())),
        redactor: Arc::new(Redactor::new()),
        connect_concurrency: CONNECT_CONCURRENCY,
    });
    Ok((control_dir, Arc::new(targets)))
}

/// Waits for somebody to stop it.
async fn stopped() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[derive(Clone)]
struct Inspector {
    application: ApplicationName,
    plugins: PluginSet,
    targets: Arc<Targets>,
    /// For looks at once, over all targets.
    permits: Arc<Semaphore>,
    cancel: CancellationToken,
}

impl Inspector {
    fn new(application: &ApplicationName, plugins: PluginSet, targets: Arc<Targets>, global: usize) -> Self {
        let permits = Arc::new(Semaphore::new(global.max(1)));
        Self { application: application.clone(), plugins, targets, permits, cancel: CancellationToken::new() }
    }

    async fn all(self, looks: Vec<Look>) -> BTreeMap<InstanceId, Finding> {
        let mut places: BTreeMap<(TargetName, String), Vec<Look>> = BTreeMap::new();
        for look in looks {
            places.entry((look.target.name.clone(), look.target.address.clone())).or_default().push(look);
        }
        let mut running = JoinSet::new();
        for looks in places.into_values() {
            running.spawn(self.clone().target(looks));
        }
        running.join_all().await.into_iter().flatten().collect()
    }

    /// Looks at the instances of one target; if that can't be reached, none of them is tried.
    async fn target(self, looks: Vec<Look>) -> Vec<(InstanceId, Finding)> {
        let Some(target) = looks.first().map(|look| look.target.clone()) else { return Vec::new() };
        if let Err(why) = self.reach(&target).await {
            return looks.into_iter().map(|look| (look.spec.id, Finding::unreachable(why.clone()))).collect();
        }
        let limit = target.max_steps.map_or(Limits::default().per_target, |steps| steps as usize);
        let permits = Arc::new(Semaphore::new(limit.max(1)));
        let mut running = JoinSet::new();
        for look in looks {
            let (inspector, permits) = (self.clone(), permits.clone());
            running.spawn(async move {
                let _own = permits.acquire().await.expect("it is never closed");
                let id = look.spec.id.clone();
                (id, inspector.instance(look).await)
            });
        }
        running.join_all().await
    }

    async fn reach(&self, target: &TargetSpec) -> Result<(), String> {
        let _permit = self.permits.acquire().await.expect("it is never closed");
        let greeting = Command { argv: vec!["true".to_owned()], quiet: true, ..Command::default() };
        match self.targets.effects(target, &[], &[]).exec(greeting, &Silence).await {
            Ok(_) => Ok(()),
            Err(failure) => Err(failure.message),
        }
    }

    async fn instance(&self, look: Look) -> Finding {
        let _permit = self.permits.acquire().await.expect("it is never closed");
        let Look { spec, target } = look;
        let instance = CallInstance::of_instance(&self.application, &spec);
        let call = InspectCall {
            plugin: spec.kind.plugin.clone(),
            effects: self.targets.effects(&target, &instance.secrets, &instance.artifacts),
            instance,
            sink: Arc::new(Silence),
            timeout: TIMEOUT,
            cancel: self.cancel.clone(),
        };
        match self.plugins.inspect(call).await {
            Ok(report) => Finding::of_report(report),
            Err(CallError::Failed(failure)) if failure.fault == Fault::Network => Finding::unreachable(failure.message),
            Err(CallError::Failed(failure)) => Finding::cannot_tell(failure.message),
            Err(CallError::Fault { plugin, fault }) => {
                Finding::cannot_tell(format!("plugin `{plugin}`: {}", chain(&fault)))
            }
            Err(CallError::TimedOut { after }) => {
                Finding::cannot_tell(format!("no answer within {} s", after.as_secs()))
            }
            Err(CallError::Cancelled) => Finding::cannot_tell("stopped"),
        }
    }
}

/// Nobody watches a look.
struct Silence;

impl StepSink for Silence {
    fn output(&self, _: Stream, _: &[u8]) {}
    fn log(&self, _: LogLevel, _: &str) {}
    fn progress(&self, _: Option<f32>, _: &str) {}
}
