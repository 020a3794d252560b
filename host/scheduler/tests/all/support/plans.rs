//! Plans from a few words.

use std::collections::BTreeMap;
use std::sync::Arc;

use launchway_model::{
    ActionPlace, ActionSpec, ApplicationName, Basis, ChangeIndex, ChangeKind, ComponentName, Digest, EnvironmentName,
    InstanceChange, InstanceId, Lineage, NodeId, NodeKind, Operation, Owner, Phase, Plan, PlanNode, PlannedStep,
    StepKey, StepNode, TargetName, TargetSpec, Transport,
};

pub(crate) fn plan() -> PlanBuilder {
    let basis = Basis {
        lineage: Lineage("line".into()),
        serial: 0,
        release: None,
        environment: Digest::of(b"environment"),
        plugins: BTreeMap::new(),
        only: Vec::new(),
    };
    let application = ApplicationName::new("shop").unwrap();
    let environment = EnvironmentName::new("test").unwrap();
    PlanBuilder { plan: Plan::empty(Operation::Deploy, application, environment, basis) }
}

pub(crate) struct PlanBuilder {
    pub(crate) plan: Plan,
}

impl PlanBuilder {
    pub(crate) fn target(&mut self, name: &str, max_steps: Option<u32>) {
        let name = TargetName::new(name).unwrap();
        let spec = TargetSpec {
            name: name.clone(),
            address: "127.0.0.1".into(),
            transport: Transport::Local,
            user: None,
            port: None,
            ssh: Default::default(),
            escalation: Default::default(),
            labels: BTreeMap::new(),
            max_steps,
        };
        self.plan.targets.insert(name, Arc::new(spec));
    }

    pub(crate) fn change(&mut self, component: &str, target: &str) -> ChangeIndex {
        if !self.plan.targets.contains_key(target) {
            self.target(target, None);
        }
        self.plan.changes.push(InstanceChange {
            id: InstanceId {
                component: ComponentName::new(component).unwrap(),
                target: TargetName::new(target).unwrap(),
            },
            kind: ChangeKind::Create,
            causes: Vec::new(),
            previous: None,
            confirmed: None,
            dirty: false,
            desired: None,
        });
        ChangeIndex(self.plan.changes.len() as u32 - 1)
    }

    pub(crate) fn step(&mut self, change: ChangeIndex, phase: Phase, after: &[NodeId]) -> NodeId {
        let at = self.plan.nodes.len();
        let id = &self.plan.changes[change.0 as usize].id;
        let step = StepNode {
            key: StepKey(format!("{id}/{}/{at}", phase.as_str()).into()),
            owner: Owner::Instance { change },
            step: PlannedStep {
                name: at.to_string().into(),
                phase,
                summary: format!("do {at}"),
                payload: std::sync::Arc::new(serde_json::Value::Null),
                idempotent: true,
                locks: Vec::new(),
                timeout_ms: None,
            },
            only_if_changed: Vec::new(),
            always: None,
        };
        self.node(NodeKind::Step(step), after)
    }

    pub(crate) fn node(&mut self, kind: NodeKind, after: &[NodeId]) -> NodeId {
        self.plan.nodes.push(PlanNode { kind, after: after.to_vec() });
        NodeId(self.plan.nodes.len() as u32 - 1)
    }

    pub(crate) fn commit(&mut self, change: ChangeIndex, after: &[NodeId]) -> NodeId {
        self.node(NodeKind::Commit { change }, after)
    }

    pub(crate) fn join(&mut self, after: &[NodeId]) -> NodeId {
        self.node(NodeKind::Join { label: "join".into() }, after)
    }

    pub(crate) fn edit(&mut self, node: NodeId, edit: impl FnOnce(&mut StepNode)) {
        match &mut self.plan.nodes[node.0 as usize].kind {
            NodeKind::Step(step) => edit(step),
            other => panic!("{other:?} is no step"),
        }
    }

    /// Makes a step one of an action's, which reports on the instance and does not change it.
    pub(crate) fn make_action(&mut self, node: NodeId) {
        self.edit(node, |step| {
            let action = ActionSpec {
                kind: "health/tcp".parse().unwrap(),
                properties: Arc::default(),
                artifacts: Vec::new(),
                secrets: Vec::new(),
            };
            let change = step.owner.change();
            let action = Arc::new(action);
            step.owner = Owner::Action { change, place: ActionPlace::Verify, action, at: None };
        });
    }

    pub(crate) fn build(self) -> Arc<Plan> {
        Arc::new(self.plan)
    }
}

/// A small generator of numbers, so that a seed says it all.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A plan of any shape: instances with a chain of steps each, edges across, joins, commits, locks, subscriptions.
pub(crate) fn random(seed: u64, changes: u64) -> Arc<Plan> {
    let mut numbers = Numbers(seed);
    let mut builder = plan();
    let targets = 1 + numbers.below(4);
    for at in 0..targets {
        let max_steps = numbers.percent(30).then(|| numbers.below(3) as u32);
        builder.target(&format!("t{at}"), max_steps);
    }
    let mut earlier: Vec<NodeId> = Vec::new();
    for at in 0..changes {
        let target = format!("t{}", numbers.below(targets));
        let change = builder.change(&format!("c{at}"), &target);
        let mut before: Vec<NodeId> = Vec::new();
        for phase in [Phase::Stage, Phase::Install, Phase::Start, Phase::Verify] {
            if !numbers.percent(70) {
                continue;
            }
            for _ in 0..numbers.below(3) {
                if !earlier.is_empty() {
                    before.push(earlier[numbers.below(earlier.len() as u64) as usize]);
                }
            }
            if numbers.percent(20) {
                before = vec![builder.join(&before)];
            }
            before.sort();
            before.dedup();
            let node = builder.step(change, phase, &before);
            if phase == Phase::Verify {
                builder.make_action(node);
            }
            let locks = numbers.below(100);
            let subscribes = numbers.percent(15) && at > 0;
            let subscription = ChangeIndex(numbers.below(at) as u32);
            builder.edit(node, |step| {
                if locks < 25 {
                    step.step.locks = vec![format!("lock{}", locks % 2)];
                } else if locks < 32 {
                    step.step.locks = vec!["lock1".into(), "lock0".into(), "lock1".into()];
                }
                if subscribes {
                    step.only_if_changed = vec![subscription];
                }
            });
            before = vec![node];
            earlier.push(node);
        }
        let commit = builder.commit(change, &before);
        earlier.push(commit);
        if numbers.percent(30) {
            builder.step(change, Phase::Finish, &[commit]);
        }
    }
    builder.build()
}
