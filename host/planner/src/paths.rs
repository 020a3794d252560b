//! Who writes which path: two components must not own one, and one that changes hands decides the order.

use std::collections::{HashMap, HashSet};

use launchway_model::{ChangeIndex, ChangeKind, InstanceChange, InstanceId, InstanceSpec};

use crate::claims::{Claims, claims};
use crate::error::PlanError;
use crate::kinds::Kinds;
use crate::order::Handover;

/// Checks that no two instances write one path on one target. An update that gives up a path which another instance
/// takes becomes a delete and a create, so that the path is free before it is taken.
///
/// Returns the paths that change hands: deletes, and the changes that come after them.
pub(crate) fn settle_paths(
    instances: &[InstanceSpec],
    changes: &mut Vec<InstanceChange>,
    kinds: &Kinds<'_>,
) -> Result<Vec<Handover>, PlanError> {
    let owned = Claims::new(instances, kinds)?;
    let found = handovers(&owned, changes, kinds)?;
    let givers: HashSet<InstanceId> = found
        .iter()
        .map(|(giver, _)| &changes[giver.0 as usize])
        .filter(|change| change.kind == ChangeKind::Update)
        .map(|change| change.id.clone())
        .collect();
    if givers.is_empty() {
        return Ok(found);
    }
    *changes = std::mem::take(changes)
        .into_iter()
        .flat_map(|change| {
            let gives = change.kind == ChangeKind::Update && givers.contains(&change.id);
            let (first, second) = if gives { split(change) } else { (change, None) };
            std::iter::once(first).chain(second)
        })
        .collect();
    handovers(&owned, changes, kinds)
}

/// Returns each change that gives up a path, with the change that takes it.
fn handovers(owned: &Claims<'_>, changes: &[InstanceChange], kinds: &Kinds<'_>) -> Result<Vec<Handover>, PlanError> {
    let wanted = changes.iter().enumerate().filter(|(_, change)| change.kind != ChangeKind::Delete);
    let places: HashMap<&InstanceId, usize> = wanted.map(|(at, change)| (&change.id, at)).collect();
    // What an instance wrote before; of two halves the first one knows.
    let mut before: HashMap<&InstanceId, &InstanceSpec> = HashMap::new();
    for change in changes {
        if let Some(previous) = &change.previous {
            before.entry(&change.id).or_insert(&previous.spec);
        }
    }
    let mut found = Vec::new();
    for (at, change) in changes.iter().enumerate() {
        let Some(previous) = change.previous.as_ref().filter(|_| change.kind != ChangeKind::Create) else { continue };
        let stays = match change.desired.as_ref() {
            Some(desired) => claims(&desired.spec, kinds)?,
            None => Vec::new(),
        };
        for given in claims(&previous.spec, kinds)? {
            // Where it no longer owns what is in it, nothing of that is taken away.
            if stays.iter().any(|claim| claim.path == given.path) {
                continue;
            }
            for taken in owned.overlapping(&given).filter(|taken| *taken.owner != change.id) {
                let Some(taker) = places.get(taken.owner) else { continue };
                // Who wrote it already takes nothing.
                let known = match before.get(taken.owner) {
                    Some(spec) => {
                        claims(spec, kinds)?.iter().any(|claim| (&claim.path, claim.tree) == (&taken.path, taken.tree))
                    }
                    None => false,
                };
                if !known {
                    found.push((ChangeIndex(at as u32), ChangeIndex(*taker as u32)));
                }
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Makes two changes of an update: what was there goes, what is wanted comes.
fn split(update: InstanceChange) -> (InstanceChange, Option<InstanceChange>) {
    let create = InstanceChange {
        id: update.id.clone(),
        kind: ChangeKind::Create,
        causes: update.causes.clone(),
        previous: None,
        confirmed: None,
        dirty: false,
        desired: update.desired.clone(),
    };
    (InstanceChange { kind: ChangeKind::Delete, desired: None, ..update }, Some(create))
}
