//! What a plan may know of secrets: fingerprints.

use std::cell::RefCell;
use std::collections::HashMap;

use launchway_model::{Fingerprint, SecretName};
use launchway_planner::inputs::Secrets;
use launchway_runtime::SecretStore;

use super::LazyRuntime;

pub(crate) struct PlanningSecrets<'a> {
    store: &'a SecretStore,
    key: [u8; 32],
    runtime: &'a LazyRuntime,
    known: RefCell<HashMap<SecretName, Fingerprint>>,
}

impl<'a> PlanningSecrets<'a> {
    /// `key` is what fingerprints in the state were made with.
    pub(crate) fn new(store: &'a SecretStore, key: [u8; 32], runtime: &'a LazyRuntime) -> Self {
        Self { store, key, runtime, known: RefCell::default() }
    }
}

impl Secrets for PlanningSecrets<'_> {
    fn fingerprint(&self, name: &SecretName) -> Fingerprint {
        if let Some(known) = self.known.borrow().get(name) {
            return known.clone();
        }
        let fingerprint = self.runtime.block_on(self.store.fingerprint(name, &self.key));
        self.known.borrow_mut().insert(name.clone(), fingerprint.clone());
        fingerprint
    }
}
