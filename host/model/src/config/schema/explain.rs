//! A validator's errors in words for people.

use std::collections::BTreeSet;

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use super::property::property_names;
use super::{describe, walk};
use crate::config::{Selector, pointer};
use crate::suggest::closest;

/// The format of selectors.
pub(super) const SELECTOR: &str = "launchway-selector";

/// Something wrong in a value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::config) struct Finding {
    /// JSON Pointer into the value.
    pub(in crate::config) at: String,
    /// The key is at fault, or what should be beside it, not the value.
    pub(in crate::config) on_key: bool,
    pub(in crate::config) code: &'static str,
    pub(in crate::config) message: String,
    pub(in crate::config) hint: Option<String>,
}

/// Translates all errors, sorted by place.
pub(super) fn explain<'e>(root: &Value, errors: impl Iterator<Item = ValidationError<'e>>) -> Vec<Finding> {
    let errors: Vec<ValidationError<'e>> = errors.collect();
    let mut explainer = Explainer { root, findings: Vec::new() };
    explainer.all(&errors);
    explainer.findings.sort();
    explainer.findings.dedup();
    explainer.findings
}

struct Explainer<'a> {
    root: &'a Value,
    findings: Vec<Finding>,
}

impl<'a> Explainer<'a> {
    /// Takes errors in, leaving out those that only repeat others: a wrong type is no wrong length.
    fn all(&mut self, errors: &[ValidationError<'_>]) {
        let places = |wanted: fn(&Kind) -> bool| -> BTreeSet<&str> {
            errors.iter().filter(|error| wanted(error.kind())).map(|error| error.instance_path().as_str()).collect()
        };
        let wrong_type = places(|kind| matches!(kind, Kind::Type { .. }));
        let wrong_format = places(|kind| matches!(kind, Kind::Format { .. }));
        for error in errors {
            let at = error.instance_path().as_str();
            let repeats = match error.kind() {
                Kind::Type { .. } => false,
                Kind::MinLength { .. } | Kind::MaxLength { .. } | Kind::Pattern { .. } => {
                    wrong_format.contains(at) || wrong_type.contains(at)
                }
                _ => wrong_type.contains(at),
            };
            if !repeats {
                self.one(error);
            }
        }
    }

    fn one(&mut self, error: &ValidationError<'_>) {
        let value: &Value = error.instance();
        match error.kind() {
            Kind::Type { kind } => {
                let expected = expected_types(kind);
                self.wrong_type(error, &expected);
            }
            Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
                let known = self.known_properties(error);
                for name in unexpected {
                    self.unknown_property(error, name, &known);
                }
            }
            Kind::Required { property } => {
                let name = property.as_str().unwrap_or_default();
                let hint = self.property_description(error, name);
                self.add(error, true, "missing-key", format!("missing property `{name}`"), hint);
            }
            Kind::Enum { options } => {
                let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
                self.wrong_choice(error, options.iter());
            }
            Kind::Constant { expected_value } => self.wrong_choice(error, std::iter::once(&**expected_value)),
            Kind::AnyOf { context } | Kind::OneOfNotValid { context } => self.alternatives(error, context),
            Kind::OneOfMultipleValid { .. } => {
                let message = "this fits several alternatives at once";
                self.add(error, false, "ambiguous", message, self.description(error));
            }
            Kind::PropertyNames { error: inner } => {
                let name = inner.instance().as_str().unwrap_or_default().to_owned();
                let before = self.findings.len();
                self.one(inner);
                for finding in &mut self.findings[before..] {
                    finding.at = pointer::join(error.instance_path().as_str(), &name);
                    finding.on_key = true;
                }
            }
            Kind::Format { format } => {
                let text = value.as_str().unwrap_or_default();
                let message = format_message(format, text);
                self.add(error, false, "invalid", message, format_hint(format));
            }
            other => {
                let hint = self.description(error).or_else(|| match other {
                    Kind::Pattern { pattern } => Some(format!("the plugin's pattern is `{pattern}`")),
                    _ => None,
                });
                let message =
                    describe::limit(other, value).unwrap_or_else(|| error.masked_with("the value").to_string());
                self.add(error, false, "invalid", message, hint);
            }
        }
    }

    fn wrong_type(&mut self, error: &ValidationError<'_>, expected: &[JsonType]) {
        let value: &Value = error.instance();
        // That a value may be left empty is no advice.
        let something = |one: &&JsonType| **one != JsonType::Null || expected.len() == 1;
        let wanted: Vec<&str> = expected.iter().filter(something).map(|one| describe::json_type(*one)).collect();
        let message = format!("expected {}, found {}", describe::or(&wanted), describe::value(value));
        self.add(error, false, "wrong-type", message, describe::type_hint(expected, value));
    }

    fn wrong_choice<'v>(&mut self, error: &ValidationError<'_>, options: impl Iterator<Item = &'v Value>) {
        let value: &Value = error.instance();
        let options: Vec<String> = options.map(describe::choice).collect();
        let quoted: Vec<String> = options.iter().map(|option| format!("`{option}`")).collect();
        let wanted = match quoted.as_slice() {
            [only] => only.clone(),
            several => format!("one of {}", describe::or(several)),
        };
        let message = format!("expected {wanted}, found {}", describe::value(value));
        let near = value.as_str().and_then(|text| closest(text, options.iter().map(String::as_str)));
        self.add(error, false, "wrong-choice", message, near.map(did_you_mean));
    }

    fn unknown_property(&mut self, error: &ValidationError<'_>, name: &str, known: &[&str]) {
        let hint = match closest(name, known.iter().copied()) {
            Some(near) => Some(did_you_mean(near)),
            None if known.is_empty() => None,
            None if known.len() <= 12 => {
                let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
                Some(format!("there {} {}", if known.len() == 1 { "is only" } else { "are" }, describe::and(&known)))
            }
            None => None,
        };
        self.findings.push(Finding {
            at: pointer::join(error.instance_path().as_str(), name),
            on_key: true,
            code: "unknown-key",
            message: format!("unknown property `{}`", describe::shortened(name)),
            hint,
        });
    }

    /// Explains why none of several alternatives fits, by the one that was most likely meant.
    fn alternatives(&mut self, error: &ValidationError<'_>, branches: &[Vec<ValidationError<'static>>]) {
        let at = error.instance_path().as_str();
        let here = |other: &ValidationError<'_>| other.instance_path().as_str() == at;
        let mut types = Vec::new();
        let mut choices = Vec::new();
        let mut fitting = Vec::new();
        for (index, branch) in branches.iter().enumerate() {
            let mut shape_fits = true;
            for other in branch.iter().filter(|other| here(other)) {
                match other.kind() {
                    Kind::Type { kind } => {
                        types.extend(expected_types(kind));
                        shape_fits = false;
                    }
                    Kind::Constant { expected_value } => choices.push(expected_value.as_ref().clone()),
                    Kind::Enum { options } => choices.extend(options.as_array().cloned().unwrap_or_default()),
                    _ => continue,
                }
            }
            if shape_fits {
                fitting.push((index, branch));
            }
        }
        if !choices.is_empty() && fitting.iter().all(|(_, branch)| branch.iter().any(|other| is_choice(other, at))) {
            return self.wrong_choice(error, choices.iter());
        }
        if fitting.is_empty() {
            types.sort_unstable();
            types.dedup();
            return self.wrong_type(error, &types);
        }
        if self.tagged(error, &fitting) {
            return;
        }
        let best = fitting.iter().min_by_key(|(index, branch)| (branch_distance(branch, at), *index));
        if let Some((_, branch)) = best {
            self.all(branch);
        }
    }

    /// Explains mappings of which exactly one of several keys must be there; says whether it was one.
    fn tagged(&mut self, error: &ValidationError<'_>, fitting: &[(usize, &Vec<ValidationError<'static>>)]) -> bool {
        let Value::Object(members) = error.instance().as_ref() else { return false };
        let Some(schemas) = self.root.pointer(error.schema_path().as_str()).and_then(Value::as_array) else {
            return false;
        };
        let tags: Option<Vec<&str>> = fitting.iter().map(|(index, _)| single_key(schemas.get(*index)?)).collect();
        let Some(tags) = tags else { return false };
        if tags.len() < 2 {
            return false;
        }
        let quoted: Vec<String> = tags.iter().map(|tag| format!("`{tag}`")).collect();
        let present: Vec<&str> = tags.iter().copied().filter(|tag| members.contains_key(*tag)).collect();
        for name in members.keys().filter(|name| !tags.contains(&name.as_str())) {
            self.unknown_property(error, name, &tags);
        }
        match present.as_slice() {
            [] if members.is_empty() => {
                let message = format!("expected one of the properties {}", describe::or(&quoted));
                self.add(error, true, "missing-key", message, None);
            }
            [] => {}
            [only] => {
                let branch = fitting.iter().zip(&tags).find(|(_, tag)| *tag == only).map(|((_, branch), _)| *branch);
                let deeper = |other: &&ValidationError<'static>| other.instance_path() != error.instance_path();
                for other in branch.into_iter().flatten().filter(deeper) {
                    self.one(other);
                }
            }
            several => {
                let several: Vec<String> = several.iter().map(|tag| format!("`{tag}`")).collect();
                let message = format!("only one of {} can be given", describe::and(&several));
                self.add(error, true, "ambiguous", message, None);
            }
        }
        true
    }

    /// Returns the property names of the schema that an error's keyword belongs to.
    fn known_properties(&self, error: &ValidationError<'_>) -> Vec<&'a str> {
        let Some(schema) = self.schema_of(error) else { return Vec::new() };
        property_names(&walk::all_parts(self.root, schema))
    }

    fn property_description(&self, error: &ValidationError<'_>, name: &str) -> Option<String> {
        let schema = self.schema_of(error)?;
        let parts = walk::members(self.root, &walk::all_parts(self.root, schema), name);
        parts
            .iter()
            .find_map(|part| part.get("description")?.as_str())
            .map(|text| format!("`{name}`: {}", first_sentence(text)))
    }

    /// Returns what the schema says of the value that an error is about.
    fn description(&self, error: &ValidationError<'_>) -> Option<String> {
        Some(first_sentence(self.schema_of(error)?.get("description")?.as_str()?))
    }

    fn schema_of(&self, error: &ValidationError<'_>) -> Option<&'a Value> {
        self.root.pointer(pointer::parent(error.schema_path().as_str())?)
    }

    fn add(
        &mut self,
        error: &ValidationError<'_>,
        on_key: bool,
        code: &'static str,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        let at = error.instance_path().as_str().to_owned();
        self.findings.push(Finding { at, on_key, code, message: message.into(), hint });
    }
}

fn did_you_mean(near: &str) -> String {
    format!("did you mean `{near}`?")
}

fn expected_types(kind: &TypeKind) -> Vec<JsonType> {
    match kind {
        TypeKind::Single(only) => vec![*only],
        TypeKind::Multiple(several) => several.iter().collect(),
    }
}

fn is_choice(error: &ValidationError<'_>, at: &str) -> bool {
    error.instance_path().as_str() == at && matches!(error.kind(), Kind::Constant { .. } | Kind::Enum { .. })
}

/// Returns how unlikely it is that an alternative was meant: wrong constants and unknown keys weigh most.
fn branch_distance(branch: &[ValidationError<'static>], at: &str) -> usize {
    branch
        .iter()
        .map(|error| match error.kind() {
            Kind::AdditionalProperties { unexpected } => 4 * unexpected.len(),
            Kind::Constant { .. } => 8,
            Kind::PropertyNames { .. } => 8,
            Kind::Required { .. } if error.instance_path().as_str() == at => 3,
            _ => 1,
        })
        .sum()
}

/// Returns the one key of a mapping that a schema allows and requires.
fn single_key(schema: &Value) -> Option<&str> {
    match (schema.get("required")?.as_array()?.as_slice(), schema.get("properties")?.as_object()?.len()) {
        ([only], 1) => only.as_str(),
        _ => None,
    }
}

fn format_message(format: &str, text: &str) -> String {
    if format == SELECTOR {
        return text.parse::<Selector>().err().map(|error| error.to_string()).unwrap_or_default();
    }
    let check = crate::id::FORMATS.iter().find(|(name, _)| *name == format).map(|(_, check)| check);
    match check.and_then(|check| check(text).err()) {
        Some(error) => error.to_string(),
        None => format!("`{}` is no valid {format}", describe::shortened(text)),
    }
}

/// Says how a value of a format looks, where its error doesn't.
fn format_hint(format: &str) -> Option<String> {
    let is_range = format == crate::VersionRange::FORMAT;
    is_range.then(|| "such as `>=1.4, <2`, `~1.4`, `=build-77` for exactly this one, or `*` for any".to_owned())
}

fn first_sentence(text: &str) -> String {
    let text = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    text.trim_end_matches('.').to_owned()
}
