//! What people are told about files that can't be used: a folder of such files, and what is said of each.

use std::fmt::Write;
use std::path::Path;

use insta::assert_snapshot;
use launchway_model::config::{parse_application, parse_dictionary, parse_environment};
use launchway_model::{Diagnostics, Severity, Sources};

#[test]
fn every_bad_file_is_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the cases are part of the crate")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(files.len() > 30, "the cases are gone");

    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../cases");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _guard = settings.bind_to_scope();
    for path in files {
        let text = std::fs::read_to_string(&path).expect("cases are UTF-8");
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("cases have plain names");
        let mut sources = Sources::default();
        let problems = match stem.split('-').next() {
            Some("env") => parse_environment(&mut sources, stem, &text).err(),
            Some("dict") => parse_dictionary(&mut sources, stem, &text).err(),
            _ => parse_application(&mut sources, stem, &text).err(),
        };
        let problems = problems.unwrap_or_else(|| panic!("{stem} is fine"));
        assert_snapshot!(stem.to_owned(), render(&sources, &problems));
    }
}

/// Shows diagnostics plainly: line and column, the line with what is meant underlined, hint.
fn render(sources: &Sources, problems: &Diagnostics) -> String {
    let mut out = String::new();
    for problem in problems {
        let severity = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(out, "{severity}[{}]: {}", problem.code, problem.message).unwrap();
        assert!(!problem.labels.is_empty(), "{} has no place", problem.message);
        for label in &problem.labels {
            let (_, text) = sources.get(label.span.source).expect("the source was added");
            let start = text[..label.span.start].rfind('\n').map_or(0, |newline| newline + 1);
            let end = text[label.span.start..].find('\n').map_or(text.len(), |length| label.span.start + length);
            let line = text[..start].matches('\n').count() + 1;
            let column = text[start..label.span.start].chars().count() + 1;
            let shown: String =
                text[start..end].chars().map(|c| if c.is_control() { '·' } else { c }).take(120).collect();
            let width = text[label.span.start..label.span.end.min(end)].chars().count().max(1);
            writeln!(out, "  {line}:{column} {shown}").unwrap();
            let pad = format!("{line}:{column}").len() + column;
            writeln!(out, "  {}{} {}", " ".repeat(pad), "^".repeat(width), label.text).unwrap();
            assert!(label.span.end <= end, "{}: more than a line is marked", problem.message);
        }
        if let Some(hint) = &problem.hint {
            writeln!(out, "  hint: {hint}").unwrap();
        }
    }
    out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
