//! What schemas ask of values, where several of them describe one.

use serde_json::Value;

use super::property::property_names;
use super::walk;

/// Whether a schema names a type, by `type` or by an example.
pub(super) fn wants(schemas: &[&Value], name: &str) -> bool {
    schemas.iter().any(|schema| {
        let typed = schema.get("type").is_some() && walk::allows_type(schema, name);
        let listed = |value: &Value| match value {
            Value::String(_) => name == "string",
            Value::Bool(_) => name == "boolean",
            Value::Number(_) => name == "number",
            Value::Null => name == "null",
            _ => false,
        };
        typed
            || schema.get("type").is_none()
                && (schema.get("const").is_some_and(listed)
                    || schema.get("enum").and_then(Value::as_array).is_some_and(|all| all.iter().any(listed)))
    })
}

/// Fills in defaults in a value that some schemas describe, as far as they fit it.
pub(super) fn apply_defaults(root: &Value, schemas: &[&Value], value: &mut Value) {
    let fitting: Vec<&Value> = schemas.iter().copied().filter(|schema| fits(schema, value)).collect();
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                apply_defaults(root, &walk::items(root, &fitting, Some(index)), item);
            }
        }
        Value::Object(members) => {
            for name in property_names(&fitting) {
                if !members.contains_key(name) {
                    let property = walk::members(root, &fitting, name);
                    if let Some(default) = property.iter().find_map(|part| part.get("default")).filter(|d| !d.is_null())
                    {
                        members.insert(name.to_owned(), default.clone());
                    }
                }
            }
            for (name, member) in members {
                apply_defaults(root, &walk::members(root, &fitting, name), member);
            }
        }
        _ => {}
    }
}

/// Whether a value could be meant by one of several alternatives: its type, what is required, and its constants fit.
fn fits(schema: &Value, value: &Value) -> bool {
    let Value::Object(members) = value else {
        return match value {
            Value::Array(_) => walk::allows_type(schema, "array"),
            _ => true,
        };
    };
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let constants = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    walk::allows_type(schema, "object")
        && required.filter_map(Value::as_str).all(|name| members.contains_key(name))
        && constants
            .filter_map(|(name, property)| Some((members.get(name)?, property.get("const")?)))
            .all(|(member, constant)| member == constant)
}
