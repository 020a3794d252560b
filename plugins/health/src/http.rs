//! `health/http`: an HTTP endpoint answers as it should.

use launchway_sdk::{
    Context, Failure, Kind, Outcome, Pairs, Patience, Problem, Proposal, Report, Request, RunRule, Setting, Step, Text,
    Tls, Try, Usage,
};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::answer::{Expectation, Statuses};

pub(crate) struct HttpCheck;

#[derive(Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct Properties {
    /// What to ask, such as `http://${target.address}:8080/health`.
    url: String,
    /// The request's method.
    #[serde(default = "default_method")]
    method: String,
    /// Headers of the request; they may hold secrets.
    #[serde(default)]
    headers: Pairs<Text>,
    /// The request's body.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// How many redirects to follow; by default none, so that a redirect is the answer.
    #[serde(default)]
    redirects: Setting<u8>,
    /// Acceptable status codes: `200`, `2xx`, `200-299`, or a list of those; `2xx` if not given.
    #[serde(default)]
    status: Statuses,
    /// Headers that the answer must have, each with a text it must contain.
    #[serde(default)]
    response_headers: Pairs<String>,
    /// A text that the answer's body must contain, or a list of those.
    #[serde(default)]
    contains: Texts,
    /// Values that the answer's body, read as JSON, must have at these JSON Pointers, such as `/version`.
    #[serde(default)]
    json: Map<String, Value>,
    /// How the server's certificate is checked.
    #[serde(default)]
    tls: TlsProperties,
    /// From where to ask: from the machine that runs Launchway, or from the target's network.
    #[serde(default)]
    from: Side,
    #[serde(flatten)]
    patience: Patience,
}

fn default_method() -> String {
    "GET".to_owned()
}

/// A text or several.
#[derive(Default)]
#[cfg_attr(not(target_family = "wasm"), derive(serde::Serialize), serde(transparent))]
pub(crate) struct Texts(Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Texts;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or a list of texts")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(not(target_family = "wasm"))]
impl JsonSchema for Texts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Texts".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
        })
    }
}

#[derive(Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct TlsProperties {
    /// Certificates in PEM to trust in addition to the system's.
    #[serde(default)]
    ca: Option<String>,
    /// Accept any certificate.
    #[serde(default)]
    insecure: bool,
}

/// From where a connection is made.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Side {
    #[default]
    Host,
    Target,
}

impl Side {
    pub(crate) fn vantage(self) -> launchway_sdk::Vantage {
        match self {
            Self::Host => launchway_sdk::Vantage::Host,
            Self::Target => launchway_sdk::Vantage::Target,
        }
    }
}

impl Kind for HttpCheck {
    type Properties = Properties;
    type Payload = Properties;

    const SUMMARY: &'static str = "Checks that an HTTP endpoint answers as it should.";
    const USAGE: Usage = Usage::Action;
    const RUN: RunRule = RunRule::WithNeeds;

    fn validate(properties: &Properties) -> Vec<Problem> {
        let mut problems = Vec::new();
        let lower = properties.url.to_ascii_lowercase();
        let rest = lower.strip_prefix("http://").or_else(|| lower.strip_prefix("https://"));
        if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
            problems.push(Problem::new("/url", "expected a URL that begins with http:// or https://"));
        } else if properties.url.chars().any(|c| c.is_control() || c == ' ') {
            problems.push(Problem::new("/url", "a URL can't contain blanks"));
        }
        let token = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
        };
        if !token(&properties.method) {
            problems.push(Problem::new("/method", "this is no HTTP method"));
        }
        for name in properties.headers.names().filter(|name| !token(name)) {
            problems.push(Problem::new(format!("/headers/{}", escaped(name)), "this is no name of a header"));
        }
        for pointer in properties.json.keys().filter(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
            let problem = Problem::new(format!("/json/{}", escaped(pointer)), "a JSON Pointer begins with `/`");
            problems.push(problem.hint(format!("write `/{pointer}`")));
        }
        problems.extend(properties.patience.problems());
        problems
    }

    fn plan(proposal: &Proposal<'_, Properties>) -> Result<Vec<Step>, Vec<Problem>> {
        let properties = &proposal.instance().properties;
        Ok(properties.patience.step(proposal, format!("Check {}", properties.url)))
    }

    fn apply(context: &Context<'_>, check: Properties) -> Result<Outcome, Failure> {
        check.patience.first(context, || check.ask(context))
    }

    fn poll(context: &Context<'_>, check: Properties, token: &str) -> Result<Outcome, Failure> {
        check.patience.next(context, token, || check.ask(context))
    }
}

impl Properties {
    fn ask(&self, context: &Context<'_>) -> Try {
        let response = context.send(&Request {
            method: self.method.clone(),
            url: self.url.clone(),
            headers: self.headers.to_vec(),
            body: self.body.as_ref().map(|body| body.as_bytes().to_vec()),
            timeout: Some(self.patience.timeout().duration()),
            redirects: u32::from(self.redirects.0),
            tls: Tls { authorities: self.tls.ca.clone(), insecure: self.tls.insecure },
            from: self.from.vantage(),
        })?;
        let expectation = Expectation {
            status: &self.status,
            headers: &self.response_headers,
            contains: &self.contains.0,
            json: &self.json,
        };
        expectation.check(&response)?;
        Ok(Report::new(format!("answered {}", response.status)))
    }
}

/// Returns a key as a part of a JSON Pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
