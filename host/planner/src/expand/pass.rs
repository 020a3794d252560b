//! The pass itself.

use std::collections::{BTreeMap, BTreeSet};

use launchway_model::config::{Application, Component, Environment, Parsed, PlacedAction, pointer};
use launchway_model::{ComponentName, Diagnostic, Diagnostics, InstanceSpec, OnRollback, Requirement, Version};
use serde_json::Value;

use super::assemble::assemble;
use super::edges::APPLICATION;
use super::findings::{Findings, split};
use super::world::{DictionaryFiles, LastTargets, Standalone, World};
use crate::check::check_structure;
use crate::desired::{Desired, Names, Ways};
use crate::inputs::{Files, Plugins};
use crate::kinds::Kinds;
use crate::suggest;

/// What a release and an environment say.
pub struct ExpandInput<'a> {
    pub application: &'a Parsed<Application>,
    pub environment: &'a Parsed<Environment>,
    /// The dictionaries that are files of their own, by the path under which the environment names them.
    pub dictionary_files: &'a DictionaryFiles,
    pub version: &'a Version,
    /// Values from the command line; they win over all others. `db.host` is a name like any other.
    pub set: &'a BTreeMap<String, Value>,
    /// Where components that go to one target only were last.
    pub last_targets: &'a LastTargets,
    pub plugins: &'a dyn Plugins,
    pub files: &'a dyn Files,
}

/// What is wanted, and what is odd about it.
#[derive(Clone, PartialEq, Debug)]
pub struct Expanded {
    pub desired: Desired,
    pub warnings: Diagnostics,
}

/// Resolves an application for an environment, or says everything that is wrong.
pub fn expand(input: ExpandInput<'_>) -> Result<Expanded, Diagnostics> {
    let findings = Findings::default();
    let kinds = Kinds::new(input.plugins);
    check_structure(input.application, &kinds, &BTreeSet::new(), &findings);
    let standalone = standalone(&input.application.value);
    let world = World::new(&input, &standalone, &kinds, &findings);
    check_environment(input.environment, &world, &findings);
    warn_of_versions(&world, &findings);
    let (instances, alone) = assemble(&world, &kinds, input.files, &findings);
    let warnings = split(findings.into_diagnostics())?;
    let (finally, tasks) = alone.into_iter().partition(|spec: &InstanceSpec| is_final(&spec.id.component));
    let components = input.application.value.components.iter();
    let targets = input.environment.value.targets.iter();
    let desired = Desired {
        application: input.application.value.application.clone(),
        version: Some(input.version.clone()),
        release: None,
        requires: Requirement::all(&input.application.value.requires),
        instances,
        targets: world.targets.iter().map(|target| (target.name.clone(), target.spec.clone())).collect(),
        untouched: BTreeSet::new(),
        tasks,
        finally,
        ways: Ways::new(),
        names: Names {
            components: components
                .clone()
                .filter_map(|(name, component)| Some((name.clone(), component.renamed_from.clone()?)))
                .collect(),
            targets: targets.filter_map(|(name, target)| Some((name.clone(), target.renamed_from.clone()?))).collect(),
            once: components.filter(|(_, component)| component.once).map(|(name, _)| name.clone()).collect(),
        },
    };
    Ok(Expanded { desired, warnings })
}

/// What final actions are called; no component is, as it has no number.
const FINALLY: &str = "finally:";

/// Whether a name is that of an action at the end of a run.
pub(crate) fn is_final(name: &ComponentName) -> bool {
    name.as_str().starts_with(FINALLY)
}

/// Returns the application's tasks and final actions, each as if it were a component.
fn standalone(application: &Application) -> Vec<Standalone> {
    let tasks = application.tasks.iter();
    let tasks = tasks.map(|(name, action)| (name.clone(), pointer::join("/tasks", name.as_str()), action));
    let finally = application.finally.iter().enumerate().map(|(at, action)| {
        let name = ComponentName::new(format!("{FINALLY}{}", at + 1)).expect("a word and a number make a name");
        (name, format!("/finally/{at}"), action)
    });
    let component = |action: &PlacedAction| Component {
        on: action.on.clone(),
        once: action.once,
        with: action.with.clone(),
        ..Component::of_kind(action.kind.clone())
    };
    let all = tasks.chain(finally);
    all.map(|(name, base, action)| Standalone { name, base, component: component(action) }).collect()
}

fn check_environment(environment: &Parsed<Environment>, world: &World<'_>, findings: &Findings) {
    let Parsed { value, document } = environment;
    if value.targets.is_empty() {
        let message =
            format!("the environment `{}` has no targets, so there is nothing to deploy to", value.environment);
        findings.push(Diagnostic::warning("no-targets", message).at(document.place("/targets"), ""));
    }
    for name in value.overrides.keys() {
        if world.component(name.as_str()).is_none() {
            let names = world.components.iter().map(|placed| placed.name.as_str());
            let mut diagnostic = Diagnostic::error("unknown-component", format!("there is no component `{name}`"))
                .at(document.key_place(&pointer::join("/overrides", name.as_str())), "");
            diagnostic.hint = suggest::hint("components", name.as_str(), names);
            findings.push(diagnostic);
        }
    }
    let application = &world.application.value;
    for name in value.rollouts.keys() {
        let known = application.components.keys().chain(application.groups.keys()).map(ComponentName::as_str);
        let known = known.chain([APPLICATION]);
        if !known.clone().any(|known| known == name.as_str()) {
            let message = format!("nothing rolls under the name `{name}`");
            let mut diagnostic = Diagnostic::error("unknown-rollout", message)
                .at(document.key_place(&pointer::join("/rollouts", name.as_str())), "");
            diagnostic.hint = suggest::hint("components, groups and the application", name.as_str(), known);
            findings.push(diagnostic);
        }
    }
    for (at, name) in value.disable.iter().enumerate() {
        if world.component(name.as_str()).is_none() {
            let names = world.components.iter().map(|placed| placed.name.as_str());
            let mut diagnostic = Diagnostic::error("unknown-component", format!("there is no component `{name}`"))
                .at(document.place(&format!("/disable/{at}")), "");
            diagnostic.hint = suggest::hint("components", name.as_str(), names);
            findings.push(diagnostic);
        }
    }
    let defaults = value.defaults.escalation.iter().map(|escalation| ("/defaults".to_owned(), escalation));
    let targets = value
        .targets
        .iter()
        .filter_map(|(name, target)| Some((pointer::join("/targets", name.as_str()), target.escalation.as_ref()?)));
    for (at, escalation) in defaults.chain(targets) {
        let undeclared = escalation.password.as_ref().filter(|name| !world.declares_secret(name.as_str()));
        if let Some(name) = undeclared {
            let mut diagnostic =
                Diagnostic::error("unknown-secret", format!("the environment declares no secret `{name}`"))
                    .at(document.place(&format!("{at}/escalation/password")), "");
            diagnostic.hint = suggest::hint("secrets", name.as_str(), world.secret_names());
            findings.push(diagnostic);
        }
    }
}

/// Warns where the release's version makes something run again that a release need not run again.
fn warn_of_versions(world: &World<'_>, findings: &Findings) {
    for placed in &world.components {
        let Some(kind) = &placed.kind else { continue };
        // A kind that a rollback keeps leaves effects that are not undone: commands, migrations.
        if kind.info.on_rollback != OnRollback::Keep {
            continue;
        }
        for (name, entry) in placed.variants.iter().flatten() {
            entry.shape.each_reference(&mut String::new(), &mut |at, reference| {
                let place = pointer::join("", name) + at;
                if reference.path == ["version"] && kind.is_trigger(&place) {
                    let message = format!("`{}` will run again with every version, whatever else changes", placed.name);
                    findings.push(
                        Diagnostic::warning("version-triggers", message)
                            .at(entry.origin().reference_span(at, reference), "")
                            .hint("leave `${version}` out if only the other properties say whether it has to run"),
                    );
                }
            });
        }
    }
}
