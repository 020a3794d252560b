//! Schemas of properties: what is found wrong, what is adapted, and Launchway's own keywords.

use launchway_model::config::{Extent, PropertySchema, SchemaError, SourceKind, Writes};
use serde_json::{Value, json};

fn schema() -> PropertySchema {
    PropertySchema::new(&json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["path"],
        "additionalProperties": false,
        "properties": {
            "path": { "type": "string", "minLength": 1, "writes": true, "description": "Where the file goes." },
            "template": { "anyOf": [{ "$ref": "#/$defs/Template" }, { "type": "null" }] },
            "file": { "type": "string", "source": "file" },
            "mode": { "type": "string", "pattern": "^0?[0-7]{3}$", "description": "Permission bits, such as `0644`." },
            "keep": { "type": "integer", "minimum": 1, "default": 3, "trigger": false },
            "wait": {
                "type": "object", "trigger": false, "default": {},
                "properties": { "seconds": { "type": "number", "default": 1.5 }, "tries": { "type": "integer" } },
            },
            "env": { "type": "object", "additionalProperties": { "$ref": "#/$defs/Text" } },
            "run": { "anyOf": [{ "$ref": "#/$defs/Text" }, { "type": "array", "items": { "$ref": "#/$defs/Text" } }] },
            "state": { "enum": ["drain", "ready"] },
            "proto": { "oneOf": [{ "const": "http" }, { "const": "https" }] },
            "hosts": { "type": "array", "items": { "type": "object", "required": ["name"], "additionalProperties": false,
                "properties": { "name": { "type": "string" }, "port": { "type": "integer", "default": 80 } } } },
            "flag": { "type": "boolean" },
            "tree": { "$ref": "#/$defs/Tree" },
            "any": true,
        },
        "$defs": {
            "Text": { "type": "string", "secret": true },
            "Template": { "type": "string", "source": "template" },
            "Tree": { "type": "object", "additionalProperties": { "$ref": "#/$defs/Tree" } },
        },
    }))
    .expect("the schema is valid")
}

/// Shows problems as `at: message (hint)`.
fn check(mut value: Value) -> Vec<String> {
    let schema = schema();
    if value.is_object() && value.get("path").is_none() && value.get("nopath").is_none() {
        value["path"] = json!("/x");
    }
    let show = |hint: Option<String>| hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
    schema.check(&value).into_iter().map(|p| format!("{}: {}{}", p.at, p.message, show(p.hint))).collect()
}

#[test]
fn good_properties_have_no_problems() {
    for value in [
        json!({}),
        json!({ "mode": "0644", "keep": 1, "env": { "A": "b" }, "run": ["a"], "hosts": [{ "name": "a" }] }),
        json!({ "any": { "x": [1] }, "tree": { "a": { "b": {} } }, "template": null }),
    ] {
        assert_eq!(check(value), [""; 0]);
    }
}

#[test]
fn problems_are_told_in_words() {
    for (value, expected) in [
        (json!({ "pth": 1 }), "/pth: unknown property `pth` (did you mean `path`?)"),
        (json!({ "nopath": 1 }), ": missing property `path` (`path`: Where the file goes)"),
        (json!({ "keep": "many" }), "/keep: expected a whole number, found the text `many`"),
        (json!({ "keep": "3" }), "/keep: expected a whole number, found the text `3` (remove the quotes)"),
        (json!({ "keep": 1.5 }), "/keep: expected a whole number, found the number 1.5"),
        (json!({ "keep": 0 }), "/keep: expected at least 1, found the number 0"),
        (
            json!({ "mode": "rw" }),
            "/mode: the text `rw` is not written as it has to be (Permission bits, such as `0644`)",
        ),
        (json!({ "path": "" }), "/path: this text can't be empty (Where the file goes)"),
        (
            json!({ "state": "drian" }),
            "/state: expected one of `drain` or `ready`, found the text `drian` (did you mean `drain`?)",
        ),
        (json!({ "state": 1 }), "/state: expected one of `drain` or `ready`, found the number 1"),
        (
            json!({ "proto": "htps" }),
            "/proto: expected one of `http` or `https`, found the text `htps` (did you mean `https`?)",
        ),
        (
            json!({ "run": {} }),
            "/run: expected text or a list, found a mapping (put a text that begins with `{` or contains `: ` in quotes)",
        ),
        (json!({ "run": ["a", []] }), "/run/1: expected text, found a list"),
        (json!({ "env": [] }), "/env: expected a mapping, found a list"),
        (
            json!({ "flag": "yes" }),
            "/flag: expected `true` or `false`, found the text `yes` (write `true`, without quotes)",
        ),
        (json!({ "hosts": [{}] }), "/hosts/0: missing property `name`"),
        (
            json!({ "hosts": [{ "nmae": "a", "name": "b" }] }),
            "/hosts/0/nmae: unknown property `nmae` (did you mean `name`?)",
        ),
        (json!({ "tree": { "a": { "b/c": 1 } } }), "/tree/a/b~1c: expected a mapping, found the number 1"),
        (json!([]), ": expected a mapping, found a list"),
    ] {
        let found = check(value.clone());
        assert!(found.iter().any(|problem| problem == expected), "{value}: {found:#?}");
    }
}

#[test]
fn all_problems_are_found_at_once() {
    assert_eq!(check(json!({ "nopath": 1, "keep": "x", "flag": 1, "hosts": [{}, { "name": 1 }] })).len(), 6);
}

#[test]
fn secrets_stand_only_where_they_may() {
    let secret = json!({ "$secret": "db" });
    let parts = json!({ "$parts": ["user:", { "$secret": "db" }] });
    assert_eq!(check(json!({ "env": { "A": secret, "B": parts }, "run": [parts] })), [""; 0]);
    assert_eq!(check(json!({ "run": secret })), [""; 0]);
    let hint = "(secrets go where the type's documentation says so, such as `env` or `stdin`)";
    assert_eq!(check(json!({ "mode": secret })), [format!("/mode: `mode` can't hold a secret {hint}")]);
    assert_eq!(check(json!({ "keep": parts })), [format!("/keep: `keep` can't hold a secret {hint}")]);
    let schema = schema();
    assert!(schema.may_hold_secret("/env/ANY"));
    assert!(schema.may_hold_secret("/run"));
    assert!(schema.may_hold_secret("/run/0"));
    assert!(!schema.may_hold_secret("/path"));
    assert!(!schema.may_hold_secret("/any/x"));
    assert!(!schema.may_hold_secret(""));
}

#[test]
fn triggers_are_inherited() {
    let schema = schema();
    for pointer in ["/keep", "/wait", "/wait/seconds", "/wait/unknown/deep"] {
        assert!(!schema.is_trigger(pointer), "{pointer}");
    }
    for pointer in ["", "/path", "/env/keep", "/hosts/0/name", "/tree/a/b/c", "/unknown"] {
        assert!(schema.is_trigger(pointer), "{pointer}");
    }
}

#[test]
fn sources_and_writes_are_listed() {
    let schema = schema();
    assert_eq!(
        schema.sources(),
        [("file".to_owned(), SourceKind::File), ("template".to_owned(), SourceKind::Template)]
    );
    assert_eq!(schema.writes(), [Writes { property: "path".to_owned(), extent: Extent::Path }]);
}

#[test]
fn a_path_says_how_much_of_it_is_owned() {
    let read = |writes: Value| {
        let property = json!({ "type": "string", "writes": writes });
        PropertySchema::new(&json!({ "type": "object", "properties": { "path": property } }))
    };
    let extent = |writes| read(writes).unwrap().writes().first().map(|writes| writes.extent.clone());
    assert_eq!(extent(json!(false)), None);
    assert_eq!(extent(json!(true)), Some(Extent::Path));
    assert_eq!(extent(json!("tree")), Some(Extent::Tree));
    assert_eq!(extent(json!({ "tree": "exact" })), Some(Extent::TreeIf("exact".into())));
    assert_eq!(extent(json!({ "below": ["a", "b"] })), Some(Extent::Below(vec!["a".to_owned(), "b".to_owned()])));
    assert_eq!(extent(json!({ "unit": ["file"] })), Some(Extent::Unit(vec!["file".to_owned()])));
    for bad in [json!("all"), json!(1), json!({}), json!({ "tree": true }), json!({ "below": [1] }), json!(null)] {
        let error = read(bad.clone()).unwrap_err();
        assert!(matches!(error, SchemaError::Keyword { keyword: "writes", .. }), "{bad}: {error}");
    }
}

#[test]
fn numbers_become_text_where_text_is_wanted() {
    let mut value = json!({
        "path": 5, "mode": 640, "keep": 2, "env": { "A": 1, "B": true, "C": 1.5 }, "run": [1, false], "any": 1,
        "state": 1, "proto": 2, "flag": true, "hosts": null, "wait": null, "template": null, "tree": { "a": null },
    });
    schema().coerce(&mut value);
    assert_eq!(
        value,
        json!({
            "path": "5", "mode": "640", "keep": 2, "env": { "A": "1", "B": "true", "C": "1.5" }, "run": ["1", "false"],
            "any": 1, "state": "1", "proto": "2", "flag": true, "hosts": [], "wait": {}, "template": null,
            "tree": { "a": {} },
        })
    );
    let mut nothing = Value::Null;
    schema().coerce(&mut nothing);
    assert_eq!(nothing, json!({}));
}

#[test]
fn defaults_are_filled_in() {
    let mut value = json!({ "path": "/x", "hosts": [{ "name": "a" }, { "name": "b", "port": 1 }], "keep": 9 });
    schema().apply_defaults(&mut value);
    assert_eq!(
        value,
        json!({
            "path": "/x", "keep": 9, "wait": { "seconds": 1.5 },
            "hosts": [{ "name": "a", "port": 80 }, { "name": "b", "port": 1 }],
        })
    );
}

#[test]
fn defaults_of_the_right_alternative_are_filled_in() {
    let schema = PropertySchema::new(&json!({
        "type": "object",
        "oneOf": [
            { "properties": { "provider": { "const": "systemd" }, "unit": { "type": "string" }, "timeout": { "default": 30 } }, "required": ["provider"] },
            { "properties": { "provider": { "const": "command" }, "start": { "type": "string" }, "wait": { "default": 5 } }, "required": ["provider"] },
        ],
    }))
    .unwrap();
    let mut value = json!({ "provider": "command", "start": "x" });
    schema.apply_defaults(&mut value);
    assert_eq!(value, json!({ "provider": "command", "start": "x", "wait": 5 }));
    let problems = schema.check(&json!({ "provider": "comand" }));
    assert_eq!(problems[0].at, "/provider");
}

#[test]
fn bad_schemas_are_refused() {
    let new = |schema| PropertySchema::new(&schema).unwrap_err();
    assert_eq!(new(json!(true)), SchemaError::NotAnObject);
    assert_eq!(new(json!({ "type": "string" })), SchemaError::NotAnObject);
    assert!(matches!(new(json!({ "properties": { "a": { "type": "strng" } } })), SchemaError::Invalid { .. }));
    assert!(matches!(new(json!({ "properties": { "a": { "$ref": "#/$defs/Nope" } } })), SchemaError::Reference { .. }));
    assert!(matches!(
        new(json!({ "properties": { "a": { "$ref": "https://example.org/x" } } })),
        SchemaError::Reference { .. }
    ));
    assert!(matches!(
        new(json!({ "properties": { "a": { "trigger": "no" } } })),
        SchemaError::Keyword { keyword: "trigger", .. }
    ));
    assert!(matches!(
        new(json!({ "properties": { "a": { "source": "fiel" } } })),
        SchemaError::Keyword { keyword: "source", .. }
    ));
    assert!(matches!(new(json!({ "properties": { "a": { "pattern": "(" } } })), SchemaError::Invalid { .. }));
}

#[test]
fn circular_references_end() {
    let schema = PropertySchema::new(
        &json!({ "$ref": "#/$defs/A", "$defs": { "A": { "allOf": [{ "$ref": "#/$defs/B" }] }, "B": { "anyOf": [{ "$ref": "#/$defs/A" }, { "type": "object" }] } } }),
    );
    // Whether the validator takes it or not, walking it must end.
    if let Ok(schema) = schema {
        assert!(schema.is_trigger("/a/b"));
        schema.apply_defaults(&mut json!({ "a": 1 }));
    }
}

#[test]
fn schemas_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    shared(&schema());
}
