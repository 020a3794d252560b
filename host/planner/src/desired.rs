//! What is wanted: the release, resolved for every target.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use launchway_model::config::{Defaults, Environment, EscalationConfig, Target};
use launchway_model::{
    ApplicationName, ApplicationState, ComponentName, Digest, Escalation, InstanceId, InstanceSpec, Requirement, Roll,
    TargetName, TargetSpec, Transport, Version,
};

/// What the environment shall look like.
#[derive(Clone, PartialEq, Debug)]
pub struct Desired {
    pub application: ApplicationName,
    /// None when a rollback goes back to where nothing was deployed.
    pub version: Option<Version>,
    /// The release all this comes from; whoever keeps releases sets it.
    pub release: Option<Digest>,
    /// What it needs of other applications.
    pub requires: BTreeSet<Requirement>,
    /// Sorted by id.
    pub instances: Vec<InstanceSpec>,
    pub targets: BTreeMap<TargetName, Arc<TargetSpec>>,
    /// Instances to leave as they are recorded, dirty marks included: those a rollback has no business with.
    pub untouched: BTreeSet<InstanceId>,
    /// The application's tasks, on their targets.
    pub tasks: Vec<InstanceSpec>,
    /// What runs at the end of a run, in this order, on its targets.
    pub finally: Vec<InstanceSpec>,
    pub names: Names,
    /// How components roll, where that is not for what is recorded with their instances to say.
    pub ways: Ways,
}

/// How components roll; with none, all at once.
pub type Ways = BTreeMap<ComponentName, Option<Roll>>;

impl Desired {
    /// Returns everything that is recorded, as it is.
    pub fn recorded(state: &ApplicationState) -> Self {
        let confirmed = state.instances.values().filter_map(|record| record.confirmed.as_ref());
        let targets = confirmed.clone().map(|deployed| (deployed.spec.id.target.clone(), deployed.target.clone()));
        Self {
            application: state.application.clone(),
            version: state.version.clone(),
            release: state.release,
            requires: state.requires.clone(),
            targets: targets.collect(),
            instances: confirmed.map(|deployed| deployed.spec.clone()).collect(),
            untouched: BTreeSet::new(),
            tasks: Vec::new(),
            finally: Vec::new(),
            names: Names::default(),
            ways: Ways::new(),
        }
    }
}

/// What is recorded under other names than it is wanted under.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Names {
    /// What each component was called before.
    pub components: BTreeMap<ComponentName, ComponentName>,
    pub targets: BTreeMap<TargetName, TargetName>,
    /// Components that go to one target only; that it is another one is no change.
    pub once: BTreeSet<ComponentName>,
}

/// Returns how each of the environment's targets is reached, with the environment's defaults filled in.
pub fn target_specs(environment: &Environment) -> BTreeMap<TargetName, Arc<TargetSpec>> {
    let specs = environment.targets.iter();
    specs.map(|(name, target)| (name.clone(), Arc::new(target_spec(name, target, &environment.defaults)))).collect()
}

fn target_spec(name: &TargetName, target: &Target, defaults: &Defaults) -> TargetSpec {
    let escalation = target.escalation.as_ref().or(defaults.escalation.as_ref());
    TargetSpec {
        name: name.clone(),
        address: target.address.clone().unwrap_or_else(|| name.to_string()),
        transport: target.transport.or(defaults.transport).unwrap_or(Transport::Ssh),
        user: target.user.clone().or_else(|| defaults.user.clone()),
        port: target.port.or(defaults.port),
        ssh: target.ssh.clone().or_else(|| defaults.ssh.clone()).unwrap_or_default(),
        escalation: escalation.map(to_escalation).unwrap_or_default(),
        labels: target.labels.clone(),
        max_steps: target.max_steps.or(defaults.max_steps),
    }
}

fn to_escalation(config: &EscalationConfig) -> Escalation {
    Escalation { method: config.method, password: config.password.clone() }
}
