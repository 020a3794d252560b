//! Who writes which path: two components must not own one, and one that changes hands decides the order.

use std::borrow::Cow;
use std::collections::HashMap;

use launchway_model::{ChangeIndex, ChangeKind, InstanceChange, InstanceId, InstanceSpec, TargetName};
use serde_json::Value;

use crate::error::PlanError;
use crate::kinds::Kinds;
use crate::order::Handover;

/// Checks that no two instances write one path on one target. Returns the paths that change hands: deletes, and the
/// changes that come after them.
pub(crate) fn check_paths(
    instances: &[InstanceSpec],
    changes: &[InstanceChange],
    kinds: &Kinds<'_>,
) -> Result<Vec<Handover>, PlanError> {
    let mut writers: HashMap<(&TargetName, Cow<'_, str>), &InstanceId> = HashMap::new();
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
    let places: HashMap<&InstanceId, usize> = changes
        .iter()
        .enumerate()
        .filter(|(_, change)| change.kind != ChangeKind::Delete)
        .map(|(at, change)| (&change.id, at))
        .collect();
    let mut handovers = Vec::new();
    for (at, change) in changes.iter().enumerate() {
        let Some(previous) = change.previous.as_ref().filter(|_| change.kind != ChangeKind::Create) else { continue };
        for path in writes(&previous.spec, kinds)? {
            let Some(heir) = writers.get(&(&change.id.target, path.clone())).filter(|heir| ***heir != change.id) else {
                continue;
            };
            let taker = places.get(*heir).filter(|place| takes(&changes[**place], &path, kinds));
            match (change.kind, taker) {
                (_, None) => {}
                (ChangeKind::Delete, Some(&place)) => {
                    handovers.push((ChangeIndex(at as u32), ChangeIndex(place as u32)));
                }
                (_, Some(_)) => {
                    return Err(PlanError::PathChangesHands {
                        from: change.id.clone(),
                        to: (*heir).clone(),
                        path: path.into_owned(),
                    });
                }
            }
        }
    }
    handovers.sort_unstable();
    handovers.dedup();
    Ok(handovers)
}

/// Whether a change writes a path that it did not write before.
fn takes(change: &InstanceChange, path: &str, kinds: &Kinds<'_>) -> bool {
    let before = change.previous.as_ref().map(|previous| writes(&previous.spec, kinds));
    !matches!(before, Some(Ok(paths)) if paths.iter().any(|known| known == path))
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
