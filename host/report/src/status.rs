//! What is deployed where, for people and for machines.

use std::collections::BTreeMap;

use launchway_model::{
    ApplicationState, Deployed, Digest, Dirty, InstanceId, InstanceRecord, RunId, SecretName, TargetName, Timestamp,
};
use serde::Serialize;
use serde_json::Value;

use crate::drift::{DriftSummary, Finding};
use crate::json::document;
use crate::sanitise::inline;
use crate::style::Paint;
use crate::table::table;

/// How many targets are named before they are only counted.
pub(crate) const NAMED_TARGETS: usize = 6;

/// The last run of an application in an environment.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct LastRun {
    pub id: RunId,
    pub status: String,
    pub started: Timestamp,
}

/// Returns a state as text: components with their targets, alike ones folded.
pub fn status_text(state: &ApplicationState, last: Option<&LastRun>, paint: Paint, verbose: bool) -> String {
    let name = inline(state.application.as_str());
    let environment = inline(state.environment.as_str());
    let mut out = match &state.version {
        Some(version) => paint.bold(format!("{name} {} on {environment}", inline(version.as_str()))),
        None if state.instances.is_empty() => paint.bold(format!("{name} is not deployed on {environment}")),
        None => paint.bold(format!("{name} on {environment}: no complete version")),
    };
    out.push('\n');
    if let Some(last) = last {
        out.push_str(&format!("last run: {} ({})\n", last.id, last.status));
    }
    if state.instances.is_empty() {
        return out;
    }
    let mut folded: BTreeMap<[String; 4], Vec<&TargetName>> = BTreeMap::new();
    for (id, record) in &state.instances {
        let row = [inline(id.component.as_str()), kind(record), version(record), condition(record)];
        folded.entry(row).or_default().push(&id.target);
    }
    let mut rows = vec![["component", "type", "version", "state", "targets"].map(str::to_owned).to_vec()];
    for (row, targets) in folded {
        let targets = if targets.len() > NAMED_TARGETS && !verbose {
            format!("{} targets", targets.len())
        } else {
            targets.iter().map(|target| inline(target.as_str())).collect::<Vec<_>>().join(", ")
        };
        rows.push(row.into_iter().chain([targets]).collect());
    }
    out.push('\n');
    out.push_str(&table(&rows));
    out
}

/// Returns one line per application.
pub fn applications_text(states: &[(ApplicationState, Option<LastRun>)]) -> String {
    let mut rows = vec![["application", "environment", "version", "instances", "last run"].map(str::to_owned).to_vec()];
    for (state, last) in states {
        rows.push(vec![
            inline(state.application.as_str()),
            inline(state.environment.as_str()),
            state.version.as_ref().map_or_else(|| "-".to_owned(), |version| inline(version.as_str())),
            state.instances.len().to_string(),
            last.as_ref().map_or_else(|| "-".to_owned(), |last| format!("{} ({})", last.id, last.status)),
        ]);
    }
    table(&rows)
}

/// Returns what is, or is to be, deployed: the confirmed one, or what an unfinished run was at.
fn shown(record: &InstanceRecord) -> Option<&Deployed> {
    record.confirmed.as_deref().or_else(|| record.dirty.as_ref().and_then(|dirty| dirty.to.as_deref()))
}

fn kind(record: &InstanceRecord) -> String {
    shown(record).map_or_else(|| "-".to_owned(), |deployed| inline(&deployed.spec.kind.to_string()))
}

fn version(record: &InstanceRecord) -> String {
    record.confirmed.as_ref().map_or_else(|| "-".to_owned(), |deployed| inline(deployed.spec.version.as_str()))
}

fn condition(record: &InstanceRecord) -> String {
    match (&record.dirty, record.assumed) {
        (Some(Dirty { run, differs: Some(_), .. }), _) => format!("differs: run {run} took it over as it was"),
        (Some(dirty), _) => {
            let to = aim(dirty).map(|to| inline(to.spec.version.as_str()));
            let aim = to.map_or_else(|| "removing it".to_owned(), |to| format!("putting {to} there"));
            format!("uncertain: run {} did not finish {aim}", dirty.run)
        }
        (None, true) => "assumed: a step was skipped".to_owned(),
        (None, false) => "ok".to_owned(),
    }
}

/// Returns what an unfinished run was to leave there; none if it was to leave nothing.
fn aim(dirty: &Dirty) -> Option<&Deployed> {
    dirty.to.as_deref().filter(|_| !dirty.deleting)
}

#[derive(Serialize)]
struct StatusJson<'a> {
    application: &'a str,
    environment: &'a str,
    version: Option<&'a str>,
    release: Option<Digest>,
    /// Changes with every run.
    last_run: Option<&'a LastRun>,
    /// Only where the targets were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<DriftSummary>,
    instances: Vec<InstanceJson<'a>>,
}

#[derive(Serialize)]
struct InstanceJson<'a> {
    component: &'a str,
    target: &'a str,
    state: &'static str,
    /// The run that last wrote the record.
    run: RunId,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployed: Option<DeployedJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unfinished: Option<UnfinishedJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drift: Option<&'a Finding>,
}

#[derive(Serialize)]
struct DeployedJson<'a> {
    #[serde(rename = "type")]
    kind: String,
    version: &'a str,
    address: &'a str,
    properties: &'a Value,
    artifacts: Vec<ArtifactJson<'a>>,
    secrets: &'a [SecretName],
}

#[derive(Serialize)]
struct ArtifactJson<'a> {
    name: &'a str,
    file_name: &'a str,
    digest: Digest,
}

#[derive(Serialize)]
struct UnfinishedJson<'a> {
    run: RunId,
    /// None if it was being deleted.
    to: Option<DeployedJson<'a>>,
    /// The run took over what it found, which differs in this.
    #[serde(skip_serializing_if = "Option::is_none")]
    differs: Option<&'a str>,
}

/// Returns a state as a JSON document. Keys named `run` and `last_run` hold what differs from run to run.
///
/// With what a look at the targets found, if there was one.
pub fn status_json(
    state: &ApplicationState,
    last: Option<&LastRun>,
    findings: Option<&BTreeMap<InstanceId, Finding>>,
) -> String {
    let found = |id| findings.and_then(|findings| findings.get(id));
    document(&StatusJson {
        application: state.application.as_str(),
        environment: state.environment.as_str(),
        version: state.version.as_ref().map(|version| version.as_str()),
        release: state.release,
        last_run: last,
        drift: findings.map(DriftSummary::of),
        instances: state.instances.iter().map(|(id, record)| instance(id, record, found(id))).collect(),
    })
}

fn instance<'a>(id: &'a InstanceId, record: &'a InstanceRecord, drift: Option<&'a Finding>) -> InstanceJson<'a> {
    InstanceJson {
        component: id.component.as_str(),
        target: id.target.as_str(),
        state: match (&record.dirty, record.assumed) {
            (Some(_), _) => "dirty",
            (None, true) => "assumed",
            (None, false) => "confirmed",
        },
        run: record.run,
        deployed: record.confirmed.as_deref().map(deployed),
        unfinished: record.dirty.as_ref().map(|dirty| UnfinishedJson {
            run: dirty.run,
            to: aim(dirty).map(deployed),
            differs: dirty.differs.as_deref(),
        }),
        drift,
    }
}

fn deployed(deployed: &Deployed) -> DeployedJson<'_> {
    let spec = &deployed.spec;
    DeployedJson {
        kind: spec.kind.to_string(),
        version: spec.version.as_str(),
        address: &deployed.target.address,
        properties: &spec.properties,
        artifacts: spec
            .artifacts
            .iter()
            .map(|artifact| ArtifactJson {
                name: &artifact.name,
                file_name: &artifact.file_name,
                digest: artifact.digest,
            })
            .collect(),
        secrets: &spec.secrets,
    }
}
