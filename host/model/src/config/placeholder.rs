//! Placeholders in texts: `${target.address}`, `${target.labels."rack no"}`, and `$${` for a literal `${`.

use std::ops::Range;

/// A piece of a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Segment {
    Text(String),
    /// A placeholder: the keys between its dots, and where it stands, `${` and `}` included.
    Reference {
        path: Vec<String>,
        range: Range<usize>,
    },
}

/// A placeholder that can't be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct PlaceholderError {
    /// The bytes of the text that are at fault.
    pub range: Range<usize>,
    pub message: String,
    pub hint: Option<String>,
}

/// Splits a text into literal pieces and placeholders. A text without any is one piece, the empty text none.
pub fn parse(text: &str) -> Result<Vec<Segment>, PlaceholderError> {
    let mut segments = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(found) = text[at..].find('$') {
        let dollar = at + found;
        literal.push_str(&text[at..dollar]);
        let rest = &text[dollar..];
        if rest.starts_with("$${") {
            literal.push_str("${");
            at = dollar + 3;
        } else if rest.starts_with("${") {
            let (path, end) = Reader { text, at: dollar + 2, start: dollar }.path()?;
            if !literal.is_empty() {
                segments.push(Segment::Text(std::mem::take(&mut literal)));
            }
            segments.push(Segment::Reference { path, range: dollar..end });
            at = end;
        } else {
            literal.push('$');
            at = dollar + 1;
        }
    }
    literal.push_str(&text[at..]);
    if !literal.is_empty() {
        segments.push(Segment::Text(literal));
    }
    Ok(segments)
}

/// Whether a text has anything that [`parse`] would treat specially.
pub fn is_literal(text: &str) -> bool {
    !text.contains("${")
}

/// Writes a key the way it has to stand in a placeholder: in quotes unless it is plain.
pub fn quote_key(key: &str) -> String {
    if !key.is_empty() && key.chars().all(is_plain) {
        key.to_owned()
    } else {
        format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

/// Reads the inside of one placeholder.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Where the placeholder's `${` stands.
    start: usize,
}

impl Reader<'_> {
    /// Returns the keys, and where the text goes on.
    fn path(mut self) -> Result<(Vec<String>, usize), PlaceholderError> {
        let mut path = Vec::new();
        loop {
            self.skip_blanks();
            path.push(self.key(path.is_empty())?);
            self.skip_blanks();
            match self.peek() {
                Some('}') => return Ok((path, self.at + 1)),
                Some('.') => self.at += 1,
                Some(c) => return Err(self.unexpected(c)),
                None => return Err(self.unclosed()),
            }
        }
    }

    fn key(&mut self, first: bool) -> Result<String, PlaceholderError> {
        if self.peek() == Some('"') {
            return self.quoted_key();
        }
        let rest = &self.text[self.at..];
        let length = rest.find(|c| !is_plain(c)).unwrap_or(rest.len());
        if length == 0 {
            return Err(match self.peek() {
                None => self.unclosed(),
                Some('}') if first => self.error(
                    self.start..self.at + 1,
                    "the placeholder is empty",
                    "name a value, such as `${version}`; a literal `${` is written `$${`",
                ),
                Some('.' | '}') => self.error(
                    self.start..self.at + 1,
                    "a key is missing in the placeholder",
                    "keys are joined by single dots, as in `${target.address}`",
                ),
                Some(c) => self.unexpected(c),
            });
        }
        self.at += length;
        Ok(rest[..length].to_owned())
    }

    fn quoted_key(&mut self) -> Result<String, PlaceholderError> {
        let open = self.at;
        let mut key = String::new();
        let mut chars = self.text[open + 1..].char_indices();
        while let Some((offset, c)) = chars.next() {
            match c {
                '"' if key.is_empty() => {
                    return Err(self.error(
                        open..open + 2,
                        "a key in the placeholder is empty",
                        "put a name between the quotes",
                    ));
                }
                '"' => {
                    self.at = open + 1 + offset + 1;
                    return Ok(key);
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => key.push(escaped),
                    _ => {
                        let at = open + 1 + offset;
                        return Err(self.error(
                            at..at + 1,
                            "`\\` in a quoted key must be followed by `\"` or `\\`",
                            "write `\\\\` for a literal `\\`",
                        ));
                    }
                },
                c => key.push(c),
            }
        }
        Err(self.error(open..open + 1, "the quoted key in the placeholder is not closed", "add the closing `\"`"))
    }

    fn skip_blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn unexpected(&self, c: char) -> PlaceholderError {
        self.error(
            self.at..self.at + c.len_utf8(),
            format!("unexpected {} in the placeholder", crate::diagnostic::show_char(c)),
            "write `$${` for a literal `${`; keys with odd characters go in quotes: `${target.labels.\"a b\"}`",
        )
    }

    fn unclosed(&self) -> PlaceholderError {
        self.error(
            self.start..self.start + 2,
            "the placeholder is not closed",
            "add `}`, or write `$${` for a literal `${`",
        )
    }

    fn error(&self, range: Range<usize>, message: impl Into<String>, hint: &str) -> PlaceholderError {
        PlaceholderError { range, message: message.into(), hint: Some(hint.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> Segment {
        Segment::Text(text.to_owned())
    }

    fn reference(path: &[&str], range: Range<usize>) -> Segment {
        Segment::Reference { path: path.iter().map(|key| (*key).to_owned()).collect(), range }
    }

    #[test]
    fn splits_text_and_references() {
        assert_eq!(parse("").unwrap(), []);
        assert_eq!(parse("plain $ 5$ $x").unwrap(), [text("plain $ 5$ $x")]);
        assert_eq!(parse("${version}").unwrap(), [reference(&["version"], 0..10)]);
        assert_eq!(
            parse("http://${target.address}:80${ a . b-c }").unwrap(),
            [text("http://"), reference(&["target", "address"], 7..24), text(":80"), reference(&["a", "b-c"], 27..39)]
        );
    }

    #[test]
    fn escapes_stand_for_themselves() {
        assert_eq!(parse("$${HOME} $$$${x}").unwrap(), [text("${HOME} $$${x}")]);
        assert_eq!(parse("cost: $$5").unwrap(), [text("cost: $$5")]);
    }

    #[test]
    fn quoted_keys_take_anything() {
        assert_eq!(parse(r#"${target.labels."x y"}"#).unwrap(), [reference(&["target", "labels", "x y"], 0..22)]);
        assert_eq!(parse(r#"${"a.b}\"\\"}"#).unwrap(), [reference(&[r#"a.b}"\"#], 0..13)]);
    }

    #[test]
    fn errors_say_where() {
        for (input, range, message) in [
            ("x ${", 2..4, "not closed"),
            ("${a", 0..2, "not closed"),
            ("${a.", 0..2, "not closed"),
            ("${}", 0..3, "empty"),
            ("ü ${ }", 3..7, "empty"),
            ("${a..b}", 0..5, "missing"),
            ("${a.}", 0..5, "missing"),
            ("${HOME:-x}", 6..7, "unexpected `:`"),
            ("${a b}", 4..5, "unexpected `b`"),
            ("${\"a}", 2..3, "not closed"),
            ("${\"\"}", 2..4, "empty"),
            ("${\"\\n\"}", 3..4, "must be followed"),
        ] {
            let error = parse(input).unwrap_err();
            assert_eq!(error.range, range, "{input}");
            assert!(error.message.contains(message), "{input}: {}", error.message);
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_ranges_are_in_the_text(input in r#"[\$\{\}a."\\ ü]{0,20}"#) {
            match parse(&input) {
                Ok(segments) => for segment in segments {
                    if let Segment::Reference { range, .. } = segment {
                        prop_assert_eq!(input.get(range.start..range.start + 2), Some("${"));
                    }
                },
                Err(error) => prop_assert!(input.get(error.range).is_some()),
            }
        }

        #[test]
        fn quoted_keys_come_back(keys in prop::collection::vec(".{1,8}", 1..4)) {
            let written = format!("${{{}}}", keys.iter().map(|key| quote_key(key)).collect::<Vec<_>>().join("."));
            let length = written.len();
            prop_assert_eq!(parse(&written).unwrap(), [Segment::Reference { path: keys, range: 0..length }]);
        }
    }
}
