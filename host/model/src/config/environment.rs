//! `environments/NAME.yaml`: targets, values, secrets and policy.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{InventorySource, Selector};
use crate::{
    ComponentName, EnvironmentName, EscalationMethod, SecretName, SshOptions, Strategy, TargetName, Transport,
};

/// A named set of targets with values, secrets and policy.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// The environment's name; the same as the file's.
    pub environment: EnvironmentName,
    /// What holds for every target that says nothing else.
    #[serde(default)]
    pub defaults: Defaults,
    /// The hosts and other endpoints.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "format": "launchway-target-name" }))]
    pub targets: BTreeMap<TargetName, Target>,
    /// Where more targets come from. Of a target that is under `targets` too, what stands there wins, key by key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inventory: Vec<InventorySource>,
    /// Values for placeholders, in order: the first that has a value wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dictionaries: Vec<Dictionary>,
    /// Where secrets come from; never their values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "format": "launchway-secret-name" }))]
    pub secrets: BTreeMap<SecretName, SecretSource>,
    /// Properties that differ in this environment, by component; applied after the component's own overrides.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "format": "launchway-component-name" }))]
    pub overrides: BTreeMap<ComponentName, EnvironmentOverrides>,
    /// How components and groups roll here, by name, instead of as the application says; `application` means its own
    /// `rollout`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "format": "launchway-component-name" }))]
    pub rollouts: BTreeMap<ComponentName, Vec<Strategy>>,
    /// Components that do not exist in this environment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disable: Vec<ComponentName>,
    /// What to do when steps fail.
    #[serde(default)]
    pub failures: FailurePolicy,
    /// What to do where files are not as they were deployed before they are replaced or taken away; `warn` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// How many steps may run at once, over all targets; 256 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_steps: Option<u32>,
}

/// One set of properties, or several with selectors.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum EnvironmentOverrides {
    /// For all targets, or those of one selector.
    One(EnvironmentOverride),
    /// Later ones win.
    Several(Vec<EnvironmentOverride>),
}

/// Properties to replace, on some targets or on all.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentOverride {
    /// On which targets; all if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Selector>,
    /// The properties to replace.
    #[schemars(extend("type" = "object"))]
    pub with: Value,
}

/// How targets are reached unless they say otherwise.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// `ssh` if not given.
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
    /// How SSH connections are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<SshOptions>,
    /// How commands become another user; `sudo` without a password if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<EscalationConfig>,
    /// Whether a marker is kept on the target, by which a replaced host or a wrong state is noticed; if not given, `on` for
    /// hosts, `off` for the `local` transport.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub markers: Option<Markers>,
    /// How many steps may run on one target at once; 4 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_steps: Option<u32>,
}

/// A host or another endpoint.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// A host name or an IP address; the target's name if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "launchway-address"))]
    pub address: Option<String>,
    /// What it was called before: what is recorded under that name is taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<TargetName>,
    /// What selectors match.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Values for placeholders on this target; they come before the dictionaries.
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
    /// How SSH connections are made; replaces the defaults' `ssh` as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<SshOptions>,
    /// How commands become another user; replaces the defaults' `escalation` as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation: Option<EscalationConfig>,
    /// Whether a marker is kept on it; the defaults' if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub markers: Option<Markers>,
    /// How many steps may run on it at once; the defaults' if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_steps: Option<u32>,
}

/// What to do where what is there was changed by others.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Drift {
    /// Nobody looks.
    Overwrite,
    /// It is told, and goes on.
    #[default]
    Warn,
    /// The run is refused, before it touches anything.
    Fail,
}

/// Whether markers are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Markers {
    /// In `~/.launchway/markers` of the login user.
    On,
    /// None are kept or looked at.
    Off,
}

/// How commands become another user.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EscalationConfig {
    /// The program that does it.
    pub method: EscalationMethod,
    /// The name of the secret that holds the password, where one is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretName>,
}

/// Values in place, or the path of a YAML file with values, relative to the environment's file; for all targets, or for
/// those of a selector.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Dictionary {
    /// A YAML file with values; relative to the environment's file.
    File(PathBuf),
    ScopedValues(ScopedValues),
    ScopedFile(ScopedFile),
    /// Values by name; a value called `on` can only be in a file.
    #[schemars(extend("propertyNames" = { "not": { "const": "on" } }))]
    Values(BTreeMap<String, Value>),
}

/// A YAML file with values for some targets.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopedFile {
    /// For which targets.
    pub on: Selector,
    /// A YAML file with values; relative to the environment's file.
    pub file: PathBuf,
}

/// Values for some targets.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScopedValues {
    /// For which targets.
    pub on: Selector,
    /// Values by name.
    pub values: BTreeMap<String, Value>,
}

impl Dictionary {
    /// Returns the targets it is for; none means all.
    pub fn on(&self) -> Option<&Selector> {
        match self {
            Self::File(_) | Self::Values(_) => None,
            Self::ScopedFile(scoped) => Some(&scoped.on),
            Self::ScopedValues(scoped) => Some(&scoped.on),
        }
    }

    /// Returns its file, and where below the dictionary that is named.
    pub fn file(&self) -> Option<(&PathBuf, &'static str)> {
        match self {
            Self::File(file) => Some((file, "")),
            Self::ScopedFile(scoped) => Some((&scoped.file, "/file")),
            Self::ScopedValues(_) | Self::Values(_) => None,
        }
    }
}

/// Where a secret's value is read from, each time it is needed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SecretSource {
    /// An environment variable of the launchway process.
    Env(#[schemars(length(min = 1))] String),
    /// A file; relative to the environment's file. One line end at its end is not part of the secret.
    File(PathBuf),
    /// A program and its arguments; what it prints is the secret, without one line end at its end.
    Command(#[schemars(length(min = 1))] Vec<String>),
    /// A file encrypted with age.
    Age(AgeSource),
}

/// A file encrypted with age, with names and texts in it, as YAML or JSON.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum AgeSource {
    /// The file; relative to the environment's file. The secret's own name stands in it.
    File(PathBuf),
    Entry(AgeEntry),
}

/// One text of a file encrypted with age.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgeEntry {
    /// The file; relative to the environment's file.
    pub file: PathBuf,
    /// A name in it, or a JSON Pointer, such as `/db/password`.
    #[schemars(length(min = 1))]
    pub key: String,
}

/// What to do when steps fail.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FailurePolicy {
    /// `stop` if not given.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// What happens to the rest of a run when a step fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Running steps end, nothing new starts.
    #[default]
    Stop,
    /// What does not depend on the failed step goes on.
    Continue,
}
