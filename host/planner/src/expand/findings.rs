//! What is wrong, each thing once however many targets it concerns.

use std::cell::RefCell;
use std::collections::HashSet;

use launchway_model::config::Document;
use launchway_model::{Diagnostic, Diagnostics, Severity, Span};

use super::shape::{Reference, ShapeError};

/// Collects diagnostics; of those with the same code and places only the first.
#[derive(Default)]
pub(crate) struct Findings {
    inner: RefCell<(HashSet<Key>, Diagnostics)>,
}

type Key = (&'static str, Vec<Span>, Option<String>);

impl Findings {
    pub(crate) fn push(&self, diagnostic: Diagnostic) {
        let places: Vec<Span> = diagnostic.labels.iter().map(|label| label.span).collect();
        // Without a place, the words are all there is to tell two findings apart.
        let message = (places.is_empty() || !per_place(diagnostic.code)).then(|| diagnostic.message.clone());
        let (seen, diagnostics) = &mut *self.inner.borrow_mut();
        if seen.insert((diagnostic.code, places, message)) {
            diagnostics.push(diagnostic);
        }
    }

    /// Returns all, sorted by place.
    pub(crate) fn into_diagnostics(self) -> Diagnostics {
        let mut diagnostics = self.inner.into_inner().1;
        diagnostics.sort();
        diagnostics
    }
}

/// Whether one finding of this code at one place is enough, whatever the other targets' words are.
fn per_place(code: &str) -> bool {
    matches!(code, "unresolved" | "template")
}

/// A value's place in a file.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) document: &'a Document,
    /// The JSON Pointer of the value within the document.
    pub(crate) base: &'a str,
}

impl Origin<'_> {
    /// Returns the place of what is at a pointer below the value.
    pub(crate) fn span(&self, at: &str) -> Option<Span> {
        self.document.place(&format!("{}{at}", self.base))
    }

    /// Returns the place of what a problem is about: a key, or a value.
    pub(crate) fn problem_span(&self, at: &str, on_key: bool) -> Option<Span> {
        let pointer = format!("{}{at}", self.base);
        if on_key { self.document.key_place(&pointer) } else { self.document.place(&pointer) }
    }

    pub(crate) fn reference_span(&self, at: &str, reference: &Reference) -> Option<Span> {
        let pointer = format!("{}{at}", self.base);
        let exact = self.document.span_within(&pointer, reference.range.clone());
        exact.or_else(|| self.document.place(&pointer))
    }

    /// Returns a diagnostic for a placeholder that can't be read.
    pub(crate) fn syntax(&self, error: &ShapeError) -> Diagnostic {
        let pointer = format!("{}{}", self.base, error.at);
        let span = if error.in_key {
            self.document.key_place(&pointer)
        } else {
            let exact = self.document.span_within(&pointer, error.error.range.clone());
            exact.or_else(|| self.document.place(&pointer))
        };
        let diagnostic = Diagnostic::error("placeholder", error.error.message.clone()).at(span, "");
        match &error.error.hint {
            Some(hint) => diagnostic.hint(hint.clone()),
            None => diagnostic,
        }
    }
}

/// Splits errors from warnings.
pub(crate) fn split(diagnostics: Diagnostics) -> Result<Diagnostics, Diagnostics> {
    if diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error) {
        Err(diagnostics)
    } else {
        Ok(diagnostics)
    }
}
