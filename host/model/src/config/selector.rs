//! Selectors over labels: `role=app,dc!=us`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Terms joined by commas, all of which must hold:
/// `key=value`, `key!=value` (also true without the label), `key` (the label is there), `!key` (it is not).
/// `name=…` matches a target's name unless it has a label `name`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Selector {
    text: String,
    terms: Vec<Term>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Term {
    Equals(String, String),
    Differs(String, String),
    Has(String),
    Lacks(String),
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SelectorError {
    #[error("a selector can't be empty; leave `on` out to mean all targets")]
    Empty,
    #[error("empty term in the selector")]
    EmptyTerm,
    #[error("`{0}` names no label")]
    NoKey(String),
}

impl Selector {
    /// Whether a target with this name and these labels is selected.
    pub fn matches(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        let get = |key: &str| labels.get(key).map(String::as_str).or((key == "name").then_some(name));
        self.terms.iter().all(|term| match term {
            Term::Equals(key, value) => get(key) == Some(value),
            Term::Differs(key, value) => get(key) != Some(value),
            Term::Has(key) => get(key).is_some(),
            Term::Lacks(key) => get(key).is_none(),
        })
    }
}

impl FromStr for Selector {
    type Err = SelectorError;
    fn from_str(text: &str) -> Result<Self, SelectorError> {
        if text.trim().is_empty() {
            return Err(SelectorError::Empty);
        }
        let terms = text.split(',').map(parse_term).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), terms })
    }
}

fn parse_term(text: &str) -> Result<Term, SelectorError> {
    let text = text.trim();
    let key = |key: &str| match key.trim() {
        "" => Err(SelectorError::NoKey(text.to_owned())),
        key => Ok(key.to_owned()),
    };
    if text.is_empty() {
        Err(SelectorError::EmptyTerm)
    } else if let Some((left, right)) = text.split_once("!=") {
        Ok(Term::Differs(key(left)?, right.trim().to_owned()))
    } else if let Some((left, right)) = text.split_once('=') {
        Ok(Term::Equals(key(left)?, right.trim_start_matches('=').trim().to_owned()))
    } else if let Some(rest) = text.strip_prefix('!') {
        Ok(Term::Lacks(key(rest)?))
    } else {
        Ok(Term::Has(text.to_owned()))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Selector {
    type Error = SelectorError;
    fn try_from(text: String) -> Result<Self, SelectorError> {
        text.parse()
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> String {
        selector.text
    }
}

impl JsonSchema for Selector {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Selector".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "minLength": 1,
            "format": "launchway-selector",
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(selector: &str, name: &str, labels: &[(&str, &str)]) -> bool {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        selector.parse::<Selector>().expect("the selector is valid").matches(name, &labels)
    }

    #[test]
    fn every_kind_of_term_is_understood() {
        let app = [("role", "app"), ("dc", "us"), ("rack no", "a=b"), ("empty", "")];
        for selector in [
            "role=app",
            "role==app",
            " role = app , dc = us ",
            "dc!=eu",
            "zone!=eu",
            "role",
            "!zone",
            "rack no=a=b",
            "name=app1",
            "name!=app2",
            "empty=",
            "empty",
            "zone!=",
        ] {
            assert!(matches(selector, "app1", &app), "{selector}");
        }
        for selector in
            ["role=ap", "role=APP", "dc!=us", "!role", "zone", "zone=", "role=app,dc=eu", "name=app2", "empty!="]
        {
            assert!(!matches(selector, "app1", &app), "{selector}");
        }
    }

    #[test]
    fn a_label_called_name_comes_first() {
        assert!(matches("name=web", "app1", &[("name", "web")]));
        assert!(!matches("name=app1", "app1", &[("name", "web")]));
    }

    #[test]
    fn what_is_no_selector_is_refused() {
        let error = |text: &str| text.parse::<Selector>().unwrap_err();
        assert_eq!(error(""), SelectorError::Empty);
        assert_eq!(error("  "), SelectorError::Empty);
        assert_eq!(error("a,,b"), SelectorError::EmptyTerm);
        assert_eq!(error("a,"), SelectorError::EmptyTerm);
        assert_eq!(error("=a"), SelectorError::NoKey("=a".to_owned()));
        assert_eq!(error("a, != b"), SelectorError::NoKey("!= b".to_owned()));
        assert_eq!(error("!"), SelectorError::NoKey("!".to_owned()));
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in r"[a-z=!, ü]{0,12}", value in "[a-z]{0,3}") {
            if let Ok(selector) = text.parse::<Selector>() {
                prop_assert_eq!(selector.to_string(), text);
                let labels = BTreeMap::from([("a".to_owned(), value)]);
                let back: Selector = serde_json::from_value(serde_json::to_value(&selector).unwrap()).unwrap();
                prop_assert_eq!(back.matches("t", &labels), selector.matches("t", &labels));
            }
        }

        /// A term and its negation never agree.
        #[test]
        fn negations_are_opposites(key in "[a-c]", value in "[a-c]", label in "[a-c]", there in any::<bool>()) {
            let labels = if there { vec![("a", label.as_str())] } else { Vec::new() };
            prop_assert_ne!(
                matches(&format!("{key}={value}"), "t", &labels),
                matches(&format!("{key}!={value}"), "t", &labels)
            );
            prop_assert_ne!(matches(&key, "t", &labels), matches(&format!("!{key}"), "t", &labels));
        }
    }
}
