//! Properties made ready for a plugin: filled in, coerced, completed and checked, once per distinct set of them.

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

/// Makes the properties of one component or action ready, for one target after the other.
pub(super) struct Maker<'a> {
    pub(super) resolver: &'a Resolver<'a>,
    pub(super) plugins: &'a dyn Plugins,
    pub(super) kind_ref: &'a KindRef,
    pub(super) kind: &'a Kind<'a>,
    /// Where to point to for what is missing.
    pub(super) document: &'a Document,
    pub(super) with: String,
    /// By variant: what is the same on all targets.
    shared: HashMap<usize, Option<Ready>>,
    /// By the properties before they were completed; none of those that are wrong.
    seen: HashMap<Value, Option<Ready>>,
    seen_parts: HashSet<Value>,
}

impl<'a> Maker<'a> {
    pub(super) fn new(
        resolver: &'a Resolver<'a>,
        plugins: &'a dyn Plugins,
        (kind_ref, kind): (&'a KindRef, &'a Kind<'a>),
        document: &'a Document,
        with: String,
    ) -> Self {
        Self {
            resolver,
            plugins,
            kind_ref,
            kind,
            document,
            with,
            shared: HashMap::new(),
            seen: HashMap::new(),
            seen_parts: HashSet::new(),
        }
    }

    /// Returns the properties for a target; none if something is wrong, which is then reported.
    pub(super) fn make(&mut self, variant: usize, layer: &Layer<'_>, scope: Scope<'_>) -> Option<Ready> {
        if let Some(ready) = self.shared.get(&variant) {
            return ready.clone();
        }
        self.resolver.target_matters.set(false);
        let (filled, complete) = self.fill(layer, scope);
        let shared = !self.resolver.target_matters.get();
        let ready = if complete {
            self.finish(filled, layer)
        } else {
            self.check_part(filled, layer);
            None
        };
        if shared {
            self.shared.insert(variant, ready.clone());
        }
        ready
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
    fn check_part(&mut self, mut properties: Value, layer: &Layer<'_>) {
        if self.seen_parts.insert(properties.clone()) {
            self.kind.schema.coerce(&mut properties);
            for problem in self.kind.schema.check(&properties) {
                if !problem.at.is_empty() {
                    self.resolver.findings.push(self.diagnostic(problem, layer));
                }
            }
        }
    }

    fn finish(&mut self, filled: Value, layer: &Layer<'_>) -> Option<Ready> {
        if let Some(ready) = self.seen.get(&filled) {
            return ready.clone();
        }
        let ready = self.check(filled.clone(), layer);
        self.seen.insert(filled, ready.clone());
        ready
    }

    fn check(&self, mut properties: Value, layer: &Layer<'_>) -> Option<Ready> {
        let schema = &self.kind.schema;
        schema.coerce(&mut properties);
        schema.apply_defaults(&mut properties);
        let mut problems = schema.check(&properties);
        if problems.is_empty() {
            match self.plugins.validate(self.kind_ref, &properties) {
                Ok(found) => problems = found,
                Err(error) => {
                    self.resolver.findings.push(plugin_fault(&error).at(self.document.place(&self.with), ""));
                    return None;
                }
            }
        }
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
