//! Why there is no plan.

use std::sync::Arc;

use launchway_model::{Diagnostic, Diagnostics, InstanceId, KindRef, PluginName, closest};

use crate::claims::UNIT;
use crate::inputs::PluginError;
use crate::restrict::RestrictionError;
use crate::suggest;

#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum PlanError {
    /// A plugin trapped, lied or could not be loaded.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// A plugin planned steps that can't be.
    #[error("plugin `{plugin}` answered badly for {instance}: {why}")]
    BadAnswer { plugin: PluginName, instance: InstanceId, why: String },
    /// Plugins refused properties.
    #[error("{}", first_message(.0))]
    Problems(Diagnostics),
    /// What is recorded was deployed by a kind that is not there any more.
    #[error("{instance} was deployed by `{kind}`, which no plugin offers any more")]
    UnknownKind { instance: InstanceId, kind: KindRef },
    /// Nobody knows what was left there.
    #[error("the state records {instance} without saying what is there")]
    EmptyRecord { instance: InstanceId },
    /// `path` leads from what rolls through others back to it.
    #[error("`{outside}` stands between what rolls with `{unit}`: {}", .path.join(" → "))]
    NotConvex { unit: String, outside: String, path: Vec<String> },
    #[error(transparent)]
    Restriction(#[from] RestrictionError),
    #[error("components need each other in a cycle: {}", .0.join(" → "))]
    Cycle(Vec<String>),
    /// Two components own one path, or one unit, on one target.
    #[error("{first} and {second} both {}", owning(.path))]
    TwoWriters { first: InstanceId, second: InstanceId, path: String },
    /// One owns all there is in a path, and another one writes into it.
    #[error(transparent)]
    WriterInTree(Box<WriterInTree>),
    /// A path changes hands between two that stay, one of which waits for the other with everything.
    #[error("{from} gives up a path that {to} takes, and one of them comes after all of the other")]
    PathChangesHands { from: InstanceId, to: InstanceId },
    /// A bug: the finished plan breaks a rule.
    #[error("the planner made a plan that breaks a rule: {0}")]
    Broken(String),
}

/// One owns all there is in a path, and another one writes into it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{owner} replaces all there is in `{tree}`, where {writer} writes `{path}`")]
pub struct WriterInTree {
    pub owner: InstanceId,
    pub tree: String,
    pub writer: InstanceId,
    pub path: String,
    /// The property that makes it so.
    pub switch: Option<Arc<str>>,
}

impl PlanError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Plugin(_) | Self::BadAnswer { .. } => {
                Some("this is a fault of the plugin; `launchway plugin list` shows where it comes from".to_owned())
            }
            Self::UnknownKind { kind, .. } => Some(format!(
                "add the plugin `{}` back to `plugins:` to delete or change what it deployed",
                kind.plugin
            )),
            Self::Restriction(error) => error.hint.clone(),
            Self::Cycle(_) => Some("remove one of these edges".to_owned()),
            Self::TwoWriters { path, .. } if path.starts_with(UNIT) => Some(
                "let one of them have it, and the other one `subscribe` to that; or give them other targets".to_owned(),
            ),
            Self::TwoWriters { .. } => Some("give one of them another path, or other targets".to_owned()),
            Self::WriterInTree(error) => {
                let switch = error.switch.as_ref();
                let switch = switch.map(|name| format!(", or set `{name}: false` on `{}`", error.owner.component));
                Some(format!("give one of them another path, or other targets{}", switch.unwrap_or_default()))
            }
            Self::PathChangesHands { .. } => {
                Some("do it in two deployments: the first one gives the path up, the second one takes it".to_owned())
            }
            Self::NotConvex { outside, .. } => Some(format!(
                "what rolls in batches rolls as one: put `{outside}` into it, too, or take out what needs it"
            )),
            Self::EmptyRecord { .. } => Some("deploy the component again before deleting it".to_owned()),
            Self::Problems(_) | Self::Broken(_) => None,
        }
    }

    /// Returns it in the form in which all that is wrong is shown.
    pub fn diagnostics(&self) -> Diagnostics {
        if let Self::Problems(diagnostics) = self {
            return diagnostics.clone();
        }
        let mut diagnostic = Diagnostic::error(self.code(), self.to_string());
        diagnostic.hint = self.hint();
        diagnostic.into()
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Plugin(_) | Self::BadAnswer { .. } => "plugin",
            Self::Problems(_) => "properties",
            Self::UnknownKind { .. } => "unknown-type",
            Self::EmptyRecord { .. } => "empty-record",
            Self::NotConvex { .. } => "not-convex",
            Self::Restriction(_) => "no-match",
            Self::Cycle(_) => "cycle",
            Self::TwoWriters { .. } | Self::WriterInTree(_) => "two-writers",
            Self::PathChangesHands { .. } => "path-changes-hands",
            Self::Broken(_) => "internal",
        }
    }
}

/// Says of somebody that a path, or a unit, is theirs.
pub(crate) fn owning(path: &str) -> String {
    match path.strip_prefix(UNIT) {
        Some(unit) => format!("run the unit `{unit}`"),
        None => format!("write `{path}`"),
    }
}

fn first_message(diagnostics: &Diagnostics) -> String {
    let messages: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
    match messages.as_slice() {
        [] => "a plugin refused properties".to_owned(),
        [only] => (*only).to_owned(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    }
}

/// Returns an error for a kind that no plugin has, with the nearest that exists.
pub(crate) fn unknown_kind(kind: &KindRef, kinds: &[KindRef]) -> Diagnostic {
    let names: Vec<String> = kinds.iter().map(KindRef::to_string).collect();
    let of_plugin: Vec<&str> =
        kinds.iter().filter(|known| known.plugin == kind.plugin).map(|known| &*known.kind).collect();
    let mut diagnostic = Diagnostic::error("unknown-type", format!("there is no type `{kind}`"));
    diagnostic.hint = match closest(&kind.to_string(), names.iter().map(String::as_str)) {
        Some(name) => Some(format!("did you mean `{name}`?")),
        None if of_plugin.is_empty() => {
            Some(format!("no plugin is called `{}`; `launchway plugin list` shows those there are", kind.plugin))
        }
        None => Some(format!("the plugin `{}` has {}", kind.plugin, suggest::list(&of_plugin))),
    };
    diagnostic
}
