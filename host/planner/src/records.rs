//! Plans that change records and nothing else: what is forgotten, and what is taken over as it was found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use launchway_model::{
    Adoption, ApplicationState, Basis, Deployed, Digest, InstanceId, InstanceRecord, InstanceSpec, Operation, Plan,
    PluginName, RequiresChange, TargetName, TargetSpec, Version, VersionChange,
};

use crate::claims::{Claims, claims};
use crate::desired::Desired;
use crate::error::PlanError;
use crate::inputs::{Plugins, Secrets};
use crate::kinds::Kinds;
use crate::moves::moves;
use crate::restrict::{Restriction, RestrictionError};

/// What such a plan is made from.
pub struct RecordsInput<'a> {
    pub state: &'a ApplicationState,
    pub targets: &'a BTreeMap<TargetName, Arc<TargetSpec>>,
    pub environment_digest: Digest,
}

impl RecordsInput<'_> {
    fn plan(&self, operation: Operation, to: Option<Version>) -> Plan {
        let state = self.state;
        let basis = Basis {
            lineage: state.lineage.clone(),
            serial: state.serial,
            release: None,
            environment: self.environment_digest,
            plugins: BTreeMap::new(),
            only: Vec::new(),
        };
        Plan {
            version: VersionChange { from: state.version.clone(), to, part: None },
            requires: RequiresChange { from: state.requires.clone(), to: state.requires.clone() },
            ..Plan::empty(operation, state.application.clone(), state.environment.clone(), basis)
        }
    }
}

/// Returns the recorded instances that a restriction is about. Only names that are recorded are known.
pub fn forgettable(state: &ApplicationState, restrict: &Restriction) -> Result<BTreeSet<InstanceId>, RestrictionError> {
    let names = |name: fn(&InstanceId) -> &str| state.instances.keys().map(name);
    restrict.check(names(|id| id.component.as_str()), names(|id| id.target.as_str()))?;
    Ok(state.instances.keys().filter(|id| restrict.includes(id)).cloned().collect())
}

/// Returns the plan that drops the records of these instances.
pub fn forget(input: &RecordsInput<'_>, instances: BTreeSet<InstanceId>) -> Plan {
    let state = input.state;
    let stays = state.instances.keys().any(|id| !instances.contains(id));
    let to = state.version.clone().filter(|_| stays);
    let forgotten: Vec<InstanceId> = state.instances.keys().filter(|id| instances.contains(id)).cloned().collect();
    let specs =
        forgotten.iter().filter_map(|id| Some((id.target.clone(), recorded(state.instances.get(id)?)?.target.clone())));
    let targets = specs.collect();
    let unchanged = state.instances.keys().filter(|id| !instances.contains(id)).cloned().collect();
    Plan { forgotten, unchanged, targets, ..input.plan(Operation::Forget, to) }
}

/// What may be taken over.
pub struct Adoptable<'a> {
    /// Wanted and not recorded, under no other name either; sorted.
    pub specs: Vec<&'a InstanceSpec>,
    /// What writes a path that something writes which is recorded and no longer wanted: the path has to be handed over,
    /// and only a deployment does that.
    pub held: Vec<(InstanceId, InstanceId)>,
}

/// Returns what is wanted and not recorded. Actions leave nothing that could be taken over.
pub fn adoptable<'a>(
    desired: &'a Desired,
    state: &ApplicationState,
    restrict: &Restriction,
    plugins: &dyn Plugins,
) -> Result<Adoptable<'a>, PlanError> {
    let kinds = Kinds::new(plugins);
    let wanted = || desired.instances.iter().map(|spec| &spec.id);
    let ids = wanted().chain(state.instances.keys());
    restrict.check(ids.clone().map(|id| id.component.as_str()), ids.map(|id| id.target.as_str()))?;
    let (_, state) = moves(Some(desired), state);
    let open = |spec: &&InstanceSpec| {
        spec.run.is_none() && restrict.includes(&spec.id) && !state.instances.contains_key(&spec.id)
    };
    let mut specs: Vec<&InstanceSpec> = desired.instances.iter().filter(open).collect();
    let owned = Claims::new(&desired.instances, &kinds)?;
    let known: BTreeSet<&InstanceId> = wanted().collect();
    let mut held: BTreeMap<InstanceId, InstanceId> = BTreeMap::new();
    for (id, record) in state.instances.iter().filter(|(id, _)| !known.contains(id)) {
        let Some(deployed) = recorded(record) else { continue };
        for claim in claims(&deployed.spec, &kinds)? {
            held.extend(owned.overlapping(&claim).map(|taken| (taken.owner.clone(), id.clone())));
        }
    }
    specs.retain(|spec| !held.contains_key(&spec.id));
    held.retain(|taker, _| restrict.includes(taker) && !state.instances.contains_key(taker));
    Ok(Adoptable { specs, held: held.into_iter().collect() })
}

/// Returns the plan that takes over what was found; with each, how it differs from what is wanted, if it does. With it
/// targets that are taken over from another state.
pub fn adopt(
    input: &RecordsInput<'_>,
    desired: &Desired,
    found: &BTreeMap<InstanceId, Option<String>>,
    reclaimed: &BTreeMap<TargetName, Arc<TargetSpec>>,
    plugins: &dyn Plugins,
    secrets: &dyn Secrets,
) -> Result<Plan, PlanError> {
    let mut adopted = Vec::new();
    let mut used: BTreeMap<PluginName, Digest> = BTreeMap::new();
    for spec in &desired.instances {
        let Some(differs) = found.get(&spec.id) else { continue };
        let kind = &spec.kind;
        let plugin = plugins
            .digest(&kind.plugin)
            .ok_or_else(|| PlanError::UnknownKind { instance: spec.id.clone(), kind: kind.clone() })?;
        used.insert(kind.plugin.clone(), plugin);
        let target = input.targets.get(&spec.id.target).or_else(|| desired.targets.get(&spec.id.target));
        let target = target.ok_or_else(|| PlanError::Broken(format!("{} is on an unknown target", spec.id)))?;
        let names = spec.secrets.iter().chain(spec.verify.iter().flat_map(|action| &action.secrets));
        let secrets = names.map(|name| (name.clone(), secrets.fingerprint(name))).collect();
        let deployed = Arc::new(Deployed { spec: spec.clone(), target: target.clone(), plugin, secrets });
        adopted.push(Adoption { deployed, differs: differs.clone() });
    }
    let is_settled = |spec: &InstanceSpec| match (found.get(&spec.id), input.state.instances.get(&spec.id)) {
        (Some(differs), _) => differs.is_none(),
        (None, record) => record.is_some_and(|record| record.dirty.is_none()),
    };
    // Only what is there as a whole is a version.
    let complete = desired.instances.len() == input.state.instances.len() + adopted.len()
        && desired.instances.iter().all(is_settled);
    let to = if complete { desired.version.clone() } else { input.state.version.clone() };
    let mut plan = input.plan(Operation::Adopt, to);
    plan.basis.release = desired.release.filter(|_| complete);
    plan.basis.plugins = used;
    plan.targets =
        adopted.iter().map(|one| (one.deployed.spec.id.target.clone(), one.deployed.target.clone())).collect();
    plan.targets.extend(reclaimed.iter().map(|(name, target)| (name.clone(), target.clone())));
    plan.reclaimed = reclaimed.keys().cloned().collect();
    plan.unchanged = input.state.instances.keys().cloned().collect();
    plan.adopted = adopted;
    Ok(plan)
}

fn recorded(record: &InstanceRecord) -> Option<&Arc<Deployed>> {
    record.dirty.as_ref().and_then(|dirty| dirty.to.as_ref()).or(record.confirmed.as_ref())
}
