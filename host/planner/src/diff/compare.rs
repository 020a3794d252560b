//! What differs between an instance as it was deployed and as it is wanted.

use std::collections::BTreeMap;

use launchway_model::{ActionSpec, Artifact, Cause, Deployed, Fingerprint, InstanceSpec, SecretName};

use super::value::differences;
use crate::inputs::PluginError;
use crate::kinds::{Kind, Kinds};

/// What differs.
#[derive(Default)]
pub(super) struct Difference {
    /// Reasons to update the instance.
    pub(super) causes: Vec<Cause>,
    /// The actions that verify it differ: a reason to run them again.
    pub(super) verify: bool,
}

/// Compares a record with what is wanted now. Both are of the same kind.
pub(super) fn compare(
    previous: &Deployed,
    wanted: &InstanceSpec,
    fingerprints: &BTreeMap<SecretName, Fingerprint>,
    kind: &Kind<'_>,
    kinds: &Kinds<'_>,
) -> Result<Difference, PluginError> {
    let mut difference = Difference::default();
    let recorded = &previous.spec;
    for at in differences(&recorded.properties, &wanted.properties) {
        if kind.is_trigger(&at) {
            difference.causes.push(Cause::Property(at));
        }
    }
    // Other bytes are always a change. Whether a file's new name alone is one is for the property to say.
    for name in differing_artifacts(&recorded.artifacts, &wanted.artifacts) {
        difference.causes.push(Cause::Artifact(name.to_owned()));
    }
    for (name, now) in fingerprints {
        let rotated = previous.secrets.get(name).is_some_and(|before| tells_apart(before, now));
        if rotated && wanted.secrets.contains(name) {
            difference.causes.push(Cause::Secret(name.clone()));
        } else if rotated {
            difference.verify = true;
        }
    }
    difference.verify |= verify_differs(&recorded.verify, &wanted.verify, kinds)?;
    Ok(difference)
}

/// Whether two fingerprints are of different values, as far as anybody can tell.
fn tells_apart(before: &Fingerprint, now: &Fingerprint) -> bool {
    match (before, now) {
        (Fingerprint::Unchecked, _) | (_, Fingerprint::Unchecked) => false,
        // A provider that began or ceased to tell versions says nothing about the value.
        (Fingerprint::Version(a), Fingerprint::Version(b)) | (Fingerprint::Hmac(a), Fingerprint::Hmac(b)) => a != b,
        (Fingerprint::Version(_), Fingerprint::Hmac(_)) | (Fingerprint::Hmac(_), Fingerprint::Version(_)) => false,
    }
}

fn differing_artifacts<'a>(recorded: &'a [Artifact], wanted: &'a [Artifact]) -> Vec<&'a str> {
    if recorded == wanted {
        return Vec::new();
    }
    let digests = |artifacts: &'a [Artifact]| -> BTreeMap<&'a str, _> {
        artifacts.iter().map(|artifact| (&*artifact.name, artifact.digest)).collect()
    };
    let (before, now) = (digests(recorded), digests(wanted));
    let mut names: Vec<&str> = before.keys().chain(now.keys()).copied().collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| before.get(name) != now.get(name));
    names
}

fn verify_differs(recorded: &[ActionSpec], wanted: &[ActionSpec], kinds: &Kinds<'_>) -> Result<bool, PluginError> {
    if recorded == wanted || wanted.is_empty() {
        // Nothing to run is nothing to run again.
        return Ok(false);
    }
    if recorded.len() != wanted.len() {
        return Ok(true);
    }
    for (before, now) in recorded.iter().zip(wanted) {
        let Some(kind) = kinds.get(&now.kind)? else { return Ok(true) };
        if before.kind != now.kind
            || differences(&before.properties, &now.properties).iter().any(|at| kind.is_trigger(at))
            || !differing_artifacts(&before.artifacts, &now.artifacts).is_empty()
        {
            return Ok(true);
        }
    }
    Ok(false)
}
