//! What a component says beside its properties: its edges, how it rolls, when it runs again.

use std::sync::Arc;

use launchway_model::config::{EdgeUse, SubscriptionUse};
use launchway_model::{
    ComponentName, Edge, Edges, OnRollback, Roll, RunRule, Scope, Staging, Strategy, Subscription, Unit, Usage,
};

use super::world::{Placed, World};

/// The name under which an environment says how the application itself rolls.
pub(super) const APPLICATION: &str = "application";

/// Returns a component's edges in a fixed order, and how it rolls.
pub(super) fn config_edges(world: &World<'_>, placed: &Placed<'_>) -> Edges {
    let component = placed.component;
    let mut subscribe = Vec::new();
    for subscription in &component.subscribe {
        let mut add = |component: &ComponentName, word: &str, scope| {
            subscribe.push(Subscription { component: component.clone(), word: Arc::from(word), scope });
        };
        match subscription {
            SubscriptionUse::Detail(detail) => {
                add(&detail.component, &detail.word, detail.scope.unwrap_or(Scope::SameTarget));
            }
            SubscriptionUse::Short(words) => {
                words.iter().for_each(|(component, word)| add(component, word, Scope::SameTarget));
            }
        }
    }
    subscribe.sort_by(|a, b| (&a.component, &a.word).cmp(&(&b.component, &b.word)));
    subscribe.dedup();
    let plain = |uses: &[EdgeUse]| {
        let mut edges: Vec<Edge> =
            uses.iter().map(|edge| Edge { component: edge.component().clone(), scope: edge.scope() }).collect();
        edges.sort_by(|a, b| a.component.cmp(&b.component));
        edges.dedup();
        edges
    };
    let (needs, after) = (plain(&component.needs), plain(&component.after));
    Edges { needs, after, subscribe, roll: roll(world, placed), replace: component.replace }
}

/// Returns how a component rolls: with its group, on its own, or with all others of the application.
fn roll(world: &World<'_>, placed: &Placed<'_>) -> Option<Roll> {
    let application = &world.application.value;
    let here = |name: &str, given: &[Strategy]| -> Vec<Strategy> {
        world.environment.value.rollouts.get(name).map_or(given, Vec::as_slice).to_vec()
    };
    let name = placed.name.as_str();
    let group = application.groups.iter().find(|(_, group)| group.members.contains(placed.name));
    if let Some((group_name, group)) = group {
        let unit = Unit::Group(Arc::from(group_name.as_str()));
        return Some(Roll { unit, strategies: here(group_name.as_str(), &group.rollout), stage: group.stage });
    }
    let own = here(name, &placed.component.rollout);
    if !own.is_empty() {
        return Some(Roll { unit: Unit::Component(Arc::from(name)), strategies: own, stage: Staging::All });
    }
    let strategies = here(APPLICATION, &application.rollout);
    (!strategies.is_empty()).then_some(Roll { unit: Unit::Application, strategies, stage: Staging::All })
}

/// Returns when an action used as a component runs again; none for a component that leaves something.
pub(super) fn run_rule(placed: &Placed<'_>) -> Option<RunRule> {
    let kind = placed.kind.as_ref()?;
    match (placed.component.run, kind.info.usage) {
        (Some(rule), _) => Some(rule),
        (None, Usage::Action) => Some(kind.info.run),
        (None, _) => None,
    }
}

pub(super) fn on_rollback(placed: &Placed<'_>) -> OnRollback {
    let own = placed.kind.as_ref().map_or(OnRollback::Run, |kind| kind.info.on_rollback);
    placed.component.on_rollback.unwrap_or(own)
}
