//! JSON for machines that is harmless for the terminals and CI logs it may pass through.

use serde::Serialize;

/// The version of every JSON document and stream. It is the first key of each.
pub const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Document<'a, T: Serialize> {
    schema: u32,
    #[serde(flatten)]
    body: &'a T,
}

/// Returns a document with its schema version first, indented, with a line end.
pub fn document(body: &impl Serialize) -> String {
    let document = Document { schema: SCHEMA, body };
    finish(serde_json::to_string_pretty(&document).expect("plain data with text keys is always JSON"))
}

/// Returns one line of a stream, with its line end.
pub fn line(body: &impl Serialize) -> String {
    finish(serde_json::to_string(body).expect("plain data with text keys is always JSON"))
}

/// Escapes what a terminal or a CI server could act on.
///
/// `#` and the characters below stand in JSON only inside of texts, where an escape means the same character: readers
/// get the exact data. `::` needs nothing, since no line begins with it.
fn finish(json: String) -> String {
    let mut out = String::with_capacity(json.len() + 1);
    let mut previous = ' ';
    for c in json.chars() {
        match c {
            '#' if previous == '#' => out.push_str("\\u0023"),
            '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
        previous = c;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_schema_comes_first() {
        assert!(document(&json!({ "a": 1 })).starts_with("{\n  \"schema\": 1,\n  \"a\": 1"));
    }

    #[test]
    fn commands_are_escaped_and_data_is_exact() {
        let text = "##vso[x] \u{9b}31m ::x";
        let line = line(&json!({ "t": text }));
        assert!(!line.contains("##") && !line.contains('\u{9b}'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap()["t"], text);
    }

    proptest! {
        #[test]
        fn any_text_survives(text in any::<String>()) {
            let line = line(&json!({ &text: &text }));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), json!({ &text: &text }));
            prop_assert!(line.trim_end().chars().all(|c| !c.is_control()));
        }
    }
}
