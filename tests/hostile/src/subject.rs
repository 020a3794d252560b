//! A loaded guest and calls of it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use launchway_model::{
    ApplicationName, Artifact, Change, ComponentName, Digest, InstanceId, InstanceSpec, OnRollback, Phase, PlannedStep,
    PluginName, Problem, Proposal, SecretName, TargetName, Version,
};
use launchway_runtime::{
    CachePlace, CallError, CallInstance, EmbeddedPlugin, InspectCall, Limits, LoadError, Outcome, PluginFault,
    PluginFile, PluginOptions, PluginSet, StepCall, Verdict, precompile,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{Guest, World};

const ALL: [&str; 4] = ["target", "secrets", "http", "net"];

/// The hostile plugin, ready to be asked.
pub struct Subject {
    pub plugins: PluginSet,
    pub world: Arc<World>,
    /// Of acting calls.
    pub timeout: Duration,
    pub cancel: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Subject {
    /// Loads the guest as a third-party plugin with all grants; `compiler` is the compiling child.
    pub fn load(guest: Guest<'_>, compiler: &str) -> Result<Self, LoadError> {
        Self::with_limits(guest, compiler, Limits::default())
    }

    pub fn with_limits(guest: Guest<'_>, compiler: &str, limits: Limits) -> Result<Self, LoadError> {
        let folder = tempfile::tempdir().expect("there is room for temporary files");
        let path = folder.path().join("hostile.wasm");
        std::fs::write(&path, guest.component()).expect("there is room for temporary files");
        let file = PluginFile { name: name(), path, grant: ALL.map(str::to_owned).into() };
        let options = PluginOptions { compiler: self::compiler(compiler), cache: Some(shared_cache()), limits };
        let plugins = PluginSet::load(&[], &[file], options).map_err(|mut errors| errors.remove(0))?;
        Ok(Self {
            plugins,
            world: World::new(),
            timeout: Duration::from_secs(60),
            cancel: CancellationToken::new(),
            _folder: folder,
        })
    }

    pub async fn validate(&self, deed: &str) -> Result<Vec<Problem>, PluginFault> {
        let kind = "hostile/any".parse().expect("a kind");
        let found = self.plugins.validate(&kind, &[json!({ "do": deed })]).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Plans one instance.
    pub async fn plan(&self, deed: &str) -> Result<Result<Vec<PlannedStep>, Vec<Problem>>, PluginFault> {
        let mut answers = self.plugins.plan(&name(), &application(), &[proposal(deed)]).await?;
        Ok(answers.remove(0))
    }

    pub async fn apply(&self, deed: &str) -> Result<Outcome, CallError> {
        self.plugins.apply(self.call(deed)).await
    }

    pub async fn probe(&self, deed: &str) -> Result<Verdict, CallError> {
        self.plugins.probe(self.call(deed)).await
    }

    pub async fn inspect(&self, deed: &str) -> Result<launchway_model::StepReport, CallError> {
        let StepCall { plugin, instance, effects, sink, timeout, cancel, .. } = self.call(deed);
        self.plugins.inspect(InspectCall { plugin, instance, effects, sink, timeout, cancel }).await
    }

    /// Returns the call for one deed.
    pub fn call(&self, deed: &str) -> StepCall {
        StepCall {
            plugin: name(),
            instance: CallInstance::of_instance(&application(), &instance(deed)),
            step: step(),
            effects: self.world.clone(),
            sink: self.world.clone(),
            started: Instant::now(),
            timeout: self.timeout,
            cancel: self.cancel.clone(),
        }
    }
}

/// Embeds a component as the build of the binary does.
pub fn first_party(component: &[u8]) -> Result<EmbeddedPlugin, LoadError> {
    let made = precompile(&name(), Path::new("hostile.wasm"), component)?;
    let info = serde_json::to_string(&made.info).expect("an info is JSON");
    // As static as what is linked into a binary.
    Ok(EmbeddedPlugin {
        name: "hostile",
        digest: made.digest.to_string().leak(),
        info_json: info.leak(),
        cwasm: made.cwasm.leak(),
    })
}

/// Returns the command of the compiling child.
pub fn compiler(program: &str) -> Vec<OsString> {
    vec![program.into()]
}

/// Returns a cache that all tests share: the same guest need not be compiled by each.
pub fn shared_cache() -> CachePlace {
    let guests = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/guests");
    CachePlace { dir: guests.join("aot"), key_file: guests.join("aot.key") }
}

pub fn proposal(deed: &str) -> Proposal {
    Proposal { change: Change::Create(instance(deed)), causes: Vec::new() }
}

pub fn instance(deed: &str) -> InstanceSpec {
    InstanceSpec {
        id: InstanceId {
            component: ComponentName::new("crew").expect("a name"),
            target: TargetName::new("ship one").expect("a name"),
        },
        version: Version::new("1.0").expect("a version"),
        kind: "hostile/any".parse().expect("a kind"),
        properties: Arc::new(json!({ "do": deed })),
        artifacts: vec![Artifact {
            name: "cargo".into(),
            file_name: "cargo.tar".into(),
            digest: Digest::of(b"cargo"),
            size: 5,
            has_secrets: false,
        }],
        secrets: vec![SecretName::new("known").expect("a name")],
        verify: Vec::new(),
        around: Vec::new(),
        run: None,
        edges: Arc::default(),
        on_rollback: OnRollback::Run,
    }
}

pub fn step() -> PlannedStep {
    PlannedStep {
        name: "one".into(),
        phase: Phase::Start,
        summary: "Misbehave".to_owned(),
        payload: std::sync::Arc::new(json!({})),
        idempotent: true,
        locks: Vec::new(),
        timeout_ms: None,
    }
}

fn name() -> PluginName {
    PluginName::new("hostile").expect("a name")
}

fn application() -> ApplicationName {
    ApplicationName::new("mutiny").expect("a name")
}
