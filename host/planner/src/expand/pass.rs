//! The pass itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use launchway_model::config::{Application, Component, Environment, Parsed, SubscriptionUse, pointer};
use launchway_model::{
    ComponentName, Diagnostic, Diagnostics, Edge, Edges, OnRollback, Scope as EdgeScope, Subscription, Version,
};
use serde_json::Value;

use super::assemble::assemble;
use super::findings::{Findings, split};
use super::world::{DictionaryFiles, Placed, World};
use crate::check::check_structure;
use crate::desired::Desired;
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
    let world = World::new(
        input.application,
        input.environment,
        input.dictionary_files,
        input.version,
        input.set,
        &kinds,
        &findings,
    );
    check_environment(input.environment, &world, &findings);
    warn_of_versions(&world, &findings);
    let instances = assemble(&world, &kinds, input.files, &findings);
    let warnings = split(findings.into_diagnostics())?;
    let desired = Desired {
        application: input.application.value.application.clone(),
        version: Some(input.version.clone()),
        release: None,
        instances,
        targets: world.targets.iter().map(|target| (target.name.clone(), target.spec.clone())).collect(),
        untouched: BTreeSet::new(),
    };
    Ok(Expanded { desired, warnings })
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

/// Returns a component's edges in a fixed order.
pub(super) fn config_edges(component: &Component) -> Edges {
    let mut subscribe = Vec::new();
    for subscription in &component.subscribe {
        let mut add = |component: &ComponentName, word: &str, scope| {
            subscribe.push(Subscription { component: component.clone(), word: Arc::from(word), scope });
        };
        match subscription {
            SubscriptionUse::Detail(detail) => {
                add(&detail.component, &detail.word, detail.scope.unwrap_or(EdgeScope::SameTarget));
            }
            SubscriptionUse::Short(words) => {
                words.iter().for_each(|(component, word)| add(component, word, EdgeScope::SameTarget));
            }
        }
    }
    subscribe.sort_by(|a, b| (&a.component, &a.word).cmp(&(&b.component, &b.word)));
    subscribe.dedup();
    let plain = |uses: &[launchway_model::config::EdgeUse]| {
        let mut edges: Vec<Edge> =
            uses.iter().map(|edge| Edge { component: edge.component().clone(), scope: edge.scope() }).collect();
        edges.sort_by(|a, b| a.component.cmp(&b.component));
        edges.dedup();
        edges
    };
    Edges { needs: plain(&component.needs), after: plain(&component.after), subscribe }
}

pub(super) fn on_rollback(placed: &Placed<'_>) -> OnRollback {
    let own = placed.kind.as_ref().map_or(OnRollback::Run, |kind| kind.info.on_rollback);
    placed.component.on_rollback.unwrap_or(own)
}
