//! What an HTTP answer has to be like.

use launchway_sdk::{Failure, Pairs, Response, tail};
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// Acceptable status codes: `200`, `"2xx"`, `"200-299"`, or a list of those.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Statuses(Vec<(u16, u16)>);

/// What is expected of an answer.
pub(crate) struct Expectation<'a> {
    pub(crate) status: &'a Statuses,
    /// Each header with a text it must contain.
    pub(crate) headers: &'a Pairs<String>,
    pub(crate) contains: &'a [String],
    /// Values at JSON Pointers.
    pub(crate) json: &'a Map<String, Value>,
}

impl Default for Statuses {
    fn default() -> Self {
        Self(vec![(200, 299)])
    }
}

impl Statuses {
    fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|(low, high)| (*low..=*high).contains(&status))
    }

    fn read(text: &str) -> Option<(u16, u16)> {
        let code = |text: &str| text.parse().ok().filter(|code| (100..=599).contains(code));
        if let Some(class) = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
            let class: u16 = class.parse().ok().filter(|class| (1..=5).contains(class))?;
            return Some((class * 100, class * 100 + 99));
        }
        match text.split_once('-') {
            Some((low, high)) => Some((code(low.trim())?, code(high.trim())?)).filter(|(low, high)| low <= high),
            None => code(text).map(|code| (code, code)),
        }
    }
}

impl std::fmt::Display for Statuses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (low, high)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" or ")?;
            }
            match (low, high) {
                (low, high) if low == high => write!(f, "{low}")?,
                (low, high) if low % 100 == 0 && *high == low + 99 => write!(f, "{}xx", low / 100)?,
                (low, high) => write!(f, "{low}-{high}")?,
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Statuses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One((u16, u16));
        impl<'de> Deserialize<'de> for One {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let statuses = Statuses::deserialize(deserializer)?;
                match statuses.0.as_slice() {
                    [range] => Ok(Self(*range)),
                    _ => Err(D::Error::custom("expected a status code")),
                }
            }
        }
        struct StatusVisitor;
        impl<'de> Visitor<'de> for StatusVisitor {
            type Value = Statuses;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a status code, such as 200, `2xx` or `200-299`, or a list of those")
            }
            fn visit_u64<E: serde::de::Error>(self, code: u64) -> Result<Statuses, E> {
                self.visit_str(&code.to_string())
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Statuses, E> {
                match Statuses::read(text.trim()) {
                    Some(range) => Ok(Statuses(vec![range])),
                    None => Err(E::custom(format_args!("`{text}` is no status code"))),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Statuses, A::Error> {
                let mut ranges = Vec::new();
                while let Some(One(range)) = list.next_element()? {
                    ranges.push(range);
                }
                Ok(Statuses(ranges))
            }
        }
        deserializer.deserialize_any(StatusVisitor)
    }
}

impl Serialize for Statuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(low, high)| format!("{low}-{high}")))
    }
}

#[cfg(not(target_family = "wasm"))]
impl schemars::JsonSchema for Statuses {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Statuses".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let text = "^([1-5][xX]{2}|[1-5][0-9]{2}( *- *[1-5][0-9]{2})?)$";
        schemars::json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 100, "maximum": 599 },
                { "type": "string", "pattern": text },
                {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "anyOf": [
                            { "type": "integer", "minimum": 100, "maximum": 599 },
                            { "type": "string", "pattern": text },
                        ]
                    }
                },
            ]
        })
    }
}

impl Expectation<'_> {
    /// Returns how an answer is not as it should be.
    pub(crate) fn check(&self, response: &Response) -> Result<(), Failure> {
        let body = String::from_utf8_lossy(&response.body);
        let wrong = |message: String| Failure::tool(message).detail(beginning(&body));
        if !self.status.contains(response.status) {
            return Err(wrong(format!("answered {} instead of {}", response.status, self.status)));
        }
        for (name, expected) in self.headers {
            let mut found = response.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name)).peekable();
            if found.peek().is_none() {
                return Err(wrong(format!("answered without the header {name}")));
            }
            if !found.any(|(_, value)| value.contains(expected)) {
                return Err(wrong(format!("answered with another {name} than one with `{expected}`")));
            }
        }
        if let Some(text) = self.contains.iter().find(|text| !body.contains(text.as_str())) {
            let more = if response.truncated { " in its first part" } else { "" };
            return Err(wrong(format!("answered without the text `{text}`{more}")));
        }
        if self.json.is_empty() {
            return Ok(());
        }
        if response.truncated {
            return Err(wrong("answered with more than can be read as JSON".to_owned()));
        }
        let document: Value =
            serde_json::from_str(&body).map_err(|error| wrong(format!("answered with no JSON: {error}")))?;
        for (pointer, expected) in self.json {
            match document.pointer(pointer) {
                None => return Err(wrong(format!("answered without {pointer}"))),
                Some(found) if !same(found, expected) => {
                    return Err(wrong(format!("answered {pointer} = {found} instead of {expected}")));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// Whether two values are the same, a number or a truth value and its text taken as one: versions such as 1.1 come in
/// both forms.
fn same(found: &Value, expected: &Value) -> bool {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    };
    found == expected || (text(found).is_some() && text(found) == text(expected))
}

/// Returns the first part of a body, for people.
fn beginning(body: &str) -> &str {
    const LIMIT: usize = 1_000;
    if body.len() <= LIMIT {
        return body;
    }
    let rest = tail(body, body.len() - LIMIT);
    &body[..body.len() - rest.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn statuses(value: Value) -> Option<Statuses> {
        serde_json::from_value(value).ok()
    }

    #[test]
    fn status_codes_come_in_many_forms() {
        for (value, good, bad) in [
            (json!(200), 200, 201),
            (json!("204"), 204, 200),
            (json!("2xx"), 299, 300),
            (json!("200-204"), 204, 205),
            (json!([200, "3xx"]), 302, 404),
        ] {
            let statuses = statuses(value.clone()).unwrap();
            assert!(statuses.contains(good) && !statuses.contains(bad), "{value}");
        }
        for value in [json!(99), json!(600), json!("6xx"), json!("300-200"), json!("ok"), json!(true)] {
            assert_eq!(statuses(value.clone()), None, "{value}");
        }
    }

    fn response(status: u16, body: &str) -> Response {
        Response {
            status,
            headers: vec![("Content-Type".into(), "application/json; charset=utf-8".into())],
            body: body.as_bytes().to_vec(),
            truncated: false,
        }
    }

    fn message(expectation: &Value, response: &Response) -> Option<String> {
        let field = |name: &str, default: Value| expectation.get(name).cloned().unwrap_or(default);
        let pointers = field("json", json!({}));
        let expectation = Expectation {
            status: &statuses(field("status", json!(200))).unwrap(),
            headers: &serde_json::from_value(field("headers", json!({}))).unwrap(),
            contains: &serde_json::from_value::<Vec<String>>(field("contains", json!([]))).unwrap(),
            json: pointers.as_object().unwrap(),
        };
        expectation.check(response).err().map(|failure| failure.message)
    }

    #[test]
    fn every_expectation_is_checked() {
        let answer = response(200, r#"{"version": "1.1", "db": {"up": true, "pool": 8}}"#);
        for good in [
            json!({ "status": 200 }),
            json!({ "status": 200, "headers": { "content-type": "application/json" } }),
            json!({ "status": 200, "contains": ["version"] }),
            json!({ "status": 200, "json": { "/version": "1.1", "/db/up": true, "/db/pool": "8" } }),
            json!({ "status": 200, "json": { "/version": 1.1 } }),
        ] {
            assert_eq!(message(&good, &answer), None, "{good}");
        }
        for (bad, why) in [
            (json!({ "status": [204, "3xx"] }), "answered 200 instead of 204 or 3xx"),
            (json!({ "status": 200, "headers": { "x-up": "1" } }), "answered without the header x-up"),
            (
                json!({ "status": 200, "headers": { "content-type": "text/html" } }),
                "answered with another content-type than one with `text/html`",
            ),
            (json!({ "status": 200, "contains": ["ready"] }), "answered without the text `ready`"),
            (json!({ "status": 200, "json": { "/version": "1.2" } }), r#"answered /version = "1.1" instead of "1.2""#),
            (json!({ "status": 200, "json": { "/nope": 1 } }), "answered without /nope"),
        ] {
            assert_eq!(message(&bad, &answer).as_deref(), Some(why), "{bad}");
        }
    }

    #[test]
    fn a_body_that_is_no_json_is_told_so() {
        let why = message(&json!({ "status": 200, "json": { "/a": 1 } }), &response(200, "<html>")).unwrap();
        assert!(why.starts_with("answered with no JSON"), "{why}");
    }

    #[test]
    fn only_the_beginning_of_a_long_body_is_shown() {
        let body = "ü\n".repeat(2_000);
        let shown = beginning(&body);
        assert!(shown.len() <= 1_010 && body.starts_with(shown), "{}", shown.len());
    }
}
