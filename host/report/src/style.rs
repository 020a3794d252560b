//! Colours, durations and times for people.

use std::fmt::Display;

use jiff::tz::TimeZone;
use launchway_model::Timestamp;

/// Paints text, or leaves it plain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Paint {
    pub colour: bool,
}

impl Paint {
    pub fn bold(self, text: impl Display) -> String {
        self.with("1", text)
    }

    pub fn dim(self, text: impl Display) -> String {
        self.with("2", text)
    }

    pub fn red(self, text: impl Display) -> String {
        self.with("31", text)
    }

    pub fn green(self, text: impl Display) -> String {
        self.with("32", text)
    }

    pub fn yellow(self, text: impl Display) -> String {
        self.with("33", text)
    }

    pub fn cyan(self, text: impl Display) -> String {
        self.with("36", text)
    }

    fn with(self, code: &str, text: impl Display) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }
}

/// Returns a duration in the unit that suits it: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 7 min`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..10 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Returns a time in the given zone, to the second.
pub fn time(at: Timestamp, zone: &TimeZone) -> String {
    i64::try_from(at.0)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map_or_else(|| "?".to_owned(), |at| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string())
}

/// Quotes a word for a POSIX shell, where it needs to be.
pub fn shell_quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_their_units() {
        let texts = [0, 450, 9_999, 10_000, 61_500, 7_620_000].map(duration);
        assert_eq!(texts, ["0.0 s", "0.4 s", "9.9 s", "10 s", "1 min 1 s", "2 h 7 min"]);
    }

    #[test]
    fn times_never_fail() {
        assert_eq!(time(Timestamp(0), &TimeZone::UTC), "1970-01-01 00:00:00");
        assert_eq!(time(Timestamp(u64::MAX), &TimeZone::UTC), "?");
    }
}
