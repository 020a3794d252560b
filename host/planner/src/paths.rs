//! Who writes which path: two components must not own one, and one that changes hands decides the order.

use std::collections::{HashMap, HashSet};

use launchway_model::{
    ChangeIndex, ChangeKind, ComponentName, Diagnostic, Diagnostics, InstanceChange, InstanceId, InstanceSpec, Replace,
};

use crate::claims::{Claims, claims};
use crate::error::{PlanError, owning};
use crate::kinds::Kinds;
use crate::order::{Handover, replace_by, replace_of};

/// Checks that no two instances write one path on one target. An update that gives up a path which another instance
/// takes becomes a delete and a create, so that the path is free before it is taken.
///
/// Returns the paths that change hands: deletes, and the changes that come after them. Where somebody can be asked
/// (`strict`), what goes and what comes at one path has to be meant: what goes would go last otherwise.
pub(crate) fn settle_paths(
    instances: &[InstanceSpec],
    changes: &mut Vec<InstanceChange>,
    kinds: &Kinds<'_>,
    strict: bool,
) -> Result<Vec<Handover>, PlanError> {
    let owned = Claims::new(instances, kinds)?;
    let mut found = handovers(&owned, changes, kinds)?;
    let givers: HashSet<InstanceId> = found
        .iter()
        .map(|given| &changes[given.giver.0 as usize])
        .filter(|change| change.kind == ChangeKind::Update)
        .map(|change| change.id.clone())
        .collect();
    if !givers.is_empty() {
        *changes = std::mem::take(changes)
            .into_iter()
            .flat_map(|change| {
                let gives = change.kind == ChangeKind::Update && givers.contains(&change.id);
                let (first, second) = if gives { split(change) } else { (change, None) };
                std::iter::once(first).chain(second)
            })
            .collect();
        found = handovers(&owned, changes, kinds)?;
    }
    if strict {
        refuse_collisions(&found, changes, instances)?;
    }
    let mut found: Vec<Handover> = found.into_iter().map(|given| (given.giver, given.taker)).collect();
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// A path that changes hands.
struct Given {
    giver: ChangeIndex,
    taker: ChangeIndex,
    path: String,
}

/// Refuses that something goes and something else comes at one path, unless it was said that the one goes first.
fn refuse_collisions(found: &[Given], changes: &[InstanceChange], instances: &[InstanceSpec]) -> Result<(), PlanError> {
    let mut problems = Diagnostics::default();
    let mut said: HashSet<(&ComponentName, &ComponentName)> = HashSet::new();
    for Given { giver, taker, path } in found {
        let at = giver.0 as usize;
        let (giver, taker) = (&changes[at], &changes[taker.0 as usize]);
        let stays = changes.get(at + 1).is_some_and(|next| next.id == giver.id);
        let chosen = [replace_of(giver, instances), replace_by(taker)].contains(&Replace::DeleteFirst);
        if stays || chosen || !said.insert((&giver.id.component, &taker.id.component)) {
            continue;
        }
        let (old, new) = (&giver.id.component, &taker.id.component);
        let message = format!(
            "{} goes and {} comes, and both {}: what goes would go last and take it away again",
            giver.id,
            taker.id,
            owning(path)
        );
        let hint = format!(
            "say `replace: delete-first` on `{new}`, and `{old}` is gone before it comes; or `renamed_from: {old}`, if \
             it is the same under another name"
        );
        problems.push(Diagnostic::error("collision", message).hint(hint));
    }
    if problems.has_errors() { Err(PlanError::Problems(problems)) } else { Ok(()) }
}

/// Returns each change that gives up a path, with the change that takes it.
fn handovers(owned: &Claims<'_>, changes: &[InstanceChange], kinds: &Kinds<'_>) -> Result<Vec<Given>, PlanError> {
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
                    let (giver, taker) = (ChangeIndex(at as u32), ChangeIndex(*taker as u32));
                    found.push(Given { giver, taker, path: taken.path.clone().into_owned() });
                }
            }
        }
    }
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
