//! What can be said of an application without an environment: names, types, edges, and properties and the files they
//! name as far as they are written out.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use launchway_model::config::{
    ActionUse, Application, Component, Document, Parsed, PlacedAction, SourceKind, SubscriptionUse, pointer,
};
use launchway_model::{ComponentName, Diagnostic, Diagnostics, KindRef, Problem, Usage};
use serde_json::Value;

use crate::edges::Graph;
use crate::error::unknown_kind;
use crate::expand::{Findings, Origin, Reference, Shape, ShapeError};
use crate::inputs::{FileSource, Files, Plugins};
use crate::kinds::{Kind, Kinds};
use crate::suggest;

/// What is checked, and with what.
pub struct CheckInput<'a> {
    pub application: &'a Parsed<Application>,
    pub plugins: &'a dyn Plugins,
    pub files: &'a dyn Files,
    /// Components that some environment overrides: they may leave out what they need, it may come from there.
    pub overridden: &'a BTreeSet<ComponentName>,
    /// Components that are in the file but not in the application, because something is wrong with them.
    pub absent: &'a BTreeSet<ComponentName>,
}

/// Checks an application without an environment. Returns everything that is wrong, sorted by place.
pub fn check(input: CheckInput<'_>) -> Diagnostics {
    let CheckInput { application, plugins, files, overridden, absent } = input;
    let findings = Findings::default();
    let kinds = Kinds::new(plugins);
    check_structure(application, &kinds, absent, &findings);
    let checker = Checker { application, kinds: &kinds, files, absent, findings: &findings };
    for (name, component) in &application.value.components {
        let at = pointer::join("/components", name.as_str());
        let whole = component.overrides.is_empty() && !overridden.contains(name);
        let mut values = vec![(&component.kind, &component.with, format!("{at}/with"), whole)];
        for (index, over) in component.overrides.iter().enumerate() {
            values.push((&component.kind, &over.with, format!("{at}/overrides/{index}/with"), false));
        }
        for (action, at) in actions_of(component, &at) {
            values.push((&action.kind, &action.with, format!("{at}/with"), true));
        }
        for (kind, with, base, whole) in values {
            checker.properties(kind, with, whole, Origin { document: &application.document, base: &base });
        }
    }
    for (action, at) in standalone(&application.value) {
        let base = format!("{at}/with");
        checker.properties(&action.kind, &action.with, true, Origin { document: &application.document, base: &base });
    }
    findings.into_diagnostics()
}

/// Returns the actions that a component names, each with its place.
fn actions_of<'a>(component: &'a Component, at: &str) -> Vec<(&'a ActionUse, String)> {
    let mut found: Vec<_> =
        component.verify.iter().enumerate().map(|(n, it)| (it, format!("{at}/verify/{n}"))).collect();
    for (number, around) in component.around.iter().enumerate() {
        let at = format!("{at}/around/{number}");
        found.extend(around.before.iter().map(|action| (action, format!("{at}/before"))));
        found.extend(around.after.iter().map(|action| (action, format!("{at}/after"))));
    }
    found
}

/// Returns the actions that stand alone, each with its place.
fn standalone(application: &Application) -> impl Iterator<Item = (&PlacedAction, String)> {
    let tasks = application.tasks.iter().map(|(name, task)| (task, pointer::join("/tasks", name.as_str())));
    tasks.chain(application.finally.iter().enumerate().map(|(at, action)| (action, format!("/finally/{at}"))))
}

/// Checks types and edges: what has to be right before anything can be resolved.
pub(crate) fn check_structure(
    application: &Parsed<Application>,
    kinds: &Kinds<'_>,
    absent: &BTreeSet<ComponentName>,
    findings: &Findings,
) {
    let Parsed { value, document } = application;
    let all_kinds = kinds.plugins().kinds();
    for (name, component) in &value.components {
        let at = pointer::join("/components", name.as_str());
        let places = KindPlaces { kinds, all: &all_kinds, document, findings };
        if let Some(kind) = places.check(&component.kind, Usage::Component, &format!("{at}/type"))
            && component.run.is_some()
            && kind.info.usage == Usage::Component
        {
            let message = format!("`run` is for actions, and `{}` is none", component.kind);
            findings.push(Diagnostic::error("usage", message).at(document.key_place(&format!("{at}/run")), ""));
        }
        for (action, at) in actions_of(component, &at) {
            places.check(&action.kind, Usage::Action, &format!("{at}/type"));
        }
        for (other, edge_at) in edge_uses(component, &at) {
            if !value.components.contains_key(other) && !absent.contains(other) {
                let mut diagnostic = Diagnostic::error("unknown-component", format!("there is no component `{other}`"))
                    .at(document.place(&edge_at), "");
                let names = value.components.keys().map(ComponentName::as_str);
                diagnostic.hint = suggest::hint("components", other.as_str(), names);
                findings.push(diagnostic);
            }
        }
    }
    let places = KindPlaces { kinds, all: &all_kinds, document, findings };
    for (action, at) in standalone(value) {
        places.check(&action.kind, Usage::Action, &format!("{at}/type"));
    }
    if value.requires.contains_key(&value.application) {
        let at = pointer::join("/requires", value.application.as_str());
        findings
            .push(Diagnostic::error("requires", "an application can't require itself").at(document.key_place(&at), ""));
    }
    check_groups(application, absent, findings);
    check_cycles(application, findings);
}

/// Checks that groups have members, each component being in one of them at most.
fn check_groups(application: &Parsed<Application>, absent: &BTreeSet<ComponentName>, findings: &Findings) {
    let Parsed { value, document } = application;
    let mut group_of: HashMap<&ComponentName, &ComponentName> = HashMap::new();
    for (name, group) in &value.groups {
        let at = pointer::join("/groups", name.as_str());
        for (index, member) in group.members.iter().enumerate() {
            let place = document.place(&format!("{at}/members/{index}"));
            let add = |code, message: String, hint: Option<String>| {
                let mut diagnostic = Diagnostic::error(code, message).at(place, "");
                diagnostic.hint = hint;
                findings.push(diagnostic);
            };
            let Some(component) = value.components.get(member) else {
                if absent.contains(member) {
                    continue;
                }
                let names = value.components.keys().map(ComponentName::as_str);
                let hint = suggest::hint("components", member.as_str(), names);
                add("unknown-component", format!("there is no component `{member}`"), hint);
                continue;
            };
            if let Some(other) = group_of.insert(member, name) {
                let message = format!("`{member}` is in the groups `{other}` and `{name}`");
                add("two-groups", message, Some("a component rolls with one group".to_owned()));
            }
            if !component.rollout.is_empty() {
                let message = format!("`{member}` has a rollout of its own, and is in the group `{name}`");
                add("two-rollouts", message, Some("leave one of them out: a group rolls as one".to_owned()));
            }
        }
        if value.components.contains_key(name) {
            let message = format!("`{name}` is a component and a group");
            let hint = "environments name both in one place; give one another name";
            findings.push(Diagnostic::error("two-names", message).at(document.key_place(&at), "").hint(hint));
        }
    }
}

struct KindPlaces<'a, 'k> {
    kinds: &'a Kinds<'k>,
    all: &'a [KindRef],
    document: &'a Document,
    findings: &'a Findings,
}

impl<'k> KindPlaces<'_, 'k> {
    /// Returns the kind, if there is one; an action may stand for a component, but not the other way round.
    fn check(&self, kind_ref: &KindRef, usage: Usage, at: &str) -> Option<Rc<Kind<'k>>> {
        let span = self.document.place(at);
        let diagnostic = match self.kinds.get(kind_ref) {
            Ok(Some(kind)) if usage == Usage::Action && kind.info.usage == Usage::Component => {
                Diagnostic::error("usage", format!("`{kind_ref}` is a component's type, not an action"))
                    .hint("give it a component of its own")
            }
            Ok(Some(kind)) => return Some(kind),
            Ok(None) => unknown_kind(kind_ref, self.all),
            Err(error) => Diagnostic::error("plugin", error.to_string()),
        };
        self.findings.push(diagnostic.at(span, ""));
        None
    }
}

/// Returns the components that a component's edges name, each with its place.
fn edge_uses<'a>(component: &'a Component, at: &str) -> Vec<(&'a ComponentName, String)> {
    let mut uses = Vec::new();
    for (list, edges) in [("needs", &component.needs), ("after", &component.after)] {
        for (index, edge) in edges.iter().enumerate() {
            let detail = matches!(edge, launchway_model::config::EdgeUse::Detail(_));
            let tail = if detail { "/component" } else { "" };
            uses.push((edge.component(), format!("{at}/{list}/{index}{tail}")));
        }
    }
    for (index, subscription) in component.subscribe.iter().enumerate() {
        let at = format!("{at}/subscribe/{index}");
        match subscription {
            SubscriptionUse::Detail(detail) => uses.push((&detail.component, format!("{at}/component"))),
            SubscriptionUse::Short(words) => uses.extend(words.keys().map(|other| (other, at.clone()))),
        }
    }
    uses
}

fn check_cycles(application: &Parsed<Application>, findings: &Findings) {
    let Parsed { value, document } = application;
    let names: Vec<&ComponentName> = value.components.keys().collect();
    let number: HashMap<&ComponentName, usize> = names.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    let mut places: HashMap<(usize, usize), String> = HashMap::new();
    for (from, (name, component)) in value.components.iter().enumerate() {
        for (other, at) in edge_uses(component, &pointer::join("/components", name.as_str())) {
            if let Some(to) = number.get(other) {
                places.entry((from, *to)).or_insert(at);
            }
        }
    }
    for cycle in Graph::new(names.len(), places.keys().copied()).cycles() {
        let mut path: Vec<&str> = cycle.iter().map(|at| names[*at].as_str()).collect();
        path.push(path[0]);
        let message = match cycle.as_slice() {
            [only] => format!("`{}` needs itself", names[*only]),
            _ => format!("components need each other in a cycle: {}", path.join(" → ")),
        };
        let mut diagnostic = Diagnostic::error("cycle", message).hint("remove one of these edges");
        let edges = cycle.iter().zip(cycle.iter().cycle().skip(1));
        for (from, to) in edges {
            let text = format!("`{}` needs `{}`", names[*from], names[*to]);
            diagnostic = diagnostic.at(places.get(&(*from, *to)).and_then(|at| document.place(at)), text);
        }
        findings.push(diagnostic);
    }
}

/// Checks properties as far as they are written out.
struct Checker<'a> {
    application: &'a Parsed<Application>,
    kinds: &'a Kinds<'a>,
    files: &'a dyn Files,
    absent: &'a BTreeSet<ComponentName>,
    findings: &'a Findings,
}

impl Checker<'_> {
    /// Checks one set of properties; `whole` ones have all that they are to have.
    fn properties(&self, kind_ref: &KindRef, with: &Value, whole: bool, origin: Origin<'_>) {
        let mut errors: Vec<ShapeError> = Vec::new();
        let shape = Shape::of(with, &mut String::new(), &mut errors);
        for error in &errors {
            self.findings.push(origin.syntax(error));
        }
        let mut unknown: Vec<String> = errors.into_iter().map(|error| error.at).collect();
        shape.each_reference(&mut String::new(), &mut |at, reference| {
            unknown.push(at.to_owned());
            self.reference(reference, at, origin);
        });
        let Ok(Some(kind)) = self.kinds.get(kind_ref) else { return };
        if !with.is_object() && !with.is_null() {
            self.findings.push(
                Diagnostic::error("wrong-type", "properties must be a mapping of names to values")
                    .at(origin.span(""), ""),
            );
            return;
        }
        let mut properties = match &shape {
            Shape::Plain(value) => value.clone(),
            _ => with.clone(),
        };
        self.named_files(&kind, &properties, &unknown, origin);
        kind.schema.coerce(&mut properties);
        kind.schema.apply_defaults(&mut properties);
        let problems = kind.schema.check(&properties);
        if problems.is_empty() && whole && unknown.is_empty() {
            match self.kinds.plugins().validate(kind_ref, std::slice::from_ref(&properties)) {
                Ok(found) => found.into_iter().flatten().for_each(|problem| self.problem(problem, origin)),
                Err(error) => {
                    self.findings.push(Diagnostic::error("plugin", error.to_string()).at(origin.span(""), ""));
                }
            }
        }
        for problem in problems {
            // An override need not be complete, and what a placeholder stands for is not known yet.
            let partial = !whole && pointer::tokens(&problem.at).next().is_none();
            let open = unknown.iter().any(|at| is_within(&problem.at, at) || is_within(at, &problem.at));
            if !(partial || open && !problem.at.is_empty()) {
                self.problem(problem, origin);
            }
        }
    }

    fn problem(&self, problem: Problem, origin: Origin<'_>) {
        let span = origin.problem_span(&problem.at, problem.on_key);
        let mut diagnostic = Diagnostic::error("property", problem.message).at(span, "");
        diagnostic.hint = problem.hint;
        self.findings.push(diagnostic);
    }

    /// Checks that the files are there which properties name.
    fn named_files(&self, kind: &Kind<'_>, properties: &Value, unknown: &[String], origin: Origin<'_>) {
        for (name, source) in kind.schema.sources() {
            let at = pointer::join("", name);
            let Some(Value::String(reference)) = properties.get(name) else { continue };
            if unknown.iter().any(|unknown| is_within(unknown, &at)) {
                continue;
            }
            let found = match source {
                SourceKind::File => self.files.artifact(FileSource::File, reference, name).map(drop),
                SourceKind::Directory => self.files.artifact(FileSource::Directory, reference, name).map(drop),
                SourceKind::Artifact => self.files.artifact(FileSource::Artifact, reference, name).map(drop),
                SourceKind::Template => self.files.text(reference).map(drop),
            };
            if let Err(problem) = found {
                let mut diagnostic = Diagnostic::error("file", problem.message).at(origin.span(&at), "");
                diagnostic.hint = problem.hint;
                self.findings.push(diagnostic);
            }
        }
    }

    /// Checks what of a placeholder does not depend on the environment.
    fn reference(&self, reference: &Reference, at: &str, origin: Origin<'_>) {
        let components = &self.application.value.components;
        let is_known = |name: &str| components.contains_key(name) || self.absent.contains(name);
        let path: Vec<&str> = reference.path.iter().map(String::as_str).collect();
        let (message, hint) = match path.as_slice() {
            ["component", name, ..] if !is_known(name) => (
                format!("there is no component `{name}`"),
                suggest::hint("components", name, components.keys().map(ComponentName::as_str)),
            ),
            ["target", field, ..] if !suggest::TARGET.contains(field) => suggest::not_of_target(Some(field)),
            ["instance", field, ..] if !suggest::INSTANCE.contains(field) => suggest::not_of_instance(Some(field)),
            _ => return,
        };
        let span = origin.reference_span(at, reference);
        let mut diagnostic = Diagnostic::error("unresolved", message).at(span, "");
        diagnostic.hint = hint;
        self.findings.push(diagnostic);
    }
}

fn is_within(at: &str, outer: &str) -> bool {
    at.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
