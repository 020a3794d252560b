//! Ways through a schema: references, alternatives, members.

use serde_json::Value;

/// Returns what a local reference points to.
pub(super) fn resolve<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(&percent_decode(reference.strip_prefix('#')?))
}

/// Decodes the `%XX` of a URI fragment.
fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = (*first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Adds a schema and all the schemas it is made of: what it refers to, and its alternatives.
pub(super) fn parts<'a>(root: &'a Value, schema: &'a Value, found: &mut Vec<&'a Value>) {
    if !schema.is_object() || found.iter().any(|other| std::ptr::eq(*other, schema)) {
        return;
    }
    found.push(schema);
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|reference| resolve(root, reference)) {
        parts(root, target, found);
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        for part in schema.get(keyword).and_then(Value::as_array).into_iter().flatten() {
            parts(root, part, found);
        }
    }
    for keyword in ["if", "then", "else"] {
        if let Some(part) = schema.get(keyword) {
            parts(root, part, found);
        }
    }
}

/// Returns the schema and all it is made of.
pub(super) fn all_parts<'a>(root: &'a Value, schema: &'a Value) -> Vec<&'a Value> {
    let mut found = Vec::new();
    parts(root, schema, &mut found);
    found
}

/// Whether a schema says different things of different values.
pub(super) fn has_alternatives(schema: &Value) -> bool {
    ["anyOf", "oneOf", "if"].iter().any(|keyword| schema.get(keyword).is_some())
}

/// Returns the schemas that hold for a property of what several schemas describe.
///
/// Names that a schema's `properties` knows are described by it alone.
pub(super) fn members<'a>(root: &'a Value, schemas: &[&'a Value], name: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    for schema in schemas {
        match schema.get("properties").and_then(|properties| properties.get(name)) {
            Some(property) => parts(root, property, &mut found),
            None => others(root, schema, &mut found),
        }
    }
    found
}

/// Returns the schemas that hold for properties which no schema names.
pub(super) fn other_members<'a>(root: &'a Value, schemas: &[&'a Value]) -> Vec<&'a Value> {
    let mut found = Vec::new();
    schemas.iter().for_each(|schema| others(root, schema, &mut found));
    found
}

fn others<'a>(root: &'a Value, schema: &'a Value, found: &mut Vec<&'a Value>) {
    for keyword in ["additionalProperties", "unevaluatedProperties"] {
        if let Some(other) = schema.get(keyword) {
            parts(root, other, found);
        }
    }
    for (_, pattern) in schema.get("patternProperties").and_then(Value::as_object).into_iter().flatten() {
        parts(root, pattern, found);
    }
}

/// Returns the schemas that hold for an item of what several schemas describe; for those after the first few if no
/// index is given.
pub(super) fn items<'a>(root: &'a Value, schemas: &[&'a Value], index: Option<usize>) -> Vec<&'a Value> {
    let mut found = Vec::new();
    for schema in schemas {
        let first = schema.get("prefixItems").and_then(Value::as_array);
        let item = index.and_then(|index| first?.get(index)).or_else(|| schema.get("items"));
        if let Some(item) = item {
            parts(root, item, &mut found);
        }
    }
    found
}

/// Whether a schema's `type` names a type; a schema without one allows all.
pub(super) fn allows_type(schema: &Value, name: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(only)) => only == name,
        Some(Value::Array(several)) => several.iter().any(|one| one == name),
        _ => true,
    }
}

/// Calls `visit` for every schema inside a schema document, itself included, with its JSON Pointer.
pub(super) fn every<'a>(schema: &'a Value, at: &mut String, visit: &mut impl FnMut(&str, &'a Value)) {
    if !schema.is_object() {
        return;
    }
    visit(at, schema);
    let length = at.len();
    for keyword in ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"] {
        for (name, inner) in schema.get(keyword).and_then(Value::as_object).into_iter().flatten() {
            super::super::pointer::push(at, keyword);
            super::super::pointer::push(at, name);
            every(inner, at, visit);
            at.truncate(length);
        }
    }
    for keyword in ["allOf", "anyOf", "oneOf", "prefixItems"] {
        for (index, inner) in schema.get(keyword).and_then(Value::as_array).into_iter().flatten().enumerate() {
            super::super::pointer::push(at, keyword);
            super::super::pointer::push(at, &index.to_string());
            every(inner, at, visit);
            at.truncate(length);
        }
    }
    for keyword in SINGLE {
        if let Some(inner) = schema.get(keyword) {
            super::super::pointer::push(at, keyword);
            every(inner, at, visit);
            at.truncate(length);
        }
    }
}

const SINGLE: [&str; 11] = [
    "items",
    "additionalProperties",
    "unevaluatedProperties",
    "unevaluatedItems",
    "propertyNames",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "additionalItems",
];
