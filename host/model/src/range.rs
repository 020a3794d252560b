//! Which versions of an application will do.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use semver::VersionReq;
use serde::{Deserialize, Serialize};

use crate::Version;

/// A range of versions: comparisons as Cargo knows them (`>=1.4, <2`, `^1.4`, `~1.4`), `*` for any, or `=` and a text.
///
/// Two ranges are the same if they are written alike.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionRange {
    text: Arc<str>,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    Any,
    Comparisons(VersionReq),
    /// Exactly this version, which comparisons can't read.
    Exactly(Version),
}

/// Why a version will not do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mismatch {
    /// It is another one.
    Outside,
    /// It would do if it were no pre-release.
    PreRelease,
    /// It has no order that could be compared with the range.
    Unordered,
}

/// Why a text is no range.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RangeError {
    #[error("a range of versions can't be empty; `*` means any")]
    Empty,
    #[error("this is no range of versions: {0}")]
    Invalid(String),
}

impl VersionRange {
    /// What schemas call it.
    pub(crate) const FORMAT: &str = "launchway-version-range";

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Says why a version is not in the range, if it isn't.
    pub fn check(&self, version: &Version) -> Result<(), Mismatch> {
        let range = match &self.rule {
            Rule::Any => return Ok(()),
            Rule::Exactly(exactly) if exactly == version => return Ok(()),
            Rule::Exactly(_) => return Err(Mismatch::Outside),
            Rule::Comparisons(range) => range,
        };
        let Some(version) = ordered(version.as_str()) else { return Err(Mismatch::Unordered) };
        if range.matches(&version) {
            return Ok(());
        }
        let release = semver::Version::new(version.major, version.minor, version.patch);
        let is_pre_release = !version.pre.is_empty() && range.matches(&release);
        Err(if is_pre_release { Mismatch::PreRelease } else { Mismatch::Outside })
    }
}

/// Reads a version as one that has an order: one to three numbers, and what Semantic Versioning allows after them.
fn ordered(text: &str) -> Option<semver::Version> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let mut found = [0; 3];
    let mut parts = numbers.split('.');
    for (at, part) in parts.by_ref().take(3).enumerate() {
        // `parse` would take a sign, too.
        found[at] = part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())??;
    }
    if parts.next().is_some() {
        return None;
    }
    let [major, minor, patch] = found;
    format!("{major}.{minor}.{patch}{rest}").parse().ok()
}

impl FromStr for VersionRange {
    type Err = RangeError;
    fn from_str(text: &str) -> Result<Self, RangeError> {
        let trimmed = text.trim();
        let rule = match trimmed {
            "" => return Err(RangeError::Empty),
            "*" => Rule::Any,
            _ => match VersionReq::parse(trimmed) {
                Ok(range) => Rule::Comparisons(range),
                Err(error) => match trimmed.strip_prefix('=').and_then(|rest| exactly(rest.trim())) {
                    Some(version) => Rule::Exactly(version),
                    None => return Err(RangeError::Invalid(error.to_string())),
                },
            },
        };
        Ok(Self { text: Arc::from(trimmed), rule })
    }
}

/// Returns the version that an `=` is followed by; none if that is several, or another comparison.
fn exactly(text: &str) -> Option<Version> {
    let is_one = !text.contains(',') && !text.starts_with(['=', '<', '>', '^', '~']);
    is_one.then(|| Version::new(text).ok())?
}

impl PartialEq for VersionRange {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for VersionRange {}

impl PartialOrd for VersionRange {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for VersionRange {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for VersionRange {
    type Error = RangeError;
    fn try_from(text: String) -> Result<Self, RangeError> {
        text.parse()
    }
}

impl From<VersionRange> for String {
    fn from(range: VersionRange) -> String {
        range.text.as_ref().to_owned()
    }
}

impl JsonSchema for VersionRange {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "VersionRange".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "minLength": 1, "format": Self::FORMAT })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(range: &str, version: &str) -> Result<(), Mismatch> {
        range.parse::<VersionRange>().expect("a range").check(&Version::new(version).expect("a version"))
    }

    #[test]
    fn ranges_and_what_is_in_them() {
        let inside = [
            (">=1.4, <2", "1.4"),
            (">=1.4, <2", "v1.4.0"),
            (" >=1.4,<2 ", "1.9.9+build.7"),
            ("1.4", "1.5.0"),
            ("~1.4", "1.4.9"),
            ("=1.4", "1.4.7"),
            (">=2024.1", "2024.07.01"),
            (">=2.0.0-rc.1", "2.0.0-rc.2"),
            ("*", "2.0.0-rc.2"),
            ("*", "build-77"),
            ("=build-77", "build-77"),
            ("=2024.1.2.3", "2024.1.2.3"),
        ];
        for (range, version) in inside {
            assert_eq!(check(range, version), Ok(()), "{range} {version}");
        }
        let outside = [
            (">=1.4, <2", "1.3.9", Mismatch::Outside),
            (">=1.4, <2", "2", Mismatch::Outside),
            ("=build-77", "build-78", Mismatch::Outside),
            (">=2", "2.3.0-rc.1", Mismatch::PreRelease),
            (">=3", "2.3.0-rc.1", Mismatch::Outside),
            (">=1", "build-77", Mismatch::Unordered),
            (">=1", "1.2.3.4", Mismatch::Unordered),
            (">=1", "1..2", Mismatch::Unordered),
            (">=1", "+1.2", Mismatch::Unordered),
            (">=1", "1.+2", Mismatch::Unordered),
            (">=1", "99999999999999999999", Mismatch::Unordered),
        ];
        for (range, version, why) in outside {
            assert_eq!(check(range, version), Err(why), "{range} {version}");
        }
    }

    #[test]
    fn what_is_no_range_says_why() {
        assert_eq!("  ".parse::<VersionRange>(), Err(RangeError::Empty));
        for text in ["latest", ">=", ">=1.4 <2", "=a, =b", "==1", ">=build-77", "=", "1.4,"] {
            let error = text.parse::<VersionRange>().expect_err(text);
            assert!(error.to_string().contains("is no range of versions"), "{error}");
        }
    }
}
