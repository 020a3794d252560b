//! One schema for editors: the application's, with the properties of every type known.

use serde_json::{Map, Value, json};

use super::application_schema;
use crate::{KindInfo, KindRef, Usage};

/// Returns the JSON Schema of `launchway.yaml` with the properties of these types.
///
/// It describes what people write, not what comes of it: a placeholder may stand anywhere, and what a component's
/// overrides add is not missing.
pub fn project_schema(kinds: &[(KindRef, &KindInfo)]) -> Value {
    let mut root = application_schema();
    let mut definitions = Map::new();
    let mut components = Vec::new();
    let mut actions = Vec::new();
    for (kind, info) in kinds {
        let name = kind.to_string();
        let key = name.replace('/', ".");
        let mut schema = info.schema.clone();
        move_references(&mut schema, &format!("#/$defs/{key}"));
        if let Some(object) = schema.as_object_mut() {
            object.remove("$schema");
            object.remove("$id");
            object.entry("title").or_insert_with(|| json!(name));
            object.entry("description").or_insert_with(|| json!(info.summary));
        }
        admit_placeholders(&mut schema);
        definitions.insert(key.clone(), schema);
        let choice = json!({ "const": name, "description": info.summary });
        let rule = json!({
            "if": { "properties": { "type": { "const": name } }, "required": ["type"] },
            "then": { "properties": { "with": { "$ref": format!("#/$defs/{key}") } } },
        });
        if info.usage != Usage::Action {
            components.push((choice.clone(), rule.clone()));
        }
        if info.usage != Usage::Component {
            actions.push((choice, rule));
        }
    }
    for (definition, rules) in [("Component", components), ("ActionUse", actions)] {
        if let Some(target) = root.pointer_mut(&format!("/$defs/{definition}")) {
            add_rules(target, rules);
        }
    }
    if let Some(known) = root.get_mut("$defs").and_then(Value::as_object_mut) {
        known.extend(definitions);
    }
    root
}

fn add_rules(definition: &mut Value, rules: Vec<(Value, Value)>) {
    let (choices, rules): (Vec<Value>, Vec<Value>) = rules.into_iter().unzip();
    if choices.is_empty() {
        return;
    }
    if let Some(kind) = definition.pointer_mut("/properties/type").and_then(Value::as_object_mut) {
        kind.insert("oneOf".to_owned(), Value::Array(choices));
    }
    if let Some(definition) = definition.as_object_mut() {
        definition.insert("allOf".to_owned(), Value::Array(rules));
    }
}

/// Makes local references work from their new place.
fn move_references(schema: &mut Value, place: &str) {
    match schema {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(reference) if name == "$ref" => {
                        if let Some(rest) = reference.strip_prefix('#') {
                            *reference = format!("{place}{rest}");
                        }
                    }
                    member => move_references(member, place),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_references(item, place)),
        _ => {}
    }
}

/// Lets a text with a placeholder stand wherever something else than any text is wanted.
fn admit_placeholders(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    for keyword in ["properties", "patternProperties", "$defs"] {
        for (_, inner) in object.get_mut(keyword).and_then(Value::as_object_mut).into_iter().flatten() {
            admit_placeholders(inner);
            if keyword != "$defs" {
                wrap(inner);
            }
        }
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(keyword) {
            admit_placeholders(inner);
            wrap(inner);
        }
    }
    for keyword in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        for inner in object.get_mut(keyword).and_then(Value::as_array_mut).into_iter().flatten() {
            admit_placeholders(inner);
        }
    }
}

fn wrap(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    let free_text = object.get("type") == Some(&json!("string"))
        && !["enum", "const", "pattern", "minLength", "maxLength"].iter().any(|keyword| object.contains_key(*keyword));
    if free_text {
        // Numbers and truth values become text.
        object.insert("type".to_owned(), json!(["string", "number", "boolean"]));
        return;
    }
    let mut outer = Map::new();
    for keyword in ["title", "description", "default", "examples"] {
        if let Some(value) = object.remove(keyword) {
            outer.insert(keyword.to_owned(), value);
        }
    }
    let inner = Value::Object(std::mem::take(object));
    outer.insert("anyOf".to_owned(), json!([inner, { "type": "string", "pattern": "\\$\\{" }]));
    *object = outer;
}
