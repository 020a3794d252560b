//! Which plain texts are numbers, truth values or nothing.

use serde_json::{Number, Value};

/// Returns what a plain scalar means.
///
/// Only what comes back letter by letter is more than text: `1.10`, `0640`, `1e3` and `no` stay text, so that a
/// version or a mode is never changed on the way.
pub(in super::super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        text => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || !digits.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let number = if digits.contains('.') {
        Number::from_f64(text.parse().ok()?)?
    } else if text.starts_with('-') {
        text.parse::<i64>().ok()?.into()
    } else {
        text.parse::<u64>().ok()?.into()
    };
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_round_trips_is_more_than_text() {
        for (text, value) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("null", json!(null)),
            ("true", json!(true)),
            ("false", json!(false)),
            ("0", json!(0)),
            ("8080", json!(8080)),
            ("-1", json!(-1)),
            ("1.5", json!(1.5)),
            ("-0.25", json!(-0.25)),
            ("18446744073709551615", json!(u64::MAX)),
        ] {
            assert_eq!(plain(text), value, "{text}");
        }
        for text in [
            "1.10",
            "0640",
            "0o640",
            "0x1f",
            "1e3",
            "1E3",
            "no",
            "yes",
            "on",
            "True",
            "NULL",
            "Null",
            "-0",
            "+1",
            "1_000",
            ".5",
            "5.",
            "1.2.3",
            "-",
            ".",
            "inf",
            ".inf",
            "nan",
            ".nan",
            "18446744073709551616",
            "-9223372036854775809",
            "99999999999999999999999999",
            "0.1000000000000000055511151231257827",
            "12:30:45",
        ] {
            assert_eq!(plain(text), json!(text));
        }
    }

    proptest! {
        #[test]
        fn text_is_never_lost(text in r"[-+0-9.eE_xnulltrue]{1,12}") {
            let back = match plain(&text) {
                Value::Null => return Ok(()),
                Value::String(text) => text,
                value => value.to_string(),
            };
            prop_assert_eq!(back, text);
        }
    }
}
