//! A project in a few lines, plugins that answer by the book, and a state that follows plans.

// Each test file uses its own part of this.
#![allow(dead_code, reason = "shared by several test crates")]

pub(crate) mod plugins;
pub(crate) mod reach;
pub(crate) mod text;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use launchway_model::config::{Parsed, parse_application, parse_dictionary, parse_environment};
use launchway_model::{
    ApplicationName, ApplicationState, Artifact, ChangeKind, Diagnostics, Digest, Dirty, EnvironmentName, Fingerprint,
    InstanceId, InstanceRecord, Lineage, Operation, Plan, RunId, SecretName, Sources, Version,
};
use launchway_planner::inputs::{FileProblem, FileSource, Files, Secrets};
use launchway_planner::{
    Desired, DictionaryFiles, ExpandInput, Expanded, LastTargets, PlanError, PlanInput, Planned, Restriction, expand,
    plan, target_specs,
};
use proptest::test_runner::{Config as ProptestConfig, RngSeed};
use serde_json::Value;

pub(crate) use plugins::TestPlugins;

/// Returns how one of several tests looks at its part of the cases: not at those of the others, even with a fixed seed.
pub(crate) fn part_of_cases(cases: u32, part: u64) -> ProptestConfig {
    let mut config = ProptestConfig::with_cases(cases);
    if let RngSeed::Fixed(seed) = config.rng_seed {
        config.rng_seed = RngSeed::Fixed(seed.wrapping_add(part));
    }
    config
}

pub(crate) struct Project {
    pub(crate) application: String,
    pub(crate) environment: String,
    pub(crate) dictionaries: BTreeMap<PathBuf, String>,
    pub(crate) version: String,
    pub(crate) set: BTreeMap<String, Value>,
    pub(crate) plugins: TestPlugins,
    pub(crate) files: TestFiles,
    pub(crate) secrets: TestSecrets,
    pub(crate) restriction: Restriction,
    pub(crate) force: Restriction,
    pub(crate) last_targets: LastTargets,
}

impl Project {
    /// A project of these components and targets, both as YAML indented like top-level keys.
    pub(crate) fn new(components: &str, targets: &str) -> Self {
        Self {
            application: format!("application: shop\ncomponents:\n{}", indent(components)),
            environment: format!("environment: test\ntargets:\n{}", indent(targets)),
            dictionaries: BTreeMap::new(),
            version: "1.0".to_owned(),
            set: BTreeMap::new(),
            plugins: TestPlugins::new(),
            files: TestFiles::default(),
            secrets: TestSecrets::default(),
            restriction: Restriction::default(),
            force: Restriction::default(),
            last_targets: LastTargets::new(),
        }
    }

    pub(crate) fn components(&mut self, components: &str) -> &mut Self {
        self.application = format!("application: shop\ncomponents:\n{}", indent(components));
        self
    }

    pub(crate) fn version(&mut self, version: &str) -> &mut Self {
        self.version = version.to_owned();
        self
    }

    /// Adds top-level keys to the application.
    pub(crate) fn also(&mut self, text: &str) -> &mut Self {
        self.application.push_str(text);
        self
    }

    /// Adds top-level keys to the environment.
    pub(crate) fn environment(&mut self, text: &str) -> &mut Self {
        self.environment.push_str(text);
        self
    }

    pub(crate) fn expand(&self) -> Result<Expanded, (Diagnostics, Sources)> {
        let mut sources = Sources::default();
        let parsed = |result: Result<_, Diagnostics>| result.map_err(|found| format!("{found:?}")).unwrap();
        let application = parsed(parse_application(&mut sources, "launchway.yaml", &self.application));
        let environment = match parse_environment(&mut sources, "environments/test.yaml", &self.environment) {
            Ok(environment) => environment,
            Err(found) => panic!("{found:?}"),
        };
        let dictionaries: DictionaryFiles = self
            .dictionaries
            .iter()
            .map(|(path, text)| {
                let parsed = parse_dictionary(&mut sources, &path.display().to_string(), text).unwrap();
                (path.clone(), parsed)
            })
            .collect();
        let version = Version::new(&self.version).unwrap();
        expand(ExpandInput {
            application: &application,
            environment: &environment,
            dictionary_files: &dictionaries,
            version: &version,
            set: &self.set,
            last_targets: &self.last_targets,
            plugins: &self.plugins,
            files: &self.files,
        })
        .map_err(|found| (found, sources))
    }

    pub(crate) fn desired(&self) -> Desired {
        match self.expand() {
            Ok(expanded) => expanded.desired,
            Err((found, sources)) => panic!("{}", text::diagnostics(&found, &sources)),
        }
    }

    /// Returns what is wrong, as text.
    pub(crate) fn problems(&self) -> String {
        match self.expand() {
            Ok(_) => panic!("nothing is wrong"),
            Err((found, sources)) => text::diagnostics(&found, &sources),
        }
    }

    /// Returns what is odd, as text.
    pub(crate) fn warnings(&self) -> String {
        match self.expand() {
            Ok(expanded) => {
                let messages = expanded.warnings.iter().map(|warning| format!("{}\n", warning.message));
                messages.collect()
            }
            Err((found, sources)) => panic!("{}", text::diagnostics(&found, &sources)),
        }
    }

    pub(crate) fn parsed_application(&self) -> (Parsed<launchway_model::config::Application>, Sources) {
        let mut sources = Sources::default();
        let parsed = parse_application(&mut sources, "launchway.yaml", &self.application).unwrap();
        (parsed, sources)
    }

    pub(crate) fn deploy(&self, state: &ApplicationState) -> Plan {
        self.try_plan(Operation::Deploy, Some(&self.desired()), state).unwrap().plan
    }

    pub(crate) fn undeploy(&self, state: &ApplicationState) -> Plan {
        self.try_plan(Operation::Undeploy, None, state).unwrap().plan
    }

    pub(crate) fn try_plan(
        &self,
        operation: Operation,
        desired: Option<&Desired>,
        state: &ApplicationState,
    ) -> Result<Planned, PlanError> {
        let mut sources = Sources::default();
        let environment = parse_environment(&mut sources, "environments/test.yaml", &self.environment).unwrap();
        plan(PlanInput {
            operation,
            application: &state.application,
            environment: &state.environment,
            desired,
            state,
            targets: &target_specs(&environment.value),
            plugins: &self.plugins,
            secrets: &self.secrets,
            environment_digest: Digest::of(b"environment"),
            restrict: &self.restriction,
            force: &self.force,
        })
    }
}

fn indent(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    // The first line's indentation is taken off all lines.
    let width = text.lines().find(|l| !l.trim().is_empty()).map_or(0, |l| l.len() - l.trim_start().len());
    lines.map(|line| format!("  {}\n", line.get(width..).unwrap_or_default())).collect()
}

pub(crate) fn empty_state() -> ApplicationState {
    ApplicationState::empty(
        EnvironmentName::new("test").unwrap(),
        ApplicationName::new("shop").unwrap(),
        Lineage(Arc::from("lineage")),
    )
}

/// Writes into the state what a run of a plan would, if it committed the changes that `commits` names and gave the
/// others up after their first step.
pub(crate) fn run(state: &mut ApplicationState, plan: &Plan, run: u64, commits: impl Fn(&InstanceId) -> bool) {
    let run = RunId(run);
    let mut failed = BTreeSet::new();
    for moved in &plan.moves {
        let record = state.instances.remove(&moved.from).unwrap();
        state.instances.insert(moved.to.clone(), record.renamed(&moved.to, moved.same_target));
    }
    for (deployed, before) in plan.amendments.iter().zip(&plan.amended) {
        let record = state.instances.get_mut(&deployed.spec.id).unwrap();
        assert_eq!(record.confirmed.as_ref(), Some(before));
        record.confirmed = Some(deployed.clone());
        record.run = run;
    }
    for change in plan.changes.iter().filter(|change| change.kind != ChangeKind::Act) {
        if failed.contains(&change.id) {
            continue;
        }
        if commits(&change.id) {
            match (&change.desired, change.kind) {
                (None, ChangeKind::Delete) => drop(state.instances.remove(&change.id)),
                (Some(desired), _) => {
                    let record = InstanceRecord { confirmed: Some(desired.clone()), dirty: None, assumed: false, run };
                    state.instances.insert(change.id.clone(), record);
                }
                (None, _) => panic!("only a delete wants nothing"),
            }
        } else {
            failed.insert(change.id.clone());
            let entry = state.instances.entry(change.id.clone()).or_insert(InstanceRecord {
                confirmed: None,
                dirty: None,
                assumed: false,
                run,
            });
            let deleting = change.desired.is_none();
            entry.dirty = Some(Dirty { run, to: change.subject().cloned(), deleting, differs: None });
            entry.run = run;
        }
    }
    if failed.is_empty() && plan.basis.only.is_empty() {
        state.version = plan.version.to.clone();
    }
    state.serial += 1;
}

pub(crate) fn run_all(state: &mut ApplicationState, plan: &Plan, number: u64) {
    run(state, plan, number, |_| true);
}

/// Files in memory.
#[derive(Default)]
pub(crate) struct TestFiles {
    pub(crate) texts: BTreeMap<String, String>,
    /// What was rendered, by name and text.
    pub(crate) rendered: RefCell<Vec<(String, String)>>,
}

impl TestFiles {
    pub(crate) fn add(&mut self, path: &str, text: &str) {
        self.texts.insert(path.to_owned(), text.to_owned());
    }
}

impl Files for TestFiles {
    fn artifact(&self, _: FileSource, reference: &str, name: &str) -> Result<Artifact, FileProblem> {
        let text = self.text(reference)?;
        Ok(artifact(name, reference, text.as_bytes(), false))
    }

    fn text(&self, reference: &str) -> Result<String, FileProblem> {
        self.texts
            .get(reference)
            .cloned()
            .ok_or_else(|| FileProblem { message: format!("no such file: {reference}"), hint: None })
    }

    fn rendered(&self, name: &str, file: &str, bytes: Vec<u8>, has_secrets: bool) -> Result<Artifact, FileProblem> {
        let made = artifact(name, file, &bytes, has_secrets);
        self.rendered.borrow_mut().push((name.to_owned(), String::from_utf8(bytes).unwrap()));
        Ok(made)
    }
}

fn artifact(name: &str, file: &str, bytes: &[u8], has_secrets: bool) -> Artifact {
    Artifact {
        name: Arc::from(name),
        file_name: Arc::from(file),
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        has_secrets,
    }
}

/// Secrets by version.
#[derive(Default)]
pub(crate) struct TestSecrets {
    pub(crate) versions: BTreeMap<String, String>,
}

impl Secrets for TestSecrets {
    fn fingerprint(&self, name: &SecretName) -> Fingerprint {
        match self.versions.get(name.as_str()) {
            Some(version) => Fingerprint::Version(version.clone()),
            None => Fingerprint::Unchecked,
        }
    }
}
