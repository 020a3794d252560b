//! A plugin as a table of kinds, free of their types.

use crate::context::HostRef;
use crate::json::{JsonError, from_json};
use crate::wire;
use crate::{
    Change, Context, Failure, Instance, Kind, Outcome, Problem, Proposal, Report, RollbackRule, RunRule, Usage, Verdict,
};

/// A plugin: what it says of itself, and its kinds.
pub struct Plugin {
    pub name: &'static str,
    pub version: &'static str,
    pub summary: &'static str,
    pub capabilities: &'static [Capability],
    pub kinds: &'static [KindEntry],
}

/// Something the plugin does through the host, and what for.
pub type Capability = (&'static str, &'static str);

/// A kind with its functions over the contract's types.
pub struct KindEntry {
    pub name: &'static str,
    /// JSON text.
    pub schema: &'static str,
    pub summary: &'static str,
    pub usage: Usage,
    pub run: RunRule,
    pub on_rollback: RollbackRule,
    validate: fn(&str) -> Vec<Problem>,
    plan: fn(wire::Proposal) -> Result<Vec<wire::Step>, Vec<Problem>>,
    apply: fn(&Context<'_>, &str) -> Result<Outcome, Failure>,
    poll: fn(&Context<'_>, &str, &str) -> Result<Outcome, Failure>,
    probe: fn(&Context<'_>, &str) -> Result<Verdict, Failure>,
    inspect: fn(&Context<'_>) -> Result<Report, Failure>,
    #[cfg(not(target_family = "wasm"))]
    pub(crate) generate_schema: fn() -> serde_json::Value,
}

impl KindEntry {
    #[doc(hidden)]
    pub const fn new<K: Kind>(name: &'static str, schema: &'static str) -> Self {
        Self {
            name,
            schema,
            summary: K::SUMMARY,
            usage: K::USAGE,
            run: K::RUN,
            on_rollback: K::ON_ROLLBACK,
            validate: validate::<K>,
            plan: plan::<K>,
            apply: apply::<K>,
            poll: poll::<K>,
            probe: probe::<K>,
            inspect: inspect::<K>,
            #[cfg(not(target_family = "wasm"))]
            generate_schema: crate::schema::generate::<K::Properties>,
        }
    }
}

impl Plugin {
    pub fn describe(&self) -> wire::Info {
        let kind = |kind: &KindEntry| wire::KindInfo {
            name: kind.name.to_owned(),
            usage: kind.usage,
            summary: kind.summary.to_owned(),
            schema: kind.schema.to_owned(),
            run: kind.run,
            on_rollback: kind.on_rollback,
        };
        let capability =
            |(name, reason): &Capability| wire::Capability { name: (*name).to_owned(), reason: (*reason).to_owned() };
        wire::Info {
            name: self.name.to_owned(),
            version: self.version.to_owned(),
            summary: self.summary.to_owned(),
            kinds: self.kinds.iter().map(kind).collect(),
            capabilities: self.capabilities.iter().map(capability).collect(),
        }
    }

    pub fn validate(&self, kind: &str, properties: &str) -> Vec<Problem> {
        match self.kind(kind) {
            Some(kind) => (kind.validate)(properties),
            None => vec![self.unknown_kind(kind)],
        }
    }

    pub fn plan(&self, proposal: wire::Proposal) -> Result<Vec<wire::Step>, Vec<Problem>> {
        let name = &instance_of(&proposal.change).kind;
        match self.kind(name) {
            Some(kind) => (kind.plan)(proposal),
            None => Err(vec![self.unknown_kind(name)]),
        }
    }

    pub fn apply(&self, host: HostRef<'_>, instance: &wire::Instance, step: &wire::Step) -> Result<Outcome, Failure> {
        (self.kind_to_run(instance)?.apply)(&Context::new(host, instance, step.idempotent), &step.payload)
    }

    pub fn poll(
        &self,
        host: HostRef<'_>,
        instance: &wire::Instance,
        step: &wire::Step,
        token: &str,
    ) -> Result<Outcome, Failure> {
        (self.kind_to_run(instance)?.poll)(&Context::new(host, instance, step.idempotent), &step.payload, token)
    }

    pub fn probe(&self, host: HostRef<'_>, instance: &wire::Instance, step: &wire::Step) -> Result<Verdict, Failure> {
        (self.kind_to_run(instance)?.probe)(&Context::new(host, instance, step.idempotent), &step.payload)
    }

    pub fn inspect(&self, host: HostRef<'_>, instance: &wire::Instance) -> Result<Report, Failure> {
        (self.kind_to_run(instance)?.inspect)(&Context::new(host, instance, true))
    }

    pub fn kind(&self, name: &str) -> Option<&KindEntry> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    fn kind_to_run(&self, instance: &wire::Instance) -> Result<&KindEntry, Failure> {
        self.kind(&instance.kind).ok_or_else(|| Failure::plugin(self.unknown_kind(&instance.kind).message))
    }

    fn unknown_kind(&self, kind: &str) -> Problem {
        Problem::new("", format!("`{}` has no kind `{kind}`", self.name))
    }
}

fn instance_of(change: &wire::Change) -> &wire::Instance {
    match change {
        wire::Change::Create(instance)
        | wire::Change::Delete(instance)
        | wire::Change::Refresh(instance)
        | wire::Change::Act(instance) => instance,
        wire::Change::Update(update) => &update.desired,
    }
}

fn validate<K: Kind>(properties: &str) -> Vec<Problem> {
    match from_json(properties) {
        Ok(properties) => K::validate(&properties),
        Err(error) => vec![unreadable(&error)],
    }
}

fn plan<K: Kind>(proposal: wire::Proposal) -> Result<Vec<wire::Step>, Vec<Problem>> {
    let change = match proposal.change {
        wire::Change::Create(instance) => Change::Create(read(instance)?),
        wire::Change::Update(update) => {
            Change::Update { previous: read(update.previous)?, desired: read(update.desired)? }
        }
        wire::Change::Delete(instance) => Change::Delete(read(instance)?),
        wire::Change::Refresh(instance) => Change::Refresh(read(instance)?),
        wire::Change::Act(instance) => Change::Act(read(instance)?),
    };
    let steps = K::plan(&Proposal { change, causes: proposal.causes })?;
    steps.into_iter().map(write).collect()
}

fn read<P: serde::de::DeserializeOwned>(instance: wire::Instance) -> Result<Instance<P>, Vec<Problem>> {
    let properties = from_json(&instance.properties).map_err(|error| vec![unreadable(&error)])?;
    Ok(Instance {
        application: instance.application,
        version: instance.version,
        component: instance.component,
        target: instance.target,
        properties,
        artifacts: instance.artifacts,
    })
}

fn write<T: serde::Serialize>(step: crate::Step<T>) -> Result<wire::Step, Vec<Problem>> {
    let payload = serde_json::to_string(&step.payload)
        .map_err(|error| vec![Problem::new("", format!("can't write the step's payload: {error}"))])?;
    Ok(wire::Step {
        name: step.name,
        phase: step.phase,
        summary: step.summary,
        payload,
        idempotent: step.idempotent,
        locks: step.locks,
        timeout_ms: step.timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
    })
}

fn apply<K: Kind>(context: &Context<'_>, payload: &str) -> Result<Outcome, Failure> {
    K::apply(context, payload_of::<K>(payload)?)
}

fn poll<K: Kind>(context: &Context<'_>, payload: &str, token: &str) -> Result<Outcome, Failure> {
    K::poll(context, payload_of::<K>(payload)?, token)
}

fn probe<K: Kind>(context: &Context<'_>, payload: &str) -> Result<Verdict, Failure> {
    K::probe(context, payload_of::<K>(payload)?)
}

fn inspect<K: Kind>(context: &Context<'_>) -> Result<Report, Failure> {
    K::inspect(context, context.properties()?)
}

fn payload_of<K: Kind>(payload: &str) -> Result<K::Payload, Failure> {
    from_json(payload).map_err(|error| Failure::plugin(format!("can't read the step's payload: {error}")))
}

fn unreadable(error: &JsonError) -> Problem {
    Problem::new("", format!("can't read the properties: {error}"))
}

/// Makes a plugin of kinds: a static `PLUGIN`, and in a component the contract's exports.
///
/// Each kind's schema is the file `schema/KIND.json` beside the plugin's manifest; `cargo xtask schemas` writes it.
///
/// ```ignore
/// launchway_sdk::plugin! {
///     name: "acme",
///     summary: "What it is for.",
///     capabilities: [("target", "runs the installer")],
///     kinds: { "package" => package::Package },
/// }
/// ```
#[macro_export]
macro_rules! plugin {
    (
        name: $name:literal,
        summary: $summary:literal,
        capabilities: [$($capability:expr),* $(,)?],
        kinds: { $($kind:literal => $type:ty),* $(,)? } $(,)?
    ) => {
        /// The plugin.
        pub static PLUGIN: $crate::Plugin = $crate::Plugin {
            name: $name,
            version: env!("CARGO_PKG_VERSION"),
            summary: $summary,
            capabilities: &[$($capability),*],
            kinds: &[$(
                $crate::KindEntry::new::<$type>(
                    $kind,
                    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/schema/", $kind, ".json")),
                )
            ),*],
        };

        #[cfg(target_family = "wasm")]
        mod launchway_component {
            $crate::component!(super::PLUGIN);
        }
    };
}
