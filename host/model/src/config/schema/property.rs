//! The schema of a kind's properties, with Launchway's own keywords.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use jsonschema::Validator;
use serde_json::{Map, Value};

use super::explain::{self, Finding};
use super::shape::Shapes;
use super::walk;
use super::writes::{Extent, Writes};
use crate::Problem;
use crate::config::pointer;

/// A JSON Schema for properties, ready to be used for any number of instances.
#[derive(Clone, Debug)]
pub struct PropertySchema {
    schema: Arc<Value>,
    validator: Arc<Validator>,
    sources: Vec<(String, SourceKind)>,
    writes: Vec<Writes>,
    shapes: Arc<Shapes>,
}

/// What a property's value names in the project.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceKind {
    /// A file.
    File,
    /// A file that is rendered for each target.
    Template,
    /// A folder, packed as a tar.
    Directory,
    /// An artifact of the release.
    Artifact,
}

/// Why a plugin's schema can't be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("the schema must be an object that describes an object")]
    NotAnObject,
    #[error("`$ref` at `{at}` points to `{reference}`, which is not in the schema")]
    Reference { at: String, reference: String },
    #[error("`{keyword}` at `{at}` must be {expected}")]
    Keyword { at: String, keyword: &'static str, expected: &'static str },
    #[error("the schema has too many different places")]
    TooLarge,
    #[error("not a valid JSON Schema at `{at}`: {message}")]
    Invalid { at: String, message: String },
}

impl PropertySchema {
    /// Takes a schema in, unless it is none or uses Launchway's keywords wrongly.
    pub fn new(schema: &Value) -> Result<Self, SchemaError> {
        check_document(schema)?;
        let top = walk::all_parts(schema, schema);
        if !walk::allows_type(schema, "object") {
            return Err(SchemaError::NotAnObject);
        }
        let mut sources = Vec::new();
        let mut writes = Vec::new();
        for name in property_names(&top) {
            let property = walk::members(schema, &top, name);
            if let Some(source) = property.iter().find_map(|part| source_kind(part.get("source")?)) {
                sources.push((name.to_owned(), source));
            }
            if let Some(extent) = property.iter().find_map(|part| Extent::read(part.get("writes")?).ok()?) {
                writes.push(Writes { property: name.to_owned(), extent });
            }
        }
        let validator = Arc::new(build(schema)?);
        let shapes = Arc::new(Shapes::new(schema).ok_or(SchemaError::TooLarge)?);
        Ok(Self { schema: Arc::new(schema.clone()), validator, shapes, sources, writes })
    }

    /// Returns the schema's own text.
    pub fn schema(&self) -> &Value {
        &self.schema
    }

    /// Returns everything wrong with properties. Secrets may stand where the schema says `"secret": true`.
    pub fn check(&self, value: &Value) -> Vec<Problem> {
        self.findings(value).into_iter().map(Problem::from).collect()
    }

    /// Returns everything wrong, with codes and whether a key or a value is at fault.
    pub(in crate::config) fn findings(&self, value: &Value) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut masked = Vec::new();
        let value = if holds_secret(value) {
            let mut copy = value.clone();
            self.mask(&mut copy, &mut String::new(), &mut masked, &mut findings);
            Cow::Owned(copy)
        } else {
            Cow::Borrowed(value)
        };
        if self.validator.is_valid(&value) {
            return findings;
        }
        let mut wrong = explain::explain(&self.schema, self.validator.iter_errors(&value));
        // What a secret's value looks like is not known here.
        wrong.retain(|finding| !masked.contains(&finding.at));
        findings.extend(wrong);
        findings
    }

    /// Replaces secrets by a text; notes where they were, and which of them can't be there.
    fn mask(&self, value: &mut Value, at: &mut String, masked: &mut Vec<String>, findings: &mut Vec<Finding>) {
        if is_secret(value) {
            if !self.may_hold_secret(at) {
                findings.push(Finding {
                    at: at.clone(),
                    on_key: false,
                    code: "secret-place",
                    message: match pointer::last(at) {
                        Some(name) => format!("`{name}` can't hold a secret"),
                        None => "a secret can't stand here".to_owned(),
                    },
                    hint: Some(
                        "secrets go where the type's documentation says so, such as `env` or `stdin`".to_owned(),
                    ),
                });
            }
            masked.push(at.clone());
            *value = Value::String("secret".to_owned());
            return;
        }
        let length = at.len();
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    pointer::push(at, &index.to_string());
                    self.mask(item, at, masked, findings);
                    at.truncate(length);
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    pointer::push(at, name);
                    self.mask(member, at, masked, findings);
                    at.truncate(length);
                }
            }
            _ => {}
        }
    }

    /// Turns numbers and truth values into text where text is wanted, and nothing into an empty mapping or list.
    pub fn coerce(&self, value: &mut Value) {
        self.shapes.coerce(value);
    }

    /// Fills in the schema's defaults for what is not given.
    pub fn apply_defaults(&self, value: &mut Value) {
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
        self.shapes.apply_defaults(&self.schema, value);
    }

    /// Whether a difference at a place is a reason to deploy again.
    pub fn is_trigger(&self, pointer: &str) -> bool {
        !self.shapes.is_no_trigger(pointer)
    }

    /// Whether secrets may stand at a place.
    pub fn may_hold_secret(&self, pointer: &str) -> bool {
        self.shapes.is_secret(pointer)
    }

    /// Returns the top-level properties that name something of the project, sorted.
    pub fn sources(&self) -> &[(String, SourceKind)] {
        &self.sources
    }

    /// Returns the top-level properties that are paths on the target which the instance owns, sorted.
    pub fn writes(&self) -> &[Writes] {
        &self.writes
    }
}

impl From<Finding> for Problem {
    fn from(finding: Finding) -> Self {
        Self { at: finding.at, on_key: finding.on_key, message: finding.message, hint: finding.hint }
    }
}

/// Compiles a schema. Formats are the model's own names; others are for documentation.
fn build(schema: &Value) -> Result<Validator, SchemaError> {
    let mut options = jsonschema::draft202012::options().should_validate_formats(true);
    for (format, check) in crate::id::FORMATS {
        options = options.with_format(*format, |text: &str| check(text).is_ok());
    }
    options =
        options.with_format(super::explain::SELECTOR, |text: &str| text.parse::<crate::config::Selector>().is_ok());
    options.build(schema).map_err(|error| SchemaError::Invalid {
        at: error.instance_path().to_string(),
        message: error.masked().to_string(),
    })
}

/// Checks references and Launchway's keywords everywhere in a schema.
fn check_document(schema: &Value) -> Result<(), SchemaError> {
    if !schema.is_object() {
        return Err(SchemaError::NotAnObject);
    }
    let mut parts = HashSet::new();
    walk::every(schema, &mut String::new(), &mut |_, part| {
        parts.insert(std::ptr::from_ref(part));
    });
    let mut error = None;
    walk::every(schema, &mut String::new(), &mut |at, part| {
        if error.is_none() {
            error = check_part(schema, &parts, at, part).err();
        }
    });
    error.map_or(Ok(()), Err)
}

fn check_part(root: &Value, parts: &HashSet<*const Value>, at: &str, part: &Value) -> Result<(), SchemaError> {
    if let Some(reference) = part.get("$ref") {
        let reference = reference.as_str().unwrap_or_default();
        let target = walk::resolve(root, reference);
        if !target.is_some_and(|target| parts.contains(&std::ptr::from_ref(target))) {
            return Err(SchemaError::Reference { at: at.to_owned(), reference: reference.to_owned() });
        }
    }
    for keyword in ["trigger", "secret"] {
        if part.get(keyword).is_some_and(|value| !value.is_boolean()) {
            return Err(SchemaError::Keyword { at: at.to_owned(), keyword, expected: "true or false" });
        }
    }
    if part.get("writes").is_some_and(|value| Extent::read(value).is_err()) {
        return Err(SchemaError::Keyword { at: at.to_owned(), keyword: "writes", expected: Extent::EXPECTED });
    }
    if part.get("source").is_some_and(|value| source_kind(value).is_none()) {
        let expected = "`file`, `template`, `directory` or `artifact`";
        return Err(SchemaError::Keyword { at: at.to_owned(), keyword: "source", expected });
    }
    Ok(())
}

fn source_kind(value: &Value) -> Option<SourceKind> {
    match value.as_str()? {
        "file" => Some(SourceKind::File),
        "template" => Some(SourceKind::Template),
        "directory" => Some(SourceKind::Directory),
        "artifact" => Some(SourceKind::Artifact),
        _ => None,
    }
}

/// Returns the names of all properties that some schemas describe, sorted.
pub(super) fn property_names<'a>(schemas: &[&'a Value]) -> Vec<&'a str> {
    let mut names: Vec<&str> = schemas
        .iter()
        .filter_map(|part| part.get("properties")?.as_object())
        .flat_map(|properties| properties.keys().map(String::as_str))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a value is a secret's reference, or a text with secrets in it.
fn is_secret(value: &Value) -> bool {
    match value {
        Value::Object(members) if members.len() == 1 => {
            members.get("$secret").is_some_and(Value::is_string) || members.get("$parts").is_some_and(Value::is_array)
        }
        _ => false,
    }
}

/// Whether there is a secret anywhere in a value.
fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(holds_secret),
        Value::Object(members) => is_secret(value) || members.values().any(holds_secret),
        _ => false,
    }
}
