//! Schemas: made from the types natively, committed as files, carried by a component as text.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::{KindEntry, Plugin};

/// Returns a kind's schema as its types say, in the form in which it is committed and shipped: a line per property.
pub fn text(kind: &KindEntry) -> String {
    let schema = (kind.generate_schema)();
    let entries = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let mut text = String::from("{\n\"properties\":{\n");
    let properties: Vec<String> = entries(&schema["properties"])
        .iter()
        .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
        .collect();
    text.push_str(&properties.join(",\n"));
    text.push_str("\n}");
    for (name, value) in entries(&schema).iter().filter(|(name, _)| *name != "properties") {
        text.push_str(&format!(",\n{}:{value}", Value::from(name.as_str())));
    }
    text.push_str("\n}\n");
    text
}

/// Writes the schemas of a plugin into `schema/` of its folder; returns the files that changed.
pub fn write(plugin: &Plugin, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let folder = folder.join("schema");
    std::fs::create_dir_all(&folder)?;
    let mut changed = Vec::new();
    for kind in plugin.kinds {
        let file = folder.join(format!("{}.json", kind.name));
        let text = text(kind);
        if std::fs::read_to_string(&file).ok().as_deref() != Some(text.as_str()) {
            std::fs::write(&file, text)?;
            changed.push(file);
        }
    }
    Ok(changed)
}

pub(crate) fn generate<P: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        // The contract says which one it is.
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<P>().to_value();
    if let Some(object) = schema.as_object_mut() {
        object.remove("title");
        // The comment of a type whose fields are flattened into it: what the kind is for, its summary says.
        object.remove("description");
    }
    tidy(&mut schema);
    schema
}

/// Makes it plain. `null` goes: a property that is not wanted is left out, not null.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(values)) = object.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            if object.get("default").is_some_and(Value::is_null) {
                object.remove("default");
            }
            if let Some(Value::String(description)) = object.get_mut("description") {
                // How a comment is broken into lines says nothing.
                *description = description.replace('\n', " ");
            }
            flatten_option(object);
            object.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// Replaces `anyOf: [X, null]` by X.
fn flatten_option(object: &mut serde_json::Map<String, Value>) {
    let Some(Value::Array(choices)) = object.get_mut("anyOf") else { return };
    let count = choices.len();
    choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
    if choices.len() == count || choices.len() != 1 {
        return;
    }
    let Some(Value::Object(inner)) = choices.pop() else { return };
    object.remove("anyOf");
    for (key, value) in inner {
        object.entry(key).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::{Run, Setting, Span, Text};

    #[derive(Deserialize, JsonSchema)]
    #[schemars(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Example {
        /// What it runs.
        run: Option<Run>,
        /// How long.
        timeout: Option<Setting<Span>>,
        #[serde(default)]
        env: std::collections::BTreeMap<String, Text>,
        path: crate::OwnedPath,
        choice: Option<Choice>,
    }

    #[derive(Deserialize, JsonSchema)]
    enum Choice {
        One,
        Two,
    }

    #[test]
    fn schemas_have_keywords_and_no_null() {
        let schema = generate::<Example>();
        let property = |name: &str| &schema["properties"][name];
        assert_eq!(property("timeout")["trigger"], json!(false));
        assert_eq!(property("timeout")["type"], json!("string"));
        assert_eq!(property("timeout")["description"], json!("How long."));
        assert_eq!(property("env")["additionalProperties"]["secret"], json!(true));
        assert_eq!(property("path")["writes"], json!(true));
        assert_eq!(property("choice")["enum"], json!(["One", "Two"]));
        assert_eq!(schema["required"], json!(["path"]));
        assert_eq!(schema["additionalProperties"], json!(false));
        assert!(!schema.to_string().contains("null"), "{schema}");
    }
}
