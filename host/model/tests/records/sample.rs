//! A plan with a node of every kind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use launchway_model::{
    ActionPlace, ActionSpec, Adoption, Always, ApplicationName, Around, Artifact, Basis, Batches, Cause, ChangeIndex,
    ChangeKind, ComponentName, Deployed, Digest, Edge, Edges, EnvironmentName, Escalation, EscalationMethod,
    Fingerprint, Gate, HostKeyChecking, InstanceChange, InstanceId, InstanceSpec, Lineage, Move, NodeId, NodeKind,
    OnRollback, Operation, Owed, Owner, Phase, Plan, PlanNode, PlannedStep, PluginName, Replace, Requirement,
    RequiresChange, Roll, RunRule, Scope, SecretName, SshOptions, Staging, StepKey, StepNode, Subscription, TargetName,
    TargetSpec, Transport, Unit, Version, VersionChange,
};
use serde_json::json;

pub(crate) fn instance() -> InstanceId {
    InstanceId {
        component: ComponentName::new("api 'x' \"ü\"").expect("a name"),
        target: TargetName::new("app1").expect("a name"),
    }
}

pub(crate) fn version(text: &str) -> Version {
    Version::new(text).expect("a version")
}

fn action() -> ActionSpec {
    ActionSpec {
        kind: "health/http".parse().expect("a kind"),
        properties: Arc::new(json!({ "url": "http://198.18.0.1/" })),
        artifacts: Vec::new(),
        secrets: Vec::new(),
    }
}

pub(crate) fn deployed() -> Deployed {
    let db = ComponentName::new("db").expect("a name");
    let secret = SecretName::new("password").expect("a name");
    let spec = InstanceSpec {
        id: instance(),
        version: version("1.10"),
        kind: "ssh/file".parse().expect("a kind"),
        properties: Arc::new(json!({ "path": "/etc/x", "text": { "$parts": ["a", { "$secret": "password" }] } })),
        artifacts: vec![Artifact {
            name: "template".into(),
            file_name: "x.conf".into(),
            digest: Digest::of(b"x"),
            size: u64::MAX,
            has_secrets: true,
        }],
        secrets: vec![secret.clone()],
        verify: vec![action()],
        around: vec![Around { at: vec![instance().target], before: Some(action()), after: None, always: true }],
        run: Some(RunRule::WithNeeds),
        edges: Arc::new(Edges {
            needs: vec![Edge { component: db.clone(), scope: Scope::All }],
            after: vec![Edge { component: db.clone(), scope: Scope::SameTarget }],
            subscribe: vec![Subscription { component: db, word: "reload".into(), scope: Scope::SameTarget }],
            roll: Some(Roll {
                unit: Unit::Group("api".into()),
                strategies: serde_json::from_value(
                    json!([{ "by": "dc" }, { "rolling": "25%", "gate": { "bake": 60 } }]),
                )
                .expect("strategies"),
                stage: Staging::Batch,
            }),
            replace: Replace::DeleteFirst,
        }),
        on_rollback: OnRollback::Keep,
    };
    Deployed {
        spec,
        target: Arc::new(target()),
        plugin: Digest::of(b"plugin"),
        secrets: BTreeMap::from([(secret, Fingerprint::Hmac("00ff".to_owned()))]),
    }
}

fn target() -> TargetSpec {
    TargetSpec {
        name: instance().target,
        address: "198.18.0.1".to_owned(),
        transport: Transport::Ssh,
        user: Some("deploy".to_owned()),
        port: Some(2222),
        ssh: SshOptions {
            jump: vec!["bastion".to_owned()],
            host_key_checking: HostKeyChecking::AcceptNew,
            connect_timeout: Some(3),
            ..SshOptions::default()
        },
        escalation: Escalation { method: EscalationMethod::Su, password: SecretName::new("root").ok() },
        labels: BTreeMap::from([("role".to_owned(), "app".to_owned())]),
        max_steps: Some(2),
    }
}

/// Two steps (0 and 1), a commit (2), a gate (3) and a join (4).
pub(crate) fn plan() -> Plan {
    let step = |name: &str, phase, owner| StepNode {
        key: StepKey(format!("{}/{name}", instance()).into()),
        owner,
        step: PlannedStep {
            name: name.into(),
            phase,
            summary: format!("Do {name}"),
            payload: Arc::new(json!([1, { "a": null }])),
            idempotent: true,
            locks: vec!["apt".to_owned()],
            timeout_ms: Some(1000),
        },
        only_if_changed: vec![ChangeIndex(0)],
        always: Some(Always::IfCalled(NodeId(0))),
    };
    let change = ChangeIndex(0);
    let at = Some(instance().target);
    let verify = Owner::Action { change, place: ActionPlace::Verify, action: Arc::new(action()), at };
    let kinds = [
        NodeKind::Step(step("write", Phase::Install, Owner::Instance { change })),
        NodeKind::Step(step("check", Phase::Verify, verify)),
        NodeKind::Commit { change },
        NodeKind::Gate(Gate::Bake { seconds: 5 }),
        NodeKind::Join { label: "all staged".to_owned() },
    ];
    let nodes = kinds.into_iter().enumerate().map(|(index, kind)| PlanNode {
        kind,
        after: index.checked_sub(1).map(|before| NodeId(before as u32)).into_iter().collect(),
    });
    let deployed = Arc::new(deployed());
    Plan {
        format: Plan::FORMAT,
        operation: Operation::RollbackTo { version: version("1.9") },
        application: ApplicationName::new("shop").expect("a name"),
        environment: EnvironmentName::new("staging").expect("a name"),
        version: VersionChange { from: Some(version("1.10")), to: None, part: None },
        requires: RequiresChange {
            from: Requirement::all(&BTreeMap::from([(
                ApplicationName::new("payments").unwrap(),
                ">=1.4, <2".parse().unwrap(),
            )])),
            to: BTreeSet::new(),
        },
        basis: Basis {
            lineage: Lineage("abc".into()),
            serial: 7,
            release: Some(Digest::of(b"release")),
            environment: Digest::of(b"environment"),
            plugins: BTreeMap::from([(PluginName::new("ssh").expect("a name"), Digest::of(b"ssh"))]),
            only: vec!["component api".to_owned()],
        },
        targets: BTreeMap::from([(instance().target, Arc::clone(&deployed.target))]),
        changes: vec![InstanceChange {
            id: instance(),
            kind: ChangeKind::Update,
            causes: vec![
                Cause::New,
                Cause::Property("/a~1b".to_owned()),
                Cause::Subscription { component: instance().component, word: "reload".into() },
                Cause::TypeChanged { from: "a/b".to_owned(), to: "c/d".to_owned() },
            ],
            previous: Some(Arc::clone(&deployed)),
            confirmed: Some(Arc::clone(&deployed)),
            dirty: true,
            desired: Some(Arc::clone(&deployed)),
        }],
        unchanged: vec![instance()],
        omitted: vec![instance()],
        amendments: vec![Arc::clone(&deployed)],
        amended: vec![Arc::clone(&deployed)],
        moves: vec![Move { from: instance(), to: instance(), same_target: true }],
        forgotten: vec![instance()],
        adopted: vec![Adoption { deployed: Arc::clone(&deployed), differs: Some("it is missing".to_owned()) }],
        reclaimed: vec![instance().target],
        owed: vec![Owed { by: instance().component, on: Some(instance().target), to: instance() }],
        rollouts: vec![Batches { unit: Unit::Application, going: true, batches: vec![vec![instance().target]] }],
        nodes: nodes.collect(),
    }
}
