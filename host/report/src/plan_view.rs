//! A plan for people: what changes, why, and what differs; alike changes on many targets folded into one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use launchway_model::{
    Adoption, Artifact, Cause, ChangeIndex, ChangeKind, Deployed, Digest, InstanceChange, NodeKind, Operation, Owner,
    Plan, RequiresChange, TargetName, Version,
};
use serde_json::Value;

use crate::diff::{Difference, differences, path_text, text_diff, value_text};
use crate::sanitise::inline;
use crate::style::Paint;

/// How many targets are named before they are only counted.
const NAMED_TARGETS: usize = 6;
/// The largest rendered file of which a text diff is made, in bytes.
const TEXT_LIMIT: u64 = 256 * 1024;

/// Reads a file of a release; none if it is not there.
pub type BlobReader<'a> = &'a dyn Fn(&Digest) -> Option<Vec<u8>>;

/// How a plan is shown.
#[derive(Clone, Copy, Default)]
pub struct PlanViewOptions<'a> {
    pub paint: Paint,
    /// All targets by name, the properties of what is created, and the steps.
    pub verbose: bool,
    /// Reads a file of the release, for text diffs.
    pub blobs: Option<BlobReader<'a>>,
}

/// Returns the plan as text.
pub fn plan_text(plan: &Plan, options: PlanViewOptions<'_>) -> String {
    let paint = options.paint;
    let mut out = format!("{}\n", paint.bold(title(plan)));
    for only in &plan.basis.only {
        out.push_str(&format!("restricted to {}\n", inline(only)));
    }
    let RequiresChange { from, to } = &plan.requires;
    for requirement in to.difference(from) {
        out.push_str(&format!("{} requires {}\n", paint.green("+"), inline(&requirement.to_string())));
    }
    for requirement in from.difference(to) {
        out.push_str(&format!("{} no longer requires {}\n", paint.red("-"), inline(&requirement.to_string())));
    }
    for moved in &plan.moves {
        let (from, to) = (inline(&moved.from.to_string()), inline(&moved.to.to_string()));
        out.push_str(&format!("{} {from} is called {to} from now on\n", paint.cyan("=")));
    }
    out.push_str(&records_text(plan, paint));
    out.push('\n');
    let steps = if options.verbose { steps_by_change(plan) } else { HashMap::new() };
    for group in groups(plan, options.verbose) {
        group.write(&options, steps.get(&group.first), &mut out);
    }
    out.push_str(&rollouts_text(plan));
    if !plan.changes.is_empty() {
        out.push('\n');
    }
    out.push_str(&format!("{}\n", paint.bold(summary_line(plan))));
    out
}

/// Returns `Plan: 3 to create, 1 to update, 0 to delete, 5 unchanged (12 steps).`
pub fn summary_line(plan: &Plan) -> String {
    match plan.operation {
        Operation::Forget => {
            let stay = plan.unchanged.len();
            return format!("{} to forget, {stay} unchanged; nothing is touched.", plan.forgotten.len());
        }
        Operation::Adopt => {
            let differ = plan.adopted.iter().filter(|one| one.differs.is_some()).count();
            let count = plan.adopted.len();
            return format!("{count} to take over, {differ} of them to be updated later; nothing is touched.");
        }
        _ => {}
    }
    let count = |kind: ChangeKind| plan.changes.iter().filter(|change| change.kind == kind).count();
    let mut line = format!(
        "Plan: {} to create, {} to update, {} to delete, ",
        count(ChangeKind::Create),
        count(ChangeKind::Update),
        count(ChangeKind::Delete)
    );
    match count(ChangeKind::Refresh) {
        0 => {}
        refreshed => line.push_str(&format!("{refreshed} to refresh, ")),
    }
    match count(ChangeKind::Act) {
        0 => {}
        actions => line.push_str(&format!("{actions} to run, ")),
    }
    line.push_str(&format!("{} unchanged", plan.unchanged.len()));
    match plan.omitted.len() {
        0 => {}
        omitted => line.push_str(&format!(", {omitted} left out")),
    }
    match plan.amendments.len() {
        0 => {}
        amended => line.push_str(&format!(", {amended} of them with records to bring up to date")),
    }
    let steps = plan.step_count();
    line.push_str(&format!(" ({steps} step{}).", if steps == 1 { "" } else { "s" }));
    line
}

/// Says what is forgotten and what is taken over.
pub(crate) fn records_text(plan: &Plan, paint: Paint) -> String {
    let mut out = String::new();
    for id in &plan.forgotten {
        out.push_str(&format!("{} {} is forgotten\n", paint.red("-"), inline(&id.to_string())));
    }
    for target in &plan.reclaimed {
        out.push_str(&format!("{} {} is taken over from another state\n", paint.yellow("!"), inline(target.as_str())));
    }
    for Adoption { deployed, differs } in &plan.adopted {
        let id = inline(&deployed.spec.id.to_string());
        match differs {
            None => out.push_str(&format!("{} {id} is taken over as it is\n", paint.green("="))),
            Some(how) => {
                out.push_str(&format!("{} {id} is taken over and differs: {}\n", paint.yellow("~"), inline(how)));
            }
        }
    }
    out
}

/// Says what goes in batches, and where the run waits between them.
fn rollouts_text(plan: &Plan) -> String {
    let mut out = String::new();
    for rollout in &plan.rollouts {
        let batches: Vec<String> = rollout.batches.iter().map(|batch| batch_text(batch)).collect();
        let count = batches.len();
        let unit = inline(&rollout.unit.to_string());
        let verb = if rollout.going { "goes" } else { "rolls" };
        out.push_str(&format!("\n{unit} {verb} in {count} batches: {}\n", batches.join(" | ")));
    }
    let gates = plan.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Gate(_))).count();
    if gates > 0 {
        out.push_str(&format!("it waits at {gates} gate{}\n", if gates == 1 { "" } else { "s" }));
    }
    out
}

fn batch_text(batch: &[TargetName]) -> String {
    if batch.len() > NAMED_TARGETS {
        return format!("{} targets", batch.len());
    }
    batch.iter().map(|target| inline(target.as_str())).collect::<Vec<_>>().join(", ")
}

fn title(plan: &Plan) -> String {
    let version = |version: &Option<Version>| version.as_ref().map(|version| inline(version.as_str()));
    let (from, to) = (version(&plan.version.from), version(&plan.version.to));
    let application = inline(plan.application.as_str());
    let environment = inline(plan.environment.as_str());
    let versions = match (&from, &to) {
        (None, Some(to)) => format!("{to} on {environment} (nothing deployed yet)"),
        (Some(from), Some(to)) if from == to => format!("{to} on {environment}"),
        (Some(from), Some(to)) => format!("{from} → {to} on {environment}"),
        (Some(from), None) => format!("{from} → nothing on {environment}"),
        (None, None) => format!("on {environment}"),
    };
    match &plan.operation {
        Operation::Deploy => format!("Deploy {application} {versions}"),
        Operation::Undeploy => format!("Undeploy {application} {versions}"),
        Operation::Rollback { run } => format!("Roll back run {run}: {application} {versions}"),
        Operation::RollbackTo { .. } => format!("Roll back {application} {versions}"),
        Operation::Restart => format!("Restart {application} {versions}"),
        Operation::Forget => format!("Forget parts of {application} {versions}"),
        Operation::Adopt => format!("Adopt {application} {versions}"),
        Operation::Task { name } => format!("Task {} of {application} {versions}", inline(name.as_str())),
    }
}

/// Changes that are alike but for their targets.
struct Group<'a> {
    component: String,
    kind: String,
    change: ChangeKind,
    causes: &'a [Cause],
    targets: Vec<&'a TargetName>,
    /// The first of them, and its index in the plan.
    sample: &'a InstanceChange,
    first: ChangeIndex,
    properties: Vec<Row<Difference>>,
    artifacts: Vec<Row<ArtifactDifference<'a>>>,
}

/// A difference, and whether it is the same on all targets.
struct Row<T> {
    difference: T,
    varies: bool,
}

#[derive(Clone, PartialEq)]
struct ArtifactDifference<'a> {
    name: &'a str,
    old: Option<&'a Artifact>,
    new: Option<&'a Artifact>,
}

type GroupKey<'a> = (&'a str, &'static str, &'a [Cause], Vec<String>);

fn groups(plan: &Plan, verbose: bool) -> Vec<Group<'_>> {
    let mut found: Vec<Group<'_>> = Vec::new();
    let mut by_key: BTreeMap<GroupKey<'_>, usize> = BTreeMap::new();
    for (index, change) in plan.changes.iter().enumerate() {
        let Some(subject) = change.subject() else { continue };
        // What is created is all new: its properties are only looked at where they are shown.
        let shown = verbose || !matches!(change.kind, ChangeKind::Create | ChangeKind::Act);
        let properties = if shown { property_differences(change) } else { Vec::new() };
        let artifacts = artifact_differences(change);
        let mut paths: Vec<String> = properties.iter().map(|difference| difference.path.clone()).collect();
        paths.extend(artifacts.iter().map(|artifact| artifact.name.to_owned()));
        let key = (change.id.component.as_str(), symbol(change.kind), change.causes.as_slice(), paths);
        match by_key.get(&key) {
            Some(&at) => {
                let group = &mut found[at];
                group.targets.push(&change.id.target);
                merge(&mut group.properties, properties);
                merge(&mut group.artifacts, artifacts);
            }
            None => {
                by_key.insert(key, found.len());
                found.push(Group {
                    component: inline(change.id.component.as_str()),
                    kind: inline(&subject.spec.kind.to_string()),
                    change: change.kind,
                    causes: &change.causes,
                    targets: vec![&change.id.target],
                    sample: change,
                    first: ChangeIndex(u32::try_from(index).unwrap_or(u32::MAX)),
                    properties: rows(properties),
                    artifacts: rows(artifacts),
                });
            }
        }
    }
    found
}

fn rows<T>(differences: Vec<T>) -> Vec<Row<T>> {
    differences.into_iter().map(|difference| Row { difference, varies: false }).collect()
}

fn merge<T: PartialEq>(rows: &mut [Row<T>], differences: Vec<T>) {
    for (row, difference) in rows.iter_mut().zip(differences) {
        row.varies |= row.difference != difference;
    }
}

/// Returns what differs between what is there and what is wanted; for a create, all that is wanted.
pub(crate) fn property_differences(change: &InstanceChange) -> Vec<Difference> {
    let properties = |deployed: &Option<Arc<Deployed>>| {
        deployed.as_ref().map_or(Value::Null, |deployed| deployed.spec.properties.as_ref().clone())
    };
    match (change.kind, &change.previous, &change.desired) {
        (ChangeKind::Delete, ..) => Vec::new(),
        (_, Some(old), Some(new)) if Arc::ptr_eq(&old.spec.properties, &new.spec.properties) => Vec::new(),
        (_, old, new) => differences(&properties(old), &properties(new)),
    }
}

fn artifact_differences(change: &InstanceChange) -> Vec<ArtifactDifference<'_>> {
    if change.kind == ChangeKind::Delete {
        return Vec::new();
    }
    let (old, new) = (artifacts_of(&change.previous), artifacts_of(&change.desired));
    let names: BTreeSet<&str> = old.iter().chain(new).map(|artifact| &*artifact.name).collect();
    names
        .into_iter()
        .map(|name| ArtifactDifference {
            name,
            old: old.iter().find(|artifact| &*artifact.name == name),
            new: new.iter().find(|artifact| &*artifact.name == name),
        })
        .filter(|pair| pair.old.map(|artifact| artifact.digest) != pair.new.map(|artifact| artifact.digest))
        .collect()
}

fn artifacts_of(deployed: &Option<Arc<Deployed>>) -> &[Artifact] {
    deployed.as_ref().map_or(&[], |deployed| &deployed.spec.artifacts)
}

impl Group<'_> {
    fn write(&self, options: &PlanViewOptions<'_>, steps: Option<&Vec<String>>, out: &mut String) {
        let paint = options.paint;
        let head = format!("{} {}", symbol(self.change), self.component);
        let head = match self.change {
            ChangeKind::Create => paint.green(head),
            ChangeKind::Update => paint.yellow(head),
            ChangeKind::Delete => paint.red(head),
            ChangeKind::Refresh | ChangeKind::Act => paint.cyan(head),
        };
        out.push_str(&format!("{head}  {}  on {}\n", paint.dim(&self.kind), self.targets_text(options.verbose)));
        let causes: Vec<String> = self.causes.iter().map(cause_text).collect();
        if !causes.is_empty() {
            out.push_str(&format!("    because {}\n", causes.join("; ")));
        }
        if self.sample.dirty && !self.causes.contains(&Cause::Dirty) {
            out.push_str("    what is there is uncertain: an earlier run did not finish\n");
        }
        self.write_properties(paint, out);
        self.write_artifacts(options, out);
        for step in steps.into_iter().flatten() {
            out.push_str(&format!("    {} {step}\n", paint.dim("step")));
        }
    }

    fn targets_text(&self, verbose: bool) -> String {
        if self.targets.len() > NAMED_TARGETS && !verbose {
            return format!("{} targets", self.targets.len());
        }
        let names: Vec<String> = self.targets.iter().map(|target| inline(target.as_str())).collect();
        names.join(", ")
    }

    fn write_properties(&self, paint: Paint, out: &mut String) {
        for row in &self.properties {
            let Difference { path, old, new } = &row.difference;
            let name = path_text(path);
            if let (Some(Value::String(a)), Some(Value::String(b))) = (old, new)
                && (a.contains('\n') || b.contains('\n'))
            {
                out.push_str(&format!("    {name}:{}\n", varies(row.varies)));
                text_diff(a, b, paint).iter().for_each(|line| out.push_str(&format!("      {line}\n")));
                continue;
            }
            let change = match (old, new) {
                (Some(old), Some(new)) => {
                    format!("{} → {}", paint.red(value_text(old)), paint.green(value_text(new)))
                }
                (None, Some(new)) => paint.green(value_text(new)),
                (Some(old), None) => format!("{} → {}", paint.red(value_text(old)), paint.dim("not set")),
                (None, None) => continue,
            };
            out.push_str(&format!("    {name}: {change}{}\n", varies(row.varies)));
        }
    }

    fn write_artifacts(&self, options: &PlanViewOptions<'_>, out: &mut String) {
        for row in &self.artifacts {
            let ArtifactDifference { name, old, new } = &row.difference;
            let label = |artifact: &Artifact| format!("{} ({})", inline(&artifact.file_name), artifact.digest.short());
            let change = match (old, new) {
                (Some(old), Some(new)) => format!("{} → {}", label(old), label(new)),
                (None, Some(new)) => label(new),
                (Some(old), None) => format!("{} → {}", label(old), options.paint.dim("not set")),
                (None, None) => continue,
            };
            out.push_str(&format!("    {}: {change}{}\n", inline(name), varies(row.varies)));
            if let (Some(old), Some(new), Some(blobs)) = (old, new, options.blobs)
                && let (Some(a), Some(b)) = (text_of(old, blobs), text_of(new, blobs))
            {
                let lines = text_diff(&a, &b, options.paint);
                lines.iter().for_each(|line| out.push_str(&format!("      {line}\n")));
            }
        }
    }
}

fn varies(varies: bool) -> &'static str {
    if varies { "  (differs by target)" } else { "" }
}

fn text_of(artifact: &Artifact, blobs: BlobReader<'_>) -> Option<String> {
    if artifact.size > TEXT_LIMIT {
        return None;
    }
    let text = String::from_utf8(blobs(&artifact.digest)?).ok()?;
    (!text.contains('\0')).then_some(text)
}

fn symbol(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Create => "+",
        ChangeKind::Update => "~",
        ChangeKind::Delete => "-",
        ChangeKind::Refresh => "*",
        ChangeKind::Act => ">",
    }
}

/// Returns why an instance is touched, as the end of a sentence.
pub(crate) fn cause_text(cause: &Cause) -> String {
    match cause {
        Cause::New => "it is new".to_owned(),
        Cause::Property(pointer) => format!("property {} differs", path_text(pointer)),
        Cause::Artifact(name) => format!("file {} differs", inline(name)),
        Cause::Secret(name) => format!("secret {} rotated", inline(name.as_str())),
        Cause::Subscription { component, word } => {
            format!("{} changes: {}", inline(component.as_str()), inline(word))
        }
        Cause::Dirty => "an earlier run did not finish it".to_owned(),
        Cause::Drift(how) => format!("what is there differs: {}", inline(how)),
        Cause::Assumed => "a step of it was skipped".to_owned(),
        Cause::Verify => "its verify differs".to_owned(),
        Cause::Unwanted => "it is wanted no more".to_owned(),
        Cause::TypeChanged { from, to } => format!("its type changes from {} to {}", inline(from), inline(to)),
        Cause::TargetChanged => "its target's address changed".to_owned(),
        Cause::Needs(component) => format!("{} changes, which it needs", inline(component.as_str())),
        Cause::Always => "it always runs".to_owned(),
        Cause::Request(what) => format!("asked for: {}", inline(what)),
    }
}

fn steps_by_change(plan: &Plan) -> HashMap<ChangeIndex, Vec<String>> {
    let mut steps: HashMap<ChangeIndex, Vec<String>> = HashMap::new();
    for node in &plan.nodes {
        if let NodeKind::Step(step) = &node.kind {
            let action = match &step.owner {
                Owner::Instance { .. } => String::new(),
                Owner::Action { action, .. } => format!(" [{}]", inline(&action.kind.to_string())),
            };
            let line = format!("{}: {}{action}", step.step.phase.as_str(), inline(&step.step.summary));
            steps.entry(step.owner.change()).or_default().push(line);
        }
    }
    steps
}
