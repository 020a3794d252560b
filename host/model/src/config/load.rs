//! From a file's text to a typed value, with everything that is wrong in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::document::{Document, Place, Style};
use super::schema::{ConfigSchema, Finding};
use super::yaml::{self, Content, Fault, Node};
use super::{Application, Environment, InventoryAnswer, pointer, salvage};
use crate::login::check_address;
use crate::{ComponentName, Diagnostic, Diagnostics, IdError, SourceId, Sources, Span};

/// A file's value, and where each part of it was written.
#[derive(Clone, Debug)]
pub struct Parsed<T> {
    pub value: T,
    pub document: Document,
}

/// Reads an application's file. `name` is what people know the file by.
pub fn parse_application(sources: &mut Sources, name: &str, text: &str) -> Result<Parsed<Application>, Diagnostics> {
    parse(sources, name, text, ConfigSchema::application())
}

/// An application's file as far as it can be used although something is wrong in it.
#[derive(Clone, Debug)]
pub struct Salvaged {
    pub application: Parsed<Application>,
    /// Components that could not be used.
    pub absent: BTreeSet<ComponentName>,
}

/// Reads an application's file in which something is wrong: returns that, and what is left without it.
pub fn salvage_application(sources: &mut Sources, name: &str, text: &str) -> (Diagnostics, Option<Salvaged>) {
    let schema = ConfigSchema::application();
    let (mut problems, read) = read(sources, name, text, schema);
    problems.sort();
    let salvaged = read.and_then(|(mut value, document)| {
        let mut absent = BTreeSet::new();
        salvage::prune(&mut value, schema, &mut absent);
        let value = serde_json::from_value(value).ok()?;
        Some(Salvaged { application: Parsed { value, document }, absent })
    });
    (problems, salvaged)
}

/// Reads an environment's file.
pub fn parse_environment(sources: &mut Sources, name: &str, text: &str) -> Result<Parsed<Environment>, Diagnostics> {
    parse(sources, name, text, ConfigSchema::environment())
}

/// Reads what an inventory answered.
pub fn parse_inventory(sources: &mut Sources, name: &str, text: &str) -> Result<Parsed<InventoryAnswer>, Diagnostics> {
    let parsed: Parsed<InventoryAnswer> = parse(sources, name, text, ConfigSchema::inventory())?;
    let mut problems = Diagnostics::default();
    for (name, target) in &parsed.value.targets {
        // Without an address the name is one. And no name may look like an option, of whatever it is given to.
        let usable = match &target.address {
            None => check_address(name.as_str()),
            Some(_) if name.as_str().starts_with('-') => Err(IdError::Dash { what: "a target name" }),
            Some(_) => Ok(()),
        };
        if let Err(error) = usable {
            let at = pointer::join("/targets", name.as_str());
            let message = format!("`{name}` can't be a target: {error}");
            problems.push(Diagnostic::error("target-name", message).at(parsed.document.key_place(&at), ""));
        }
    }
    if problems.has_errors() { Err(problems) } else { Ok(parsed) }
}

/// Reads a file of values. An empty one has none.
pub fn parse_dictionary(
    sources: &mut Sources,
    name: &str,
    text: &str,
) -> Result<Parsed<BTreeMap<String, Value>>, Diagnostics> {
    parse(sources, name, text, ConfigSchema::dictionary())
}

/// Returns what a plain YAML scalar means: a number, a truth value, nothing, or text.
pub fn parse_scalar(text: &str) -> Value {
    yaml::plain(text)
}

fn parse<T: DeserializeOwned>(
    sources: &mut Sources,
    name: &str,
    text: &str,
    schema: &ConfigSchema,
) -> Result<Parsed<T>, Diagnostics> {
    let (mut problems, read) = read(sources, name, text, schema);
    if let Some((value, document)) = read
        && !problems.has_errors()
    {
        match serde_json::from_value(value) {
            Ok(value) => return Ok(Parsed { value, document }),
            // The schema describes the types, so this is for what it can't say.
            Err(error) => problems.push(
                Diagnostic::error("invalid", format!("{}: {error}", schema.what))
                    .at(document.place(""), "in this file"),
            ),
        }
    }
    problems.sort();
    Err(problems)
}

/// Returns what is wrong in a file, and its value if it is YAML at all.
fn read(
    sources: &mut Sources,
    name: &str,
    text: &str,
    schema: &ConfigSchema,
) -> (Diagnostics, Option<(Value, Document)>) {
    let text: Arc<str> = Arc::from(text);
    let source = sources.add(name, Arc::clone(&text));
    let mut problems = Diagnostics::default();
    let (root, faults) = yaml::read(&text);
    let unreadable = root.is_none() && !faults.is_empty();
    for fault in faults {
        problems.push(fault_diagnostic(source, fault));
    }
    if unreadable {
        return (problems, None);
    }
    let mut document = Document::new(source, text);
    let mut value = match root {
        Some(root) => to_value(root, None, &mut String::new(), &mut document),
        None => {
            document.insert("", Place { value: 0..0, key: None, style: Style::Plain });
            Value::Null
        }
    };
    schema.properties.coerce(&mut value);
    for finding in schema.properties.findings(&value) {
        problems.push(finding_diagnostic(&document, finding));
    }
    (problems, Some((value, document)))
}

fn fault_diagnostic(source: SourceId, fault: Fault) -> Diagnostic {
    let span = |range: std::ops::Range<usize>| Span { source, start: range.start, end: range.end };
    let mut diagnostic = Diagnostic::error(fault.code, fault.message).at(span(fault.range), "");
    if let Some((range, text)) = fault.other {
        diagnostic = diagnostic.at(span(range), text);
    }
    match fault.hint {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    }
}

fn finding_diagnostic(document: &Document, finding: Finding) -> Diagnostic {
    let span = if finding.on_key { document.key_place(&finding.at) } else { document.place(&finding.at) };
    let diagnostic = Diagnostic::error(finding.code, finding.message).at(span, "");
    match finding.hint {
        Some(hint) => diagnostic.hint(hint),
        None => diagnostic,
    }
}

/// Turns a tree into a value and notes where everything in it stands.
fn to_value(node: Node, key: Option<std::ops::Range<usize>>, at: &mut String, document: &mut Document) -> Value {
    let length = at.len();
    let (value, style) = match node.content {
        Content::Scalar { text, style: Style::Plain } => (yaml::plain(&text), Style::Plain),
        Content::Scalar { text, style } => (Value::String(text), style),
        Content::List(items) => {
            let mut list = Vec::with_capacity(items.len());
            for (index, item) in items.into_iter().enumerate() {
                pointer::push(at, &index.to_string());
                list.push(to_value(item, None, at, document));
                at.truncate(length);
            }
            (Value::Array(list), Style::Collection)
        }
        Content::Map(entries) => {
            let mut map = Map::new();
            for entry in entries {
                pointer::push(at, &entry.key);
                let value = to_value(entry.value, Some(entry.key_range), at, document);
                map.insert(entry.key, value);
                at.truncate(length);
            }
            (Value::Object(map), Style::Collection)
        }
    };
    document.insert(at, Place { value: node.range, key, style });
    value
}
