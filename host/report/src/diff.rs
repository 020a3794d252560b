//! What differs between two property values or two texts, and how a value is shown.

use serde::Serialize;
use serde_json::Value;
use similar::TextDiff;

use crate::sanitise::{inline, sanitise};
use crate::style::Paint;

/// The longest value shown on one line, in characters.
const VALUE_LIMIT: usize = 60;
/// The most lines of a text diff that are shown.
const DIFF_LINES: usize = 40;

/// A leaf that differs.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Difference {
    /// JSON Pointer.
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

/// Returns the leaves that differ, by path.
pub fn differences(old: &Value, new: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    collect(String::new(), Some(old), Some(new), &mut found);
    found
}

fn collect(path: String, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<Difference>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Some(Value::Object(a)), Some(Value::Object(b))) if !is_secret(a) && !is_secret(b) => {
            let only_new = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(only_new) {
                collect(format!("{path}/{}", escape(key)), a.get(key), b.get(key), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                collect(format!("{path}/{i}"), Some(a), Some(b), found);
            }
        }
        // The whole properties are missing on one side: each of them is a difference of its own.
        (None | Some(Value::Null), Some(Value::Object(b))) if path.is_empty() => {
            b.iter().for_each(|(key, value)| collect(format!("/{}", escape(key)), None, Some(value), found));
        }
        (Some(Value::Object(a)), None | Some(Value::Null)) if path.is_empty() => {
            a.iter().for_each(|(key, value)| collect(format!("/{}", escape(key)), Some(value), None, found));
        }
        _ => found.push(Difference { path, old: old.cloned(), new: new.cloned() }),
    }
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn is_secret(object: &serde_json::Map<String, Value>) -> bool {
    object.contains_key("$secret") || object.contains_key("$parts")
}

/// Returns a pointer as people write it: `env.PATH`.
pub(crate) fn path_text(pointer: &str) -> String {
    let parts: Vec<String> =
        pointer.split('/').skip(1).map(|part| inline(&part.replace("~1", "/").replace("~0", "~"))).collect();
    parts.join(".")
}

/// Returns a value for people, on one line; secrets as `(secret NAME)`.
pub(crate) fn value_text(value: &Value) -> String {
    let text = match value {
        Value::String(text) => format!("\"{}\"", text.escape_default_printable()),
        other => plain_text(other),
    };
    shorten(&inline(&text))
}

trait EscapePrintable {
    fn escape_default_printable(&self) -> String;
}

impl EscapePrintable for str {
    /// Escapes quotes and what is no printable character, and leaves letters of any language alone.
    fn escape_default_printable(&self) -> String {
        let mut out = String::with_capacity(self.len());
        for c in self.chars() {
            if c.is_control() || c == '"' || c == '\\' {
                out.extend(c.escape_default());
            } else {
                out.push(c);
            }
        }
        out
    }
}

fn plain_text(value: &Value) -> String {
    match value {
        Value::Object(object) => match (object.get("$secret"), object.get("$parts")) {
            (Some(Value::String(name)), _) => format!("(secret {name})"),
            (_, Some(Value::Array(parts))) => parts
                .iter()
                .map(|part| part.as_str().map_or_else(|| plain_text(part), str::to_owned))
                .collect::<Vec<_>>()
                .concat(),
            _ => {
                let entries: Vec<String> = object.iter().map(|(k, v)| format!("{k}: {}", plain_text(v))).collect();
                format!("{{{}}}", entries.join(", "))
            }
        },
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(plain_text).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

/// Cuts the middle out of what is too long.
pub(crate) fn shorten(text: &str) -> String {
    let count = text.chars().count();
    if count <= VALUE_LIMIT {
        return text.to_owned();
    }
    let head: String = text.chars().take(VALUE_LIMIT * 2 / 3).collect();
    let tail: String = text.chars().skip(count - VALUE_LIMIT / 4).collect();
    format!("{head}…{tail}")
}

/// Returns the lines of a unified diff between two texts, painted, at most [`DIFF_LINES`] of them.
pub(crate) fn text_diff(old: &str, new: &str, paint: Paint) -> Vec<String> {
    let (old, new) = (show_secrets(old), show_secrets(new));
    let diff = TextDiff::from_lines(&old, &new);
    let unified = diff.unified_diff().context_radius(2).missing_newline_hint(false).to_string();
    let mut lines: Vec<String> = Vec::new();
    let all: Vec<&str> = unified.lines().collect();
    for line in all.iter().take(DIFF_LINES) {
        let line = sanitise(line.as_bytes());
        lines.push(match line.chars().next() {
            Some('+') => paint.green(line),
            Some('-') => paint.red(line),
            Some('@') => paint.cyan(line),
            _ => line,
        });
    }
    if all.len() > DIFF_LINES {
        lines.push(format!("… {} more lines", all.len() - DIFF_LINES));
    }
    lines
}

/// Replaces the markers that rendered files carry for secrets.
fn show_secrets(text: &str) -> String {
    text.replace("\u{2}secret:", "(secret ").replace('\u{3}', ")")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_leaves_and_keeps_secrets_whole() {
        let old = json!({ "a": 1, "env": { "X/Y": "1", "P": { "$secret": "p" } }, "list": [1, 2], "gone": true });
        let new = json!({ "a": 1, "env": { "X/Y": "2", "P": { "$secret": "q" } }, "list": [1, 3], "more": [] });
        let found: Vec<String> = differences(&old, &new).into_iter().map(|d| d.path).collect();
        assert_eq!(found, ["/env/P", "/env/X~1Y", "/gone", "/list/1", "/more"]);
        assert_eq!(path_text("/env/X~1Y"), "env.X/Y");
    }

    #[test]
    fn no_properties_at_all_against_some() {
        let found = differences(&Value::Null, &json!({ "a": 1, "b": 2 }));
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|d| d.old.is_none()));
    }

    #[test]
    fn values_for_people() {
        assert_eq!(value_text(&json!("a \"b\"\n\u{1b}[31m")), r#""a \"b\"\n\u{1b}[31m""#);
        assert_eq!(value_text(&json!({ "$parts": ["user:", { "$secret": "pw" }] })), "user:(secret pw)");
        assert_eq!(value_text(&json!({ "k": [1, "x"] })), r#"{k: [1, "x"]}"#);
        assert_eq!(value_text(&json!("ä".repeat(100))).chars().count(), 56);
    }

    #[test]
    fn text_diffs_are_bounded_and_show_no_markers() {
        let old: String = (0..200).map(|i| format!("line {i}\n")).collect();
        let lines = text_diff(&old, "pw=\u{2}secret:db\u{3}\n", Paint::default());
        assert_eq!(lines.len(), DIFF_LINES + 1);
        let lines = text_diff("a\nb\n", "a\npw=\u{2}secret:db\u{3}\n", Paint::default());
        assert_eq!(lines, ["@@ -1,2 +1,2 @@", " a", "-b", "+pw=(secret db)"]);
    }
}
