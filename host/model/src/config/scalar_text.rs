//! The way back from a decoded text to how it is written in YAML.

use std::ops::Range;

use super::document::Style;

/// Returns where some bytes of a decoded scalar stand in a document, if that can be told:
/// for plain and quoted texts on one line, and for `|` blocks. `range` is the scalar's place.
pub(super) fn locate(document: &str, range: Range<usize>, style: Style, bytes: Range<usize>) -> Option<Range<usize>> {
    let raw = document.get(range.clone())?;
    let found = match style {
        Style::Literal => map(literal(document, range)?, bytes)?,
        _ if raw.contains('\n') => return None,
        Style::Plain if bytes.end <= raw.len() => shift(bytes, range.start),
        Style::Plain => return None,
        Style::SingleQuoted => shift(map(single_quoted(raw)?, bytes)?, range.start),
        Style::DoubleQuoted => shift(map(double_quoted(raw)?, bytes)?, range.start),
        Style::Folded | Style::Collection => return None,
    };
    document.get(found.clone()).map(|_| found)
}

fn shift(range: Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

/// A piece of the written form, and how many decoded bytes it stands for.
struct Unit {
    at: usize,
    written: usize,
    decoded: usize,
}

fn map(units: impl Iterator<Item = Unit>, bytes: Range<usize>) -> Option<Range<usize>> {
    let mut position = 0;
    let mut start = None;
    for unit in units {
        let next = position + unit.decoded;
        if start.is_none() && bytes.start < next {
            start = Some(unit.at);
        }
        if let Some(start) = start
            && bytes.end <= next
        {
            return Some(start..unit.at + unit.written);
        }
        position = next;
    }
    None
}

fn single_quoted(raw: &str) -> Option<impl Iterator<Item = Unit>> {
    let inner = raw.strip_prefix('\'')?.strip_suffix('\'')?;
    let mut chars = inner.char_indices();
    Some(std::iter::from_fn(move || {
        let (at, c) = chars.next()?;
        let written = if c == '\'' {
            chars.next();
            2
        } else {
            c.len_utf8()
        };
        Some(Unit { at: at + 1, written, decoded: c.len_utf8() })
    }))
}

fn double_quoted(raw: &str) -> Option<impl Iterator<Item = Unit>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    let mut at = 0;
    Some(std::iter::from_fn(move || {
        let mut rest = inner[at..].chars();
        let c = rest.next()?;
        let (written, decoded) = if c == '\\' { escape(&inner[at + 1..])? } else { (c.len_utf8(), c.len_utf8()) };
        let unit = Unit { at: at + 1, written, decoded };
        at += written;
        Some(unit)
    }))
}

/// Returns the written and the decoded length of an escape, given what follows its backslash.
fn escape(rest: &str) -> Option<(usize, usize)> {
    let c = rest.chars().next()?;
    let digits = match c {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        'N' | '_' => return Some((2, 2)),
        'L' | 'P' => return Some((2, 3)),
        c => return Some((1 + c.len_utf8(), 1)),
    };
    let code = u32::from_str_radix(rest.get(1..1 + digits)?, 16).ok()?;
    Some((2 + digits, char::from_u32(code)?.len_utf8()))
}

/// Walks the lines of a `|` block, whose place begins with its first text: what comes before it in that line is the
/// indentation of all lines, and blank lines above it belong to the block.
fn literal(document: &str, range: Range<usize>) -> Option<impl Iterator<Item = Unit>> {
    let line_start = |end: usize| document[..end].rfind('\n').map_or(0, |newline| newline + 1);
    let first = line_start(range.start);
    let indent = range.start - first;
    if !document[first..range.start].bytes().all(|byte| byte == b' ') {
        return None;
    }
    let mut start = first;
    while start > 0 && document[line_start(start - 1)..start].trim().is_empty() {
        start = line_start(start - 1);
    }
    let mut at = start;
    Some(document[start..range.end].split_inclusive('\n').flat_map(move |line| {
        let skipped = indent.min(line.len() - line.trim_start_matches(' ').len());
        let begin = at + skipped;
        at += line.len();
        let ending = line.len() - line.trim_end_matches(['\r', '\n']).len();
        let text = &line[skipped.min(line.len() - ending)..line.len() - ending];
        let chars = text.char_indices().map(move |(offset, c)| {
            let length = c.len_utf8();
            Unit { at: begin + offset, written: length, decoded: length }
        });
        let line_end = begin + text.len();
        chars.chain((ending > 0).then_some(Unit { at: line_end, written: ending, decoded: 1 }))
    }))
}
