//! Who writes which path: two components must not own one, and one that changes hands decides the order.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use launchway_model::{ChangeIndex, ChangeKind, InstanceChange, InstanceId, InstanceSpec, TargetName};
use serde_json::Value;

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
    let writers = writers(instances, kinds)?;
    let found = handovers(&writers, changes, kinds)?;
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
    handovers(&writers, changes, kinds)
}

/// By target and path: who is to own it.
type Writers<'a> = HashMap<(&'a TargetName, Cow<'a, str>), &'a InstanceId>;

fn writers<'a>(instances: &'a [InstanceSpec], kinds: &Kinds<'_>) -> Result<Writers<'a>, PlanError> {
    let mut writers = Writers::new();
    for spec in instances {
        for path in writes(spec, kinds)? {
            let shown = path.clone();
            if let Some(first) = writers.insert((&spec.id.target, path), &spec.id)
                && *first != spec.id
            {
                let path = shown.into_owned();
                return Err(PlanError::TwoWriters { first: first.clone(), second: spec.id.clone(), path });
            }
        }
    }
    Ok(writers)
}

/// Returns each change that gives up a path, with the change that takes it.
fn handovers(writers: &Writers<'_>, changes: &[InstanceChange], kinds: &Kinds<'_>) -> Result<Vec<Handover>, PlanError> {
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
        for path in writes(&previous.spec, kinds)? {
            let heir = writers.get(&(&change.id.target, path.clone())).filter(|heir| ***heir != change.id);
            let Some(taker) = heir.and_then(|heir| places.get(*heir)) else { continue };
            // Who wrote it already takes nothing.
            let known = match before.get(&changes[*taker].id) {
                Some(spec) => writes(spec, kinds)?.contains(&path),
                None => false,
            };
            if !known {
                found.push((ChangeIndex(at as u32), ChangeIndex(*taker as u32)));
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

/// Returns the paths on its target that an instance owns.
fn writes<'a>(spec: &'a InstanceSpec, kinds: &Kinds<'_>) -> Result<Vec<Cow<'a, str>>, PlanError> {
    let Some(kind) = kinds.get(&spec.kind)? else { return Ok(Vec::new()) };
    let paths = kind.schema.writes().iter().filter_map(|name| match spec.properties.get(name) {
        Some(Value::String(path)) => Some(normal(path)),
        _ => None,
    });
    Ok(paths.collect())
}

/// Returns a path without what makes no difference.
fn normal(path: &str) -> Cow<'_, str> {
    if !path.contains("//") && !path.contains("/./") && !path.ends_with('/') {
        return Cow::Borrowed(path);
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let root = if path.starts_with('/') { "/" } else { "" };
    Cow::Owned(format!("{root}{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_path_are_equal() {
        for path in ["/opt/shop", "/opt/shop/", "//opt//shop", "/opt/./shop"] {
            assert_eq!(normal(path), "/opt/shop");
        }
        assert_eq!(normal("/"), "/");
        assert_eq!(normal("a/b/"), "a/b");
    }
}
