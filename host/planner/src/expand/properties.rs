//! Properties made ready for a plugin: filled in, coerced, completed and checked, once per distinct set of them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use launchway_model::config::{Document, pointer};
use launchway_model::{Diagnostic, KindRef, Problem, SecretName, Span};
use serde_json::{Map, Value};

use super::findings::Origin;
use super::resolve::{Resolver, Scope};
use super::secrets;
use super::world::Layer;
use crate::inputs::{PluginError, Plugins};
use crate::kinds::Kind;

/// Properties that satisfy their kind, and the secrets in them.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    pub(super) properties: Arc<Value>,
    pub(super) secrets: BTreeSet<SecretName>,
}

/// Makes the properties of one component or action ready, for all its targets.
pub(super) struct Maker<'a> {
    pub(super) resolver: &'a Resolver<'a>,
    pub(super) plugins: &'a dyn Plugins,
    pub(super) kind_ref: &'a KindRef,
    pub(super) kind: &'a Kind<'a>,
    /// Where to point to for what is missing.
    pub(super) document: &'a Document,
    pub(super) with: String,
}

/// For which target properties are wanted, and how they are written there.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'w> {
    pub(super) variant: usize,
    pub(super) layer: &'w Layer<'w>,
    pub(super) scope: Scope<'w>,
}

/// The different sets of properties met, each in the order of its first target.
#[derive(Default)]
struct Distinct<'w> {
    /// By the properties before they were completed.
    known: HashMap<Value, usize>,
    sets: Vec<(Value, &'w Layer<'w>)>,
}

impl<'a> Maker<'a> {
    /// Returns the properties for each target; none if something is wrong, which is then reported.
    pub(super) fn make<'w>(&self, wanted: impl Iterator<Item = Wanted<'w>>) -> Vec<Option<Ready>> {
        // By variant: what is the same on all targets.
        let mut shared: HashMap<usize, Option<usize>> = HashMap::new();
        let mut distinct = Distinct::default();
        let mut parts = HashSet::new();
        let mut places = Vec::with_capacity(wanted.size_hint().0);
        for Wanted { variant, layer, scope } in wanted {
            if let Some(place) = shared.get(&variant) {
                places.push(*place);
                continue;
            }
            self.resolver.target_matters.set(false);
            let place = match self.fill(layer, scope) {
                (filled, true) => Some(self.take(filled, layer, &mut distinct)),
                (filled, false) => {
                    self.check_part(filled, layer, &mut parts);
                    None
                }
            };
            if !self.resolver.target_matters.get() {
                shared.insert(variant, place);
            }
            places.push(place);
        }
        let ready = self.check(distinct.sets);
        places.into_iter().map(|place| ready[place?].clone()).collect()
    }

    /// Returns the properties that could be filled in, and whether these are all.
    fn fill(&self, layer: &Layer<'_>, scope: Scope<'_>) -> (Value, bool) {
        let mut properties = Map::new();
        let mut complete = true;
        for (name, entry) in layer {
            match self.resolver.fill(&entry.shape, entry.origin(), scope) {
                Some(value) => drop(properties.insert((*name).to_owned(), value)),
                None => complete = false,
            }
        }
        (Value::Object(properties), complete)
    }

    /// Reports what is wrong with the properties there are, though others could not be filled in.
    fn check_part(&self, mut properties: Value, layer: &Layer<'_>, seen: &mut HashSet<Value>) {
        if seen.insert(properties.clone()) {
            self.kind.schema.coerce(&mut properties);
            for problem in self.kind.schema.check(&properties) {
                if !problem.at.is_empty() {
                    self.resolver.findings.push(self.diagnostic(problem, layer));
                }
            }
        }
    }

    /// Completes properties, if they are new, and returns their place.
    fn take<'w>(&self, filled: Value, layer: &'w Layer<'w>, distinct: &mut Distinct<'w>) -> usize {
        let next = distinct.sets.len();
        match distinct.known.entry(filled) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                let mut properties = new.key().clone();
                new.insert(next);
                self.kind.schema.coerce(&mut properties);
                self.kind.schema.apply_defaults(&mut properties);
                distinct.sets.push((properties, layer));
                next
            }
        }
    }

    /// Checks complete properties: by the schema, and those that satisfy it by the plugin.
    fn check(&self, sets: Vec<(Value, &Layer<'_>)>) -> Vec<Option<Ready>> {
        let mut problems: Vec<Vec<Problem>> =
            sets.iter().map(|(properties, _)| self.kind.schema.check(properties)).collect();
        let good: Vec<usize> = (0..sets.len()).filter(|at| problems[*at].is_empty()).collect();
        let (sets, layers): (Vec<Value>, Vec<&Layer<'_>>) = sets.into_iter().unzip();
        let found = match good.len() == sets.len() {
            true => self.plugins.validate(self.kind_ref, &sets),
            false => {
                let good: Vec<Value> = good.iter().map(|at| sets[*at].clone()).collect();
                self.plugins.validate(self.kind_ref, &good)
            }
        };
        match found {
            Ok(found) => {
                for (at, found) in good.into_iter().zip(found) {
                    problems[at] = found;
                }
            }
            Err(error) => {
                self.resolver.findings.push(plugin_fault(&error).at(self.document.place(&self.with), ""));
                return vec![None; sets.len()];
            }
        }
        let checked = sets.into_iter().zip(layers).zip(problems);
        checked.map(|((properties, layer), problems)| self.ready(properties, layer, problems)).collect()
    }

    fn ready(&self, properties: Value, layer: &Layer<'_>, problems: Vec<Problem>) -> Option<Ready> {
        if problems.is_empty() {
            let mut names = BTreeSet::new();
            secrets::collect(&properties, &mut names);
            return Some(Ready { properties: Arc::new(properties), secrets: names });
        }
        for problem in problems {
            self.resolver.findings.push(self.diagnostic(problem, layer));
        }
        None
    }

    fn diagnostic(&self, problem: Problem, layer: &Layer<'_>) -> Diagnostic {
        let span = self.problem_place(&problem, layer);
        let mut diagnostic = Diagnostic::error("property", problem.message).at(span, "");
        diagnostic.hint = problem.hint;
        diagnostic
    }

    /// Returns where a property was written: by the component, or by the override that won.
    pub(super) fn place(&self, at: &str, layer: &Layer<'_>) -> Option<Span> {
        let written = origin_of(at, layer).and_then(|(origin, within)| origin.span(within));
        written.or_else(|| self.document.place(&self.with))
    }

    fn problem_place(&self, problem: &Problem, layer: &Layer<'_>) -> Option<Span> {
        let written = origin_of(&problem.at, layer);
        let written = written.and_then(|(origin, within)| origin.problem_span(within, problem.on_key));
        written.or_else(|| self.document.key_place(&self.with))
    }
}

/// Returns where a property comes from, and the pointer within it.
fn origin_of<'a>(at: &'a str, layer: &'a Layer<'_>) -> Option<(Origin<'a>, &'a str)> {
    let name = pointer::tokens(at).next()?;
    let entry = layer.get(&*name)?;
    Some((entry.origin(), &at[pointer::join("", &name).len()..]))
}

pub(super) fn plugin_fault(error: &PluginError) -> Diagnostic {
    Diagnostic::error("plugin", error.to_string())
}
