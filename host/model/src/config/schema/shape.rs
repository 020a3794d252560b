//! A schema prepared for what is asked for every instance: a graph with one node for each place of a value.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::property::property_names;
use super::{adapt, walk};
use crate::config::pointer;

/// How many kinds of places a schema may have.
const LIMIT: usize = 20_000;

/// The places that a schema tells apart; the first is the whole value.
#[derive(Debug)]
pub(super) struct Shapes(Vec<Shape>);

/// What holds for one place of a value, all alternatives taken together.
#[derive(Debug, Default)]
struct Shape {
    /// Text is wanted, and no number.
    number_to_text: bool,
    /// Text is wanted, and no truth value.
    truth_to_text: bool,
    /// What stands for nothing.
    empty: Option<Value>,
    no_trigger: bool,
    secret: bool,
    defaults: Defaults,
    properties: HashMap<Box<str>, usize>,
    other_properties: Option<usize>,
    first_items: Vec<Option<usize>>,
    items: Option<usize>,
}

#[derive(Debug, Default)]
enum Defaults {
    /// None here or below.
    #[default]
    None,
    /// These, whatever the value.
    Fixed(Vec<(String, Value)>),
    /// Those of the alternative that fits; the alternatives as JSON Pointers into the schema.
    Fitting(Vec<String>),
}

impl Shapes {
    /// Prepares a schema; none if it is too large for that.
    pub(super) fn new(root: &Value) -> Option<Self> {
        let mut builder = Builder { root, shapes: Vec::new(), known: HashMap::new(), parts: Vec::new() };
        builder.place(walk::all_parts(root, root));
        let mut next = 0;
        while next < builder.shapes.len() {
            if builder.shapes.len() > LIMIT {
                return None;
            }
            builder.shapes[next] = builder.shape(&builder.parts[next].clone());
            next += 1;
        }
        builder.settle_defaults();
        Some(Self(builder.shapes))
    }

    /// Makes a value fit where what was meant is beyond doubt.
    pub(super) fn coerce(&self, value: &mut Value) {
        self.coerce_at(0, value);
    }

    fn coerce_at(&self, at: usize, value: &mut Value) {
        let shape = &self.0[at];
        match value {
            Value::Bool(truth) if shape.truth_to_text => *value = Value::String(truth.to_string()),
            Value::Number(number) if shape.number_to_text => *value = Value::String(number.to_string()),
            Value::Null => {
                if let Some(empty) = &shape.empty {
                    *value = empty.clone();
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    if let Some(inner) = shape.item(index) {
                        self.coerce_at(inner, item);
                    }
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    if let Some(inner) = shape.property(name) {
                        self.coerce_at(inner, member);
                    }
                }
            }
            _ => {}
        }
    }

    /// Fills in what is not given.
    pub(super) fn apply_defaults(&self, root: &Value, value: &mut Value) {
        self.apply_defaults_at(0, root, value);
    }

    fn apply_defaults_at(&self, at: usize, root: &Value, value: &mut Value) {
        let shape = &self.0[at];
        match &shape.defaults {
            Defaults::None => {}
            Defaults::Fitting(pointers) => {
                let parts: Vec<&Value> = pointers.iter().filter_map(|pointer| root.pointer(pointer)).collect();
                adapt::apply_defaults(root, &parts, value);
            }
            Defaults::Fixed(defaults) => match value {
                Value::Array(items) => {
                    for (index, item) in items.iter_mut().enumerate() {
                        if let Some(inner) = shape.item(index) {
                            self.apply_defaults_at(inner, root, item);
                        }
                    }
                }
                Value::Object(members) => {
                    for (name, default) in defaults {
                        if !members.contains_key(name) {
                            members.insert(name.clone(), default.clone());
                        }
                    }
                    for (name, member) in members {
                        if let Some(inner) = shape.property(name) {
                            self.apply_defaults_at(inner, root, member);
                        }
                    }
                }
                _ => {}
            },
        }
    }

    /// Whether a place, or anything that contains it, is no reason to deploy again.
    pub(super) fn is_no_trigger(&self, pointer: &str) -> bool {
        self.any_on_the_way(pointer, |shape| shape.no_trigger)
    }

    /// Whether a place, or anything that contains it, may hold secrets.
    pub(super) fn is_secret(&self, pointer: &str) -> bool {
        self.any_on_the_way(pointer, |shape| shape.secret)
    }

    fn any_on_the_way(&self, pointer: &str, test: fn(&Shape) -> bool) -> bool {
        let mut places = vec![0];
        for token in pointer::tokens(pointer) {
            if places.iter().any(|at| test(&self.0[*at])) {
                return true;
            }
            let index = token.parse().ok();
            places = places
                .into_iter()
                .map(|at| &self.0[at])
                .flat_map(|shape| [shape.property(&token), index.and_then(|index| shape.item(index))])
                .flatten()
                .collect();
        }
        places.iter().any(|at| test(&self.0[*at]))
    }
}

impl Shape {
    fn property(&self, name: &str) -> Option<usize> {
        self.properties.get(name).copied().or(self.other_properties)
    }

    fn item(&self, index: usize) -> Option<usize> {
        self.first_items.get(index).copied().flatten().or(self.items)
    }

    fn inner(&self) -> impl Iterator<Item = usize> {
        let items = self.first_items.iter().flatten();
        self.properties.values().chain(items).chain(&self.other_properties).chain(&self.items).copied()
    }
}

struct Builder<'a> {
    root: &'a Value,
    shapes: Vec<Shape>,
    /// The places by what describes them.
    known: HashMap<Vec<*const Value>, usize>,
    /// What describes each place.
    parts: Vec<Vec<&'a Value>>,
}

impl<'a> Builder<'a> {
    /// Returns the place that some schemas describe; none if there are none.
    fn place(&mut self, parts: Vec<&'a Value>) -> Option<usize> {
        if parts.is_empty() {
            return None;
        }
        let mut key: Vec<*const Value> = parts.iter().map(|part| std::ptr::from_ref(*part)).collect();
        key.sort_unstable();
        if let Some(at) = self.known.get(&key) {
            return Some(*at);
        }
        let at = self.shapes.len();
        self.known.insert(key, at);
        self.shapes.push(Shape::default());
        self.parts.push(parts);
        Some(at)
    }

    fn shape(&mut self, parts: &[&'a Value]) -> Shape {
        let is = |keyword: &str, truth: bool| parts.iter().any(|part| part.get(keyword) == Some(&Value::Bool(truth)));
        let wants = |name: &str| adapt::wants(parts, name);
        let text = wants("string");
        let empty = if wants("null") {
            None
        } else if wants("object") {
            Some(Value::Object(Map::new()))
        } else {
            wants("array").then(|| Value::Array(Vec::new()))
        };
        let mut shape = Shape {
            number_to_text: text && !wants("number") && !wants("integer"),
            truth_to_text: text && !wants("boolean"),
            empty,
            no_trigger: is("trigger", false),
            secret: is("secret", true),
            ..Shape::default()
        };
        let mut defaults = Vec::new();
        for name in property_names(parts) {
            let property = walk::members(self.root, parts, name);
            let default = property.iter().find_map(|part| part.get("default"));
            if let Some(default) = default.filter(|default| !default.is_null()) {
                defaults.push((name.to_owned(), default.clone()));
            }
            if let Some(inner) = self.place(property) {
                shape.properties.insert(name.into(), inner);
            }
        }
        shape.other_properties = self.place(walk::other_members(self.root, parts));
        let fixed =
            parts.iter().filter_map(|part| part.get("prefixItems")?.as_array()).map(Vec::len).max().unwrap_or(0);
        shape.first_items = (0..fixed).map(|index| self.place(walk::items(self.root, parts, Some(index)))).collect();
        shape.items = self.place(walk::items(self.root, parts, None));
        shape.defaults = Defaults::Fixed(defaults);
        shape
    }

    /// Finds out where defaults depend on the value, and where there are none at all.
    fn settle_defaults(&mut self) {
        let mut matters: Vec<bool> = self
            .shapes
            .iter()
            .map(|shape| matches!(&shape.defaults, Defaults::Fixed(some) if !some.is_empty()))
            .collect();
        let mut waiting: Vec<usize> = (0..matters.len()).filter(|at| matters[*at]).collect();
        let mut outer = vec![Vec::new(); matters.len()];
        for (at, shape) in self.shapes.iter().enumerate() {
            shape.inner().for_each(|inner| outer[inner].push(at));
        }
        while let Some(at) = waiting.pop() {
            for container in &outer[at] {
                if !std::mem::replace(&mut matters[*container], true) {
                    waiting.push(*container);
                }
            }
        }
        let mut pointers = HashMap::new();
        walk::every(self.root, &mut String::new(), &mut |at, part| {
            pointers.insert(std::ptr::from_ref(part), at.to_owned());
        });
        for (at, shape) in self.shapes.iter_mut().enumerate() {
            let parts = &self.parts[at];
            if !matters[at] {
                shape.defaults = Defaults::None;
            } else if parts.iter().any(|part| walk::has_alternatives(part)) {
                let pointers = parts.iter().filter_map(|part| pointers.get(&std::ptr::from_ref(*part)).cloned());
                shape.defaults = Defaults::Fitting(pointers.collect());
            }
        }
    }
}
