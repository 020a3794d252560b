//! Lets output through to whoever watches, as long as he keeps up; what he misses is whole lines.

/// What of a piece of output is shown.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Passed<'a> {
    /// What was missed before it.
    pub(super) missed: Option<Missed>,
    pub(super) bytes: &'a [u8],
}

/// Output that nobody was shown.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Missed {
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

/// One stream of a step.
#[derive(Default, Debug)]
pub(super) struct Gate {
    /// Set while output is being missed.
    missed: Option<Missed>,
    /// The stream stands in the middle of a line.
    mid_line: bool,
}

impl Gate {
    /// Takes a piece of output; `admit` says whether so many bytes may be shown. Returns what is to be shown.
    ///
    /// After something was missed, showing begins again with a line: two halves must not be read as one.
    pub(super) fn pass<'a>(&mut self, piece: &'a [u8], admit: impl FnOnce(usize) -> bool) -> Option<Passed<'a>> {
        let from = match self.missed {
            Some(_) if self.mid_line => piece.iter().position(|byte| *byte == b'\n').map_or(piece.len(), |at| at + 1),
            _ => 0,
        };
        let (rest_of_line, bytes) = piece.split_at(from);
        if let Some(last) = piece.last() {
            self.mid_line = *last != b'\n';
        }
        self.miss(rest_of_line);
        if bytes.is_empty() {
            return None;
        }
        if admit(bytes.len()) {
            return Some(Passed { missed: self.missed.take(), bytes });
        }
        self.miss(bytes);
        None
    }

    fn miss(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            let missed = self.missed.get_or_insert_default();
            missed.lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            missed.bytes += bytes.len() as u64;
        }
    }

    /// Returns what was missed and not told yet: nothing more comes.
    pub(super) fn finish(&mut self) -> Option<Missed> {
        let mut missed = self.missed.take()?;
        missed.lines += u64::from(self.mid_line);
        Some(missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missed_is_whole_lines_and_counted() {
        let mut gate = Gate::default();
        assert_eq!(gate.pass(b"one\ntw", |_| true), Some(Passed { missed: None, bytes: b"one\ntw" }));
        assert_eq!(gate.pass(b"o\nthree\nfo", |_| false), None);
        assert_eq!(gate.pass(b"ur", |_| true), None, "the line it belongs to is missed");
        let missed = Missed { lines: 3, bytes: 13 };
        assert_eq!(gate.pass(b"\nfive\n", |_| true), Some(Passed { missed: Some(missed), bytes: b"five\n" }));
        assert_eq!(gate.finish(), None);
        assert_eq!(gate.pass(b"six\nseven", |_| false), None);
        assert_eq!(gate.finish(), Some(Missed { lines: 2, bytes: 9 }));
        assert_eq!(gate.finish(), None);
    }
}
