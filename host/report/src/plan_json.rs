//! A plan for machines.

use launchway_model::{
    ActionPlace, Basis, Batches, Cause, ChangeKind, Digest, Gate, InstanceChange, InstanceId, Move, NodeKind,
    Operation, Owner, Plan, RequiresChange, TargetName, VersionChange,
};
use serde::Serialize;
use serde_json::Value;

use crate::DiagnosticJson;
use crate::json::document;
use crate::plan_view::{cause_text, property_differences};

#[derive(Serialize)]
struct PlanJson<'a> {
    operation: &'a Operation,
    application: &'a str,
    environment: &'a str,
    version: &'a VersionChange,
    /// What it needs of other applications.
    requires: &'a RequiresChange,
    digest: Digest,
    basis: &'a Basis,
    summary: Summary,
    changes: Vec<ChangeJson<'a>>,
    unchanged: &'a [InstanceId],
    /// They would change, but are left out on request.
    omitted: &'a [InstanceId],
    moves: &'a [Move],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    forgotten: &'a [InstanceId],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    adopted: Vec<AdoptedJson<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    reclaimed: &'a [TargetName],
    rollouts: &'a [Batches],
    amended: Vec<&'a InstanceId>,
    nodes: Vec<NodeJson<'a>>,
    warnings: &'a [DiagnosticJson],
}

#[derive(Serialize)]
pub(crate) struct AdoptedJson<'a> {
    component: &'a str,
    target: &'a str,
    /// How what is there differs; none where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    differs: Option<&'a str>,
}

pub(crate) fn adopted_json(plan: &Plan) -> Vec<AdoptedJson<'_>> {
    let found = plan.adopted.iter().map(|one| (&one.deployed.spec.id, one.differs.as_deref()));
    found
        .map(|(id, differs)| AdoptedJson { component: id.component.as_str(), target: id.target.as_str(), differs })
        .collect()
}

#[derive(Serialize)]
struct Summary {
    create: usize,
    update: usize,
    delete: usize,
    refresh: usize,
    act: usize,
    unchanged: usize,
    steps: usize,
}

#[derive(Serialize)]
struct ChangeJson<'a> {
    component: &'a str,
    target: &'a str,
    change: ChangeKind,
    #[serde(rename = "type")]
    kind: String,
    causes: &'a [Cause],
    /// The causes for people.
    because: Vec<String>,
    dirty: bool,
    properties: Vec<PropertyJson>,
    artifacts: Vec<ArtifactJson<'a>>,
}

#[derive(Serialize)]
struct PropertyJson {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<Value>,
}

#[derive(Serialize)]
struct ArtifactJson<'a> {
    name: &'a str,
    file_name: &'a str,
    digest: Digest,
    size: u64,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum NodeJson<'a> {
    Step {
        id: u32,
        step: &'a str,
        component: &'a str,
        target: &'a str,
        phase: &'static str,
        summary: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        action: Option<ActionPlace>,
        /// It runs whatever becomes of what is before it.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        always: bool,
        after: Vec<u32>,
    },
    Commit {
        id: u32,
        component: &'a str,
        target: &'a str,
        after: Vec<u32>,
    },
    Join {
        id: u32,
        label: &'a str,
        after: Vec<u32>,
    },
    Gate {
        id: u32,
        gate: &'a Gate,
        after: Vec<u32>,
    },
}

/// Returns the plan as a JSON document.
pub fn plan_json(plan: &Plan, digest: Digest, warnings: &[DiagnosticJson]) -> String {
    let count = |kind: ChangeKind| plan.changes.iter().filter(|change| change.kind == kind).count();
    document(&PlanJson {
        operation: &plan.operation,
        application: plan.application.as_str(),
        environment: plan.environment.as_str(),
        version: &plan.version,
        requires: &plan.requires,
        digest,
        basis: &plan.basis,
        summary: Summary {
            create: count(ChangeKind::Create),
            update: count(ChangeKind::Update),
            delete: count(ChangeKind::Delete),
            refresh: count(ChangeKind::Refresh),
            act: count(ChangeKind::Act),
            unchanged: plan.unchanged.len(),
            steps: plan.step_count(),
        },
        changes: plan.changes.iter().map(change).collect(),
        unchanged: &plan.unchanged,
        omitted: &plan.omitted,
        moves: &plan.moves,
        forgotten: &plan.forgotten,
        adopted: adopted_json(plan),
        reclaimed: &plan.reclaimed,
        rollouts: &plan.rollouts,
        amended: plan.amendments.iter().map(|deployed| &deployed.spec.id).collect(),
        nodes: nodes(plan),
        warnings,
    })
}

fn change(change: &InstanceChange) -> ChangeJson<'_> {
    let spec = change.subject().map(|deployed| &deployed.spec);
    ChangeJson {
        component: change.id.component.as_str(),
        target: change.id.target.as_str(),
        change: change.kind,
        kind: spec.map(|spec| spec.kind.to_string()).unwrap_or_default(),
        causes: &change.causes,
        because: change.causes.iter().map(cause_text).collect(),
        dirty: change.dirty,
        properties: property_differences(change)
            .into_iter()
            .map(|difference| PropertyJson { path: difference.path, old: difference.old, new: difference.new })
            .collect(),
        artifacts: spec
            .map(|spec| &spec.artifacts[..])
            .unwrap_or_default()
            .iter()
            .map(|artifact| ArtifactJson {
                name: &artifact.name,
                file_name: &artifact.file_name,
                digest: artifact.digest,
                size: artifact.size,
            })
            .collect(),
    }
}

fn nodes(plan: &Plan) -> Vec<NodeJson<'_>> {
    let name = |change| {
        let change: Option<&InstanceChange> = plan.change(change);
        change.map_or(("", ""), |change| (change.id.component.as_str(), change.id.target.as_str()))
    };
    let all = plan.nodes.iter().enumerate();
    all.map(|(id, node)| {
        let id = u32::try_from(id).unwrap_or(u32::MAX);
        let after = node.after.iter().map(|node| node.0).collect();
        match &node.kind {
            NodeKind::Step(step) => {
                let (component, own) = name(step.owner.change());
                let target = step.target(plan).map_or(own, TargetName::as_str);
                NodeJson::Step {
                    id,
                    step: &step.key.0,
                    component,
                    target,
                    phase: step.step.phase.as_str(),
                    summary: &step.step.summary,
                    action: match step.owner {
                        Owner::Instance { .. } => None,
                        Owner::Action { place, .. } => Some(place),
                    },
                    always: step.always.is_some(),
                    after,
                }
            }
            NodeKind::Commit { change } => {
                let (component, target) = name(*change);
                NodeJson::Commit { id, component, target, after }
            }
            NodeKind::Join { label } => NodeJson::Join { id, label, after },
            NodeKind::Gate(gate) => NodeJson::Gate { id, gate, after },
        }
    })
    .collect()
}
