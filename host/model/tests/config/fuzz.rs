//! Whatever the text, it is read or refused: no panic, and every place is in the text.

use launchway_model::config::{parse_application, parse_dictionary, parse_environment};
use launchway_model::{Diagnostics, Sources};
use proptest::prelude::*;

/// Reads a text as every kind of file and checks the places of what is said.
fn read_all(text: &str) {
    for kind in 0..3 {
        let mut sources = Sources::default();
        let problems: Option<Diagnostics> = match kind {
            0 => parse_application(&mut sources, "a", text).err(),
            1 => parse_environment(&mut sources, "e", text).err(),
            _ => parse_dictionary(&mut sources, "d", text).err(),
        };
        for problem in problems.iter().flatten() {
            assert!(!problem.labels.is_empty(), "{}", problem.message);
            for label in &problem.labels {
                assert!(text.get(label.span.start..label.span.end).is_some(), "{}: {:?}", problem.message, label.span);
            }
        }
    }
}

/// Pieces that mean something in YAML or in Launchway's files.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(
            [
                "application: ",
                "components: ",
                "environment: ",
                "targets:",
                "type: ",
                "with: ",
                "on: ",
                "a/b",
                "labels: ",
                "\n",
                "\n  ",
                "\n    ",
                "\r\n",
                "\t",
                " ",
                "- ",
                "? ",
                ": ",
                ":",
                ",",
                "[",
                "]",
                "{",
                "}",
                "#",
                " # x",
                "&a ",
                "*a",
                "<<: ",
                "!!str ",
                "!x ",
                "|",
                ">",
                "|2-\n",
                ">+\n",
                "'",
                "\"",
                "''",
                "\\",
                "\\u00fc",
                "%",
                "@",
                "`",
                "---\n",
                "...\n",
                "%YAML 1.2\n",
                "~",
                "null",
                "true",
                "1e3",
                "0x1",
                "-1",
                "1.10",
                "ü",
                "😀",
                "\u{feff}",
                "\u{2028}",
                "\u{85}",
                "\0",
                "\u{7f}",
                "\u{fffe}",
            ]
            .map(str::to_owned)
            .to_vec()
        ),
        "[a-z]{1,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_text(text in any::<String>()) {
        read_all(&text);
    }

    #[test]
    fn any_mix_of_yaml_pieces(pieces in prop::collection::vec(piece(), 0..40)) {
        read_all(&pieces.concat());
    }

    #[test]
    fn any_damage_to_a_good_file(at in 0..GOOD.len(), length in 0..6usize, piece in piece()) {
        let start = GOOD.floor_char_boundary(at);
        let end = GOOD.floor_char_boundary((at + length).min(GOOD.len())).max(start);
        read_all(&format!("{}{piece}{}", &GOOD[..start], &GOOD[end..]));
    }

    #[test]
    fn any_beginning_of_a_good_file(at in 0..GOOD.len()) {
        read_all(&GOOD[..GOOD.floor_char_boundary(at)]);
    }
}

const GOOD: &str = r#"application: shop   # a comment
version: "1.0"
components:
  api: &api
    type: ssh/archive
    on: role=app,dc!=us
    needs: [schema, {component: 'it''s', scope: all}]
    with: { artifact: api, path: /opt/ü, "x\ty": [1, ~] }
    overrides:
    - on: dc=us
      with:
        script: |
          set -e
            echo "${version}"
        folded: >-
          one
          two
  other: {<<: *api, type: a/b}
"#;

#[test]
fn long_texts_of_one_kind_end_soon() {
    for (unit, count) in [
        ("[", 200_000),
        ("{", 200_000),
        ("- ", 100_000),
        ("? ", 50_000),
        ("a: ", 50_000),
        ("&a ", 50_000),
        ("'", 200_000),
        ("!", 100_000),
        ("*a ", 100_000),
        ("#", 500_000),
        ("\n", 500_000),
        ("%", 100_000),
        ("[a, ", 50_000),
        ("a: [", 50_000),
        ("\"\\", 100_000),
        ("|\n", 50_000),
        ("a:\n ", 50_000),
        ("- a\n", 20_000),
        ("é", 200_000),
    ] {
        read_all(&unit.repeat(count));
    }
}
