//! Secrets in values: references that stand for what nobody here ever sees.

use std::collections::BTreeSet;

use launchway_model::SecretName;
use serde_json::{Value, json};

/// Begins a secret's marker in rendered text; `\u{3}` ends it.
pub(crate) const MARK: char = '\u{2}';
const MARK_END: char = '\u{3}';
const WORD: &str = "secret:";

/// Returns what stands for a secret in properties.
pub(crate) fn reference(name: &str) -> Value {
    json!({ "$secret": name })
}

/// Returns what stands for a secret in rendered text.
pub(crate) fn marker(name: &str) -> String {
    format!("{MARK}{WORD}{name}{MARK_END}")
}

/// Returns the pieces of a value that is a secret or a text with secrets; none of any other value.
pub(crate) fn pieces(value: &Value) -> Option<Vec<Value>> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    if members.get("$secret").is_some_and(Value::is_string) {
        return Some(vec![value.clone()]);
    }
    members.get("$parts")?.as_array().cloned()
}

/// Joins texts and secrets into one value: a text if there is no secret in it.
pub(crate) fn join(pieces: Vec<Value>) -> Value {
    let mut joined: Vec<Value> = Vec::new();
    for piece in pieces {
        match (joined.last_mut(), piece) {
            (_, Value::String(text)) if text.is_empty() => {}
            (Some(Value::String(before)), Value::String(text)) => before.push_str(&text),
            (_, piece) => joined.push(piece),
        }
    }
    match joined.len() {
        0 => Value::from(""),
        1 => joined.swap_remove(0),
        _ => json!({ "$parts": joined }),
    }
}

/// Adds the names of all secrets in a value.
pub(crate) fn collect(value: &Value, names: &mut BTreeSet<SecretName>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::Object(members) => {
            if members.len() == 1
                && let Some(name) = members.get("$secret").and_then(Value::as_str)
                && let Ok(name) = SecretName::new(name)
            {
                names.insert(name);
            }
            members.values().for_each(|member| collect(member, names));
        }
        _ => {}
    }
}

/// Returns the value as templates see it: secrets are markers. None if a text holds a marker's character.
pub(crate) fn with_markers(value: &Value) -> Option<Value> {
    if let Some(pieces) = pieces(value) {
        let mut text = String::new();
        for piece in &pieces {
            match piece.as_object().and_then(|members| members.get("$secret")).and_then(Value::as_str) {
                Some(name) => text.push_str(&marker(name)),
                None => text.push_str(piece.as_str().filter(|text| !text.contains(MARK))?),
            }
        }
        return Some(Value::String(text));
    }
    match value {
        Value::String(text) => (!text.contains(MARK)).then(|| value.clone()),
        Value::Array(items) => items.iter().map(with_markers).collect(),
        Value::Object(members) => {
            let members = members.iter().map(|(key, member)| Some((key.clone(), with_markers(member)?)));
            members.collect::<Option<_>>().map(Value::Object)
        }
        other => Some(other.clone()),
    }
}

/// Returns the secrets whose markers are in a rendered text; none if a marker was damaged.
pub(crate) fn in_text(text: &str, declared: impl Fn(&str) -> bool) -> Option<BTreeSet<SecretName>> {
    let mut names = BTreeSet::new();
    let mut pieces = text.split(MARK);
    // Before the first marker.
    pieces.next();
    for piece in pieces {
        let (name, _) = piece.strip_prefix(WORD)?.split_once(MARK_END)?;
        if !declared(name) {
            return None;
        }
        names.insert(SecretName::new(name).ok()?);
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_secrets_join() {
        let secret = reference("db");
        assert_eq!(join(vec![]), json!(""));
        assert_eq!(join(vec![json!("a"), json!(""), json!("b")]), json!("ab"));
        assert_eq!(join(vec![json!(""), secret.clone()]), secret);
        assert_eq!(
            join(vec![json!("u:"), json!("x"), secret.clone(), json!("@")]),
            json!({ "$parts": ["u:x", secret, "@"] })
        );
    }

    #[test]
    fn markers_are_read_back_and_damaged_ones_refused() {
        let text = format!("a {} b {}", marker("x y"), marker("z"));
        let names = in_text(&text, |_| true).unwrap();
        assert_eq!(names.iter().map(SecretName::as_str).collect::<Vec<_>>(), ["x y", "z"]);
        assert!(in_text(&text, |name| name == "z").is_none());
        assert!(in_text(&text.to_uppercase(), |_| true).is_none());
        assert!(in_text(&text[..text.len() - 1], |_| true).is_none());
        assert!(in_text("none", |_| false).unwrap().is_empty());
    }

    #[test]
    fn templates_see_markers_and_no_forged_ones() {
        let value = json!({ "a": { "$parts": ["u:", { "$secret": "s" }] }, "b": [{ "$secret": "s" }, 1] });
        let marked = marker("s");
        assert_eq!(with_markers(&value).unwrap(), json!({ "a": format!("u:{marked}"), "b": [marked, 1] }));
        assert_eq!(with_markers(&json!(["\u{2}secret:s\u{3}"])), None);
    }
}
