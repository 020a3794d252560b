//! One schema for editors: the application's, with the properties of every type known.

use serde_json::{Map, Value, json};

use super::{application_schema, environment_schema};
use crate::{KindInfo, KindRef, Usage};

/// Returns the JSON Schema of `launchway.yaml` with the properties of these types.
///
/// It describes what people write, not what comes of it: a placeholder may stand anywhere, numbers may be text, and what
/// a component's overrides add is not missing.
pub fn project_schema(kinds: &[(KindRef, &KindInfo)]) -> Value {
    let mut root = application_schema();
    admit_scalars(&mut root);
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
        let mut part = schema.clone();
        make_optional(&mut part);
        let kind = KnownKind { name, summary: &info.summary, key, partial: part != schema };
        if kind.partial {
            definitions.insert(kind.part_key(), part);
        }
        definitions.insert(kind.key.clone(), schema);
        if info.usage != Usage::Action {
            components.push((kind.choice(), kind.component_rule()));
        }
        if info.usage != Usage::Component {
            actions.push((kind.choice(), kind.action_rule()));
        }
    }
    for (definition, rules) in [("Component", components), ("ActionUse", actions.clone()), ("PlacedAction", actions)] {
        if let Some(target) = root.pointer_mut(&format!("/$defs/{definition}")) {
            add_rules(target, rules);
        }
    }
    if let Some(known) = root.get_mut("$defs").and_then(Value::as_object_mut) {
        known.extend(definitions);
    }
    root
}

/// Returns the JSON Schema of an environment's file as people write it.
pub fn environment_editor_schema() -> Value {
    let mut root = environment_schema();
    admit_scalars(&mut root);
    root
}

/// A type whose properties are among the schema's definitions.
struct KnownKind<'a> {
    name: String,
    summary: &'a str,
    key: String,
    /// Some of its properties have to be there, so there is a second definition, in which they don't.
    partial: bool,
}

impl KnownKind<'_> {
    fn part_key(&self) -> String {
        if self.partial { format!("{}.part", self.key) } else { self.key.clone() }
    }

    fn choice(&self) -> Value {
        json!({ "const": self.name, "description": self.summary })
    }

    /// Everything that has to be there is under `with`.
    fn whole(&self) -> Value {
        let with = json!({ "with": { "$ref": format!("#/$defs/{}", self.key) } });
        if self.partial { json!({ "properties": with, "required": ["with"] }) } else { json!({ "properties": with }) }
    }

    /// With overrides, what is under `with` need not be all.
    fn component_rule(&self) -> Value {
        let part = json!({ "$ref": format!("#/$defs/{}", self.part_key()) });
        let overrides = json!({ "items": { "properties": { "with": part } } });
        self.rule(json!({
            "if": { "required": ["overrides"] },
            "then": { "properties": { "with": part, "overrides": overrides } },
            "else": self.whole(),
        }))
    }

    fn action_rule(&self) -> Value {
        self.rule(self.whole())
    }

    fn rule(&self, then: Value) -> Value {
        json!({ "if": { "properties": { "type": { "const": self.name } }, "required": ["type"] }, "then": then })
    }
}

/// Lets everything be missing from the top of an object's schema.
fn make_optional(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    for keyword in ["required", "minProperties", "dependentRequired"] {
        object.remove(keyword);
    }
    // Without what tells them apart, more than one alternative may fit.
    if let Some(alternatives) = object.remove("oneOf") {
        object.insert("anyOf".to_owned(), alternatives);
    }
    for keyword in ["anyOf", "allOf"] {
        object.get_mut(keyword).and_then(Value::as_array_mut).into_iter().flatten().for_each(make_optional);
    }
}

/// Lets numbers and truth values stand where any text may: they become text.
fn admit_scalars(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if is_free_text(object) {
                widen(object);
            }
            for (keyword, inner) in object.iter_mut() {
                if keyword != "propertyNames" {
                    admit_scalars(inner);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(admit_scalars),
        _ => {}
    }
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
    if is_free_text(object) {
        widen(object);
        return;
    }
    let mut outer = Map::new();
    for keyword in ["title", "description", "default", "examples"] {
        if let Some(value) = object.remove(keyword) {
            outer.insert(keyword.to_owned(), value);
        }
    }
    let inner = Value::Object(std::mem::take(object));
    let mut choices = vec![json!({ "type": "string", "pattern": "\\$\\{" })];
    if admits_numbers(&inner) {
        choices.push(json!({ "type": "number" }));
    }
    choices.insert(0, inner);
    outer.insert("anyOf".to_owned(), Value::Array(choices));
    *object = outer;
}

fn is_free_text(schema: &Map<String, Value>) -> bool {
    let is_text = match schema.get("type") {
        Some(Value::Array(types)) => types.contains(&json!("string")),
        other => other == Some(&json!("string")),
    };
    is_text && !["enum", "const", "pattern"].iter().any(|keyword| schema.contains_key(*keyword))
}

/// Lets numbers and truth values be text.
fn widen(schema: &mut Map<String, Value>) {
    let mut types = match schema.remove("type") {
        Some(Value::Array(types)) => types,
        other => other.into_iter().collect(),
    };
    for name in ["number", "boolean"] {
        if !types.contains(&json!(name)) {
            types.push(json!(name));
        }
    }
    // A whole number is a number; twice is once too many.
    types.retain(|name| name != "integer");
    schema.insert("type".to_owned(), Value::Array(types));
}

/// Whether a text in this form can be a number, such as permission bits or seconds.
fn admits_numbers(schema: &Value) -> bool {
    schema.get("type") == Some(&json!("string"))
        && schema.get("enum").is_none()
        && jsonschema::validator_for(schema)
            .is_ok_and(|form| ["1", "30", "640", "8080"].iter().any(|text| form.is_valid(&json!(text))))
}
