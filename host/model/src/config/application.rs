//! `launchway.yaml`: an application, its components and its plugins.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Selector;
use crate::{
    ApplicationName, ArtifactName, ComponentName, KindRef, OnRollback, PluginName, Replace, RunRule, Scope, Staging,
    Strategy, Version, VersionRange,
};

/// An application and the release of it that this folder holds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// The application's name. State is kept under it.
    pub application: ApplicationName,
    /// The release's version; `--version` overrides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Other applications that have to be there in the same environment, each in a range of versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "format": "launchway-application-name" }))]
    pub requires: BTreeMap<ApplicationName, VersionRange>,
    /// Files of the release that components refer to by name; paths relative to this file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "format": "launchway-artifact-name" }))]
    pub artifacts: BTreeMap<ArtifactName, PathBuf>,
    /// What the application consists of.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "format": "launchway-component-name" }))]
    pub components: BTreeMap<ComponentName, Component>,
    /// How components follow one another that have no rollout of their own and are in no group: the outer way first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollout: Vec<Strategy>,
    /// Components that roll together: a batch holds all members' instances on its targets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "format": "launchway-component-name" }))]
    pub groups: BTreeMap<ComponentName, Group>,
    /// Actions that are run on request, by `launchway task NAME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("propertyNames" = { "format": "launchway-component-name" }))]
    pub tasks: BTreeMap<ComponentName, PlacedAction>,
    /// Actions that are run at the end of every run that does something, after a failure and a stop, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finally: Vec<PlacedAction>,
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
    pub on: Option<Placement>,
    /// It goes to one of these targets only: the one it was on before, else the first by name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
    /// For an action used as a component: when it runs. The type's own rule if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunRule>,
    /// What it was called before: what is recorded under that name is taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<ComponentName>,
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
    /// Actions on other targets before and after each of its instances changes, such as taking it out of a proxy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub around: Vec<AroundUse>,
    /// How its instances follow one another: the outer way first. Not for members of a group, which has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollout: Vec<Strategy>,
    /// What comes first where something takes another one's place, here or on other targets: `create-first` if not given.
    #[serde(default, skip_serializing_if = "Replace::is_default")]
    pub replace: Replace,
    /// What a rollback does with it; the type's own rule if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_rollback: Option<OnRollback>,
}

impl Component {
    /// Returns a component that says nothing but its type.
    pub fn of_kind(kind: KindRef) -> Self {
        Self {
            kind,
            on: None,
            once: false,
            run: None,
            renamed_from: None,
            needs: Vec::new(),
            after: Vec::new(),
            subscribe: Vec::new(),
            with: Value::Null,
            overrides: Vec::new(),
            verify: Vec::new(),
            around: Vec::new(),
            rollout: Vec::new(),
            replace: Replace::default(),
            on_rollback: None,
        }
    }
}

/// Which targets a component goes to: a selector, or `{match, min}`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Placement {
    /// Must match at least one target.
    Selector(Selector),
    Detail(PlacementDetail),
}

/// Which targets a component goes to, and how many there must be.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlacementDetail {
    /// Which targets.
    #[serde(rename = "match")]
    pub selector: Selector,
    /// How many there must be; 1 if not given, 0 makes the component optional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
}

impl Placement {
    pub fn selector(&self) -> &Selector {
        match self {
            Self::Selector(selector) => selector,
            Self::Detail(detail) => &detail.selector,
        }
    }

    /// Returns how many targets there must be.
    pub fn min(&self) -> u32 {
        match self {
            Self::Selector(_) => 1,
            Self::Detail(detail) => detail.min.unwrap_or(1),
        }
    }
}

/// Components that roll together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its components.
    #[schemars(length(min = 1))]
    pub members: Vec<ComponentName>,
    /// How its targets follow one another: the outer way first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollout: Vec<Strategy>,
    /// When its files are brought to its targets; `all` if not given.
    #[serde(default)]
    pub stage: Staging,
}

/// Actions around each instance's change, on other targets.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AroundUse {
    /// On which targets the actions run.
    pub at: Selector,
    /// Runs ahead of the instance's stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<ActionUse>,
    /// Runs once all members of its group on its target are verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ActionUse>,
    /// `after` runs after a failure, too, if `before` ran.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub always: bool,
}

/// An action with the targets it runs on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlacedAction {
    /// `plugin/kind`, such as `ssh/command`.
    #[serde(rename = "type")]
    pub kind: KindRef,
    /// On which targets it runs; all targets if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Placement>,
    /// It runs on one of these targets only: the first by name.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
    /// The properties; which ones there are depends on the type.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(extend("type" = ["object", "null"]))]
    pub with: Value,
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
