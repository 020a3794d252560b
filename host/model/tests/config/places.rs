//! Places: of values, of keys, and inside of texts.

use launchway_model::config::{Document, parse_dictionary, pointer};
use launchway_model::{Sources, Span};
use proptest::prelude::*;

fn read(text: &str) -> Document {
    parse_dictionary(&mut Sources::default(), "d.yaml", text).expect("the text is fine").document
}

fn shown(text: &str, span: Option<Span>) -> &str {
    let span = span.expect("there is a place");
    &text[span.start..span.end]
}

#[test]
fn values_and_keys_are_found() {
    let text = "ä: 1\nmap: {\"a/b\": [x, 'y z'], c~d: {}}\nblock:\n  key: value # note\n  list:\n  - one\n  - two\nlast: |\n  text\n  more\n\n";
    let document = read(text);
    for (pointer, value) in [
        ("/ä", "1"),
        ("/map", "{\"a/b\": [x, 'y z'], c~d: {}}"),
        ("/map/a~1b", "[x, 'y z']"),
        ("/map/a~1b/1", "'y z'"),
        ("/map/c~0d", "{}"),
        ("/block/key", "value"),
        ("/block/list", "- one\n  - two"),
        ("/block/list/1", "two"),
        ("/last", "text\n  more"),
    ] {
        assert_eq!(shown(text, document.span(pointer)), value, "{pointer}");
    }
    for (pointer, key) in [("/map/a~1b", "\"a/b\""), ("/block", "block"), ("/block/key", "key")] {
        assert_eq!(shown(text, document.key_span(pointer)), key);
    }
    assert_eq!(document.key_span("/block/list/1"), None);
    assert_eq!(document.span("/nothing"), None);
}

#[test]
fn the_place_to_show_is_short_and_always_there() {
    let text = "a: {b: 1}\nlong:\n  x: 1\n  y: 2\nempty:\n";
    let document = read(text);
    assert_eq!(shown(text, document.place("/a/b")), "1");
    assert_eq!(shown(text, document.place("/a/b/c/d")), "1");
    assert_eq!(shown(text, document.place("/long")), "long");
    assert_eq!(shown(text, document.place("/empty")), "empty");
    assert_eq!(shown(text, document.key_place("/a/zzz")), "{b: 1}");
    assert_eq!(shown(text, document.place("/nothing")), "a: {b: 1}");
    assert_eq!(Document::empty().place("/a"), None);
    assert_eq!(Document::empty().source(), None);
}

#[test]
fn places_inside_texts_are_exact() {
    for (text, inner) in [
        ("a: x ${v} y", "${v}"),
        ("a: 'it''s ${v}'", "${v}"),
        ("a: 'ü''${v}'", "${v}"),
        (r#"a: "q\"\u00fc\n\tü${v}""#, "${v}"),
        (r#"a: "\U0001F600\N\L${v}""#, "${v}"),
        (r#"a: "${\x76}""#, r"${\x76}"),
        ("a: |\n  one\n\n    two ${v}\n  three\n", "${v}"),
        ("a: |-\n    ü ${v}\n", "${v}"),
        ("b:\n  a: |\n\n \n    x\n      ${v}\n", "${v}"),
        ("b:\n  a: |2\n      x ${v}\n", "${v}"),
        ("a: |\r\n  one\r\n  ${v}\r\n", "${v}"),
    ] {
        let parsed = parse_dictionary(&mut Sources::default(), "d", text).expect("the text is fine");
        let (pointer, value) = match &parsed.value {
            root if root.contains_key("a") => ("/a", root["a"].as_str().unwrap()),
            root => ("/b/a", root["b"]["a"].as_str().unwrap()),
        };
        let at = value.find("${v}").unwrap();
        assert_eq!(shown(text, parsed.document.span_within(pointer, at..at + 4)), inner, "{text}");
    }
}

#[test]
fn places_that_cant_be_told_are_the_values() {
    let folded = "a: >\n  one\n  ${v}\n";
    assert_eq!(shown(folded, read(folded).span_within("/a", 4..8)), "a");
    let wrapped = "a: one\n  ${v}\n";
    assert_eq!(shown(wrapped, read(wrapped).span_within("/a", 4..8)), "a");
    let short = "a: abc";
    assert_eq!(shown(short, read(short).span_within("/a", 2..9)), "abc");
    assert_eq!(read(short).span_within("/b", 0..1), None);
}

/// Writes a text the way YAML's double quotes want it, escaping what the choice says.
fn double_quoted(text: &str, escape: &[bool]) -> String {
    let mut out = String::from("\"");
    for (c, escape) in text.chars().zip(escape.iter().cycle()) {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if *escape => out += &format!("\\U{:08x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out + "\""
}

proptest! {
    /// A character of a text is found where it is written.
    #[test]
    fn every_character_is_found(
        before in r#"[a-zü'"\\€😀 ]{0,6}"#, after in r#"[a-zü'"\\€😀 ]{0,6}"#, escape in prop::collection::vec(any::<bool>(), 1..5),
    ) {
        let value = format!("{before}Z{after}");
        let at = before.len();
        let single = format!("a: '{}'", value.replace('\'', "''"));
        prop_assert_eq!(shown(&single, read(&single).span_within("/a", at..at + 1)), "Z");
        let double = format!("a: {}", double_quoted(&value, &escape));
        let found = shown(&double, read(&double).span_within("/a", at..at + 1)).to_owned();
        prop_assert!(found == "Z" || found == "\\U0000005a", "{}", found);
        let literal = format!("a: |\n  x{value}\n  {value}\n");
        let second = value.len() + 2 + at;
        prop_assert_eq!(shown(&literal, read(&literal).span_within("/a", second..second + 1)), "Z");
    }

    /// Pointers lead to the values that serde sees.
    #[test]
    fn pointers_agree_with_the_values(keys in prop::collection::vec(r#"[a-c~/ü" ]{0,4}"#, 1..6)) {
        let mut text = String::new();
        for (depth, key) in keys.iter().enumerate() {
            text += &format!("{}{}:\n", " ".repeat(depth), double_quoted(key, &[false]));
        }
        let text = format!("{}{} leaf\n", text.trim_end(), "");
        let parsed = parse_dictionary(&mut Sources::default(), "d", &text).expect("the text is fine");
        let mut at = String::new();
        for key in &keys {
            pointer::push(&mut at, key);
        }
        prop_assert_eq!(shown(&text, parsed.document.span(&at)), "leaf");
        let root = serde_json::to_value(&parsed.value).unwrap();
        prop_assert_eq!(root.pointer(&at).and_then(|leaf| leaf.as_str()), Some("leaf"));
    }
}
