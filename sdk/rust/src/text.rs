//! Text that may hold secrets, which stay with the host.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that may hold secrets: `"text"`, `{"$secret": "name"}` or `{"$parts": ["text", {"$secret": "name"}]}`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Text(Vec<Part>);

/// A piece of a [`Text`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    Text(String),
    /// A secret's name.
    Secret(String),
}

impl Text {
    /// Returns a text of one secret.
    pub fn secret(name: impl Into<String>) -> Self {
        Self(vec![Part::Secret(name.into())])
    }

    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether any part of it is a secret.
    pub fn has_secrets(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Secret(_)))
    }

    /// Returns the text, if there is no secret in it.
    pub fn as_plain(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// For people: secrets by their names.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(text),
            Part::Secret(name) => write!(f, "(secret {name})"),
        })
    }
}

impl From<Vec<Part>> for Text {
    fn from(parts: Vec<Part>) -> Self {
        Self(parts)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        if text.is_empty() { Self(Vec::new()) } else { Self(vec![Part::Text(text)]) }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, {\"$secret\": …} or {\"$parts\": […]}")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text, E> {
        Ok(text.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
        let text = match map.next_key::<String>()?.as_deref() {
            Some("$secret") => Text::secret(map.next_value::<String>()?),
            Some("$parts") => Text(map.next_value::<Vec<Text>>()?.into_iter().flat_map(|part| part.0).collect()),
            _ => return Err(A::Error::custom("expected `$secret` or `$parts`")),
        };
        match map.next_key::<String>()? {
            Some(key) => Err(A::Error::custom(format_args!("`{key}` does not belong there"))),
            None => Ok(text),
        }
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.as_plain(), self.0.as_slice()) {
            (Some(text), _) => serializer.serialize_str(text),
            (None, [part]) => part.serialize(serializer),
            (None, parts) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("$parts", parts)?;
                map.end()
            }
        }
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Secret(name) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("$secret", name)?;
                map.end()
            }
        }
    }
}

#[cfg(not(target_family = "wasm"))]
impl schemars::JsonSchema for Text {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "secret": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(json: &str) -> Text {
        let text: Text = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&text).unwrap(), json);
        text
    }

    #[test]
    fn reads_and_writes_every_form() {
        assert_eq!(round_trip(r#""plain""#).as_plain(), Some("plain"));
        assert_eq!(round_trip(r#""""#).as_plain(), Some(""));
        assert_eq!(round_trip(r#"{"$secret":"pw"}"#), Text::secret("pw"));
        let parts = round_trip(r#"{"$parts":["user:",{"$secret":"pw"}]}"#);
        assert_eq!(parts.to_string(), "user:(secret pw)");
        assert!(parts.has_secrets());
    }

    #[test]
    fn refuses_anything_else() {
        for json in ["1", "{}", r#"{"a":"b"}"#, r#"{"$secret":"a","b":"c"}"#, r#"{"$parts":[1]}"#] {
            assert!(serde_json::from_str::<Text>(json).is_err(), "{json}");
        }
    }
}
