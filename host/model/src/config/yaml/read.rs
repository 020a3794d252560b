//! From the scanner's events to a tree, within limits.

use std::collections::HashMap;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::super::document::Style;
use super::{Content, Entry, Fault, Node};

/// How many collections may stand inside each other.
pub(super) const MAX_DEPTH: usize = 64;
/// How large a file may be, in bytes.
const MAX_SIZE: usize = 32 * 1024 * 1024;
/// How many values a file may have.
const MAX_NODES: usize = 2_000_000;
/// How many values may come from anchors: a few lines of aliases can stand for billions.
const MAX_ALIASED: usize = 200_000;

/// Reads a text with one document. Faults that leave the rest readable come with a tree.
pub(in super::super) fn read(text: &str) -> (Option<Node>, Vec<Fault>) {
    if text.len() > MAX_SIZE {
        let message = format!("the file is larger than {} MiB", MAX_SIZE / 1024 / 1024);
        return (None, vec![Fault::new(0..0, message).code("too-large")]);
    }
    if let Some((at, c)) = text.char_indices().find(|(_, c)| is_forbidden(*c)) {
        let message = format!("{} can't stand in YAML", crate::diagnostic::show_char(c));
        let fault = Fault::new(at..at + c.len_utf8(), message).hint("is this a text file, saved as UTF-8?");
        return (None, vec![fault]);
    }
    let mut reader = Reader::new(text);
    let root = match reader.document() {
        Ok(root) => root,
        Err(fault) => {
            reader.faults.push(*fault);
            None
        }
    };
    (root, reader.faults)
}

fn is_forbidden(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}') || matches!(c, '\u{fffe}' | '\u{ffff}')
}

type Outcome<T> = Result<T, Box<Fault>>;

struct Reader<'a> {
    text: &'a str,
    places: Places,
    open: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    aliased: usize,
    faults: Vec<Fault>,
}

/// A collection whose end has not come yet.
struct Frame {
    start: Range<usize>,
    anchor: usize,
    kind: FrameKind,
}

enum FrameKind {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, index: HashMap<String, usize>, merges: Vec<Node>, key: Option<Key> },
}

enum Key {
    Name(String, Range<usize>),
    /// `<<`
    Merge,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            places: Places::new(text),
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            aliased: 0,
            faults: Vec::new(),
        }
    }

    /// Reads all events; none for a file without any value.
    fn document(&mut self) -> Outcome<Option<Node>> {
        let text = self.text.strip_prefix('\u{feff}').unwrap_or(self.text);
        let mut root = None;
        let mut documents = 0;
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| {
                Fault::from_scanner(self.text, self.places.byte(error.marker().index()), error.info())
            })?;
            let range = self.places.range(self.text, span);
            let done = match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        let fault = Fault::new(self.line_of(range.start), "a second YAML document begins here");
                        return Err(fault.hint("one file holds one document; remove the `---`").into());
                    }
                    None
                }
                Event::Scalar(value, style, anchor, tag) => {
                    self.refuse_tag(tag.is_some(), &range)?;
                    self.scalar(value.into_owned(), style, anchor, range)?
                }
                Event::SequenceStart(anchor, tag) => {
                    self.refuse_tag(tag.is_some(), &range)?;
                    self.begin(FrameKind::List(Vec::new()), anchor, range)?;
                    None
                }
                Event::MappingStart(anchor, tag) => {
                    self.refuse_tag(tag.is_some(), &range)?;
                    let kind =
                        FrameKind::Map { entries: Vec::new(), index: HashMap::new(), merges: Vec::new(), key: None };
                    self.begin(kind, anchor, range)?;
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => self.end(range)?,
                Event::Alias(anchor) => self.alias(anchor, range)?,
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => None,
            };
            root = root.or(done);
        }
        Ok(root)
    }

    fn refuse_tag(&self, tagged: bool, range: &Range<usize>) -> Outcome<()> {
        if !tagged {
            return Ok(());
        }
        let line = self.line_of(range.start);
        let tag =
            self.text[line.start..range.start].rfind('!').map_or(range.clone(), |at| line.start + at..range.start);
        let tag = tag.start..tag.start + self.text[tag].trim_end().len();
        Err(Fault::new(tag, "tags are not supported").hint("put the text in quotes to keep it text").into())
    }

    fn scalar(
        &mut self,
        text: String,
        style: ScalarStyle,
        anchor: usize,
        range: Range<usize>,
    ) -> Outcome<Option<Node>> {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        self.count(&range)?;
        if let Some(Frame { kind: FrameKind::Map { key: key @ None, .. }, .. }) = self.open.last_mut() {
            *key = Some(if style == Style::Plain && text == "<<" { Key::Merge } else { Key::Name(text, range) });
            return Ok(None);
        }
        self.complete(Node { range, content: Content::Scalar { text, style } }, anchor)
    }

    fn begin(&mut self, kind: FrameKind, anchor: usize, start: Range<usize>) -> Outcome<()> {
        self.count(&start)?;
        if self.open.len() >= MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} levels deep");
            return Err(Fault::new(start, message).code("too-large").into());
        }
        self.refuse_as_key(&start)?;
        self.open.push(Frame { start, anchor, kind });
        Ok(())
    }

    fn refuse_as_key(&self, range: &Range<usize>) -> Outcome<()> {
        match self.open.last() {
            Some(Frame { kind: FrameKind::Map { key: None, .. }, start, .. }) => {
                let doubled = self.text[start.start..].starts_with("{{");
                let fault = if doubled {
                    Fault::new(start.start..start.start + 2, "`{{` does not begin a placeholder here")
                        .hint("write `${…}` for a value, or put the whole text in quotes")
                } else {
                    Fault::new(range.clone(), "a key must be a plain or quoted text")
                        .hint("put a text that begins with `{`, `[` or `*` in quotes")
                };
                Err(fault.into())
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self, range: Range<usize>) -> Outcome<Option<Node>> {
        let Some(frame) = self.open.pop() else { return Ok(None) };
        let mut start = frame.start.start;
        let (content, last) = match frame.kind {
            FrameKind::List(items) => {
                let last = items.last().map(|item| item.range.end);
                start = self.list_start(start);
                (Content::List(items), last)
            }
            FrameKind::Map { mut entries, mut index, merges, .. } => {
                let last = entries.last().map(|entry| entry.value.range.end.max(entry.key_range.end));
                for merged in merges {
                    merge(&mut entries, &mut index, merged)?;
                }
                (Content::Map(entries), last)
            }
        };
        // A block collection's end is where the next thing begins: its last value's end is what people see.
        let closed = self.text[range.clone()].starts_with([']', '}']);
        let end = if closed { range.end } else { last.unwrap_or(frame.start.end) };
        let range = start..end.max(start);
        self.complete(Node { range, content }, frame.anchor)
    }

    /// Returns where a list begins: for one that is not indented, the scanner tells where its first item does.
    fn list_start(&self, start: usize) -> usize {
        let line = self.line_of(start).start;
        let before = &self.text[line..start];
        if !self.text[start..].starts_with(['-', '[']) && before.trim() == "-" {
            line + before.len() - before.trim_start().len()
        } else {
            start
        }
    }

    fn alias(&mut self, anchor: usize, range: Range<usize>) -> Outcome<Option<Node>> {
        self.refuse_as_key(&range)?;
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(Fault::new(range, "this alias stands inside of what it refers to").into());
        };
        self.aliased += node.size();
        if self.aliased > MAX_ALIASED {
            let message = format!("aliases stand for more than {MAX_ALIASED} values");
            return Err(Fault::new(range, message).code("too-large").into());
        }
        if self.open.len() + node.depth() > MAX_DEPTH {
            let message = format!("nested more than {MAX_DEPTH} levels deep");
            return Err(Fault::new(range, message).code("too-large").into());
        }
        let node = node.clone();
        self.complete(node, 0)
    }

    /// Puts a finished value where it belongs; returns it if it is the document.
    fn complete(&mut self, node: Node, anchor: usize) -> Outcome<Option<Node>> {
        if anchor > 0 {
            self.aliased += node.size();
            if self.aliased > MAX_ALIASED {
                let message = format!("anchors hold more than {MAX_ALIASED} values");
                return Err(Fault::new(node.range, message).code("too-large").into());
            }
            self.anchors.insert(anchor, node.clone());
        }
        let Some(frame) = self.open.last_mut() else { return Ok(Some(node)) };
        match &mut frame.kind {
            FrameKind::List(items) => items.push(node),
            FrameKind::Map { entries, index, merges, key } => match key.take() {
                Some(Key::Merge) => merges.push(node),
                Some(Key::Name(name, range)) => match index.get(&name) {
                    Some(first) => {
                        let message = format!("the key `{name}` is there twice");
                        let first = entries[*first].key_range.clone();
                        self.faults.push(Fault::new(range, message).code("duplicate-key").other(first, "first here"));
                    }
                    None => {
                        index.insert(name.clone(), entries.len());
                        entries.push(Entry { key: name, key_range: range, value: node });
                    }
                },
                // Scalars become keys, and collections and aliases are refused before they come here.
                None => return Err(Fault::new(node.range, "a key must be a plain or quoted text").into()),
            },
        }
        Ok(None)
    }

    fn count(&mut self, range: &Range<usize>) -> Outcome<()> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            let message = format!("the file has more than {MAX_NODES} values");
            return Err(Fault::new(range.clone(), message).code("too-large").into());
        }
        Ok(())
    }

    fn line_of(&self, at: usize) -> Range<usize> {
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text[at..].find('\n').map_or(self.text.len(), |length| at + length);
        start..start + self.text[start..end].trim_end().len().max(at - start)
    }
}

/// Takes the entries of a `<<` value in, except those that are there already.
fn merge(entries: &mut Vec<Entry>, index: &mut HashMap<String, usize>, merged: Node) -> Outcome<()> {
    match merged.content {
        Content::Map(others) => {
            for entry in others {
                if !index.contains_key(&entry.key) {
                    index.insert(entry.key.clone(), entries.len());
                    entries.push(entry);
                }
            }
            Ok(())
        }
        Content::List(nodes) if nodes.iter().all(|node| matches!(node.content, Content::Map(_))) => {
            nodes.into_iter().try_for_each(|node| merge(entries, index, node))
        }
        _ => Err(Fault::new(merged.range, "`<<` takes a mapping or a list of mappings")
            .hint("refer to a mapping: `<<: *name`")
            .into()),
    }
}

/// Where the scanner's characters are among the bytes.
struct Places {
    /// The byte offset of each character; empty if they are the same.
    offsets: Vec<u32>,
    /// The length of a leading byte order mark, which the scanner does not see.
    skipped: usize,
    length: usize,
}

impl Places {
    fn new(text: &str) -> Self {
        let skipped = if text.starts_with('\u{feff}') { 3 } else { 0 };
        let offsets = if text[skipped..].is_ascii() {
            Vec::new()
        } else {
            // Files are far smaller than 4 GiB: `read` refused others.
            text[skipped..].char_indices().map(|(at, _)| at as u32).collect()
        };
        Self { offsets, skipped, length: text.len() }
    }

    fn byte(&self, index: usize) -> usize {
        let inner = if self.offsets.is_empty() {
            index
        } else {
            self.offsets.get(index).map_or(self.length, |at| *at as usize)
        };
        (self.skipped + inner).min(self.length)
    }

    /// Returns a span's bytes without blanks at the end.
    fn range(&self, text: &str, span: Span) -> Range<usize> {
        let start = self.byte(span.start.index());
        let end = self.byte(span.end.index()).max(start);
        start..start + text[start..end].trim_end().len()
    }
}
