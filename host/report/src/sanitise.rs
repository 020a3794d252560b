//! Makes what tools and plugins printed harmless for a terminal and for a CI server that reads the log.

/// How much of a line is held before it is let go unfinished, in bytes.
const LINE_LIMIT: usize = 16 * 1024;

/// Words that make a CI server take the rest of a line for a command, wherever in the line they stand.
const COMMANDS: [&str; 3] = ["##vso[", "##teamcity[", "##["];

/// Returns the text without terminal escapes and control characters, and with CI commands defused.
///
/// Line ends and tabs stay; a carriage return counts as a line end, as progress bars mean it.
pub fn sanitise(bytes: &[u8]) -> String {
    let text = strip(&String::from_utf8_lossy(bytes));
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        defuse(line, &mut out);
    }
    out
}

/// Returns the text fit for the middle of a line: like [`sanitise`], with line ends and tabs as blanks.
pub fn inline(text: &str) -> String {
    if is_harmless(text) {
        return text.to_owned();
    }
    sanitise(text.as_bytes()).trim_end().replace(['\n', '\t'], " ")
}

/// Whether the text is plain enough to need no work: the common case for names and summaries.
fn is_harmless(text: &str) -> bool {
    text.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'#') && !text.trim_start().starts_with("::")
}

/// Cleans output that arrives in pieces: gives it out line by line, so that nothing dangerous hides in a seam.
#[derive(Default, Debug)]
pub struct Cleaner {
    pending: Vec<u8>,
}

impl Cleaner {
    /// Takes a piece, and returns the lines that it completes.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            self.pending.extend_from_slice(piece);
            if matches!(self.pending.last(), Some(b'\n' | b'\r')) || self.pending.len() > LINE_LIMIT {
                self.take(&mut lines);
            }
        }
        lines
    }

    /// Returns what is left when the output has ended.
    pub fn finish(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        self.take(&mut lines);
        lines
    }

    fn take(&mut self, lines: &mut Vec<String>) {
        let text = sanitise(&std::mem::take(&mut self.pending));
        lines.extend(text.lines().filter(|line| !line.is_empty()).map(str::to_owned));
    }
}

fn strip(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                }
            }
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_control_sequence(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut chars),
            '\u{2028}' | '\u{2029}' => out.push(' '),
            c if c.is_control() || is_reordering(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// Whether a character changes the order in which others are shown.
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Skips what follows an ESC.
fn skip_escape(chars: &mut Chars<'_>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_control_sequence(chars);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            chars.next();
            skip_string(chars);
        }
        _ => {
            while chars.next_if(|c| ('\u{20}'..='\u{2f}').contains(c)).is_some() {}
            chars.next_if(|c| ('\u{30}'..='\u{7e}').contains(c));
        }
    }
}

/// Skips parameters, intermediates and the final byte of a control sequence.
fn skip_control_sequence(chars: &mut Chars<'_>) {
    while chars.next_if(|c| ('\u{20}'..='\u{3f}').contains(c)).is_some() {}
    chars.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
}

/// Skips a control string up to its terminator. An unterminated one ends with its line, so that it can't swallow the
/// rest of a log.
fn skip_string(chars: &mut Chars<'_>) {
    while let Some(&c) = chars.peek() {
        match c {
            '\n' | '\r' => return,
            '\u{7}' | '\u{9c}' => {
                chars.next();
                return;
            }
            '\u{1b}' => {
                chars.next();
                chars.next_if(|c| *c == '\\');
                return;
            }
            _ => {
                chars.next();
            }
        }
    }
}

/// Appends a line in which no CI server finds a command: a blank parts the characters that would begin one.
fn defuse(line: &str, out: &mut String) {
    let start = line.len() - line.trim_start().len();
    if line[start..].starts_with("::") {
        out.push_str(&line[..start]);
        out.push_str(": ");
        defuse_markers(&line[start + 1..], out);
    } else {
        defuse_markers(line, out);
    }
}

fn defuse_markers(line: &str, out: &mut String) {
    let mut rest = line;
    while let Some(at) = rest.find("##") {
        let found = rest.as_bytes();
        let is_command = COMMANDS.iter().any(|command| {
            found.get(at..at + command.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(command.as_bytes()))
        });
        out.push_str(&rest[..=at]);
        if is_command {
            out.push(' ');
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn strips_escapes_and_keeps_the_text() {
        assert_eq!(sanitise(b"\x1b[31mred\x1b[0m \x1b]0;title\x07x\x1b(By\x08\n"), "red xy\n");
        assert_eq!(sanitise("a\u{9b}2Jb\u{202e}c".as_bytes()), "abc");
        assert_eq!(sanitise(b"10%\r20%\r\ndone\xff"), "10%\n20%\ndone\u{fffd}");
        assert_eq!(sanitise(b"\x1b]52;c;never ended\nnext\n"), "\nnext\n");
    }

    #[test]
    fn defuses_the_commands_of_ci_servers() {
        assert_eq!(sanitise(b"::set-env name=A::b\n"), ": :set-env name=A::b\n");
        assert_eq!(sanitise(b"  ::add-mask::x"), "  : :add-mask::x");
        assert_eq!(sanitise(b"a ##vso[task.setvariable]x"), "a # #vso[task.setvariable]x");
        assert_eq!(sanitise(b"##VSO[x] ##TeamCity[y] ###[z]"), "# #VSO[x] # #TeamCity[y] ## #[z]");
        assert_eq!(sanitise(b"std::mem ## heading"), "std::mem ## heading");
        // Hidden by something that is stripped, or put at a line's start by a carriage return.
        assert_eq!(sanitise(b":\x00:set-env\r::x"), ": :set-env\n: :x");
        assert_eq!(sanitise(b"##\x1b[0mvso[x]"), "# #vso[x]");
    }

    #[test]
    fn inline_makes_one_line() {
        assert_eq!(inline("a\nb\tc\n"), "a b c");
        assert_eq!(inline("plain ä"), "plain ä");
    }

    #[test]
    fn a_cleaner_gives_whole_lines() {
        let mut cleaner = Cleaner::default();
        assert!(cleaner.push(b"one\x1b[3").is_empty());
        assert_eq!(cleaner.push(b"1m\n::t"), ["one"]);
        assert_eq!(cleaner.push(b"wo\nthree"), [": :two"]);
        assert_eq!(cleaner.finish(), ["three"]);
        assert!(cleaner.finish().is_empty());
        let long = cleaner.push(&vec![b'x'; 3 * LINE_LIMIT]);
        let rest = cleaner.finish();
        assert_eq!(long.iter().chain(&rest).map(String::len).sum::<usize>(), 3 * LINE_LIMIT);
    }

    fn is_clean(text: &str) -> bool {
        let lower = text.to_lowercase();
        text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\t'))
            && text.lines().all(|line| !line.trim_start().starts_with("::"))
            && COMMANDS.iter().all(|command| !lower.contains(command))
    }

    /// Bytes that are dense in what matters here.
    fn nasty() -> impl Strategy<Value = Vec<u8>> {
        let pieces: &[&[u8]] = &[
            b"\x1b[",
            b"\x1b]0;",
            b"\x1b",
            b"\xc2\x9b",
            b"\xc2\x9d",
            b"\x9b",
            b"::",
            b":",
            b"##",
            b"#",
            b"vso[",
            b"teamcity[",
            b"[",
            b"\n",
            b"\r",
            b" ",
            b"\x00",
            b"\x07",
            b"\xe2\x80\xa8",
            b"\xc2\xa0",
            b"\xc3\xa4",
            b"m",
            b"\xff",
        ];
        let piece = prop::sample::select(pieces);
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn nothing_dangerous_is_left(bytes in nasty()) {
            let text = sanitise(&bytes);
            prop_assert!(is_clean(&text), "{text:?}");
            prop_assert_eq!(sanitise(text.as_bytes()), text);
        }

        #[test]
        fn arbitrary_bytes_come_out_clean(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(is_clean(&sanitise(&bytes)));
        }

        #[test]
        fn pieces_come_out_clean_wherever_they_are_cut(bytes in nasty(), cut in any::<prop::sample::Index>()) {
            let at = cut.index(bytes.len() + 1);
            let mut cleaner = Cleaner::default();
            let mut lines = cleaner.push(&bytes[..at]);
            lines.extend(cleaner.push(&bytes[at..]));
            lines.extend(cleaner.finish());
            for line in lines {
                prop_assert!(is_clean(&line) && !line.contains('\n'), "{line:?}");
            }
        }

        #[test]
        fn inline_is_one_clean_line(bytes in nasty()) {
            let text = inline(&String::from_utf8_lossy(&bytes));
            prop_assert!(is_clean(&text) && !text.contains(['\n', '\t']), "{text:?}");
        }
    }
}
