//! A plugin as a table of kinds, free of their types.

use serde_json::Value;

use crate::context::HostRef;
use crate::json::{JsonError, from_value, parse};
use crate::wire;
use crate::{
    Change, Context, Failure, Instance, Kind, Outcome, Problem, Proposal, Report, RollbackRule, RunRule, Step, Usage,
    Verdict,
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
    validate: fn(&Value) -> Result<Vec<Problem>, JsonError>,
    plan: PlanFunction,
    apply: fn(&Context<'_>, &Value) -> Result<Outcome, Failure>,
    poll: fn(&Context<'_>, &Value, &str) -> Result<Outcome, Failure>,
    probe: fn(&Context<'_>, &Value) -> Result<Verdict, Failure>,
    inspect: fn(&Context<'_>) -> Result<Report, Failure>,
    #[cfg(not(target_family = "wasm"))]
    pub(crate) generate_schema: fn() -> serde_json::Value,
}

/// Plans a change of an instance whose properties are parsed, the previous ones as well for an update.
type PlanFunction = fn(&wire::Proposal, &Value, Option<&Value>) -> Result<Vec<Step>, Vec<Problem>>;

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
        let Some(kind) = self.kind(kind) else { return vec![self.unknown_kind(kind)] };
        let problems = parse(properties).and_then(|properties| (kind.validate)(&properties));
        problems.unwrap_or_else(|error| vec![unreadable(&error)])
    }

    pub fn plan(&self, proposal: &wire::Proposal) -> Result<Vec<wire::Step>, Vec<Problem>> {
        let (instance, previous) = match &proposal.change {
            wire::Change::Create(instance)
            | wire::Change::Delete(instance)
            | wire::Change::Refresh(instance)
            | wire::Change::Act(instance) => (instance, None),
            wire::Change::Update(update) => (&update.desired, Some(&update.previous)),
        };
        let kind = self.kind(&instance.kind).ok_or_else(|| vec![self.unknown_kind(&instance.kind)])?;
        let read = |instance: &wire::Instance| parse(&instance.properties).map_err(|error| vec![unreadable(&error)]);
        let (properties, previous) = (read(instance)?, previous.map(read).transpose()?);
        let mut steps = Vec::new();
        for step in (kind.plan)(proposal, &properties, previous.as_ref())? {
            if let Some(problem) = step.problem {
                let problem = format!("can't write the payload of `{}`: {problem}", step.wire.name);
                return Err(vec![Problem::new("", problem)]);
            }
            steps.push(step.wire);
        }
        Ok(steps)
    }

    pub fn apply(&self, host: HostRef<'_>, instance: &wire::Instance, step: &wire::Step) -> Result<Outcome, Failure> {
        let context = Context::new(host, instance, Some(step));
        (self.kind_to_run(instance)?.apply)(&context, &payload(step)?)
    }

    pub fn poll(
        &self,
        host: HostRef<'_>,
        instance: &wire::Instance,
        step: &wire::Step,
        token: &str,
    ) -> Result<Outcome, Failure> {
        let context = Context::new(host, instance, Some(step));
        (self.kind_to_run(instance)?.poll)(&context, &payload(step)?, token)
    }

    pub fn probe(&self, host: HostRef<'_>, instance: &wire::Instance, step: &wire::Step) -> Result<Verdict, Failure> {
        let context = Context::new(host, instance, Some(step));
        (self.kind_to_run(instance)?.probe)(&context, &payload(step)?)
    }

    pub fn inspect(&self, host: HostRef<'_>, instance: &wire::Instance) -> Result<Report, Failure> {
        (self.kind_to_run(instance)?.inspect)(&Context::new(host, instance, None))
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

fn validate<K: Kind>(properties: &Value) -> Result<Vec<Problem>, JsonError> {
    Ok(K::validate(&from_value(properties)?))
}

fn plan<K: Kind>(
    proposal: &wire::Proposal,
    properties: &Value,
    previous: Option<&Value>,
) -> Result<Vec<Step>, Vec<Problem>> {
    let properties = read::<K>(properties)?;
    let change = match &proposal.change {
        wire::Change::Create(wire) => Change::Create(Instance { properties, wire }),
        wire::Change::Delete(wire) => Change::Delete(Instance { properties, wire }),
        wire::Change::Refresh(wire) => Change::Refresh(Instance { properties, wire }),
        wire::Change::Act(wire) => Change::Act(Instance { properties, wire }),
        wire::Change::Update(update) => Change::Update {
            previous: Instance { properties: read::<K>(previous.unwrap_or(&Value::Null))?, wire: &update.previous },
            desired: Instance { properties, wire: &update.desired },
        },
    };
    K::plan(&Proposal { change, causes: &proposal.causes })
}

#[inline(never)]
fn read<K: Kind>(properties: &Value) -> Result<K::Properties, Vec<Problem>> {
    from_value(properties).map_err(|error| vec![unreadable(&error)])
}

fn apply<K: Kind>(context: &Context<'_>, payload: &Value) -> Result<Outcome, Failure> {
    K::apply(context, from_value(payload).map_err(unreadable_payload)?)
}

fn poll<K: Kind>(context: &Context<'_>, payload: &Value, token: &str) -> Result<Outcome, Failure> {
    K::poll(context, from_value(payload).map_err(unreadable_payload)?, token)
}

fn probe<K: Kind>(context: &Context<'_>, payload: &Value) -> Result<Verdict, Failure> {
    K::probe(context, from_value(payload).map_err(unreadable_payload)?)
}

fn inspect<K: Kind>(context: &Context<'_>) -> Result<Report, Failure> {
    K::inspect(context, context.properties()?)
}

fn payload(step: &wire::Step) -> Result<Value, Failure> {
    parse(&step.payload).map_err(unreadable_payload)
}

#[cold]
#[inline(never)]
fn unreadable_payload(error: JsonError) -> Failure {
    Failure::plugin(format!("can't read the step's payload: {error}"))
}

#[cold]
#[inline(never)]
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
