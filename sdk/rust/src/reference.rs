//! A plugin's reference for people: its kinds' properties as tables, in a page with prose around them.

use std::path::Path;

use serde_json::Value;

use crate::{KindEntry, Plugin};

/// Writes the tables of a page anew: what stands between `<!-- properties: KIND -->` and `<!-- end -->`. Says whether
/// that changed anything.
pub fn write(plugin: &Plugin, page: &Path) -> std::io::Result<bool> {
    let text = std::fs::read_to_string(page)?;
    let current = fill_in(plugin, &text);
    if current == text {
        return Ok(false);
    }
    std::fs::write(page, current)?;
    Ok(true)
}

/// Returns a page with its tables as the schemas say.
pub fn fill_in(plugin: &Plugin, page: &str) -> String {
    let mut text = page.to_owned();
    for kind in plugin.kinds {
        let begin = format!("<!-- properties: {} -->\n", kind.name);
        let Some((before, rest)) = text.split_once(&begin) else { continue };
        let Some((_, after)) = rest.split_once("<!-- end -->") else { continue };
        text = format!("{before}{begin}{}<!-- end -->{after}", table(kind));
    }
    text
}

/// Returns a kind's properties as a Markdown table, the required ones first.
pub fn table(kind: &KindEntry) -> String {
    let schema = (kind.generate_schema)();
    let required = |name: &str| schema["required"].as_array().is_some_and(|list| list.iter().any(|item| item == name));
    let mut properties: Vec<(&String, &Value)> = schema["properties"].as_object().into_iter().flatten().collect();
    properties.sort_by_key(|(name, _)| !required(name));
    let mut table = String::from("| property | type | |\n|---|---|---|\n");
    for (name, property) in properties {
        let name = if required(name) { format!("**`{name}`**") } else { format!("`{name}`") };
        let description = property["description"].as_str().unwrap_or_default();
        let default = match &property["default"] {
            Value::Null => String::new(),
            Value::Object(object) if object.is_empty() => String::new(),
            Value::Array(list) if list.is_empty() => String::new(),
            Value::Object(_) => String::new(),
            value => format!(" Default: `{}`.", value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
        };
        let passive = property["trigger"] == false && property["source"].is_null();
        let trigger = if passive { " Its change alone redeploys nothing." } else { "" };
        table.push_str(&format!("| {name} | {} | {}{default}{trigger} |\n", type_of(property), escaped(description)));
    }
    table
}

fn type_of(property: &Value) -> String {
    if let Some(source) = property["source"].as_str() {
        return match source {
            "artifact" => "artifact".to_owned(),
            "directory" => "folder of the project".to_owned(),
            source => format!("{source} of the project"),
        };
    }
    if let Some(values) = property["enum"].as_array() {
        return values
            .iter()
            .map(|value| format!("`{}`", value.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(", ");
    }
    if let Some(choices) = property["anyOf"].as_array() {
        return choices.iter().map(type_of).collect::<Vec<_>>().join(" or ");
    }
    match property["type"].as_str() {
        Some("string") if property["secret"] == true => "text, with secrets".to_owned(),
        Some("string") if property["pattern"].as_str().is_some_and(|pattern| pattern.contains("ms|s|m")) => {
            "time".to_owned()
        }
        Some("string") if property["writes"]["unit"].is_array() => "text".to_owned(),
        Some("string") if !matches!(property["writes"], Value::Null | Value::Bool(false)) => "path".to_owned(),
        Some("string") => "text".to_owned(),
        Some("integer") => "whole number".to_owned(),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("array") => "list".to_owned(),
        Some("object") => match &property["additionalProperties"] {
            values @ Value::Object(_) => format!("names with {}", type_of(values)),
            Value::Bool(true) => "names with values".to_owned(),
            _ => {
                let names =
                    property["properties"].as_object().into_iter().flatten().map(|(name, _)| format!("`{name}`"));
                names.collect::<Vec<_>>().join(", ")
            }
        },
        _ => "any".to_owned(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|")
}
