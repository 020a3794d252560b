//! The way from a value to what is inside it, and from a value to a text.

use launchway_model::config::{placeholder, pointer};
use serde_json::Value;

use super::secrets;
use super::shape::Shape;

/// Returns a value as texts and secrets, or what it is instead.
pub(super) fn to_pieces(value: Value) -> Result<Vec<Value>, &'static str> {
    if let Some(pieces) = secrets::pieces(&value) {
        return Ok(pieces);
    }
    match value {
        Value::String(_) => Ok(vec![value]),
        Value::Number(number) => Ok(vec![Value::from(number.to_string())]),
        Value::Bool(truth) => Ok(vec![Value::from(truth.to_string())]),
        Value::Null => Err("nothing (`null`)"),
        Value::Object(_) => Err("a mapping"),
        Value::Array(items) => {
            let mut pieces = Vec::new();
            for (index, item) in items.into_iter().enumerate() {
                if index > 0 {
                    pieces.push(Value::from(","));
                }
                match item {
                    Value::Array(_) => return Err("a list of lists"),
                    item => pieces.extend(to_pieces(item).map_err(|_| "a list of mappings")?),
                }
            }
            Ok(pieces)
        }
    }
}

pub(super) enum Found<'s> {
    Shape(&'s Shape),
    Value(&'s Value),
}

/// Follows keys into a value; returns what is there and its JSON Pointer.
pub(super) fn descend<'s>(shape: &'s Shape, keys: &[String]) -> Option<(Found<'s>, String)> {
    let mut at = String::new();
    let mut shape = shape;
    for (done, key) in keys.iter().enumerate() {
        shape = match shape {
            Shape::Plain(value) => return Some((Found::Value(descend_value(value, &keys[done..])?), at)),
            Shape::Map(members) => &members.iter().find(|(name, _)| name == key)?.1,
            Shape::List(items) => items.get(key.parse::<usize>().ok()?)?,
            Shape::Reference(_) | Shape::Text(_) => return None,
        };
        pointer::push(&mut at, key);
    }
    Some((Found::Shape(shape), at))
}

pub(super) fn descend_value<'v>(value: &'v Value, keys: &[String]) -> Option<&'v Value> {
    keys.iter().try_fold(value, |value, key| match value {
        Value::Object(members) => members.get(key),
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

/// Returns a top-level property's default.
pub(super) fn default_of<'s>(schema: &'s Value, path: &[String]) -> Option<&'s Value> {
    descend_value(schema.get("properties")?.get(&path[0])?.get("default")?, &path[1..])
}

/// Returns a path the way it is written in a placeholder.
pub(super) fn show(path: &[String]) -> String {
    path.iter().map(|key| placeholder::quote_key(key)).collect::<Vec<_>>().join(".")
}
