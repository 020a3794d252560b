//! The way back from a decoded text to how it is written in YAML.

use std::ops::Range;

use super::document::Style;

/// Returns where some bytes of a decoded scalar stand in its written form, if that can be told:
/// for plain and quoted texts on one line, and for `|` blocks.
pub(super) fn locate(raw: &str, style: Style, bytes: Range<usize>) -> Option<Range<usize>> {
    let range = match style {
        Style::Plain if !raw.contains('\n') => (bytes.end <= raw.len()).then_some(bytes)?,
        Style::SingleQuoted if !raw.contains('\n') => map(single_quoted(raw)?, bytes)?,
        Style::DoubleQuoted if !raw.contains('\n') => map(double_quoted(raw)?, bytes)?,
        Style::Literal => map(literal(raw)?, bytes)?,
        _ => return None,
    };
    raw.get(range.clone()).map(|_| range)
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

/// Walks the lines of a `|` block, whose indentation is not part of the text.
fn literal(raw: &str) -> Option<impl Iterator<Item = Unit>> {
    let (header, body) = raw.split_once('\n')?;
    // An indentation given in the header is rare and can't be told from here.
    if !header.starts_with('|') || header.chars().skip(1).any(|c| c.is_ascii_digit()) {
        return None;
    }
    let first = body.lines().find(|line| !line.trim().is_empty())?;
    let indent = first.len() - first.trim_start_matches(' ').len();
    let mut at = header.len() + 1;
    Some(body.split_inclusive('\n').flat_map(move |line| {
        let skipped = indent.min(line.len() - line.trim_start_matches(' ').len());
        let start = at + skipped;
        at += line.len();
        let ending = if line.ends_with("\r\n") { 2 } else { usize::from(line.ends_with('\n')) };
        let text = &line[skipped..line.len() - ending];
        let line_end = start + text.len();
        let chars = text
            .char_indices()
            .map(move |(offset, c)| Unit { at: start + offset, written: c.len_utf8(), decoded: c.len_utf8() })
            .collect::<Vec<_>>();
        chars.into_iter().chain((ending > 0).then_some(Unit { at: line_end, written: ending, decoded: 1 }))
    }))
}
