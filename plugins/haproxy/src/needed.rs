//! How many servers have to be up.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of servers, `2`, or a part of those that could be up, `50%`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Needed {
    Count(u32),
    Percent(u8),
}

impl Default for Needed {
    fn default() -> Self {
        Self::Count(1)
    }
}

impl Needed {
    /// Returns how many it takes of so many: whole ones, and never none.
    pub(crate) fn of(self, all: usize) -> usize {
        let needed = match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Self::Percent(percent) => all.saturating_mul(usize::from(percent)).div_ceil(100),
        };
        needed.max(1)
    }

    fn read(text: &str) -> Option<Self> {
        match text.strip_suffix('%') {
            Some(percent) => percent.parse().ok().filter(|percent| (1..=100).contains(percent)).map(Self::Percent),
            None => text.parse().ok().filter(|count| *count > 0).map(Self::Count),
        }
    }
}

impl fmt::Display for Needed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl<'de> Deserialize<'de> for Needed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NeededVisitor;
        impl Visitor<'_> for NeededVisitor {
            type Value = Needed;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of servers, such as 2 or `50%`")
            }
            fn visit_u64<E: serde::de::Error>(self, count: u64) -> Result<Needed, E> {
                self.visit_str(&count.to_string())
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Needed, E> {
                Needed::read(text).ok_or_else(|| E::custom(format_args!("`{text}` is no number of servers")))
            }
        }
        deserializer.deserialize_any(NeededVisitor)
    }
}

impl Serialize for Needed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u32(*count),
            Self::Percent(_) => serializer.collect_str(self),
        }
    }
}

#[cfg(not(target_family = "wasm"))]
impl schemars::JsonSchema for Needed {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Needed".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": u32::MAX },
                { "type": "string", "pattern": "^([1-9][0-9]{0,8}|([1-9][0-9]?|100)%)$" },
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Needed;

    #[test]
    fn numbers_and_parts_are_read() {
        let read = |value: &Value| serde_json::from_value::<Needed>(value.clone()).ok();
        for value in [json!(2), json!("2"), json!("50%"), json!("100%")] {
            let needed = read(&value).unwrap();
            assert_eq!(read(&serde_json::to_value(needed).unwrap()), Some(needed), "{value}");
        }
        for value in [json!(0), json!(-1), json!(1.5), json!("0%"), json!("101%"), json!("half"), json!(""), json!("%")]
        {
            assert_eq!(read(&value), None, "{value}");
        }
    }

    #[test]
    fn a_part_is_whole_servers_and_one_at_least() {
        for (percent, all, needed) in [(50, 4, 2), (50, 3, 2), (100, 3, 3), (1, 1_000, 10), (1, 3, 1), (100, 0, 1)] {
            assert_eq!(Needed::Percent(percent).of(all), needed, "{percent}% of {all}");
        }
        assert_eq!(Needed::Count(5).of(3), 5);
    }
}
