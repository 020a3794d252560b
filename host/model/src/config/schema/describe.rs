//! Words for values, types and limits.

use std::fmt::Display;

use jsonschema::JsonType;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use crate::config::parse_scalar;

/// Joins alternatives: `a, b or c`.
pub(super) fn or(items: &[impl Display]) -> String {
    join(items, "or")
}

/// Joins a list: `a, b and c`.
pub(super) fn and(items: &[impl Display]) -> String {
    join(items, "and")
}

fn join(items: &[impl Display], word: &str) -> String {
    match items {
        [] => String::new(),
        [only] => only.to_string(),
        [head @ .., last] => {
            let head: Vec<String> = head.iter().map(ToString::to_string).collect();
            format!("{} {word} {last}", head.join(", "))
        }
    }
}

pub(super) fn json_type(json_type: JsonType) -> &'static str {
    match json_type {
        JsonType::Null => "nothing",
        JsonType::Boolean => "`true` or `false`",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "text",
        JsonType::Array => "a list",
        JsonType::Object => "a mapping",
    }
}

/// Says what a value is, without all of it.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(truth) => format!("`{truth}`"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.is_empty() => "an empty text".to_owned(),
        Value::String(text) => format!("the text `{}`", shortened(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}

/// Returns a value as a choice is written.
pub(super) fn choice(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Cuts a text down to what fits into a message.
pub(super) fn shortened(text: &str) -> String {
    const LIMIT: usize = 40;
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() > LIMIT || line.len() < text.len() {
        format!("{}…", line.chars().take(LIMIT).collect::<String>())
    } else {
        line.to_owned()
    }
}

/// Returns what to do about a value of the wrong type, where that is easy to say.
pub(super) fn type_hint(expected: &[JsonType], value: &Value) -> Option<String> {
    let wants = |one| expected.contains(&one);
    match value {
        Value::String(text) if wants(JsonType::Integer) || wants(JsonType::Number) => {
            if parse_scalar(text).is_number() {
                Some("remove the quotes".to_owned())
            } else if text.parse::<f64>().is_ok() {
                Some("write the number plainly, in decimal digits without leading zeros".to_owned())
            } else {
                None
            }
        }
        Value::String(text) if wants(JsonType::Boolean) => match text.to_lowercase().as_str() {
            "yes" | "on" | "true" | "y" => Some("write `true`, without quotes".to_owned()),
            "no" | "off" | "false" | "n" => Some("write `false`, without quotes".to_owned()),
            _ => None,
        },
        Value::Array(_) => None,
        Value::Object(_) if wants(JsonType::String) => {
            Some("put a text that begins with `{` or contains `: ` in quotes".to_owned())
        }
        _ if wants(JsonType::Array) => {
            Some("write a list in brackets, `[…]`, or with `- ` before each item".to_owned())
        }
        _ => None,
    }
}

/// Says which limit a value breaks.
pub(super) fn limit(kind: &Kind, value: &Value) -> Option<String> {
    let found = self::value(value);
    let items = |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    Some(match kind {
        Kind::Minimum { limit } => format!("expected at least {limit}, found {found}"),
        Kind::Maximum { limit } => format!("expected at most {limit}, found {found}"),
        Kind::ExclusiveMinimum { limit } => format!("expected more than {limit}, found {found}"),
        Kind::ExclusiveMaximum { limit } => format!("expected less than {limit}, found {found}"),
        Kind::MultipleOf { multiple_of } => format!("expected a multiple of {multiple_of}, found {found}"),
        Kind::MinLength { limit: 1 } => "this text can't be empty".to_owned(),
        Kind::MinLength { limit } => {
            format!("expected at least {}, found {found}", items(*limit, "character", "characters"))
        }
        Kind::MaxLength { limit } => {
            format!("expected at most {}, found {found}", items(*limit, "character", "characters"))
        }
        Kind::MinItems { limit: 1 } => "this list can't be empty".to_owned(),
        Kind::MinItems { limit } => format!("expected at least {}", items(*limit, "item", "items")),
        Kind::MaxItems { limit } => format!("expected at most {}", items(*limit, "item", "items")),
        Kind::MinProperties { limit: 1 } => "this mapping can't be empty".to_owned(),
        Kind::MinProperties { limit } => format!("expected at least {}", items(*limit, "property", "properties")),
        Kind::MaxProperties { limit } => format!("expected at most {}", items(*limit, "property", "properties")),
        Kind::UniqueItems => "the items of this list must differ from each other".to_owned(),
        Kind::Pattern { pattern } => match form(pattern) {
            Some(form) => format!("expected {form}, found {found}"),
            None => format!("{found} is not written as it has to be"),
        },
        Kind::FalseSchema => "nothing is allowed here".to_owned(),
        Kind::AdditionalItems { limit } => format!("expected at most {}", items(*limit as u64, "item", "items")),
        _ => return None,
    })
}

/// Returns what plugins' patterns mean.
fn form(pattern: &str) -> Option<&'static str> {
    Some(match pattern {
        "^/" => "an absolute path",
        "^([0-9]+|([0-9]+(ms|s|m|h|d))+)$" => "a time such as `30s` or `1m30s`",
        "^(0o?)?[0-7]{3,4}$" => "permission bits in octal, such as `\"0640\"`",
        "^([1-5][xX]{2}|[1-5][0-9]{2}( *- *[1-5][0-9]{2})?)$" => "status codes such as `200`, `2xx` or `200-299`",
        _ => return None,
    })
}
