//! Takes secrets out of what is shown or kept.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use launchway_model::{Digest, Failure};

use crate::forms::{base64_forms, hex_forms, json_forms, percent_forms};

/// What stands in a secret's place.
const MASK: &[u8] = b"***";

/// Secrets shorter than this are replaced only where they stand alone.
const SHORT: usize = 4;

/// Knows the secrets read so far and replaces them, in the usual encodings too.
#[derive(Debug, Default)]
pub struct Redactor {
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// What was given so far, none of it in clear. Every command gives all of it once more, which must cost little.
    values: Values,
    needles: BTreeSet<Needle>,
    patterns: Arc<Patterns>,
}

#[derive(Default)]
struct Values(HashSet<Digest>);

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} values", self.0.len())
    }
}

/// A byte string to replace.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Needle {
    bytes: Vec<u8>,
    whole_word: bool,
    /// Line ends may stand in it anywhere.
    folded: bool,
}

impl std::fmt::Debug for Needle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Redactor {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a secret: from now on it is replaced, in streams already begun too.
    pub fn learn(&self, value: &[u8]) {
        let digest = Digest::of(value);
        if self.has_learned(&digest) {
            return;
        }
        let needles = needles_of(value);
        let mut known = self.known.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        known.values.0.insert(digest);
        let before = known.needles.len();
        known.needles.extend(needles);
        if known.needles.len() != before {
            known.patterns = Arc::new(Patterns::new(&known.needles));
        }
    }

    fn has_learned(&self, digest: &Digest) -> bool {
        self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner).values.0.contains(digest)
    }

    /// Begins a stream, whose pieces may cut secrets in two.
    pub fn stream(self: &Arc<Self>) -> StreamRedactor {
        StreamRedactor { redactor: self.clone(), buffer: Vec::new(), covered: 0, before: None }
    }

    /// Returns the bytes without secrets.
    pub fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        self.patterns().replace(bytes, 0, bytes.len(), None, &mut out);
        out
    }

    /// Returns the text without secrets.
    pub fn text(&self, text: &str) -> String {
        let patterns = self.patterns();
        if patterns.is_empty() {
            return text.to_owned();
        }
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// Returns the failure with no secret in any of its texts.
    pub fn failure(&self, failure: Failure) -> Failure {
        Failure {
            message: self.text(&failure.message),
            detail: failure.detail.map(|text| self.text(&text)),
            hint: failure.hint.map(|text| self.text(&text)),
            ..failure
        }
    }

    fn patterns(&self) -> Arc<Patterns> {
        self.known.read().unwrap_or_else(std::sync::PoisonError::into_inner).patterns.clone()
    }
}

/// Redacts a stream piece by piece. Holds back only what may be the beginning of a secret.
#[derive(Debug)]
pub struct StreamRedactor {
    redactor: Arc<Redactor>,
    /// Not given out yet.
    buffer: Vec<u8>,
    /// So many bytes at its start belong to a secret whose mask has been given out.
    covered: usize,
    /// The byte before the buffer.
    before: Option<u8>,
}

impl StreamRedactor {
    /// Takes the next piece and appends to `out` what is safe to show.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let patterns = self.redactor.patterns();
        if patterns.is_empty() && self.buffer.is_empty() {
            self.before = piece.last().copied().or(self.before);
            out.extend_from_slice(piece);
            return;
        }
        self.buffer.extend_from_slice(piece);
        let hold = patterns.hold_from(&self.buffer);
        self.give_out(&patterns, hold, out);
    }

    /// Appends the rest: the stream is over.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let patterns = self.redactor.patterns();
        self.give_out(&patterns, self.buffer.len(), out);
    }

    fn give_out(&mut self, patterns: &Patterns, until: usize, out: &mut Vec<u8>) {
        let covered_until = patterns.replace(&self.buffer, self.covered, until, self.before, out);
        if until > 0 {
            self.before = Some(self.buffer[until - 1]);
        }
        self.buffer.drain(..until);
        self.covered = covered_until.saturating_sub(until);
    }
}

/// All needles in searchable form.
#[derive(Default)]
struct Patterns {
    /// Those that are looked for in the text as it is.
    plain: Search,
    /// Those that are looked for in the text without line ends.
    folded: Search,
}

/// Some needles in searchable form.
#[derive(Default)]
struct Search {
    /// Sorted.
    needles: Vec<Needle>,
    longest: usize,
    /// The bytes that some needle begins with.
    first: BTreeSet<u8>,
    automaton: Option<AhoCorasick>,
}

impl std::fmt::Debug for Patterns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} patterns", self.plain.needles.len() + self.folded.needles.len())
    }
}

impl Search {
    fn new(needles: Vec<Needle>) -> Self {
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(needles.iter().map(|needle| &needle.bytes))
            .expect("a few needles are far below the automaton's limits");
        Self {
            longest: needles.iter().map(|n| n.bytes.len()).max().unwrap_or(0),
            first: needles.iter().filter_map(|needle| needle.bytes.first().copied()).collect(),
            needles,
            automaton: Some(automaton),
        }
    }

    /// Returns the first position from which the buffer may turn out to be a secret once more of it comes.
    fn hold_from(&self, buffer: &[u8]) -> usize {
        let from = buffer.len().saturating_sub(self.longest);
        let mut starts = (from..buffer.len()).filter(|&at| self.first.contains(&buffer[at]));
        starts.find(|&at| self.may_continue(&buffer[at..])).unwrap_or(buffer.len())
    }

    /// Whether the end of a buffer begins a needle that is not decided yet.
    fn may_continue(&self, end: &[u8]) -> bool {
        let first = self.needles.partition_point(|needle| needle.bytes.as_slice() < end);
        self.needles[first..].iter().take_while(|needle| needle.bytes.starts_with(end)).any(|needle| {
            // A whole word is known to be one only when the byte after it is.
            needle.bytes.len() > end.len() || needle.whole_word
        })
    }

    /// Returns where needles stand.
    fn find<'a>(&'a self, buffer: &'a [u8], before: Option<u8>) -> impl Iterator<Item = (usize, usize)> + 'a {
        let found = self.automaton.iter().flat_map(move |automaton| automaton.find_overlapping_iter(buffer));
        let whole = move |m: &aho_corasick::Match| {
            let needle = &self.needles[m.pattern().as_usize()];
            let left = if m.start() == 0 { before } else { Some(buffer[m.start() - 1]) };
            let right = buffer.get(m.end()).copied();
            !needle.whole_word || !(is_word(left) || is_word(right))
        };
        found.filter(whole).map(|m| (m.start(), m.end()))
    }
}

impl Patterns {
    fn new(needles: &BTreeSet<Needle>) -> Self {
        let (folded, plain) = needles.iter().cloned().partition(|needle| needle.folded);
        Self { plain: Search::new(plain), folded: Search::new(folded) }
    }

    fn is_empty(&self) -> bool {
        self.plain.needles.is_empty() && self.folded.needles.is_empty()
    }

    /// Returns the first position from which the buffer may turn out to be a secret once more of it comes.
    fn hold_from(&self, buffer: &[u8]) -> usize {
        let plain = self.plain.hold_from(buffer);
        if self.folded.needles.is_empty() {
            return plain;
        }
        // At the worst every second byte is a line end.
        let from = buffer.len().saturating_sub(3 * self.folded.longest);
        let unfolded = Unfolded::new(&buffer[from..]);
        let folded = unfolded.places.get(self.folded.hold_from(&unfolded.bytes)).map(|at| from + at);
        plain.min(folded.unwrap_or(buffer.len()))
    }

    /// Appends `buffer[covered..until]` without secrets; returns where the last secret found ends.
    fn replace(&self, buffer: &[u8], covered: usize, until: usize, before: Option<u8>, out: &mut Vec<u8>) -> usize {
        let mut at = covered.min(until);
        let mut masked_until = covered;
        for (start, end) in self.secrets(buffer, covered, before) {
            if start >= until {
                break;
            }
            if start > at {
                out.extend_from_slice(&buffer[at..start]);
            }
            // A secret that overlaps the one before shares its mask.
            if start >= masked_until {
                out.extend_from_slice(MASK);
            }
            masked_until = masked_until.max(end);
            at = at.max(end.min(until));
        }
        if at < until {
            out.extend_from_slice(&buffer[at..until]);
        }
        masked_until
    }

    /// Returns where secrets stand, as disjoint ranges in order, leaving out what ends before `covered`.
    fn secrets(&self, buffer: &[u8], covered: usize, before: Option<u8>) -> Vec<(usize, usize)> {
        let mut found: Vec<(usize, usize)> = self.plain.find(buffer, before).collect();
        if !self.folded.needles.is_empty() {
            let unfolded = Unfolded::new(buffer);
            let places = &unfolded.places;
            let in_lines = self.folded.find(&unfolded.bytes, before);
            found.extend(in_lines.map(|(start, end)| (places[start], places[end - 1] + 1)));
        }
        found.retain(|(_, end)| *end > covered);
        found.sort_unstable();
        let mut merged: Vec<(usize, usize)> = Vec::with_capacity(found.len());
        for (start, end) in found {
            match merged.last_mut() {
                Some(last) if start < last.1 => last.1 = last.1.max(end),
                _ => merged.push((start, end)),
            }
        }
        merged
    }
}

/// A text without the line ends in the middle of what may be base64.
struct Unfolded {
    bytes: Vec<u8>,
    /// Where each byte stood.
    places: Vec<usize>,
}

impl Unfolded {
    fn new(text: &[u8]) -> Self {
        let mut unfolded = Self { bytes: Vec::with_capacity(text.len()), places: Vec::with_capacity(text.len()) };
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            let rest = &text[at..];
            let line_end = if rest.starts_with(b"\r\n") { 2 } else { 1 };
            let folds = matches!(byte, b'\n' | b'\r') && at > 0 && is_base64(text[at - 1]);
            // Where the text ends, what comes next may be the rest.
            if folds
                && (byte == b'\n' || line_end == 2 || rest.len() == 1)
                && rest.get(line_end).is_none_or(|next| is_base64(*next))
            {
                at += line_end;
                continue;
            }
            unfolded.bytes.push(byte);
            unfolded.places.push(at);
            at += 1;
        }
        unfolded
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

fn is_word(byte: Option<u8>) -> bool {
    byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80)
}

/// Returns the forms in which a secret may show up.
fn needles_of(value: &[u8]) -> Vec<Needle> {
    let value = value.trim_ascii();
    if value.is_empty() {
        return Vec::new();
    }
    let mut forms: Vec<Vec<u8>> = Vec::new();
    // A program that prints a secret of several lines often indents or cuts it: each line counts for itself.
    let mut lines = value.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or(value);
    let rest: Vec<_> = lines.collect();
    if rest.is_empty() {
        forms.push(first.to_vec());
    } else {
        forms.extend(std::iter::once(first).chain(rest).filter(|line| line.len() >= SHORT).map(<[u8]>::to_vec));
    }
    forms.extend(percent_forms(value));
    if let Ok(text) = std::str::from_utf8(value) {
        forms.extend(json_forms(text));
    }
    // The digits of two or three bytes stand in every checksum.
    if value.len() >= SHORT {
        forms.extend(hex_forms(value));
    }
    let plain = forms.into_iter().map(|bytes| Needle { whole_word: bytes.len() < SHORT, bytes, folded: false });
    let folded = base64_forms(value).into_iter().map(|bytes| Needle { whole_word: false, bytes, folded: true });
    plain.chain(folded).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use proptest::prelude::*;

    use super::*;

    fn redactor(secrets: &[&str]) -> Arc<Redactor> {
        let redactor = Arc::new(Redactor::new());
        for secret in secrets {
            redactor.learn(secret.as_bytes());
        }
        redactor
    }

    fn in_pieces(redactor: &Arc<Redactor>, pieces: &[&[u8]]) -> String {
        let (mut stream, mut out) = (redactor.stream(), Vec::new());
        for piece in pieces {
            stream.push(piece, &mut out);
        }
        stream.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_secret_cut_anywhere_is_replaced() {
        let redactor = redactor(&["hunter2!"]);
        let text = b"a hunter2! b hunter2 c";
        for at in 0..text.len() {
            assert_eq!(in_pieces(&redactor, &[&text[..at], &text[at..]]), "a *** b hunter2 c");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(in_pieces(&redactor, &bytes), "a *** b hunter2 c");
    }

    #[test]
    fn nothing_is_held_back_without_a_partial_match() {
        let redactor = redactor(&["hunter2"]);
        let (mut stream, mut out) = (redactor.stream(), Vec::new());
        stream.push(b"password: hunt", &mut out);
        assert_eq!(out, b"password: ");
        stream.push(b"ing season\n", &mut out);
        assert_eq!(out, b"password: hunting season\n");
    }

    #[test]
    fn overlapping_and_nested_secrets_leave_nothing_over() {
        assert_eq!(in_pieces(&redactor(&["abcdef", "defghi"]), &[b"-abcdef", b"ghi-"]), "-***-");
        assert_eq!(in_pieces(&redactor(&["abcd", "abcdef"]), &[b"-abcd", b"ef-abcd-"]), "-***-***-");
    }

    #[test]
    fn short_secrets_count_as_whole_words_only() {
        let redactor = redactor(&["no"]);
        assert_eq!(in_pieces(&redactor, &[b"no know no", b"de no"]), "*** know node ***");
    }

    #[test]
    fn usual_encodings_are_replaced() {
        let redactor = redactor(&["s3cr3t value\"/+"]);
        let basic = base64::engine::general_purpose::STANDARD.encode("user:s3cr3t value\"/+");
        let shown = redactor.text(&format!(
            "Authorization: Basic {basic} ?p=s3cr3t%20value%22%2F%2B s3cr3t+value%22%2F%2B s3cr3t value\\\"/+"
        ));
        assert!(!shown.contains("s3cr3t"), "{shown}");
        assert!(!shown.contains(&basic[8..]), "{shown}");
    }

    #[test]
    fn what_programs_write_differently_is_replaced_all_the_same() {
        let secret = "s3cr3t/<välue>&'\"+";
        let redactor = redactor(&[secret]);
        for shown in [
            // Python's `quote`, JavaScript's `encodeURIComponent`.
            "s3cr3t/%3Cv%C3%A4lue%3E%26%27%22%2B",
            "s3cr3t%2F%3Cv%C3%A4lue%3E%26'%22%2B",
            // Go, Python, PHP, .NET.
            "s3cr3t/\\u003cvälue\\u003e\\u0026'\\\"+",
            "s3cr3t/<v\\u00e4lue>&'\\\"+",
            "s3cr3t\\/<v\\u00e4lue>&'\\\"+",
            "s3cr3t/\\u003Cv\\u00E4lue\\u003E\\u0026\\u0027\\u0022\\u002B",
        ] {
            assert_eq!(redactor.text(&format!("a {shown} b")), "a *** b", "{shown}");
        }
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(redactor.text(&format!("{hex} {}", hex.to_uppercase())), "*** ***");
    }

    #[test]
    fn base64_in_lines_is_replaced_wherever_they_end() {
        let secret = "correct horse battery staple, correct horse battery staple";
        let redactor = redactor(&[secret]);
        for before in 0..80 {
            let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{}{secret}", "x".repeat(before)));
            for (width, end) in [(76, "\n"), (64, "\r\n"), (7, "\n")] {
                let lines: Vec<&str> =
                    encoded.as_bytes().chunks(width).map(|line| std::str::from_utf8(line).unwrap()).collect();
                let text = lines.join(end) + end;
                let shown = redactor.text(&text);
                // All but what hangs on the bytes around it.
                let rest = shown.split_once("***").expect("it is found").1;
                assert!(rest.trim().len() <= 4, "{before} {width}: {shown}");
                let pieces: Vec<&[u8]> = text.as_bytes().chunks(5).collect();
                assert_eq!(in_pieces(&redactor, &pieces), shown);
            }
        }
        assert_eq!(in_pieces(&redactor, &[b"Y29y\n", b"\nready\r", b"\n"]), "Y29y\n\nready\r\n");
    }

    #[test]
    fn every_line_of_a_secret_counts() {
        let redactor = redactor(&["-----BEGIN KEY-----\nAAAAB3NzaC1\n{\n-----END KEY-----\n"]);
        assert_eq!(redactor.text("x AAAAB3NzaC1 { y"), "x *** { y");
    }

    #[test]
    fn what_was_learned_is_known_whatever_its_forms() {
        let redactor = redactor(&["hunter2", " "]);
        assert!(redactor.has_learned(&Digest::of(b"hunter2")) && redactor.has_learned(&Digest::of(b" ")));
        assert!(!redactor.has_learned(&Digest::of(b"hunter")));
    }

    proptest! {
        #[test]
        fn pieces_give_what_the_whole_gives(
            secrets in prop::collection::vec("[ab]{1,6}", 1..4),
            text in "[ab ]{0,40}",
            cuts in prop::collection::vec(0usize..40, 0..5),
        ) {
            let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
            let redactor = redactor(&secrets);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
            prop_assert_eq!(in_pieces(&redactor, &pieces), redactor.text(&text));
        }

        #[test]
        fn lines_in_pieces_give_what_the_whole_gives(
            text in "(YWJjZGVm|YWJj|ZGVm|Z|\n|\r\n|\r| ){0,12}",
            cuts in prop::collection::vec(0usize..60, 0..6),
        ) {
            let redactor = redactor(&["abcdef"]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
            prop_assert_eq!(in_pieces(&redactor, &pieces), redactor.text(&text));
        }
    }
}
