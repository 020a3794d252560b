//! What is wrong with a YAML text, in words for people.

use std::ops::Range;

/// Something that is not YAML, or more of YAML than Launchway reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) struct Fault {
    pub(in super::super) code: &'static str,
    pub(in super::super) range: Range<usize>,
    pub(in super::super) message: String,
    pub(in super::super) hint: Option<String>,
    /// Another place that has to do with it, and what is there.
    pub(in super::super) other: Option<(Range<usize>, &'static str)>,
}

impl Fault {
    pub(super) fn new(range: Range<usize>, message: impl Into<String>) -> Self {
        Self { code: "yaml-syntax", range, message: message.into(), hint: None, other: None }
    }

    pub(super) fn code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn other(mut self, range: Range<usize>, text: &'static str) -> Self {
        self.other = Some((range, text));
        self
    }

    /// Translates the scanner's complaint about what stands at a place.
    pub(super) fn from_scanner(text: &str, at: usize, complaint: &str) -> Self {
        let near = tab_in_indentation(text, at);
        let later = || complaint.contains("tab").then(|| tab_in_indentation_after(text, at)).flatten();
        if let Some(tab) = near.or_else(later) {
            return Self::new(tab..tab + 1, "a tab can't indent YAML").hint("use spaces");
        }
        let (message, hint) = translate(complaint);
        let here = visible(text, at);
        let fault = Self::new(here, message);
        if hint.is_empty() { fault } else { fault.hint(hint) }
    }
}

/// Returns the character at a place, or, where there is nothing to see, the last one before it that is no blank.
fn visible(text: &str, at: usize) -> Range<usize> {
    let next = |from: usize| text[from..].chars().next();
    let start = match next(at) {
        Some(c) if !c.is_whitespace() => at,
        _ => text[..at].char_indices().rfind(|(_, c)| !c.is_whitespace()).map_or(at, |(before, _)| before),
    };
    start..start + next(start).map_or(0, char::len_utf8)
}

/// Returns the place of a tab that indents the line of `at`, or the line before.
fn tab_in_indentation(text: &str, at: usize) -> Option<usize> {
    let line_start = |end: usize| text[..end].rfind('\n').map_or(0, |newline| newline + 1);
    let this = line_start(at);
    indenting_tab(text, this).or_else(|| if this > 0 { indenting_tab(text, line_start(this - 1)) } else { None })
}

/// Returns the place of the first tab that indents a line after that of `at`: the scanner complains where the text
/// before it began.
fn tab_in_indentation_after(text: &str, at: usize) -> Option<usize> {
    let starts = text[at..].match_indices('\n').map(|(newline, _)| at + newline + 1);
    starts.into_iter().find_map(|start| indenting_tab(text, start))
}

/// Returns the place of a tab in the indentation of the line that starts somewhere.
fn indenting_tab(text: &str, start: usize) -> Option<usize> {
    let line = &text[start..];
    let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
    line[..indent].find('\t').map(|tab| start + tab)
}

/// Returns a message and a hint for one of the scanner's texts.
fn translate(complaint: &str) -> (String, &'static str) {
    const QUOTE: &str = "put the text in quotes if it is meant literally";
    const INDENT: &str = "check the indentation of this line and the ones before it";
    let (message, hint) = match complaint {
        c if c.contains("mapping values are not allowed") || c.contains("illegal placement of ':'") => (
            "a `key: value` can't begin here",
            "check the indentation and the brackets before it, and put a text that contains `: ` in quotes",
        ),
        c if c.contains("mapping keys are not allowed") => ("a key can't begin here", INDENT),
        c if c.contains("block sequence entries") || c.contains("block collection") => {
            ("a list item (`- `) can't stand here", INDENT)
        }
        c if c.contains("simple key expect") => {
            ("a key without a `:` comes before this", "write `key: value`, with a blank after the colon")
        }
        c if c.contains("did not find expected key") => ("expected a key here", INDENT),
        c if c.contains("flow mapping") => ("the mapping in braces is not closed", "add the missing `}` or `,`"),
        c if c.contains("flow sequence") => ("the list in brackets is not closed", "add the missing `]` or `,`"),
        c if c.contains("misplaced bracket") => ("this bracket has no counterpart", QUOTE),
        c if c.contains("unexpected end of stream") || c.contains("indentation in quoted scalar") => {
            ("the quoted text is not closed", "add the closing quote")
        }
        c if c.contains("trailing content after") => {
            ("text after the closing quote", "put the whole text in one pair of quotes")
        }
        c if c.contains("unknown escape character") => (
            "unknown escape in a double-quoted text",
            "write `\\\\` for a backslash, or use single quotes, which know no escapes",
        ),
        c if c.contains("hexadecimal number") || c.contains("character escape code") => {
            ("bad character code in a double-quoted text", "write `\\x41`, `\\u0041` or `\\U00000041`")
        }
        c if c.contains("unknown anchor") => {
            ("there is no anchor of this name before", "define it first: `key: &name value`")
        }
        c if c.contains("anchor or alias") => ("expected a name after `&` or `*`", QUOTE),
        c if c.contains("tag") || c.contains("handle") => ("this tag can't be read", QUOTE),
        c if c.contains("directive") => ("this line can't be read", "a line can't begin with `%`"),
        c if c.contains("tab") => ("a tab can't stand here", "use spaces"),
        c if c.contains("block scalar") => ("the lines of a text block must be indented alike", INDENT),
        c if c.contains("flow construct") || c.contains("indentation") => ("wrong indentation", INDENT),
        c if c.contains("unexpected character") || c.contains("plain scalar") || c.contains("next token") => {
            ("a plain text can't begin like this", QUOTE)
        }
        c if c.contains("node content") => ("expected a value here", QUOTE),
        c if c.contains("comment intercepting") => ("a comment can't stand inside a text of several lines", ""),
        c if c.contains("recursion limit") => ("nested too deeply", ""),
        c if c.contains("byte order mark") => ("a byte order mark inside the text", "remove it"),
        c if c.contains("document start") || c.contains("document-start") || c.contains("document end") => {
            ("unexpected text", INDENT)
        }
        c if c.contains("eof") => ("the file ends too early", ""),
        c if c.contains("valid YAML whitespace") => ("a blank is missing after `-` or `:`", QUOTE),
        other => return (format!("this is not YAML: {other}"), ""),
    };
    (message.to_owned(), hint)
}
