//! Where each value of a file was written.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::{pointer, scalar_text};
use crate::{SourceId, Span};

/// The places of a file's values, by JSON Pointer.
#[derive(Clone, Debug, Default)]
pub struct Document {
    source: Option<SourceId>,
    text: Arc<str>,
    places: HashMap<Box<str>, Place>,
}

/// Where a value and its key stand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) value: Range<usize>,
    pub(super) key: Option<Range<usize>>,
    pub(super) style: Style,
}

/// How a value is written, as far as that matters to places inside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// `|` text.
    Literal,
    /// `>` text.
    Folded,
    /// A mapping or a list.
    Collection,
}

impl Document {
    /// Returns a document that knows no place, for values that were in no file.
    pub fn empty() -> Self {
        Self::default()
    }

    pub(super) fn new(source: SourceId, text: Arc<str>) -> Self {
        Self { source: Some(source), text, places: HashMap::new() }
    }

    pub(super) fn insert(&mut self, pointer: &str, place: Place) {
        self.places.insert(pointer.into(), place);
    }

    /// Says that a value that is not in the file came from what stands at `from`: what is wrong with it is shown there.
    pub fn came_from(&mut self, pointer: &str, from: &str) {
        if let Some(place) = self.places.get(from).cloned() {
            self.places.entry(pointer.into()).or_insert(place);
        }
    }

    /// Returns the file; none for a document that was in no file.
    pub fn source(&self) -> Option<SourceId> {
        self.source
    }

    /// Returns where a value stands.
    pub fn span(&self, pointer: &str) -> Option<Span> {
        self.to_span(self.places.get(pointer)?.value.clone())
    }

    /// Returns where a value's key stands; none for the items of lists and the whole document.
    pub fn key_span(&self, pointer: &str) -> Option<Span> {
        self.to_span(self.places.get(pointer)?.key.clone()?)
    }

    /// Returns the best place to show for a value: itself if it is on one line, else its key;
    /// for a value that is not in the file the place of what would hold it.
    pub fn place(&self, pointer: &str) -> Option<Span> {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.places.get(pointer) {
                return self.to_span(self.brief(place));
            }
            pointer = pointer::parent(pointer)?;
        }
    }

    /// Returns the place of a key, else that of its value or of what would hold it.
    pub fn key_place(&self, pointer: &str) -> Option<Span> {
        self.key_span(pointer).or_else(|| self.place(pointer))
    }

    /// Returns the place of some bytes of a text value: exact where the text is written in a way that allows to
    /// tell, else the whole value's.
    pub fn span_within(&self, pointer: &str, bytes: Range<usize>) -> Option<Span> {
        let place = self.places.get(pointer)?;
        match scalar_text::locate(&self.text, place.value.clone(), place.style, bytes) {
            Some(inner) => self.to_span(inner),
            None => self.to_span(self.brief(place)),
        }
    }

    /// Returns a range that is something and no longer than a line: the value's, its key's, or that of the value's
    /// first line.
    fn brief(&self, place: &Place) -> Range<usize> {
        let text = self.text.get(place.value.clone()).unwrap_or_default();
        match (text.find('\n'), &place.key) {
            (None, Some(key)) if text.is_empty() => key.clone(),
            (None, _) => place.value.clone(),
            (Some(_), Some(key)) => key.clone(),
            (Some(end), None) => place.value.start..place.value.start + text[..end].trim_end().len(),
        }
    }

    fn to_span(&self, range: Range<usize>) -> Option<Span> {
        Some(Span { source: self.source?, start: range.start, end: range.end })
    }
}
