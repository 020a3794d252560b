//! Tells the wrapper's own words from what a command prints.

/// Begins every mark.
const MARK: u8 = 0x1e;

/// No mark's words are longer.
const WORDS_LIMIT: usize = 64;

/// What the wrapper says about itself within an output stream, in the order in which it can come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Mark {
    /// The program that changes users isn't there.
    NoEscalation,
    /// What went before was the login's talk, what follows is the command's.
    Begun,
    /// The command runs, as its own process group where it could get one.
    Running { group: bool, pid: u32 },
    /// The command has ended; what follows comes from processes it left behind.
    Ended(Ended),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ended {
    /// As the shell tells it: above 128 for a signal.
    Status(i32),
    NoFolder,
}

/// A piece of a stream.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Piece<'a> {
    Data(&'a [u8]),
    Mark(Mark),
}

/// Looks for marks that carry one nonce.
#[derive(Debug)]
pub(crate) struct Scanner {
    start: Vec<u8>,
    /// What may be the beginning of a mark.
    held: Vec<u8>,
}

impl Scanner {
    pub(crate) fn new(nonce: &str) -> Self {
        let mut start = vec![MARK];
        start.extend_from_slice(nonce.as_bytes());
        start.push(b' ');
        Self { start, held: Vec::new() }
    }

    /// Takes the next bytes of the stream and hands on the pieces they complete.
    pub(crate) fn push(&mut self, bytes: &[u8], mut take: impl FnMut(Piece<'_>)) {
        if self.held.is_empty() && !bytes.contains(&MARK) {
            take(Piece::Data(bytes));
            return;
        }
        let mut buffer = std::mem::take(&mut self.held);
        buffer.extend_from_slice(bytes);
        let mut rest = buffer.as_slice();
        let mut from = 0;
        while let Some(at) = rest[from..].iter().position(|&byte| byte == MARK).map(|at| at + from) {
            match self.mark_at(&rest[at..]) {
                Found::Mark(mark, length) => {
                    if at > 0 {
                        take(Piece::Data(&rest[..at]));
                    }
                    take(Piece::Mark(mark));
                    rest = &rest[at + length..];
                    from = 0;
                }
                Found::Nothing => from = at + 1,
                Found::MoreNeeded => {
                    if at > 0 {
                        take(Piece::Data(&rest[..at]));
                    }
                    self.held = rest[at..].to_vec();
                    return;
                }
            }
        }
        if !rest.is_empty() {
            take(Piece::Data(rest));
        }
    }

    /// Returns what was held back: the stream is over.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    fn mark_at(&self, bytes: &[u8]) -> Found {
        let common = bytes.len().min(self.start.len());
        if bytes[..common] != self.start[..common] {
            return Found::Nothing;
        }
        let words = &bytes[common..];
        match words.iter().take(WORDS_LIMIT).position(|&byte| byte == b'\n') {
            Some(end) => match parse(&words[..end]) {
                Some(mark) => Found::Mark(mark, common + end + 1),
                None => Found::Nothing,
            },
            None if words.len() < WORDS_LIMIT => Found::MoreNeeded,
            None => Found::Nothing,
        }
    }
}

enum Found {
    Mark(Mark, usize),
    MoreNeeded,
    Nothing,
}

fn parse(words: &[u8]) -> Option<Mark> {
    let words = std::str::from_utf8(words).ok()?;
    Some(match words.split_once(' ') {
        None if words == "B" => Mark::Begun,
        None if words == "X" => Mark::NoEscalation,
        Some(("G", pid)) => Mark::Running { group: true, pid: pid.parse().ok()? },
        Some(("P", pid)) => Mark::Running { group: false, pid: pid.parse().ok()? },
        Some(("E", "cwd")) => Mark::Ended(Ended::NoFolder),
        Some(("E", status)) => Mark::Ended(Ended::Status(status.parse().ok()?)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(pieces: &[&[u8]]) -> (Vec<u8>, Vec<Mark>) {
        let (mut scanner, mut data, mut marks) = (Scanner::new("abc"), Vec::new(), Vec::new());
        for piece in pieces {
            scanner.push(piece, |found| match found {
                Piece::Data(bytes) => data.extend_from_slice(bytes),
                Piece::Mark(mark) => marks.push(mark),
            });
        }
        data.extend(scanner.finish());
        (data, marks)
    }

    #[test]
    fn marks_are_found_however_the_stream_is_cut() {
        let text = b"motd\n\x1eabc B\nhello \x1ex\x1eabc G 17\nworld\x1eabd E 1\n\x1eabc E 137\nlate";
        let wanted = (
            b"motd\nhello \x1exworld\x1eabd E 1\nlate".to_vec(),
            vec![Mark::Begun, Mark::Running { group: true, pid: 17 }, Mark::Ended(Ended::Status(137))],
        );
        for at in 0..text.len() {
            assert_eq!(scan(&[&text[..at], &text[at..]]), wanted);
        }
        assert_eq!(scan(&text.chunks(1).collect::<Vec<_>>()), wanted);
    }

    #[test]
    fn what_only_looks_like_a_mark_is_output() {
        let long = [b"\x1eabc ".as_slice(), &[b'x'; 100], b"\n"].concat();
        for text in [b"\x1eabc Q\n".as_slice(), b"\x1eabc E x\n", b"\x1eabc", b"\x1e\x1e\x1e", &long] {
            assert_eq!(scan(&[text]), (text.to_vec(), vec![]));
        }
    }
}
