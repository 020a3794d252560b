//! Targets that others know of: where they are asked for, and what is answered.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Target;
use crate::{TargetName, Transport};

/// Where targets come from beside the environment's file: exactly one of `script`, `ssh_config` and `terraform`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventorySource {
    /// A program, or a list of a program and its arguments, that prints targets as JSON; it runs in the folder of the
    /// environment's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Words>,
    /// A pattern, or a list of patterns, of hosts in the SSH client's configuration: that of `defaults.ssh.config_file`,
    /// else `~/.ssh/config`. `*` and `?` match; with `!` before it a pattern leaves hosts out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh_config: Option<Words>,
    /// An output of Terraform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terraform: Option<TerraformOutput>,
    /// Labels of all its targets, unless the answer has others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// It may answer that there are no targets. Without this, such an answer is an error: it would remove everything
    /// from where it is.
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_empty: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// One word, or several.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Words {
    /// One word.
    One(#[schemars(length(min = 1))] String),
    /// Several words.
    Several(#[schemars(length(min = 1))] Vec<String>),
}

impl Words {
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(word) => std::slice::from_ref(word),
            Self::Several(words) => words,
        }
    }
}

/// An output of Terraform: a mapping of names to targets or addresses, or a list of targets or names.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TerraformOutput {
    /// A local state file, or what `terraform output -json` printed; relative to the environment's file.
    pub file: PathBuf,
    /// The output's name; `launchway_targets` if not given.
    #[serde(default = "default_output", skip_serializing_if = "is_default_output")]
    pub output: String,
}

fn default_output() -> String {
    "launchway_targets".to_owned()
}

fn is_default_output(name: &String) -> bool {
    *name == default_output()
}

/// What an inventory answers.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventoryAnswer {
    /// The targets by name.
    #[schemars(extend("propertyNames" = { "format": "launchway-target-name" }, "maxProperties" = InventoryAnswer::LIMIT))]
    pub targets: BTreeMap<TargetName, InventoryTarget>,
}

impl InventoryAnswer {
    /// How many targets an inventory may have.
    pub const LIMIT: usize = 100_000;
}

/// A target as an inventory may describe it. How connections are secured is the environment's to say.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InventoryTarget {
    /// A host name or an IP address; the target's name if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "launchway-address"))]
    pub address: Option<String>,
    /// What selectors match.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Values for placeholders on this target; they hold no placeholders themselves.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Value>,
    /// How it is reached; the defaults' if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// The user to log in as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "launchway-user"))]
    pub user: Option<String>,
    /// The SSH port; 22, or what the SSH configuration says, if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// How many steps may run on it at once; the defaults' if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_steps: Option<u32>,
}

impl From<InventoryTarget> for Target {
    /// Returns the target as an environment's file would have it: what would be a placeholder there is none.
    fn from(found: InventoryTarget) -> Self {
        let values = found.values.into_iter().map(|(name, value)| (name, literal(value))).collect();
        Self {
            address: found.address,
            labels: found.labels,
            values,
            transport: found.transport,
            user: found.user,
            port: found.port,
            max_steps: found.max_steps,
            ..Self::default()
        }
    }
}

/// Returns a value whose texts are read as what they are.
fn literal(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("${", "$${")),
        Value::Array(items) => items.into_iter().map(literal).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, literal(value))).collect(),
        other => other,
    }
}

impl Target {
    /// Fills in what this target does not say itself; of labels and values, those that it has not.
    pub fn or(mut self, other: Self) -> Self {
        for (name, label) in other.labels {
            self.labels.entry(name).or_insert(label);
        }
        for (name, value) in other.values {
            self.values.entry(name).or_insert(value);
        }
        Self {
            address: self.address.or(other.address),
            renamed_from: self.renamed_from.or(other.renamed_from),
            labels: self.labels,
            values: self.values,
            transport: self.transport.or(other.transport),
            user: self.user.or(other.user),
            port: self.port.or(other.port),
            ssh: self.ssh.or(other.ssh),
            escalation: self.escalation.or(other.escalation),
            markers: self.markers.or(other.markers),
            max_steps: self.max_steps.or(other.max_steps),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::placeholder::{Segment, parse};

    #[test]
    fn an_answers_values_are_no_templates() {
        for text in ["${secret.x}", "$${a}", "$$${a} ${b}", "cost: $5", "plain"] {
            let Value::String(written) = literal(json!(text)) else { panic!("a text stays one") };
            let segments = parse(&written).unwrap();
            let read: String = segments
                .iter()
                .map(|segment| match segment {
                    Segment::Text(text) => text.as_str(),
                    Segment::Reference { .. } => panic!("{text} refers to something"),
                })
                .collect();
            assert_eq!(read, text);
        }
        assert_eq!(literal(json!({ "${a}": ["${b}", 1] })), json!({ "${a}": ["$${b}", 1] }));
    }

    #[test]
    fn what_the_file_says_wins_key_by_key() {
        let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let file = Target { port: Some(2222), labels: labels(&[("role", "db")]), ..Target::default() };
        let found = Target {
            address: Some("a".to_owned()),
            port: Some(22),
            labels: labels(&[("role", "app"), ("dc", "eu")]),
            ..Target::default()
        };
        let both = file.or(found);
        assert_eq!((both.address.as_deref(), both.port), (Some("a"), Some(2222)));
        assert_eq!(both.labels, labels(&[("role", "db"), ("dc", "eu")]));
    }
}
