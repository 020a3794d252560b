//! Text that comes from guests.

use std::borrow::Cow;

/// Of a line for people, in bytes.
pub(crate) const LINE: usize = 16 << 10;

/// Returns the text without control characters but line breaks and tabs, cut to about `limit` bytes.
///
/// Escape sequences thus lose their first byte here already; what only matters to terminals or CI servers is the
/// business of whoever shows it there.
pub(crate) fn clean(text: &str, limit: usize) -> Cow<'_, str> {
    let cut = text.len() > limit;
    let kept = if cut { &text[..text.floor_char_boundary(limit)] } else { text };
    let harmless = |c: char| !c.is_control() || c == '\n' || c == '\t';
    if !cut && kept.chars().all(harmless) {
        return Cow::Borrowed(kept);
    }
    let mut cleaned: String = kept.chars().map(|c| if harmless(c) { c } else { '\u{fffd}' }).collect();
    if cut {
        cleaned.push('…');
    }
    Cow::Owned(cleaned)
}

/// Returns the text as [`clean`] does, on one line.
pub(crate) fn line(text: &str, limit: usize) -> String {
    clean(text, limit).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_lose_their_first_byte() {
        assert_eq!(
            clean("\u{1b}[31mred\u{7}\r\n\ttab\u{9b}2J", 100),
            "\u{fffd}[31mred\u{fffd}\u{fffd}\n\ttab\u{fffd}2J"
        );
    }

    #[test]
    fn cut_between_characters() {
        assert_eq!(clean("ééé", 3), "é…");
        assert_eq!(clean("ééé", 6), "ééé");
    }

    #[test]
    fn one_line() {
        assert_eq!(line("a\nb\tc", 10), "a b c");
    }
}
