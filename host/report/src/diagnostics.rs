//! Diagnostics for people, with the lines they are about, and for machines.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use launchway_model::{Diagnostic, Diagnostics, Label, Severity, SourceId, Sources};
use serde::Serialize;

use crate::sanitise::{inline, sanitise};

/// Returns all diagnostics as text, a blank line after each.
pub fn diagnostics_text(sources: &Sources, diagnostics: &Diagnostics, colour: bool, width: usize) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(width.max(40)).decor_style(DecorStyle::Ascii);
    let mut out = String::new();
    for diagnostic in diagnostics.iter() {
        out.push_str(&one(&renderer, sources, diagnostic));
        out.push_str("\n\n");
    }
    out
}

fn one(renderer: &Renderer, sources: &Sources, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let message = sanitise(diagnostic.message.as_bytes());
    let mut elements = snippets(sources, &diagnostic.labels);
    if let Some(hint) = &diagnostic.hint {
        elements.push(Level::HELP.message(sanitise(hint.as_bytes())).into());
    }
    let title = level.primary_title(message).id(diagnostic.code);
    let report: &[Group<'_>] = &[title.elements(elements)];
    renderer.render(report)
}

/// Returns one snippet per file, the primary label's file first.
fn snippets<'a>(sources: &'a Sources, labels: &'a [Label]) -> Vec<Element<'a>> {
    let mut files: Vec<SourceId> = Vec::new();
    for label in labels {
        if !files.contains(&label.span.source) {
            files.push(label.span.source);
        }
    }
    let known = files.into_iter().filter_map(|id| sources.get(id).map(|(name, text)| (id, name, text)));
    known
        .map(|(id, name, text)| {
            if let Some(only) = only_blank(text, labels.iter().filter(|label| label.span.source == id)) {
                let (line, column) = position(text, clamp(text, only.span.start, only.span.end).start);
                return Origin::path(inline(name)).line(line).char_column(column).into();
            }
            let annotations =
                labels.iter().enumerate().filter(|(_, label)| label.span.source == id).map(|(i, label)| {
                    let kind = if i == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
                    let label_text = (!label.text.is_empty()).then(|| inline(&label.text));
                    kind.span(clamp(text, label.span.start, label.span.end)).label(label_text)
                });
            Snippet::source(text).path(inline(name)).fold(true).annotations(annotations).into()
        })
        .collect()
}

/// Returns the only label of a file, if there is nothing to see on its line.
fn only_blank<'a>(text: &str, mut labels: impl Iterator<Item = &'a Label>) -> Option<&'a Label> {
    let only = labels.next().filter(|label| label.text.is_empty() && labels.next().is_none())?;
    let range = clamp(text, only.span.start, only.span.end);
    let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[range.end..].find('\n').map_or(text.len(), |at| range.end + at);
    text[start..end].trim().is_empty().then_some(only)
}

/// Returns a range that lies within the text and on character borders, whatever was asked for.
fn clamp(text: &str, start: usize, end: usize) -> std::ops::Range<usize> {
    let floor = |at: usize| {
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(start);
    start..floor(end).max(start)
}

/// A diagnostic for machines.
#[derive(Serialize, Clone, PartialEq, Debug)]
pub struct DiagnosticJson {
    pub severity: &'static str,
    pub code: &'static str,
    pub message: String,
    /// The first is the primary one.
    pub labels: Vec<LabelJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

#[derive(Serialize, Clone, PartialEq, Debug)]
pub struct LabelJson {
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    pub end_line: usize,
    pub end_column: usize,
    pub text: String,
}

/// Returns all diagnostics as data.
pub fn diagnostics_json(sources: &Sources, diagnostics: &Diagnostics) -> Vec<DiagnosticJson> {
    let label = |label: &Label| {
        let (file, text) = sources.get(label.span.source)?;
        let range = clamp(text, label.span.start, label.span.end);
        let (line, column) = position(text, range.start);
        let (end_line, end_column) = position(text, range.end);
        Some(LabelJson { file: file.to_owned(), line, column, end_line, end_column, text: label.text.clone() })
    };
    diagnostics
        .iter()
        .map(|diagnostic| DiagnosticJson {
            severity: match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            code: diagnostic.code,
            message: diagnostic.message.clone(),
            labels: diagnostic.labels.iter().filter_map(label).collect(),
            hint: diagnostic.hint.clone(),
        })
        .collect()
}

fn position(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use launchway_model::Span;
    use proptest::prelude::*;

    use super::*;

    fn span(source: SourceId, start: usize, end: usize) -> Span {
        Span { source, start, end }
    }

    fn sample() -> (Sources, Diagnostics) {
        let mut sources = Sources::default();
        let text = "application: shop\ncomponents:\n\tapi:   # 日本\n    tpye: ssh/file\n    on: röle=app\n";
        let main = sources.add("launchway.yaml", text);
        let other = sources.add("environments/staging.yaml", "targets:\n  a: {}\n");
        let at = |needle: &str| text.find(needle).unwrap();
        let mut all = Diagnostics::default();
        all.push(
            Diagnostic::error("unknown-key", "unknown key `tpye`")
                .at(span(main, at("tpye"), at("tpye") + 4), "not a key of a component")
                .hint("did you mean `type`?"),
        );
        all.push(
            Diagnostic::error("no-target", "selector `röle=app` matches no target")
                .at(span(main, at("röle"), at("röle") + 9), "")
                .at(span(main, at("api"), at("api") + 3), "in this component")
                .at(span(other, 11, 12), "the only target"),
        );
        all.push(Diagnostic::warning("empty", "nothing to do \u{1b}[31mhere\n##vso[x]"));
        (sources, all)
    }

    #[test]
    fn text_shows_lines_carets_and_hints() {
        let (sources, all) = sample();
        insta::assert_snapshot!(diagnostics_text(&sources, &all, false, 100));
    }

    #[test]
    fn a_place_with_nothing_to_see_is_only_named() {
        for (text, at, place) in [("", 0, "launchway.yaml:1:1"), ("a: 1\n\n", 5, "launchway.yaml:2:1")] {
            let mut sources = Sources::default();
            let id = sources.add("launchway.yaml", text);
            let all = Diagnostics::from(Diagnostic::error("x", "m").at(span(id, at, at), ""));
            let shown = diagnostics_text(&sources, &all, false, 100);
            assert!(shown.contains(place) && !shown.lines().any(|line| line.trim_end().ends_with('|')), "{shown}");
        }
    }

    #[test]
    fn colour_is_only_there_when_asked_for() {
        let (sources, all) = sample();
        assert!(!diagnostics_text(&sources, &all, false, 100).contains('\u{1b}'));
        assert!(diagnostics_text(&sources, &all, true, 100).contains('\u{1b}'));
    }

    #[test]
    fn json_gives_lines_and_columns() {
        let (sources, all) = sample();
        insta::assert_json_snapshot!(diagnostics_json(&sources, &all));
    }

    #[test]
    fn many_labels_in_a_long_file_stay_readable() {
        let mut sources = Sources::default();
        let text: String = (0..2000).map(|i| format!("key{i}: value\n")).collect();
        let id = sources.add("long.yaml", text.as_str());
        let mut diagnostic = Diagnostic::error("many", "forty places");
        for i in 0..40 {
            let at = text.find(&format!("key{}:", i * 50)).unwrap();
            diagnostic = diagnostic.at(span(id, at, at + 3), format!("place {i}"));
        }
        let out = diagnostics_text(&sources, &diagnostic.into(), false, 100);
        assert!(out.lines().count() < 200, "{out}");
        assert!(out.contains("place 39"));
    }

    proptest! {
        #[test]
        fn no_span_makes_it_panic(text in "[ -~\n\tä日\r]{0,60}", start in 0usize..80, end in 0usize..80) {
            let mut sources = Sources::default();
            let id = sources.add("f", text.as_str());
            let diagnostic = Diagnostic::error("x", "m").at(span(id, start, end), "here");
            let all = Diagnostics::from(diagnostic);
            diagnostics_text(&sources, &all, false, 80);
            diagnostics_json(&sources, &all);
        }
    }
}
