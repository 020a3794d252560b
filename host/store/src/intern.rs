//! Reading deployed instances so that what is equal is stored in memory once: a hundred thousand instances share a few
//! thousand targets, edges and properties.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use launchway_model::{
    ActionSpec, Around, Artifact, Deployed, Digest, Edges, Fingerprint, InstanceId, InstanceSpec, KindRef, OnRollback,
    RunRule, SecretName, TargetName, TargetSpec, Version,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

/// The parts seen so far, by their JSON text.
#[derive(Default)]
pub(crate) struct Interner {
    properties: Pool<Value>,
    edges: Pool<Edges>,
    targets: Pool<TargetSpec>,
}

impl Interner {
    /// Reads an instance from its JSON.
    pub(crate) fn deployed(&mut self, text: &str) -> Result<Arc<Deployed>, serde_json::Error> {
        let raw: RawDeployed<'_> = serde_json::from_str(text)?;
        let spec = raw.spec;
        let verify = spec.verify.into_iter().map(|action| self.action(action)).collect::<Result<_, _>>()?;
        let around = spec.around.into_iter().map(|around| self.around(around)).collect::<Result<_, _>>()?;
        Ok(Arc::new(Deployed {
            spec: InstanceSpec {
                id: spec.id,
                version: spec.version,
                kind: spec.kind,
                properties: self.properties.get(spec.properties)?,
                artifacts: spec.artifacts,
                secrets: spec.secrets,
                verify,
                around,
                run: spec.run,
                edges: spec.edges.map_or_else(|| Ok(Arc::default()), |edges| self.edges.get(edges))?,
                on_rollback: spec.on_rollback,
            },
            target: self.targets.get(raw.target)?,
            plugin: raw.plugin,
            secrets: raw.secrets,
        }))
    }

    fn around(&mut self, raw: RawAround<'_>) -> Result<Around, serde_json::Error> {
        Ok(Around {
            at: raw.at,
            before: raw.before.map(|action| self.action(action)).transpose()?,
            after: raw.after.map(|action| self.action(action)).transpose()?,
            always: raw.always,
        })
    }

    fn action(&mut self, raw: RawAction<'_>) -> Result<ActionSpec, serde_json::Error> {
        Ok(ActionSpec {
            kind: raw.kind,
            properties: self.properties.get(raw.properties)?,
            artifacts: raw.artifacts,
            secrets: raw.secrets,
        })
    }
}

struct Pool<T>(HashMap<Box<str>, Arc<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: DeserializeOwned> Pool<T> {
    fn get(&mut self, raw: &RawValue) -> Result<Arc<T>, serde_json::Error> {
        if let Some(known) = self.0.get(raw.get()) {
            return Ok(known.clone());
        }
        let value = Arc::new(serde_json::from_str(raw.get())?);
        self.0.insert(raw.get().into(), Arc::clone(&value));
        Ok(value)
    }
}

/// [`Deployed`] with its shared parts left as text.
#[derive(Deserialize)]
struct RawDeployed<'a> {
    #[serde(borrow)]
    spec: RawSpec<'a>,
    #[serde(borrow)]
    target: &'a RawValue,
    plugin: Digest,
    #[serde(default)]
    secrets: BTreeMap<SecretName, Fingerprint>,
}

#[derive(Deserialize)]
struct RawSpec<'a> {
    id: InstanceId,
    version: Version,
    kind: KindRef,
    #[serde(borrow)]
    properties: &'a RawValue,
    #[serde(default)]
    artifacts: Vec<Artifact>,
    #[serde(default)]
    secrets: Vec<SecretName>,
    #[serde(default, borrow)]
    verify: Vec<RawAction<'a>>,
    #[serde(default, borrow)]
    around: Vec<RawAround<'a>>,
    #[serde(default)]
    run: Option<RunRule>,
    #[serde(default, borrow)]
    edges: Option<&'a RawValue>,
    on_rollback: OnRollback,
}

#[derive(Deserialize)]
struct RawAround<'a> {
    at: Vec<TargetName>,
    #[serde(default, borrow)]
    before: Option<RawAction<'a>>,
    #[serde(default, borrow)]
    after: Option<RawAction<'a>>,
    #[serde(default)]
    always: bool,
}

#[derive(Deserialize)]
struct RawAction<'a> {
    kind: KindRef,
    #[serde(borrow)]
    properties: &'a RawValue,
    #[serde(default)]
    artifacts: Vec<Artifact>,
    #[serde(default)]
    secrets: Vec<SecretName>,
}
