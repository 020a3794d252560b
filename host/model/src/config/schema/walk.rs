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

/// Adds the schemas that hold for a member or item of what one schema describes.
///
/// Names that `properties` knows are described by it alone.
pub(super) fn member<'a>(root: &'a Value, schema: &'a Value, token: &str, found: &mut Vec<&'a Value>) {
    if let Some(property) = schema.get("properties").and_then(|properties| properties.get(token)) {
        parts(root, property, found);
    } else {
        for keyword in ["additionalProperties", "unevaluatedProperties"] {
            if let Some(other) = schema.get(keyword) {
                parts(root, other, found);
            }
        }
        for (_, pattern) in schema.get("patternProperties").and_then(Value::as_object).into_iter().flatten() {
            parts(root, pattern, found);
        }
    }
    if let Ok(index) = token.parse::<usize>() {
        let fixed = schema.get("prefixItems").and_then(Value::as_array);
        match fixed.and_then(|fixed| fixed.get(index)) {
            Some(item) => parts(root, item, found),
            None => {
                if let Some(item) = schema.get("items") {
                    parts(root, item, found);
                }
            }
        }
    }
}

/// Returns the schemas that hold for a member or item of what several schemas describe.
pub(super) fn members<'a>(root: &'a Value, schemas: &[&'a Value], token: &str) -> Vec<&'a Value> {
    let mut found = Vec::new();
    for schema in schemas {
        member(root, schema, token, &mut found);
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
