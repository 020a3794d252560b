//! Actions used as components: when they run again although nothing of them changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use launchway_model::{Cause, ChangeKind, ComponentName, InstanceId, InstanceSpec, RunRule, Scope, TargetName};

use super::instance::Pass;
use crate::error::PlanError;

/// Adds causes to actions that run in every deployment, or whenever something they need changes.
///
/// An action that runs counts as a change for those who need it.
pub(super) fn add_runs(pass: &mut Pass<'_, '_>) -> Result<(), PlanError> {
    let Some(desired) = pass.input.desired else { return Ok(()) };
    let mut actions: Vec<&InstanceSpec> = desired
        .instances
        .iter()
        .filter(|spec| matches!(spec.run, Some(RunRule::WithNeeds | RunRule::Always)))
        .filter(|spec| !desired.untouched.contains(&spec.id) && pass.input.restrict.includes(&spec.id))
        .collect();
    if actions.is_empty() {
        return Ok(());
    }
    let mut changing = Changing::default();
    let mut known: HashMap<InstanceId, usize> = HashMap::new();
    for (at, change) in pass.delta.changes.iter().enumerate() {
        changing.add(&change.id);
        known.insert(change.id.clone(), at);
    }
    let mut refreshed = BTreeSet::new();
    // Each round finds the actions that need those of the last one: as many rounds as there are in a row.
    loop {
        let before = actions.len();
        let mut found = Vec::new();
        actions.retain(|spec| {
            let causes = changing.causes(spec);
            if causes.is_empty() {
                return true;
            }
            found.push((*spec, causes));
            false
        });
        for (spec, causes) in found {
            changing.add(&spec.id);
            match known.get(&spec.id) {
                Some(&at) => {
                    let change = &mut pass.delta.changes[at];
                    if change.kind != ChangeKind::Create && change.kind != ChangeKind::Delete {
                        change.causes.extend(causes);
                        change.causes.sort();
                        change.causes.dedup();
                    }
                }
                None => {
                    if pass.refresh(spec, causes) {
                        refreshed.insert(spec.id.clone());
                    }
                }
            }
        }
        if actions.len() == before {
            break;
        }
    }
    pass.delta.settle(&refreshed);
    Ok(())
}

/// On which targets components change in any way.
#[derive(Default)]
struct Changing(BTreeMap<ComponentName, BTreeSet<TargetName>>);

impl Changing {
    fn add(&mut self, id: &InstanceId) {
        self.0.entry(id.component.clone()).or_default().insert(id.target.clone());
    }

    fn causes(&self, spec: &InstanceSpec) -> BTreeSet<Cause> {
        if spec.run == Some(RunRule::Always) {
            return BTreeSet::from([Cause::Always]);
        }
        let edges = &spec.edges;
        let plain = edges.needs.iter().chain(&edges.after).map(|edge| (&edge.component, edge.scope));
        let all = plain.chain(edges.subscribe.iter().map(|edge| (&edge.component, edge.scope)));
        let concerns = |(component, scope): &(&ComponentName, Scope)| match (self.0.get(*component), scope) {
            (None, _) => false,
            (Some(_), Scope::All) => true,
            (Some(targets), Scope::SameTarget) => targets.contains(&spec.id.target),
        };
        all.filter(concerns).map(|(component, _)| Cause::Needs(component.clone())).collect()
    }
}
