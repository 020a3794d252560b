//! A YAML document as a tree of values with their places.

use std::ops::Range;

use super::super::document::Style;

/// A value. Trees are at most [`super::read::MAX_DEPTH`] deep, so recursion over them is bounded.
#[derive(Clone, Debug)]
pub(in super::super) struct Node {
    pub(in super::super) range: Range<usize>,
    pub(in super::super) content: Content,
}

#[derive(Clone, Debug)]
pub(in super::super) enum Content {
    Scalar { text: String, style: Style },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(in super::super) struct Entry {
    pub(in super::super) key: String,
    pub(in super::super) key_range: Range<usize>,
    pub(in super::super) value: Node,
}

impl Node {
    /// Returns how many values it consists of.
    pub(super) fn size(&self) -> usize {
        1 + match &self.content {
            Content::Scalar { .. } => 0,
            Content::List(items) => items.iter().map(Self::size).sum(),
            Content::Map(entries) => entries.iter().map(|entry| entry.value.size()).sum(),
        }
    }

    /// Returns how deep it is; 1 for a scalar.
    pub(super) fn depth(&self) -> usize {
        1 + match &self.content {
            Content::Scalar { .. } => 0,
            Content::List(items) => items.iter().map(Self::depth).max().unwrap_or(0),
            Content::Map(entries) => entries.iter().map(|entry| entry.value.depth()).max().unwrap_or(0),
        }
    }
}
