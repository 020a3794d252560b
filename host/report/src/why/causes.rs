//! The causes of a change with what differs, and those of others back to where they begin.

use std::collections::{HashMap, HashSet};

use launchway_model::{
    Cause, ChangeIndex, ChangeKind, ComponentName, Deployed, Edges, InstanceChange, InstanceId, Plan, Scope,
};
use serde::Serialize;
use serde_json::Value;

use crate::diff::Difference;
use crate::plan_view::{cause_text, property_differences};
use crate::sanitise::inline;

/// A cause in words.
#[derive(Debug, Serialize)]
pub struct CauseWhy<'a> {
    pub cause: &'a Cause,
    pub because: String,
    /// What differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Of a cause that another change gives: that change, the one that gives its cause, and so on to the root.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<Link<'a>>,
    /// Nothing of the component that gives it changes in this plan.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub earlier: bool,
}

/// A change that is the cause of another one.
#[derive(Debug, Serialize)]
pub struct Link<'a> {
    #[serde(flatten)]
    pub id: &'a InstanceId,
    pub change: ChangeKind,
    pub because: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// How many other instances of the component give the same cause.
    #[serde(skip_serializing_if = "is_none")]
    pub more: usize,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

/// A plan's changes by component.
pub(super) struct Causes<'a> {
    plan: &'a Plan,
    by_component: HashMap<&'a ComponentName, Vec<ChangeIndex>>,
}

impl<'a> Causes<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        let mut by_component: HashMap<_, Vec<_>> = HashMap::new();
        for (at, change) in plan.changes.iter().enumerate() {
            let index = ChangeIndex(u32::try_from(at).unwrap_or(u32::MAX));
            by_component.entry(&change.id.component).or_default().push(index);
        }
        Self { plan, by_component }
    }

    pub(super) fn explain(&self, change: &'a InstanceChange) -> Vec<CauseWhy<'a>> {
        let explain = |cause: &'a Cause| {
            let chain = self.chain(change, cause);
            CauseWhy {
                because: cause_text(cause),
                differences: differing(change, cause),
                earlier: giver(cause).is_some() && chain.is_empty(),
                chain,
                cause,
            }
        };
        change.causes.iter().map(explain).collect()
    }

    /// Follows a cause back to one that no other change gives.
    fn chain(&self, change: &'a InstanceChange, cause: &'a Cause) -> Vec<Link<'a>> {
        let mut chain = Vec::new();
        let mut seen = HashSet::new();
        let mut at = (change, cause);
        while let Some((giver, more)) = self.giver(at.0, at.1, &mut seen) {
            // A cause of its own is the root; otherwise it goes on.
            let own = giver.causes.iter().find(|cause| self::giver(cause).is_none());
            let Some(next) = own.or(giver.causes.first()) else { break };
            let (because, differences) = (cause_text(next), differing(giver, next));
            chain.push(Link { id: &giver.id, change: giver.kind, because, differences, more });
            at = (giver, next);
        }
        chain
    }

    /// Returns the change that gives a cause, and how many others give it as well.
    fn giver(
        &self,
        change: &InstanceChange,
        cause: &Cause,
        seen: &mut HashSet<&'a InstanceId>,
    ) -> Option<(&'a InstanceChange, usize)> {
        let component = giver(cause)?;
        // What is only refreshed tells its subscribers nothing.
        let tells =
            |other: &&InstanceChange| other.kind != ChangeKind::Refresh || !matches!(cause, Cause::Subscription { .. });
        let all = self.by_component.get(component)?.iter();
        let all: Vec<&InstanceChange> = all.filter_map(|index| self.plan.change(*index)).filter(tells).collect();
        let same = || all.iter().copied().find(|other| other.id.target == change.id.target);
        let (found, count) = match scope(change, component) {
            Scope::SameTarget => (same()?, 1),
            Scope::All => (same().or(all.first().copied())?, all.len()),
        };
        seen.insert(&found.id).then_some((found, count.saturating_sub(1)))
    }
}

/// Returns the component that gives a cause to others.
fn giver(cause: &Cause) -> Option<&ComponentName> {
    match cause {
        Cause::Needs(component) | Cause::Subscription { component, .. } => Some(component),
        _ => None,
    }
}

/// Whether an instance looks at all of a component, or at what is on its own target.
fn scope(change: &InstanceChange, component: &ComponentName) -> Scope {
    let edges = |edges: &Edges| {
        let plain = edges.needs.iter().chain(&edges.after).map(|edge| (&edge.component, edge.scope));
        let all = plain.chain(edges.subscribe.iter().map(|edge| (&edge.component, edge.scope)));
        let scopes: Vec<Scope> = all.filter(|(name, _)| *name == component).map(|(_, scope)| scope).collect();
        scopes.into_iter().max_by_key(|scope| *scope == Scope::All)
    };
    change.subject().and_then(|deployed| edges(&deployed.spec.edges)).unwrap_or(Scope::All)
}

/// Returns what a cause of a change is about.
fn differing(change: &InstanceChange, cause: &Cause) -> Vec<Difference> {
    let text = |text: &str| Value::String(text.to_owned());
    let (old, new) = (change.previous.as_deref(), change.desired.as_deref());
    match cause {
        Cause::Property(pointer) => {
            let below = |long: &str, short: &str| {
                long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let mut all = property_differences(change);
            all.retain(|difference| below(&difference.path, pointer) || below(pointer, &difference.path));
            all
        }
        Cause::Artifact(name) => {
            let label = |deployed: &Deployed| {
                let artifact = deployed.spec.artifacts.iter().find(|artifact| *artifact.name == **name)?;
                Some(text(&format!("{} ({})", inline(&artifact.file_name), artifact.digest.short())))
            };
            let path = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            vec![Difference { path, old: old.and_then(label), new: new.and_then(label) }]
        }
        Cause::TargetChanged => {
            let address = |deployed: &Deployed| text(&deployed.target.address);
            vec![Difference { path: "/address".to_owned(), old: old.map(address), new: new.map(address) }]
        }
        _ => Vec::new(),
    }
}
