//! `launchway.yaml`: an application, its components and its plugins.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Selector;
use crate::{ApplicationName, ArtifactName, ComponentName, KindRef, OnRollback, PluginName, Scope, Version};

/// An application and the release of it that this folder holds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// The application's name. State is kept under it.
    pub application: ApplicationName,
    /// The release's version; `--version` overrides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Files of the release that components refer to by name; paths relative to this file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "format": "launchway-artifact-name" }))]
    pub artifacts: BTreeMap<ArtifactName, PathBuf>,
    /// What the application consists of.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "format": "launchway-component-name" }))]
    pub components: BTreeMap<ComponentName, Component>,
    /// Plugins beyond those that come with Launchway.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "format": "launchway-plugin-name" }))]
    pub plugins: BTreeMap<PluginName, PluginSource>,
}

/// A part of the application that goes to the targets its selector matches.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// What it is: `plugin/kind`, such as `ssh/file`.
    #[serde(rename = "type")]
    pub kind: KindRef,
    /// Which targets it goes to, such as `role=app,dc!=us`; all targets if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Selector>,
    /// Components that must be in place, in their new version and verified, before this one starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<EdgeUse>,
    /// Components all of whose steps come before any of this one's: the strict form of `needs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<EdgeUse>,
    /// Components whose change makes this one reload, restart or whatever the word means to its type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscribe: Vec<SubscriptionUse>,
    /// The properties; which ones there are depends on the type.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(extend("type" = ["object", "null"]))]
    pub with: Value,
    /// Properties that differ on some targets; later ones win.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// Actions that decide whether a change of it went well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<ActionUse>,
    /// What a rollback does with it; the type's own rule if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_rollback: Option<OnRollback>,
}

/// An edge to another component: its name, or `{component, scope}`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum EdgeUse {
    /// The component; every instance waits for all of its instances.
    Name(ComponentName),
    Detail(EdgeDetail),
}

/// An edge to another component, with all that can be said of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EdgeDetail {
    /// The component that this one waits for.
    pub component: ComponentName,
    /// `all` if not given; `same-target` orders only instances on one and the same target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

impl EdgeUse {
    pub fn component(&self) -> &ComponentName {
        match self {
            Self::Name(name) => name,
            Self::Detail(detail) => &detail.component,
        }
    }

    pub fn scope(&self) -> Scope {
        match self {
            Self::Name(_) => Scope::All,
            Self::Detail(detail) => detail.scope.unwrap_or(Scope::All),
        }
    }
}

/// A subscription: `{config: reload}`, or `{component, word, scope}`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SubscriptionUse {
    Detail(SubscriptionDetail),
    /// Components, each with what this one is told when it changes, such as `reload` or `restart`.
    #[schemars(extend("propertyNames" = { "format": "launchway-component-name" }, "minProperties" = 1))]
    Short(BTreeMap<ComponentName, String>),
}

/// A subscription, with all that can be said of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionDetail {
    /// The component whose changes matter.
    pub component: ComponentName,
    /// What the component's type is told, such as `reload` or `restart`.
    pub word: String,
    /// `same-target` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scope>,
}

/// Properties that differ on some targets.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// On which targets.
    pub on: Selector,
    /// The properties to replace.
    #[schemars(extend("type" = "object"))]
    pub with: Value,
}

/// An action with its properties.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionUse {
    /// `plugin/kind`, such as `health/http`.
    #[serde(rename = "type")]
    pub kind: KindRef,
    /// The properties; which ones there are depends on the type.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(extend("type" = ["object", "null"]))]
    pub with: Value,
}

/// Where a plugin comes from: a file, or a file with what it is allowed to do.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PluginSource {
    /// A WebAssembly component; relative to this file. It may do nothing on its own.
    File(PathBuf),
    Detail(PluginSourceDetail),
}

/// A plugin's file and what it is allowed to do.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PluginSourceDetail {
    /// A WebAssembly component; relative to this file.
    pub file: PathBuf,
    /// The capabilities it gets: `target`, `secrets`, `http`, `net`. None if not given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "string", "enum": ["target", "secrets", "http", "net"] }))]
    pub grant: Vec<String>,
}

impl PluginSource {
    pub fn file(&self) -> &PathBuf {
        match self {
            Self::File(file) => file,
            Self::Detail(detail) => &detail.file,
        }
    }

    pub fn grant(&self) -> &[String] {
        match self {
            Self::File(_) => &[],
            Self::Detail(detail) => &detail.grant,
        }
    }
}
