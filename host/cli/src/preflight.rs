//! What would stop a run half-way and can be found out before it begins.

use std::collections::BTreeSet;

use launchway_model::{ChangeKind, NodeKind, Owner, Plan, SecretName};
use launchway_runtime::{SecretStore, SecretValues};

use crate::error::CliError;

/// Reads the secrets that a plan's steps need; returns what is wrong with those that can't be read.
pub(crate) async fn unreadable_secrets(plan: &Plan, secrets: &SecretStore) -> Option<CliError> {
    let mut messages = Vec::new();
    let mut hint = None;
    for name in needed(plan) {
        if let Err(failure) = secrets.value(&name).await {
            messages.push(failure.message);
            messages.extend(failure.detail);
            hint = hint.or(failure.hint);
        }
    }
    if messages.is_empty() {
        return None;
    }
    let error = CliError::usage("secret", messages.join("\n"));
    Some(match hint {
        Some(hint) => error.hint(hint),
        None => error,
    })
}

/// Returns the secrets of what is put there and of actions, and the passwords with which commands on the steps'
/// targets become another user.
///
/// What is deleted is not asked for its secrets: most of it goes without them, and they may be gone already.
fn needed(plan: &Plan) -> BTreeSet<SecretName> {
    let mut needed = BTreeSet::new();
    for node in &plan.nodes {
        let NodeKind::Step(step) = &node.kind else { continue };
        let Some(change) = plan.change(step.owner.change()) else { continue };
        match (&step.owner, &change.desired) {
            (Owner::Action { action, .. }, _) => needed.extend(action.secrets.iter().cloned()),
            (Owner::Instance { .. }, Some(desired)) if change.kind != ChangeKind::Delete => {
                needed.extend(desired.spec.secrets.iter().cloned());
            }
            (Owner::Instance { .. }, _) => {}
        }
        let target = plan.targets.get(&change.id.target);
        needed.extend(target.and_then(|target| target.escalation.password.clone()));
    }
    needed
}
