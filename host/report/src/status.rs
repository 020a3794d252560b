//! What is deployed where, for people and for machines.

use std::collections::BTreeMap;

use launchway_model::{
    ApplicationName, ApplicationState, Deployed, Digest, Dirty, InstanceId, InstanceRecord, Neighbour, Requirement,
    RunId, SecretName, TargetName, Timestamp, Version, VersionRange,
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
    /// It removed a part of what was there.
    #[serde(skip)]
    pub removed_part: bool,
}

impl LastRun {
    /// Whether a process is at it.
    fn is_live(&self) -> bool {
        self.status == "running"
    }

    /// Returns how it ended, if that leaves open whether all was done.
    fn trouble(&self) -> Option<String> {
        let how = match self.status.as_str() {
            "failed" => "failed",
            "stopped" => "was stopped",
            "interrupted" => "was interrupted",
            _ if self.removed_part => "removed a part",
            _ => return None,
        };
        Some(format!("the last run ({}) {how}", self.id))
    }
}

/// Returns a state as text: components with their targets, alike ones folded.
pub fn status_text(
    state: &ApplicationState,
    neighbours: &[Neighbour],
    last: Option<&LastRun>,
    paint: Paint,
    verbose: bool,
) -> String {
    let name = inline(state.application.as_str());
    let environment = inline(state.environment.as_str());
    let lacks = lacks(state, last).join("; ");
    let (head, tail) = match &state.version {
        Some(version) if lacks.is_empty() => (format!("{name} {} on {environment}", inline(version.as_str())), ""),
        Some(version) => (format!("{name} {} on {environment}, not complete", inline(version.as_str())), ": "),
        None if state.instances.is_empty() => (format!("{name} is not deployed on {environment}"), "; "),
        None => (format!("{name} on {environment}: no complete version"), "; "),
    };
    let tail = if lacks.is_empty() { String::new() } else { format!("{tail}{lacks}") };
    let mut out = paint.bold(format!("{head}{tail}"));
    out.push('\n');
    if let Some(last) = last {
        out.push_str(&format!("last run: {} ({})\n", last.id, last.status));
    }
    for need in needs(state, neighbours) {
        let line = match need.version {
            None => paint.yellow(format!(
                "requires: {} {}, which is not deployed",
                inline(need.application),
                inline(need.range)
            )),
            Some(version) if need.met => {
                format!("requires: {} {} ({} is there)", inline(need.application), inline(need.range), inline(version))
            }
            Some(version) => paint.yellow(format!(
                "requires: {} {}, and {} is there",
                inline(need.application),
                inline(need.range),
                inline(version)
            )),
        };
        out.push_str(&format!("{line}\n"));
    }
    for need in needed_by(state, neighbours) {
        let line = format!("required by: {} ({})", inline(need.application), inline(need.range));
        out.push_str(&if need.met { line } else { paint.yellow(format!("{line}, not met")) });
        out.push('\n');
    }
    if state.instances.is_empty() {
        return out;
    }
    let mut folded: BTreeMap<[String; 4], Vec<&TargetName>> = BTreeMap::new();
    for (id, record) in &state.instances {
        let row = [inline(id.component.as_str()), kind(record), version(record), condition(record, last)];
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

/// Whether everything that is recorded is of the state's version, as far as anybody knows.
pub fn is_complete(state: &ApplicationState, last: Option<&LastRun>) -> bool {
    state.version.is_some() && lacks(state, last).is_empty()
}

/// Returns what keeps a state from being wholly of its version.
fn lacks(state: &ApplicationState, last: Option<&LastRun>) -> Vec<String> {
    let mut lacks = Vec::new();
    let live = last.filter(|last| last.is_live());
    lacks.extend(live.map(|last| format!("run {} is changing it", last.id)));
    let records = || state.instances.values();
    let uncertain = records().filter(|record| record.dirty.is_some() && changing(record, last).is_none()).count();
    let assumed = records().filter(|record| record.dirty.is_none() && record.assumed).count();
    for (count, word) in [(uncertain, "uncertain"), (assumed, "assumed")] {
        if count > 0 {
            lacks.push(format!("{count} {word}"));
        }
    }
    let mut others: BTreeMap<&Version, usize> = BTreeMap::new();
    for deployed in records().filter(|record| record.dirty.is_none()).filter_map(|record| record.confirmed.as_ref()) {
        if state.version.as_ref().is_some_and(|version| *version != deployed.spec.version) {
            *others.entry(&deployed.spec.version).or_default() += 1;
        }
    }
    lacks.extend(others.into_iter().map(|(version, count)| format!("{count} of version {}", inline(version.as_str()))));
    lacks.extend(last.and_then(LastRun::trouble));
    lacks
}

/// Returns the run that is at work on an instance.
fn changing(record: &InstanceRecord, last: Option<&LastRun>) -> Option<RunId> {
    let dirty = record.dirty.as_ref()?;
    last.filter(|last| last.is_live() && last.id == dirty.run).map(|last| last.id)
}

/// Returns one line per application.
pub fn applications_text(states: &[(ApplicationState, Option<LastRun>)]) -> String {
    let mut rows = vec![["application", "environment", "version", "instances", "last run"].map(str::to_owned).to_vec()];
    for (state, last) in states {
        rows.push(vec![
            inline(state.application.as_str()),
            inline(state.environment.as_str()),
            match &state.version {
                Some(version) if is_complete(state, last.as_ref()) => inline(version.as_str()),
                Some(version) => format!("{}, not complete", inline(version.as_str())),
                None if state.instances.is_empty() => "-".to_owned(),
                None => "none complete".to_owned(),
            },
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

fn condition(record: &InstanceRecord, last: Option<&LastRun>) -> String {
    if let Some(run) = changing(record, last) {
        return format!("run {run} is changing it");
    }
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

/// A requirement, and whether what is there meets it.
#[derive(Serialize)]
struct Need<'a> {
    application: &'a str,
    range: &'a str,
    /// Of the application that is needed.
    version: Option<&'a str>,
    met: bool,
}

fn need<'a>(application: &'a ApplicationName, range: &'a VersionRange, version: Option<&'a Version>) -> Need<'a> {
    Need {
        application: application.as_str(),
        range: range.as_str(),
        version: version.map(Version::as_str),
        met: version.is_some_and(|version| range.check(version).is_ok()),
    }
}

/// Returns what the application requires.
fn needs<'a>(state: &'a ApplicationState, neighbours: &'a [Neighbour]) -> Vec<Need<'a>> {
    let requires = state.requires.iter().map(|Requirement { application, range }| {
        let there = neighbours.iter().find(|neighbour| neighbour.application == *application);
        need(application, range, there.and_then(|there| there.version.as_ref()))
    });
    requires.collect()
}

/// Returns who requires the application.
fn needed_by<'a>(state: &'a ApplicationState, neighbours: &'a [Neighbour]) -> Vec<Need<'a>> {
    let all = neighbours.iter().flat_map(|neighbour| neighbour.requires.iter().map(move |one| (neighbour, one)));
    let of_it = all.filter(|(_, requirement)| requirement.application == state.application);
    of_it
        .map(|(neighbour, requirement)| need(&neighbour.application, &requirement.range, state.version.as_ref()))
        .collect()
}

#[derive(Serialize)]
struct StatusJson<'a> {
    application: &'a str,
    environment: &'a str,
    version: Option<&'a str>,
    release: Option<Digest>,
    /// Everything there is of this version, as far as anybody knows.
    complete: bool,
    requires: Vec<Need<'a>>,
    required_by: Vec<Need<'a>>,
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
    neighbours: &[Neighbour],
    last: Option<&LastRun>,
    findings: Option<&BTreeMap<InstanceId, Finding>>,
) -> String {
    let found = |id| findings.and_then(|findings| findings.get(id));
    document(&StatusJson {
        application: state.application.as_str(),
        environment: state.environment.as_str(),
        version: state.version.as_ref().map(|version| version.as_str()),
        release: state.release,
        complete: is_complete(state, last),
        requires: needs(state, neighbours),
        required_by: needed_by(state, neighbours),
        last_run: last,
        drift: findings.map(DriftSummary::of),
        instances: state.instances.iter().map(|(id, record)| instance(id, record, last, found(id))).collect(),
    })
}

fn instance<'a>(
    id: &'a InstanceId,
    record: &'a InstanceRecord,
    last: Option<&LastRun>,
    drift: Option<&'a Finding>,
) -> InstanceJson<'a> {
    InstanceJson {
        component: id.component.as_str(),
        target: id.target.as_str(),
        state: match (&record.dirty, record.assumed) {
            (Some(_), _) if changing(record, last).is_some() => "changing",
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
