//! Values as people wrote them, with their placeholders found once and filled in many times.

use std::ops::Range;

use launchway_model::config::placeholder::{self, PlaceholderError, Segment};
use launchway_model::config::pointer;
use serde_json::{Map, Value};

/// A value whose placeholders are parsed.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Shape {
    /// Without placeholders.
    Plain(Value),
    /// Nothing but one placeholder: it keeps the type of what it stands for.
    Reference(Reference),
    /// Text with placeholders in it.
    Text(Vec<Piece>),
    List(Vec<Shape>),
    Map(Vec<(String, Shape)>),
}

#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Piece {
    Text(String),
    Reference(Reference),
}

/// A placeholder and where in its text it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reference {
    pub(crate) path: Vec<String>,
    pub(crate) range: Range<usize>,
}

/// Something that can't be read, and the JSON Pointer of the text it is in; none of a key.
pub(crate) struct ShapeError {
    pub(crate) at: String,
    pub(crate) in_key: bool,
    pub(crate) error: PlaceholderError,
}

impl Shape {
    /// Parses all placeholders of a value. What can't be read is reported and stays as it is.
    pub(crate) fn of(value: &Value, at: &mut String, errors: &mut Vec<ShapeError>) -> Self {
        let length = at.len();
        match value {
            Value::String(text) => Self::of_text(text, at, errors),
            Value::Array(items) => {
                let mut shapes = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    pointer::push(at, &index.to_string());
                    shapes.push(Self::of(item, at, errors));
                    at.truncate(length);
                }
                if shapes.iter().all(Self::is_plain) { Self::Plain(plain_list(shapes)) } else { Self::List(shapes) }
            }
            Value::Object(members) => {
                let mut shapes = Vec::with_capacity(members.len());
                for (key, member) in members {
                    pointer::push(at, key);
                    if !placeholder::is_literal(key) {
                        errors.push(in_key(at, key));
                    }
                    shapes.push((key.clone(), Self::of(member, at, errors)));
                    at.truncate(length);
                }
                let plain = shapes.iter().all(|(_, shape)| shape.is_plain());
                if plain { Self::Plain(plain_map(shapes)) } else { Self::Map(shapes) }
            }
            other => Self::Plain(other.clone()),
        }
    }

    fn of_text(text: &str, at: &str, errors: &mut Vec<ShapeError>) -> Self {
        if placeholder::is_literal(text) {
            return Self::Plain(Value::from(text));
        }
        let segments = match placeholder::parse(text) {
            Ok(segments) => segments,
            Err(error) => {
                errors.push(ShapeError { at: at.to_owned(), in_key: false, error });
                return Self::Plain(Value::from(text));
            }
        };
        let mut pieces: Vec<Piece> = segments.into_iter().map(Piece::from).collect();
        match pieces.as_mut_slice() {
            [] => Self::Plain(Value::from("")),
            [Piece::Text(text)] => Self::Plain(Value::String(std::mem::take(text))),
            [Piece::Reference(reference)] => Self::Reference(reference.clone()),
            _ => Self::Text(pieces),
        }
    }

    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Calls `see` with every placeholder and the JSON Pointer of the text it is in.
    pub(crate) fn each_reference(&self, at: &mut String, see: &mut impl FnMut(&str, &Reference)) {
        let length = at.len();
        match self {
            Self::Plain(_) => {}
            Self::Reference(reference) => see(at, reference),
            Self::Text(pieces) => {
                for piece in pieces {
                    if let Piece::Reference(reference) = piece {
                        see(at, reference);
                    }
                }
            }
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    pointer::push(at, &index.to_string());
                    item.each_reference(at, see);
                    at.truncate(length);
                }
            }
            Self::Map(members) => {
                for (key, member) in members {
                    pointer::push(at, key);
                    member.each_reference(at, see);
                    at.truncate(length);
                }
            }
        }
    }
}

impl From<Segment> for Piece {
    fn from(segment: Segment) -> Self {
        match segment {
            Segment::Text(text) => Self::Text(text),
            Segment::Reference { path, range } => Self::Reference(Reference { path, range }),
        }
    }
}

fn plain_list(shapes: Vec<Shape>) -> Value {
    shapes.into_iter().map(into_plain).collect()
}

fn plain_map(shapes: Vec<(String, Shape)>) -> Value {
    Value::Object(shapes.into_iter().map(|(key, shape)| (key, into_plain(shape))).collect::<Map<_, _>>())
}

fn into_plain(shape: Shape) -> Value {
    match shape {
        Shape::Plain(value) => value,
        _ => Value::Null,
    }
}

fn in_key(at: &str, key: &str) -> ShapeError {
    let error = PlaceholderError {
        range: 0..key.len(),
        message: "placeholders are not filled in in keys".to_owned(),
        hint: Some("write the key out, or make the whole mapping a value of a dictionary".to_owned()),
    };
    ShapeError { at: at.to_owned(), in_key: true, error }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape(value: &Value) -> Shape {
        let mut errors = Vec::new();
        let shape = Shape::of(value, &mut String::new(), &mut errors);
        assert!(errors.is_empty());
        shape
    }

    #[test]
    fn what_has_no_placeholder_is_plain() {
        let value = json!({ "a": [1, "x", { "b": null }], "$": "$5" });
        assert_eq!(shape(&value), Shape::Plain(value));
        assert_eq!(shape(&json!(["$${x}"])), Shape::Plain(json!(["${x}"])));
    }

    #[test]
    fn placeholders_are_found_with_their_places() {
        let shape = shape(&json!({ "url": "http://${target.address}:${port}/", "list": ["${all}"] }));
        let mut seen = Vec::new();
        shape.each_reference(&mut String::new(), &mut |at, reference| {
            seen.push((at.to_owned(), reference.path.join("."), reference.range.clone()));
        });
        seen.sort_by(|a, b| a.0.cmp(&b.0).then(a.2.start.cmp(&b.2.start)));
        assert_eq!(
            seen,
            [
                ("/list/0".to_owned(), "all".to_owned(), 0..6),
                ("/url".to_owned(), "target.address".to_owned(), 7..24),
                ("/url".to_owned(), "port".to_owned(), 25..32)
            ]
        );
    }

    #[test]
    fn bad_placeholders_are_reported_with_their_place() {
        let mut errors = Vec::new();
        Shape::of(&json!({ "a": ["${"], "b${c}": 1 }), &mut String::new(), &mut errors);
        let places: Vec<_> = errors.iter().map(|error| (error.at.as_str(), error.in_key)).collect();
        assert_eq!(places, [("/a/0", false), ("/b${c}", true)]);
    }
}
