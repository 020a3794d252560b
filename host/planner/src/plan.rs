//! The one function: from what is wanted and what is recorded to a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use launchway_model::{
    ApplicationName, ApplicationState, Basis, Cause, ChangeKind, ComponentName, Deployed, Diagnostic, Diagnostics,
    Digest, EnvironmentName, InstanceChange, InstanceId, NodeKind, Operation, Owner, Plan, PlanNode, PluginName,
    RequiresChange, StepNode, TargetName, TargetSpec, VersionChange,
};

use crate::alone::{act, keep_moved, restart, task};
use crate::ask::ask;
use crate::desired::{Desired, Ways};
use crate::diff::{Delta, DiffInput, diff};
use crate::error::PlanError;
use crate::inputs::{Plugins, Secrets};
use crate::kinds::Kinds;
use crate::lint::lint;
use crate::moves::moves;
use crate::order::{OrderInput, Ordered, order};
use crate::parting::{known_target, partings};
use crate::paths::settle_paths;
use crate::restrict::Restriction;

/// Everything a plan is computed from.
pub struct PlanInput<'a> {
    pub operation: Operation,
    pub application: &'a ApplicationName,
    pub environment: &'a EnvironmentName,
    /// None wants nothing: everything recorded goes.
    pub desired: Option<&'a Desired>,
    pub state: &'a ApplicationState,
    /// How the environment's targets are reached now.
    pub targets: &'a BTreeMap<TargetName, Arc<TargetSpec>>,
    pub plugins: &'a dyn Plugins,
    pub secrets: &'a dyn Secrets,
    pub environment_digest: Digest,
    pub restrict: &'a Restriction,
    /// What is deployed again although nothing differs; nothing if it is empty.
    pub force: &'a Restriction,
}

/// A plan, and what is odd about it.
#[derive(Clone, PartialEq, Debug)]
pub struct Planned {
    pub plan: Plan,
    pub warnings: Diagnostics,
}

/// Computes what has to happen so that what is recorded becomes what is wanted.
///
/// The same input gives the same plan, byte for byte.
pub fn plan(input: PlanInput<'_>) -> Result<Planned, PlanError> {
    check_restriction(&input)?;
    let kinds = Kinds::new(input.plugins);
    let rollback = matches!(input.operation, Operation::Rollback { .. });
    // What is recorded, and an earlier release, can't be mended any more.
    let lenient = !matches!(input.operation, Operation::Deploy | Operation::Task { .. });
    let (moves, state) = moves(input.desired, input.state);
    let relocated = moves.iter().filter(|moved| !moved.same_target).map(|moved| moved.to.clone()).collect();
    let delta = match &input.operation {
        Operation::Task { name } => task(&input, name)?,
        Operation::Restart => restart(&state, &input),
        _ => diff(&DiffInput {
            desired: input.desired,
            state: &state,
            targets: input.targets,
            kinds: &kinds,
            secrets: input.secrets,
            restrict: input.restrict,
            force: input.force,
            relocated: &relocated,
            exact_versions: rollback,
        })?,
    };
    let Delta { mut changes, mut unchanged, amendments, amended, owed, omitted, mut warnings } = delta;
    let instances = input.desired.map_or(&[][..], |desired| &desired.instances);
    let strict = input.operation == Operation::Deploy;
    let handovers = settle_paths(instances, &mut changes, &kinds, strict)?;
    let is_task = matches!(input.operation, Operation::Task { .. });
    if let Some(desired) = input.desired.filter(|_| !changes.is_empty() && !is_task) {
        for spec in &desired.finally {
            changes.push(act(spec, Cause::Always, &input)?);
        }
    }
    warn_of_needs(&state, &changes, &amendments, &mut warnings);
    let wanted_targets = input.desired.map(|desired| &desired.targets);
    let is_known = |name: &TargetName| known_target(name, input.targets, wanted_targets).is_some();
    let partings = partings(&changes, instances, &state, is_known);
    let mut steps = ask(&changes, &partings, input.plugins)?;
    if input.operation == Operation::Restart {
        (changes, steps) = keep_moved(changes, steps, &mut unchanged);
    }
    let no_ways = Ways::new();
    let order_input = OrderInput {
        instances,
        changes: &changes,
        steps,
        handovers: &handovers,
        recorded: &state.instances,
        targets: input.desired.map_or(input.targets, |desired| &desired.targets),
        ways: input.desired.map_or(&no_ways, |desired| &desired.ways),
        rollback,
        lenient,
    };
    let Ordered { nodes, rollouts } = order(order_input, &mut warnings)?;
    let from = input.state.version.clone();
    let is_of_versions = !matches!(input.operation, Operation::Task { .. } | Operation::Restart);
    let is_partial = !omitted.is_empty();
    let wanted = input.desired.filter(|_| is_of_versions);
    let wanted_version = wanted.and_then(|desired| desired.version.clone());
    let version = if is_of_versions && !is_partial {
        VersionChange { from, to: wanted_version, part: None }
    } else {
        let part = wanted_version.filter(|wanted| from.as_ref() != Some(wanted));
        VersionChange { to: from.clone(), from, part }
    };
    let mut requires = RequiresChange { from: input.state.requires.clone(), to: BTreeSet::new() };
    if is_partial || !is_of_versions {
        requires.to.clone_from(&requires.from);
    }
    requires.to.extend(wanted.into_iter().flat_map(|desired| desired.requires.iter().cloned()));
    let plan = Plan {
        format: Plan::FORMAT,
        version,
        requires,
        basis: Basis {
            lineage: input.state.lineage.clone(),
            serial: input.state.serial,
            release: input.desired.and_then(|desired| desired.release),
            environment: input.environment_digest,
            plugins: plugins_used(&changes, &nodes, input.plugins),
            only: if is_partial { input.restrict.words() } else { Vec::new() },
        },
        operation: input.operation,
        application: input.application.clone(),
        environment: input.environment.clone(),
        targets: targets_used(&changes, &amendments, &nodes, input.targets, wanted_targets),
        changes,
        unchanged,
        omitted,
        amendments,
        amended,
        moves,
        forgotten: Vec::new(),
        adopted: Vec::new(),
        reclaimed: Vec::new(),
        owed,
        rollouts,
        nodes,
    };
    match lint(&plan).first() {
        None => Ok(Planned { plan, warnings }),
        Some(fault) => Err(PlanError::Broken(fault.to_string())),
    }
}

/// Says what stays although something that it was deployed with a need for goes.
fn warn_of_needs(
    state: &ApplicationState,
    changes: &[InstanceChange],
    amendments: &[Arc<Deployed>],
    warnings: &mut Diagnostics,
) {
    let goes = |change: &&InstanceChange| change.kind == ChangeKind::Delete;
    let gone: BTreeSet<&ComponentName> = changes.iter().filter(goes).map(|change| &change.id.component).collect();
    if gone.is_empty() {
        return;
    }
    // What is wanted, and was looked at, needs what the release says.
    let amended = amendments.iter().map(|deployed| &deployed.spec.id);
    let touched: BTreeSet<&InstanceId> = changes.iter().map(|change| &change.id).chain(amended).collect();
    let mut said = BTreeSet::new();
    for (id, record) in state.instances.iter().filter(|(id, _)| !touched.contains(id)) {
        let Some(deployed) = &record.confirmed else { continue };
        let edges = &deployed.spec.edges;
        let needs = edges.needs.iter().chain(&edges.after).map(|edge| &edge.component);
        for need in needs.chain(edges.subscribe.iter().map(|edge| &edge.component)).filter(|need| gone.contains(need)) {
            if said.insert((&id.component, need)) {
                let message =
                    format!("`{}` stays, and was deployed with a need for `{need}`, which goes", id.component);
                warnings.push(Diagnostic::warning("needed", message));
            }
        }
    }
}

/// Returns the digest of a plan's canonical JSON.
pub fn plan_digest(plan: &Plan) -> Digest {
    // Maps with text keys and numbers: nothing in a plan that JSON can't hold.
    Digest::of_json(plan).expect("a plan is representable as JSON")
}

fn check_restriction(input: &PlanInput<'_>) -> Result<(), PlanError> {
    if input.restrict.is_all() {
        return Ok(());
    }
    let wanted = input.desired.into_iter().flat_map(|desired| desired.instances.iter().map(|spec| &spec.id));
    let ids = wanted.chain(input.state.instances.keys());
    let components = ids.clone().map(|id| id.component.as_str());
    let targets = ids.map(|id| id.target.as_str()).chain(input.targets.keys().map(TargetName::as_str));
    let unique = |names: Vec<&'_ str>| -> Vec<String> {
        let names: std::collections::BTreeSet<&str> = names.into_iter().collect();
        names.into_iter().map(str::to_owned).collect()
    };
    let (components, targets) = (unique(components.collect()), unique(targets.collect()));
    let components = components.iter().map(String::as_str);
    Ok(input.restrict.check(components, targets.iter().map(String::as_str))?)
}

/// Returns the digests of the plugins whose answers are in the plan.
fn plugins_used(changes: &[InstanceChange], nodes: &[PlanNode], plugins: &dyn Plugins) -> BTreeMap<PluginName, Digest> {
    let subjects = changes.iter().filter_map(|change| Some(&change.subject()?.spec.kind.plugin));
    let actions = nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Step(step) => match &step.owner {
            Owner::Action { action, .. } => Some(&action.kind.plugin),
            Owner::Instance { .. } => None,
        },
        _ => None,
    });
    let mut used = BTreeMap::new();
    for name in subjects.chain(actions) {
        if !used.contains_key(name)
            && let Some(digest) = plugins.digest(name)
        {
            used.insert(name.clone(), digest);
        }
    }
    used
}

/// Returns every target that the plan refers to: as the environment has it now, else as it is recorded.
fn targets_used(
    changes: &[InstanceChange],
    amendments: &[Arc<Deployed>],
    nodes: &[PlanNode],
    current: &BTreeMap<TargetName, Arc<TargetSpec>>,
    wanted: Option<&BTreeMap<TargetName, Arc<TargetSpec>>>,
) -> BTreeMap<TargetName, Arc<TargetSpec>> {
    let subjects = changes.iter().filter_map(InstanceChange::subject).chain(amendments);
    let mut used: BTreeMap<TargetName, Arc<TargetSpec>> = BTreeMap::new();
    for deployed in subjects {
        let name = &deployed.spec.id.target;
        if !used.contains_key(name) {
            let spec = current.get(name).unwrap_or(&deployed.target);
            used.insert(name.clone(), spec.clone());
        }
    }
    for node in nodes {
        if let NodeKind::Step(StepNode { owner: Owner::Action { at: Some(name), .. }, .. }) = &node.kind
            && !used.contains_key(name)
            && let Some(spec) = known_target(name, current, wanted)
        {
            used.insert(name.clone(), spec.clone());
        }
    }
    used
}
