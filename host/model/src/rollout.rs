//! How the instances of components that belong together follow one another.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Components that roll together, and how. Recorded with each instance; its change alone redeploys nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Roll {
    pub unit: Unit,
    /// The outer one first: each splits what the one before it made. None of them: all at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strategies: Vec<Strategy>,
    #[serde(default, skip_serializing_if = "Staging::is_default")]
    pub stage: Staging,
}

impl Roll {
    /// Whether old and new instances are there side by side at times.
    pub fn is_gradual(&self) -> bool {
        self.strategies.iter().any(|strategy| !matches!(strategy, Strategy::Parallel(_)))
    }
}

/// What rolls as one.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// All components that have no rollout of their own and are in no group.
    Application,
    Group(Arc<str>),
    Component(Arc<str>),
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application => f.write_str("the application"),
            Self::Group(name) | Self::Component(name) => f.write_str(name),
        }
    }
}

/// One way to split instances into batches.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Strategy {
    /// `parallel`: all at once.
    Parallel(Parallel),
    Rolling(Rolling),
    Ramp(Ramp),
    By(By),
}

/// All at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Parallel {
    /// All at once.
    Parallel,
}

/// So many at a time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rolling {
    /// How many targets at a time: a number, or a percentage of all of them, such as `25%` (rounded down, at least one).
    pub rolling: Size,
    /// Each target waits for the one so many places before it, instead of for a whole batch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub window: bool,
    /// What stands between two batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateSpec>,
}

/// Growing batches.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ramp {
    /// How many targets are done after each batch: numbers or percentages of all of them, such as `[1, 5, 25%, 100%]`.
    /// Whoever is left after the last makes one more batch.
    #[schemars(length(min = 1))]
    pub ramp: Vec<Size>,
    /// What stands between two batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateSpec>,
}

/// One label's value after the other.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct By {
    /// The label. Targets without it come last.
    #[schemars(length(min = 1))]
    pub by: String,
    /// The values in their order; those not named follow, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<String>,
    /// What stands between two values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateSpec>,
}

/// What has to happen between two batches.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum GateSpec {
    /// `approve`: somebody says so.
    Word(GateWord),
    Approve(ApproveSpec),
    Bake(BakeSpec),
}

/// A gate without details.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GateWord {
    /// Somebody says so.
    Approve,
}

/// Somebody says so.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveSpec {
    /// What is asked.
    pub approve: String,
}

/// Some time passes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BakeSpec {
    /// How long, such as `5m`.
    pub bake: Pause,
}

/// When a unit's files are brought to its targets.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Staging {
    /// Everywhere before anything stops anywhere.
    #[default]
    All,
    /// Batch by batch.
    Batch,
}

impl Staging {
    fn is_default(&self) -> bool {
        *self == Self::All
    }
}

/// A number of targets, or a share of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Written<u32>", into = "Written<u32>")]
pub enum Size {
    Count(u32),
    Percent(u32),
}

/// A span of time, in whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Written<u64>", into = "Written<u64>")]
pub struct Pause(pub u64);

/// A number, or a text that stands for one.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written<N> {
    Number(N),
    Text(String),
}

impl Size {
    /// What schemas call it.
    pub(crate) const FORMAT: &str = "launchway-size";

    /// Returns how many of `all` targets it means: percentages round down, and it is never none.
    pub fn of(self, all: usize) -> usize {
        match self {
            Self::Count(count) => count as usize,
            Self::Percent(percent) => all.saturating_mul(percent as usize) / 100,
        }
        .max(1)
    }
}

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no number of targets; write a count such as `3`, or a share such as `25%`");
        let (digits, percent) = match text.strip_suffix('%') {
            Some(digits) => (digits.trim_end(), true),
            None => (text, false),
        };
        let number: u32 = digits.parse().map_err(|_| wrong())?;
        match (number, percent) {
            (0, _) | (101.., true) => Err(wrong()),
            (_, true) => Ok(Self::Percent(number)),
            (_, false) => Ok(Self::Count(number)),
        }
    }
}

impl TryFrom<Written<u32>> for Size {
    type Error = String;
    fn try_from(written: Written<u32>) -> Result<Self, String> {
        match written {
            Written::Number(number) => number.to_string().parse(),
            Written::Text(text) => text.parse(),
        }
    }
}

impl From<Size> for Written<u32> {
    fn from(size: Size) -> Self {
        match size {
            Size::Count(count) => Self::Number(count),
            Size::Percent(_) => Self::Text(size.to_string()),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["integer", "string"], "minimum": 1, "format": Self::FORMAT })
    }
}

impl Pause {
    /// What schemas call it.
    pub(crate) const FORMAT: &str = "launchway-pause";
}

impl FromStr for Pause {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no time; write it such as `30s`, `5m` or `1h30m`");
        let mut seconds: u64 = 0;
        let mut rest = text;
        if let Ok(number) = text.parse() {
            return Ok(Self(number));
        }
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            rest = &rest[digits..];
            let unit = rest.chars().next().ok_or_else(wrong)?;
            let factor = match unit {
                's' => 1,
                'm' => 60,
                'h' => 3600,
                'd' => 86_400,
                _ => return Err(wrong()),
            };
            rest = &rest[unit.len_utf8()..];
            seconds = number.checked_mul(factor).and_then(|part| seconds.checked_add(part)).ok_or_else(wrong)?;
        }
        if text.is_empty() { Err(wrong()) } else { Ok(Self(seconds)) }
    }
}

impl TryFrom<Written<u64>> for Pause {
    type Error = String;
    fn try_from(written: Written<u64>) -> Result<Self, String> {
        match written {
            Written::Number(number) => Ok(Self(number)),
            Written::Text(text) => text.parse(),
        }
    }
}

impl From<Pause> for Written<u64> {
    fn from(pause: Pause) -> Self {
        Self::Text(format!("{}s", pause.0))
    }
}

impl JsonSchema for Pause {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Pause".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["integer", "string"], "minimum": 0, "format": Self::FORMAT })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_counts_or_shares() {
        let of = |text: &str, all| text.parse::<Size>().map(|size| size.of(all)).ok();
        assert_eq!((of("3", 10), of("25%", 10), of("1%", 10), of("100%", 7)), (Some(3), Some(2), Some(1), Some(7)));
        for wrong in ["", "0", "0%", "101%", "-1", "1.5", "%", "a"] {
            assert_eq!(of(wrong, 10), None, "{wrong}");
        }
    }

    #[test]
    fn pauses_are_read_with_their_units() {
        let seconds = |text: &str| text.parse::<Pause>().map(|pause| pause.0).ok();
        assert_eq!((seconds("90"), seconds("5m"), seconds("1h30m")), (Some(90), Some(300), Some(5400)));
        for wrong in ["", "m", "5x", "5m3", "99999999999999999999d"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn strategies_are_told_apart_by_their_keys() {
        let read = |text: &str| serde_json::from_str::<Vec<Strategy>>(text).unwrap();
        let found = read(
            r#"["parallel", {"rolling": "25%", "window": true}, {"ramp": [1, "10%"], "gate": {"bake": "5m"}}, {"by": "dc"}]"#,
        );
        assert!(
            matches!(&found[1], Strategy::Rolling(rolling) if rolling.window && rolling.rolling == Size::Percent(25))
        );
        assert!(
            matches!(&found[2], Strategy::Ramp(ramp) if ramp.gate == Some(GateSpec::Bake(BakeSpec { bake: Pause(300) })))
        );
        assert_eq!(read(&serde_json::to_string(&found).unwrap()), found);
    }
}
