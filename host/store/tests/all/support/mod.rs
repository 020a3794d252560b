//! Plans, events and temporary stores.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use launchway_model::{
    ApplicationName, ApplicationState, Basis, ChangeIndex, ChangeKind, ComponentName, Deployed, Digest,
    EnvironmentName, Event, EventRecord, Holder, InstanceChange, InstanceId, InstanceSpec, NodeId, NodeKind,
    OnRollback, Operation, Owner, Phase, Plan, PlanNode, PlannedStep, RequiresChange, RunId, RunOutcome, StepKey,
    StepNode, StepOutcome, StepReport, TargetName, TargetSpec, Timestamp, Transport, Version, VersionChange,
};
use launchway_store::{BeginError, NewRun, RunJournal, Store};
use serde_json::json;

pub(crate) struct Folder {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Store,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("store")).unwrap();
        Self { folder, store }
    }

    /// Opens the same store as another process would.
    pub(crate) fn again(&self) -> Store {
        Store::open(self.folder.path().join("store")).unwrap()
    }

    pub(crate) fn sql(&self, sql: &str) {
        let connection = rusqlite::Connection::open(self.folder.path().join("store/launchway.db")).unwrap();
        connection.execute_batch(sql).unwrap();
    }
}

pub(crate) fn environment() -> EnvironmentName {
    EnvironmentName::new("test ünï").unwrap()
}

pub(crate) fn application() -> ApplicationName {
    ApplicationName::new("it's a \"shop\"").unwrap()
}

pub(crate) fn version(text: &str) -> Version {
    Version::new(text).unwrap()
}

pub(crate) fn holder() -> Holder {
    Holder { user: "ada".into(), host: "ci".into(), url: Some("https://ci.example/7".into()) }
}

pub(crate) fn instance(component: &str, target: &str) -> InstanceId {
    InstanceId { component: ComponentName::new(component).unwrap(), target: TargetName::new(target).unwrap() }
}

pub(crate) fn deployed(id: &InstanceId, at: &str) -> Arc<Deployed> {
    let target = TargetSpec {
        name: id.target.clone(),
        address: "127.0.0.1".into(),
        transport: Transport::Local,
        user: Some("deploy".into()),
        port: None,
        ssh: Default::default(),
        escalation: Default::default(),
        labels: BTreeMap::from([("role".into(), "app".into())]),
        max_steps: None,
    };
    Arc::new(Deployed {
        spec: InstanceSpec {
            id: id.clone(),
            version: version(at),
            kind: "ssh/file".parse().unwrap(),
            properties: Arc::new(json!({ "path": "/x y/\"z\"", "version": at, "secret": { "$secret": "db" } })),
            artifacts: Vec::new(),
            secrets: Vec::new(),
            verify: Vec::new(),
            around: Vec::new(),
            run: None,
            edges: Arc::default(),
            on_rollback: OnRollback::Run,
        },
        target: Arc::new(target),
        plugin: Digest::of(b"plugin"),
        secrets: BTreeMap::new(),
    })
}

/// A plan over a state: each entry is an instance and what it becomes.
pub(crate) fn plan(state: &ApplicationState, to: &str, changes: &[(InstanceId, Option<Arc<Deployed>>)]) -> Plan {
    let basis = Basis {
        lineage: state.lineage.clone(),
        serial: state.serial,
        release: Some(Digest::of(to.as_bytes())),
        environment: Digest::of(b"environment"),
        plugins: BTreeMap::new(),
        only: Vec::new(),
    };
    let mut plan = Plan {
        version: VersionChange { from: state.version.clone(), to: Some(version(to)), part: None },
        requires: RequiresChange { from: state.requires.clone(), to: BTreeSet::new() },
        ..Plan::empty(Operation::Deploy, application(), environment(), basis)
    };
    for (id, desired) in changes {
        let change = ChangeIndex(plan.changes.len() as u32);
        let previous = state.instances.get(id).and_then(|record| record.confirmed.clone());
        plan.changes.push(InstanceChange {
            id: id.clone(),
            kind: if desired.is_none() { ChangeKind::Delete } else { ChangeKind::Create },
            causes: Vec::new(),
            previous,
            confirmed: None,
            dirty: false,
            desired: desired.clone(),
        });
        let step = NodeId(plan.nodes.len() as u32);
        plan.nodes.push(PlanNode { kind: NodeKind::Step(step_node(id, change)), after: Vec::new() });
        plan.nodes.push(PlanNode { kind: NodeKind::Commit { change }, after: vec![step] });
    }
    plan
}

fn step_node(id: &InstanceId, change: ChangeIndex) -> StepNode {
    StepNode {
        key: StepKey(format!("{id}/install/{}", change.0).into()),
        owner: Owner::Instance { change },
        step: PlannedStep {
            name: "do".into(),
            phase: Phase::Install,
            summary: "do it".into(),
            payload: std::sync::Arc::new(json!(null)),
            idempotent: true,
            locks: Vec::new(),
            timeout_ms: None,
        },
        only_if_changed: Vec::new(),
        always: None,
    }
}

pub(crate) fn new_run(plan: &Plan, started: u64) -> NewRun {
    NewRun {
        plan: Arc::new(plan.clone()),
        plan_digest: Digest::of(&serde_json::to_vec(plan).unwrap()),
        holder: holder(),
        started: Timestamp(started),
        saved_plan: false,
        ignore_requires: false,
    }
}

/// Makes a plan one of another application.
pub(crate) fn of(application: &str, mut plan: Plan) -> Plan {
    plan.application = ApplicationName::new(application).unwrap();
    plan
}

pub(crate) fn begin(store: &Store, plan: &Plan, started: u64) -> Result<RunJournal, BeginError> {
    store.begin_run(new_run(plan, started))
}

/// Writes down events as they come, with their places and times.
pub(crate) struct Scribe {
    pub(crate) plan: Arc<Plan>,
    pub(crate) now: u64,
    pub(crate) records: Vec<Arc<EventRecord>>,
}

impl Scribe {
    pub(crate) fn new(plan: &Plan, run: RunId, now: u64) -> Self {
        let mut scribe = Self { plan: Arc::new(plan.clone()), now, records: Vec::new() };
        scribe.add(Event::RunStarted {
            run,
            plan: Digest::of(b"plan"),
            operation: plan.operation.clone(),
            application: plan.application.clone(),
            environment: plan.environment.clone(),
            version: plan.version.clone(),
            fence: 1,
            holder: holder(),
        });
        scribe
    }

    pub(crate) fn add(&mut self, event: Event) {
        let index = self.records.len() as u64;
        self.records.push(Arc::new(EventRecord { index, at: Timestamp(self.now), event }));
        self.now += 10;
    }

    pub(crate) fn start(&mut self, change: u32) {
        self.add(Event::InstanceDirtied { change: ChangeIndex(change) });
        let (node, step) = self.step(change);
        self.add(Event::StepStarted { node, step, attempt: 1 });
    }

    pub(crate) fn end(&mut self, change: u32, outcome: StepOutcome) {
        let (node, step) = self.step(change);
        let success = outcome.is_success();
        self.add(Event::StepFinished { node, step, attempt: 1, outcome });
        if success {
            let node = NodeId(node.0 + 1);
            self.add(Event::InstanceCommitted { node, change: ChangeIndex(change), assumed: false });
        }
    }

    pub(crate) fn succeed(&mut self, change: u32) {
        self.start(change);
        self.end(change, changed());
    }

    pub(crate) fn finish(&mut self, outcome: RunOutcome) {
        self.add(Event::RunFinished { outcome });
    }

    fn step(&self, change: u32) -> (NodeId, StepKey) {
        let node = NodeId(2 * change);
        match &self.plan.nodes[node.0 as usize].kind {
            NodeKind::Step(step) => (node, step.key.clone()),
            other => panic!("{other:?} is no step"),
        }
    }
}

pub(crate) fn changed() -> StepOutcome {
    StepOutcome::Changed(StepReport::default())
}

pub(crate) fn timed_out() -> StepOutcome {
    StepOutcome::TimedOut { after_ms: 5 }
}

/// Deploys a plan well, from beginning to end.
pub(crate) fn deploy(store: &Store, plan: &Plan, now: u64) -> RunId {
    let journal = begin(store, plan, now).unwrap();
    let mut scribe = Scribe::new(plan, journal.run(), now);
    if !plan.amendments.is_empty() {
        scribe.add(Event::RecordsAmended);
    }
    (0..plan.changes.len() as u32).for_each(|change| scribe.succeed(change));
    scribe.finish(RunOutcome::Done);
    journal.append(&scribe.records).unwrap();
    journal.run()
}

pub(crate) fn state(store: &Store) -> ApplicationState {
    store.state(&environment(), &application()).unwrap()
}
