//! Fills in placeholders.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use launchway_model::config::{placeholder, pointer};
use launchway_model::{ComponentName, Diagnostic, closest};
use serde_json::{Map, Value};

use super::descend::{Found, default_of, descend, descend_value, show, to_pieces};
use super::findings::{Findings, Origin};
use super::secrets;
use super::shape::{Piece, Reference, Shape};
use super::world::{Entry, Layer, Placed, World};
use crate::suggest;

/// How many values may refer to the next one in a row: far more than anybody means, far less than the stack takes.
const DEEPEST: usize = 64;

/// For whom placeholders are filled in.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    /// Index of the target.
    pub(super) target: usize,
    pub(super) component: &'s ComponentName,
}

/// Why a placeholder stands for nothing.
pub(super) enum Trouble {
    /// It is wrong itself.
    Here { message: String, hint: Option<String> },
    /// What it stands for is wrong, somewhere else.
    There(Box<Diagnostic>),
}

pub(super) struct Resolver<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) findings: &'a Findings,
    /// Whether anything looked at since it was last cleared is different from target to target.
    pub(super) target_matters: Cell<bool>,
    /// The same from component to component.
    pub(super) component_matters: Cell<bool>,
    /// What is being filled in right now, outermost first: a value's address and its name for people.
    under_way: RefCell<Vec<(*const Shape, usize, String)>>,
    /// Properties on which all instances of a component agree.
    agreed: RefCell<HashMap<(usize, Vec<String>), Value>>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(world: &'a World<'a>, findings: &'a Findings) -> Self {
        Self {
            world,
            findings,
            target_matters: Cell::new(false),
            component_matters: Cell::new(false),
            under_way: RefCell::default(),
            agreed: RefCell::default(),
        }
    }

    /// Fills in a value's placeholders; reports those it can't, and then returns none.
    pub(super) fn fill(&self, shape: &Shape, origin: Origin<'_>, scope: Scope<'_>) -> Option<Value> {
        match self.try_fill(shape, origin, &mut String::new(), scope) {
            Ok(value) => Some(value),
            Err(diagnostics) => {
                diagnostics.into_iter().for_each(|diagnostic| self.findings.push(diagnostic));
                None
            }
        }
    }

    /// Fills in a value's placeholders, or says everything that is wrong with them.
    fn try_fill(
        &self,
        shape: &Shape,
        origin: Origin<'_>,
        at: &mut String,
        scope: Scope<'_>,
    ) -> Result<Value, Vec<Diagnostic>> {
        let length = at.len();
        let mut problems = Vec::new();
        let value = match shape {
            Shape::Plain(value) => value.clone(),
            Shape::Reference(reference) => self.reference(reference, origin, at, scope).unwrap_or_else(|diagnostic| {
                problems.push(*diagnostic);
                Value::Null
            }),
            Shape::Text(pieces) => {
                let mut found = Vec::with_capacity(pieces.len());
                for piece in pieces {
                    let piece = match piece {
                        Piece::Text(text) => Ok(vec![Value::from(text.as_str())]),
                        Piece::Reference(reference) => self.text_reference(reference, origin, at, scope),
                    };
                    match piece {
                        Ok(pieces) => found.extend(pieces),
                        Err(diagnostic) => problems.push(*diagnostic),
                    }
                }
                secrets::join(found)
            }
            Shape::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    pointer::push(at, &index.to_string());
                    keep(self.try_fill(item, origin, at, scope), &mut problems, |value| list.push(value));
                    at.truncate(length);
                }
                Value::Array(list)
            }
            Shape::Map(members) => {
                let mut map = Map::new();
                for (key, member) in members {
                    pointer::push(at, key);
                    keep(self.try_fill(member, origin, at, scope), &mut problems, |value| {
                        map.insert(key.clone(), value);
                    });
                    at.truncate(length);
                }
                Value::Object(map)
            }
        };
        if problems.is_empty() { Ok(value) } else { Err(problems) }
    }

    /// Returns what a placeholder stands for.
    fn reference(
        &self,
        reference: &Reference,
        origin: Origin<'_>,
        at: &str,
        scope: Scope<'_>,
    ) -> Result<Value, Box<Diagnostic>> {
        self.look_up(&reference.path, scope).map_err(|trouble| located(trouble, reference, origin, at))
    }

    /// Returns what a placeholder in the middle of a text stands for, as texts and secrets.
    fn text_reference(
        &self,
        reference: &Reference,
        origin: Origin<'_>,
        at: &str,
        scope: Scope<'_>,
    ) -> Result<Vec<Value>, Box<Diagnostic>> {
        let value = self.reference(reference, origin, at, scope)?;
        to_pieces(value).map_err(|what| {
            let message = format!("`{}` is {what}, which can't be part of a text", show(&reference.path));
            located(Trouble::Here { message, hint: None }, reference, origin, at)
        })
    }

    /// Returns what a path stands for.
    pub(super) fn look_up(&self, path: &[String], scope: Scope<'_>) -> Result<Value, Trouble> {
        let (root, rest) = path.split_first().expect("a placeholder has at least one key");
        let world = self.world;
        match root.as_str() {
            "version" => whole(path, Value::from(world.version.as_str())),
            "application" => whole(path, Value::from(world.application.value.application.as_str())),
            "environment" => whole(path, Value::from(world.environment.value.environment.as_str())),
            "value" if rest.is_empty() => Err(here("`value` needs a name", Some("as in `${value.port}`".to_owned()))),
            "value" => self.named(rest, scope),
            "secret" => self.secret(path),
            "target" => self.target(path, scope),
            "instance" => self.instance(path, scope),
            "component" => self.component(path, scope),
            _ => self.named(path, scope),
        }
    }

    /// A value: from the command line, the target, or the first dictionary that has it.
    pub(super) fn named(&self, path: &[String], scope: Scope<'_>) -> Result<Value, Trouble> {
        if let Some(entry) = self.world.set.get(path.join(".").as_str()) {
            return self.inside(entry, &entry.shape, "", || show(path), scope);
        }
        if self.world.target_value_names.contains(path[0].as_str()) {
            self.target_matters.set(true);
        }
        for layer in self.world.layers(scope.target) {
            let Some(entry) = layer.get(path[0].as_str()) else { continue };
            if let Some((shape, at)) = descend(&entry.shape, &path[1..]) {
                return match shape {
                    Found::Shape(shape) => self.inside(entry, shape, &at, || show(path), scope),
                    Found::Value(value) => Ok(value.clone()),
                };
            }
            if let Some(value) = self.descend_filled(entry, path, scope)? {
                return Ok(value);
            }
        }
        Err(self.no_value(path, scope))
    }

    /// Looks inside an entry that is itself a placeholder for a mapping.
    fn descend_filled(&self, entry: &Entry<'_>, path: &[String], scope: Scope<'_>) -> Result<Option<Value>, Trouble> {
        if path.len() < 2 || !matches!(entry.shape, Shape::Reference(_)) {
            return Ok(None);
        }
        let whole = self.inside(entry, &entry.shape, "", || show(&path[..1]), scope)?;
        Ok(descend_value(&whole, &path[1..]).cloned())
    }

    fn no_value(&self, path: &[String], scope: Scope<'_>) -> Trouble {
        let layers = || self.world.layers(scope.target);
        let name = show(path);
        if self.world.target_value_names.contains(path[0].as_str())
            && !layers().any(|l| l.contains_key(path[0].as_str()))
        {
            let target = self.world.targets[scope.target].name;
            let hint = "give all targets the value, or put one for the others into a dictionary".to_owned();
            return here(format!("there is no value `{name}` for the target `{target}`"), Some(hint));
        }
        const ROOTS: [&str; 8] =
            ["version", "application", "environment", "value", "secret", "target", "instance", "component"];
        let known: Vec<&str> = layers().flat_map(|layer| layer.keys().copied()).chain(ROOTS).collect();
        let hint = closest(&path[0], known).map_or_else(
            || "define it in a dictionary of the environment, on the target, or with `--set`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        here(format!("there is no value `{name}`"), Some(hint))
    }

    fn secret(&self, path: &[String]) -> Result<Value, Trouble> {
        let [_, name] = path else {
            return Err(here("a secret is named as `secret.NAME`", None));
        };
        if !self.world.declares_secret(name) {
            let hint = suggest::hint("secrets", name, self.world.secret_names());
            let hint = hint.unwrap_or_else(|| "say under `secrets:` of the environment where it comes from".to_owned());
            return Err(here(format!("the environment declares no secret `{name}`"), Some(hint)));
        }
        Ok(secrets::reference(name))
    }

    fn target(&self, path: &[String], scope: Scope<'_>) -> Result<Value, Trouble> {
        self.target_matters.set(true);
        let target = &self.world.targets[scope.target];
        let spec = &target.spec;
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        match path[1..] {
            ["name"] => Ok(Value::from(spec.name.as_str())),
            ["address"] => Ok(Value::from(spec.address.as_str())),
            ["user"] => spec.user.as_deref().map(Value::from).ok_or_else(|| {
                here(
                    format!("the target `{}` has no user", spec.name),
                    Some("set `user` on it or under `defaults`".to_owned()),
                )
            }),
            ["port"] => Ok(Value::from(spec.port.unwrap_or(22))),
            ["labels", label] => spec.labels.get(label).map(|value| Value::from(value.as_str())).ok_or_else(|| {
                let hint = suggest::hint("labels", label, spec.labels.keys().map(String::as_str));
                here(format!("the target `{}` has no label `{label}`", spec.name), hint)
            }),
            ["values", ref rest @ ..] if !rest.is_empty() => {
                let rest: Vec<String> = rest.iter().map(|key| (*key).to_owned()).collect();
                self.own_value(&target.values, &rest, scope)
            }
            ref rest => {
                let (message, hint) = suggest::not_of_target(rest.first().copied());
                Err(here(message, hint))
            }
        }
    }

    fn own_value(&self, values: &Layer<'_>, path: &[String], scope: Scope<'_>) -> Result<Value, Trouble> {
        let found = values.get(path[0].as_str()).and_then(|entry| Some((entry, descend(&entry.shape, &path[1..])?)));
        match found {
            Some((entry, (Found::Shape(shape), at))) => {
                self.inside(entry, shape, &at, || format!("target.values.{}", show(path)), scope)
            }
            Some((_, (Found::Value(value), _))) => Ok(value.clone()),
            None => {
                let hint = suggest::hint("its values", &path[0], values.keys().copied());
                let name = self.world.targets[scope.target].name;
                Err(here(format!("the target `{name}` has no value `{}`", show(path)), hint))
            }
        }
    }

    fn instance(&self, path: &[String], scope: Scope<'_>) -> Result<Value, Trouble> {
        let target = self.world.targets[scope.target].name;
        let text = match path.get(1).map(String::as_str) {
            Some("component") if path.len() == 2 => {
                self.component_matters.set(true);
                scope.component.to_string()
            }
            Some("target") if path.len() == 2 => {
                self.target_matters.set(true);
                target.to_string()
            }
            Some("id") if path.len() == 2 => {
                self.target_matters.set(true);
                format!("{}@{target}", scope.component)
            }
            field => {
                let (message, hint) = suggest::not_of_instance(field);
                return Err(here(message, hint));
            }
        };
        Ok(Value::from(text))
    }

    fn component(&self, path: &[String], scope: Scope<'_>) -> Result<Value, Trouble> {
        let Some(name) = path.get(1) else {
            return Err(here("`component` needs a name", Some("as in `${component.db.addresses}`".to_owned())));
        };
        let Some(placed) = self.world.component(name) else {
            let names = self.world.components.iter().map(|placed| placed.name.as_str());
            return Err(here(format!("there is no component `{name}`"), suggest::hint("components", name, names)));
        };
        let targets = placed.targets.iter().map(|target| &self.world.targets[*target]);
        match path[2..].iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["targets"] => Ok(targets.map(|target| Value::from(target.name.as_str())).collect()),
            ["addresses"] => Ok(targets.map(|target| Value::from(target.spec.address.as_str())).collect()),
            ["with", _, ..] => self.property(placed, &path[3..], scope),
            _ => Err(here("a component has `targets`, `addresses` and `with.PROPERTY`", None)),
        }
    }

    /// A property of another component: of its instance on the same target, else what all its instances agree on.
    fn property(&self, placed: &Placed<'_>, path: &[String], scope: Scope<'_>) -> Result<Value, Trouble> {
        let component = placed.name;
        self.target_matters.set(true);
        if placed.variant_on(scope.target).is_some() {
            return self.property_on(placed, path, Scope { component, ..scope });
        }
        let number = placed.targets.len();
        let key = (std::ptr::from_ref(placed) as usize, path.to_vec());
        if let Some(value) = self.agreed.borrow().get(&key) {
            return Ok(value.clone());
        }
        let mut agreed: Option<(Value, usize)> = None;
        for target in &placed.targets {
            let value = self.property_on(placed, path, Scope { target: *target, component })?;
            match &agreed {
                Some((other, first)) if *other != value => {
                    let names = [*first, *target].map(|at| self.world.targets[at].name);
                    return Err(here(
                        format!(
                            "`{component}` is not on this target, and its `{}` differs between `{}` and `{}`",
                            show(path),
                            names[0],
                            names[1]
                        ),
                        None,
                    ));
                }
                Some(_) => {}
                None => agreed = Some((value, *target)),
            }
        }
        let Some((value, _)) = agreed else {
            return Err(here(format!("`{component}` is on no target"), None));
        };
        if number > 1 {
            self.agreed.borrow_mut().insert(key, value.clone());
        }
        Ok(value)
    }

    fn property_on(&self, placed: &Placed<'_>, path: &[String], scope: Scope<'_>) -> Result<Value, Trouble> {
        let variant = placed.variant_on(scope.target).expect("asked only for targets the component goes to");
        let properties = &placed.variants[variant];
        if let Some(entry) = properties.get(path[0].as_str()) {
            match descend(&entry.shape, &path[1..]) {
                Some((Found::Shape(shape), at)) => {
                    let component = placeholder::quote_key(placed.name.as_str());
                    return self.inside(
                        entry,
                        shape,
                        &at,
                        || format!("component.{component}.with.{}", show(path)),
                        scope,
                    );
                }
                Some((Found::Value(value), _)) => return Ok(value.clone()),
                None => {}
            }
        } else if let Some(default) = placed.kind.as_ref().and_then(|kind| default_of(kind.schema.schema(), path)) {
            return Ok(default.clone());
        }
        let hint = suggest::hint("its properties", &path[0], properties.keys().copied());
        Err(here(format!("`{}` has no property `{}`", placed.name, show(path)), hint))
    }

    /// Fills in a value that a placeholder led to.
    fn inside(
        &self,
        entry: &Entry<'_>,
        shape: &Shape,
        at: &str,
        name: impl FnOnce() -> String,
        scope: Scope<'_>,
    ) -> Result<Value, Trouble> {
        if let Shape::Plain(value) = shape {
            return Ok(value.clone());
        }
        let visit = (std::ptr::from_ref(shape), scope.target, name());
        let circle = {
            let under_way = self.under_way.borrow();
            let start = under_way.iter().position(|other| (other.0, other.1) == (visit.0, visit.1));
            start.map(|start| under_way[start..].iter().map(|(_, _, name)| name.clone()).collect::<Vec<_>>())
        };
        if let Some(mut circle) = circle {
            circle.push(circle[0].clone());
            return Err(here(format!("values refer to each other in a circle: {}", circle.join(" → ")), None));
        }
        if self.under_way.borrow().len() >= DEEPEST {
            return Err(here("values refer to each other too deeply", None));
        }
        self.under_way.borrow_mut().push(visit);
        let filled = self.try_fill(shape, entry.origin(), &mut at.to_owned(), scope);
        self.under_way.borrow_mut().pop();
        filled.map_err(|mut problems| Trouble::There(Box::new(problems.swap_remove(0))))
    }
}

fn keep(result: Result<Value, Vec<Diagnostic>>, problems: &mut Vec<Diagnostic>, good: impl FnOnce(Value)) {
    match result {
        Ok(value) => good(value),
        Err(more) => problems.extend(more),
    }
}

fn here(message: impl Into<String>, hint: Option<String>) -> Trouble {
    Trouble::Here { message: message.into(), hint }
}

fn whole(path: &[String], value: Value) -> Result<Value, Trouble> {
    if path.len() == 1 {
        return Ok(value);
    }
    Err(here(format!("`{}` is a text; nothing can follow it", path[0]), None))
}

fn located(trouble: Trouble, reference: &Reference, origin: Origin<'_>, at: &str) -> Box<Diagnostic> {
    let span = origin.reference_span(at, reference);
    match trouble {
        Trouble::Here { message, hint } => {
            let mut diagnostic = Diagnostic::error("unresolved", message).at(span, "");
            diagnostic.hint = hint;
            Box::new(diagnostic)
        }
        Trouble::There(diagnostic) => Box::new(diagnostic.at(span, "needed here")),
    }
}
