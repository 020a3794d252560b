//! What plugins say of themselves.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{OnRollback, PluginName};

/// A plugin's own description.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PluginInfo {
    pub name: PluginName,
    pub version: String,
    pub summary: String,
    pub kinds: Vec<KindInfo>,
    pub capabilities: Vec<Capability>,
}

impl PluginInfo {
    pub fn kind(&self, name: &str) -> Option<&KindInfo> {
        self.kinds.iter().find(|kind| &*kind.name == name)
    }
}

/// A component or action kind.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct KindInfo {
    pub name: Arc<str>,
    pub usage: Usage,
    pub summary: String,
    /// A JSON Schema with Launchway's keywords `trigger`, `secret`, `source` and `writes`.
    pub schema: Value,
    pub run: RunRule,
    pub on_rollback: OnRollback,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Usage {
    Component,
    Action,
    Both,
}

/// When an action used as a component runs again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunRule {
    /// When its own properties changed.
    Changed,
    /// When anything it needs changed, too.
    WithNeeds,
    /// In every deployment.
    Always,
}

/// Something a plugin does through the host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Capability {
    pub name: String,
    pub reason: String,
}
