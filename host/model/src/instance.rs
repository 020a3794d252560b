//! A component on a target with everything resolved.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ComponentName, Digest, InstanceId, KindRef, Roll, RunRule, SecretName, TargetName, Version};

/// A file of the release; its bytes are in the store under the digest.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Artifact {
    /// The property that named it.
    pub name: Arc<str>,
    pub file_name: Arc<str>,
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// The bytes hold secret markers (`\u{2}secret:NAME\u{3}`), which the host replaces on the way to the target.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_secrets: bool,
}

/// An instance with everything resolved: what a plugin is asked for, and what the state records.
///
/// Secrets stand in `properties` as `{"$secret": "name"}` or `{"$parts": [...]}`, never as values.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct InstanceSpec {
    pub id: InstanceId,
    /// The release that last changed it.
    pub version: Version,
    pub kind: KindRef,
    pub properties: Arc<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// The secrets its properties and artifacts refer to, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretName>,
    /// Run after its start; they decide whether the change commits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<ActionSpec>,
    /// Run on other targets, ahead of its stop and after its verification.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub around: Vec<Around>,
    /// It is an action: it leaves nothing, and this says when it runs again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunRule>,
    #[serde(default)]
    pub edges: Arc<Edges>,
    pub on_rollback: OnRollback,
}

/// An action with everything resolved.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ActionSpec {
    pub kind: KindRef,
    pub properties: Arc<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretName>,
}

impl InstanceSpec {
    /// Returns it as an action, which some instances are.
    pub fn as_action(&self) -> ActionSpec {
        ActionSpec {
            kind: self.kind.clone(),
            properties: self.properties.clone(),
            artifacts: self.artifacts.clone(),
            secrets: self.secrets.clone(),
        }
    }
}

/// Actions on other targets around the change of an instance.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Around {
    pub at: Vec<TargetName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<ActionSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ActionSpec>,
    /// `after` runs after a failure, too, if `before` ran.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub always: bool,
}

/// What a component depends on, how it rolls, and what comes first when it is replaced.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Edges {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Edge>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Edge>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscribe: Vec<Subscription>,
    /// None: all its instances at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll: Option<Roll>,
    #[serde(default, skip_serializing_if = "Replace::is_default")]
    pub replace: Replace,
}

impl Edges {
    /// Returns the components that it depends on in any way, some more than once.
    pub fn components(&self) -> impl Iterator<Item = &ComponentName> {
        self.scoped().map(|(component, _)| component)
    }

    /// Returns the components that it depends on in any way, with which of their instances.
    pub fn scoped(&self) -> impl Iterator<Item = (&ComponentName, Scope)> {
        let plain = self.needs.iter().chain(&self.after).map(|edge| (&edge.component, edge.scope));
        plain.chain(self.subscribe.iter().map(|edge| (&edge.component, edge.scope)))
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Edge {
    pub component: ComponentName,
    pub scope: Scope,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Subscription {
    pub component: ComponentName,
    /// What the subscriber's plugin is told, such as `reload` or `restart`.
    pub word: Arc<str>,
    pub scope: Scope,
}

/// Which pairs of instances an edge between two components orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Every instance waits for all instances of the other component.
    All,
    /// Every instance waits for the other component's instance on its own target, if there is one.
    SameTarget,
}

/// What comes first where something takes another one's place.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Replace {
    /// What goes stops after what stays has settled without it.
    #[default]
    CreateFirst,
    /// What goes is gone before what comes is put in place: the component's own instances on other targets, and
    /// whatever comes or goes on the same target.
    DeleteFirst,
}

impl Replace {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::CreateFirst
    }
}

/// What a rollback does with an instance that the rolled-back run changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnRollback {
    /// It stays as it is, recorded at its newer version.
    Keep,
    /// It is restored.
    Run,
    /// The rollback is refused.
    Refuse,
}
