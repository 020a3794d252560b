//! The configuration's reference, from its schemas.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::{application_schema, environment_schema, pointer};

/// Returns `docs/configuration.md`: what the schemas can't say, then every key of every file.
pub fn reference_markdown() -> String {
    let mut page = Page { text: include_str!("reference_intro.md").to_owned(), told: Vec::new() };
    page.file("`launchway.yaml`", &application_schema());
    page.file("`environments/NAME.yaml`", &environment_schema());
    page.text.truncate(page.text.trim_end().len());
    page.text.push('\n');
    page.text
}

/// A page under way.
struct Page {
    text: String,
    /// The definitions that have their section, or will have it.
    told: Vec<String>,
}

impl Page {
    /// Adds a file's section, and one for each definition that it uses, in the order of their first use.
    fn file(&mut self, title: &str, root: &Value) {
        self.line(&format!("## {title}\n"));
        let mut waiting = self.section(root, root);
        while !waiting.is_empty() {
            let name = waiting.remove(0);
            if self.told.contains(&name) {
                continue;
            }
            self.told.push(name.clone());
            let Some(definition) = root.pointer(&pointer::join("/$defs", &name)) else { continue };
            self.line(&format!("### {}\n", heading(&name)));
            let found = self.section(root, definition);
            waiting.extend(found);
        }
    }

    /// Adds what a schema says; returns the definitions it refers to.
    fn section(&mut self, root: &Value, schema: &Value) -> Vec<String> {
        let mut used = Vec::new();
        if let Some(description) = schema.get("description").and_then(Value::as_str) {
            self.line(&format!("{}\n", paragraph(description)));
        }
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            self.table("key", properties_rows(schema, properties, &mut used));
        }
        if let Some(alternatives) = alternatives(schema) {
            let constant = |one: &Value| one.get("const").is_some() || one.get("enum").is_some();
            if alternatives.iter().all(constant) {
                self.table("value", alternatives.iter().map(choice_row).collect());
            } else if alternatives.iter().all(|one| single_property(one).is_some()) {
                self.line("Exactly one of these keys:\n");
                let rows = alternatives.iter().filter_map(|one| {
                    let (name, property) = single_property(one)?;
                    Some([format!("`{name}`"), type_text(property, &mut used), description(one)])
                });
                let rows = rows.collect();
                self.table("key", rows);
            } else {
                self.line("One of:\n");
                for one in alternatives {
                    let referred = one.get("$ref").and_then(Value::as_str).and_then(definition_name);
                    let described =
                        referred.and_then(|name| root.pointer(&pointer::join("/$defs", name))).unwrap_or(one);
                    let what = type_text(one, &mut used);
                    self.line(&format!("- {what}: {}", description(described)));
                }
                self.line("");
            }
        }
        used
    }

    fn table(&mut self, first: &str, rows: Vec<[String; 3]>) {
        if rows.iter().all(|row| row[1].is_empty()) {
            self.line(&format!("| {first} | meaning |\n|---|---|"));
            for [name, _, meaning] in rows {
                self.line(&format!("| {name} | {meaning} |"));
            }
        } else {
            self.line(&format!("| {first} | type | meaning |\n|---|---|---|"));
            for [name, kind, meaning] in rows {
                self.line(&format!("| {name} | {kind} | {meaning} |"));
            }
        }
        self.line("");
    }

    fn line(&mut self, line: &str) {
        writeln!(self.text, "{line}").expect("writing to a string can't fail");
    }
}

/// Returns a row for each property, those that must be there first, then by name.
fn properties_rows(schema: &Value, properties: &Map<String, Value>, used: &mut Vec<String>) -> Vec<[String; 3]> {
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut names: Vec<&str> = properties.keys().map(String::as_str).collect();
    names.sort_by_key(|name| (!required.contains(name), *name));
    let row = |name: &str| {
        let property = &properties[name];
        let needed = if required.contains(&name) { " (required)" } else { "" };
        [format!("`{name}`{needed}"), type_text(property, used), description(property)]
    };
    names.into_iter().map(row).collect()
}

fn choice_row(choice: &Value) -> [String; 3] {
    let values = choice.get("enum").and_then(Value::as_array).into_iter().flatten().chain(choice.get("const"));
    let values: Vec<String> = values.filter_map(Value::as_str).map(|value| format!("`{value}`")).collect();
    [values.join(", "), String::new(), description(choice)]
}

fn alternatives(schema: &Value) -> Option<&Vec<Value>> {
    schema.get("oneOf").or_else(|| schema.get("anyOf"))?.as_array()
}

/// Returns the one property of a mapping that has no other.
fn single_property(schema: &Value) -> Option<(&String, &Value)> {
    let properties = schema.get("properties")?.as_object()?;
    if properties.len() == 1 { properties.iter().next() } else { None }
}

/// Says what kind of value a schema describes, and notes the definitions it refers to.
fn type_text(schema: &Value, used: &mut Vec<String>) -> String {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(definition_name) {
        used.push(name.to_owned());
        let heading = heading(name);
        return format!("[{heading}](#{})", anchor(&heading));
    }
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        let choices: Vec<String> =
            choices.iter().filter_map(Value::as_str).map(|choice| format!("`{choice}`")).collect();
        return choices.join(", ");
    }
    if let Some(alternatives) = alternatives(schema) {
        let some = alternatives.iter().filter(|one| one.get("type") != Some(&Value::from("null")));
        return some.map(|one| type_text(one, used)).collect::<Vec<_>>().join(" or ");
    }
    let names: Vec<&str> = match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect(),
        _ => return "anything".to_owned(),
    };
    let named = |name: &str, used: &mut Vec<String>| match name {
        "string" => match schema.get("format").and_then(Value::as_str) {
            Some("launchway-selector") => "[selector](#selectors)".to_owned(),
            Some("launchway-version-range") => "[range of versions](#other-applications)".to_owned(),
            _ => "text".to_owned(),
        },
        "boolean" => "`true` or `false`".to_owned(),
        "integer" => range_text("whole number", schema),
        "number" => range_text("number", schema),
        "array" => match schema.get("items") {
            Some(items) => format!("list of: {}", type_text(items, used)),
            None => "list".to_owned(),
        },
        "object" => match schema.get("additionalProperties") {
            Some(other @ Value::Object(_)) => format!("mapping of names to: {}", type_text(other, used)),
            _ => "mapping".to_owned(),
        },
        other => other.to_owned(),
    };
    names.into_iter().map(|name| named(name, used)).collect::<Vec<_>>().join(" or ")
}

fn range_text(what: &str, schema: &Value) -> String {
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(least), Some(most)) => format!("{what}, {least} to {most}"),
        (Some(least), None) => format!("{what}, at least {least}"),
        (None, Some(most)) => format!("{what}, at most {most}"),
        (None, None) => what.to_owned(),
    }
}

/// Returns a schema's description for a table's cell.
fn description(schema: &Value) -> String {
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    paragraph(text).replace('\n', " ").replace('|', "\\|")
}

/// Joins the lines of each paragraph.
fn paragraph(text: &str) -> String {
    text.split("\n\n").map(|part| part.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}

fn definition_name(reference: &str) -> Option<&str> {
    reference.strip_prefix("#/$defs/")
}

/// Returns the words of a type's name: `EdgeUse` is `Edge use`.
fn heading(name: &str) -> String {
    let mut heading = String::new();
    for (index, c) in name.char_indices() {
        if index > 0 && c.is_uppercase() {
            heading.push(' ');
            heading.extend(c.to_lowercase());
        } else {
            heading.push(c);
        }
    }
    heading.trim_end_matches(" use").trim_end_matches(" config").replace("Ssh", "SSH")
}

/// Returns the anchor that Markdown readers give a heading.
fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
}
