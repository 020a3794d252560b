//! Each instance, recorded and wanted, and what has to happen to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use launchway_model::{
    ApplicationState, Cause, ChangeKind, Deployed, Diagnostic, Diagnostics, Digest, Dirty, Fingerprint, InstanceChange,
    InstanceId, InstanceRecord, InstanceSpec, KindRef, Owed, PluginName, SecretName, TargetName, TargetSpec,
};

use super::compare::compare;
use super::run::add_runs;
use super::subscribe::add_subscriptions;
use crate::desired::Desired;
use crate::error::PlanError;
use crate::inputs::Secrets;
use crate::kinds::{Kind, Kinds};
use crate::restrict::Restriction;

pub(crate) struct DiffInput<'a, 'k> {
    pub(crate) desired: Option<&'a Desired>,
    pub(crate) state: &'a ApplicationState,
    pub(crate) targets: &'a BTreeMap<TargetName, Arc<TargetSpec>>,
    pub(crate) kinds: &'a Kinds<'k>,
    pub(crate) secrets: &'a dyn Secrets,
    pub(crate) restrict: &'a Restriction,
    /// What is deployed again although nothing differs.
    pub(crate) force: &'a Restriction,
    /// Instances whose record was of another target: what goes to one target only may go to any.
    pub(crate) relocated: &'a BTreeSet<InstanceId>,
    /// What is wanted says itself which release each instance is of: a rollback.
    pub(crate) exact_versions: bool,
}

/// What changes, and what does not.
#[derive(Default)]
pub(crate) struct Delta {
    /// Sorted by instance; of a type change the delete comes first.
    pub(crate) changes: Vec<InstanceChange>,
    pub(crate) unchanged: Vec<InstanceId>,
    pub(crate) amendments: Vec<Arc<Deployed>>,
    pub(crate) amended: Vec<Arc<Deployed>>,
    /// Subscribers that have to be told something.
    pub(crate) owed: Vec<Owed>,
    /// What would have changed, but the restriction leaves it out.
    pub(crate) omitted: Vec<InstanceId>,
    pub(crate) warnings: Diagnostics,
}

impl Delta {
    /// Takes in that instances which were thought to stay as they are are refreshed.
    pub(super) fn settle(&mut self, refreshed: &BTreeSet<InstanceId>) {
        if refreshed.is_empty() {
            return;
        }
        self.changes.sort_by(|a, b| a.id.cmp(&b.id));
        self.unchanged.retain(|id| !refreshed.contains(id));
        self.amendments.retain(|deployed| !refreshed.contains(&deployed.spec.id));
        self.amended.retain(|deployed| !refreshed.contains(&deployed.spec.id));
    }
}

/// Compares what is wanted with what is recorded.
pub(crate) fn diff(input: &DiffInput<'_, '_>) -> Result<Delta, PlanError> {
    let mut pass = Pass {
        input,
        delta: Delta::default(),
        fingerprints: BTreeMap::new(),
        digests: HashMap::new(),
        moved_targets: BTreeSet::new(),
    };
    let none = Vec::new();
    let wanted = input.desired.map_or(&none, |desired| &desired.instances);
    let mut wanted = wanted.iter().peekable();
    let mut recorded = input.state.instances.iter().peekable();
    loop {
        // Both are sorted by id: walked side by side.
        let id = match (wanted.peek(), recorded.peek()) {
            (Some(spec), Some((id, _))) => (&spec.id).min(*id),
            (Some(spec), None) => &spec.id,
            (None, Some((id, _))) => *id,
            (None, None) => break,
        };
        let spec = wanted.next_if(|spec| spec.id == *id);
        let record = recorded.next_if(|(other, _)| *other == id).map(|(_, record)| record);
        pass.instance(id, spec, record)?;
    }
    add_subscriptions(&mut pass)?;
    add_runs(&mut pass)?;
    Ok(pass.delta)
}

pub(super) struct Pass<'a, 'k> {
    pub(super) input: &'a DiffInput<'a, 'k>,
    pub(super) delta: Delta,
    fingerprints: BTreeMap<SecretName, Fingerprint>,
    digests: HashMap<PluginName, Digest>,
    moved_targets: BTreeSet<TargetName>,
}

impl<'k> Pass<'_, 'k> {
    fn instance(
        &mut self,
        id: &InstanceId,
        wanted: Option<&InstanceSpec>,
        record: Option<&InstanceRecord>,
    ) -> Result<(), PlanError> {
        if self.input.desired.is_some_and(|desired| desired.untouched.contains(id)) {
            self.unchanged(id, record);
            return Ok(());
        }
        let before = (self.delta.changes.len(), self.delta.amendments.len());
        match (wanted, record) {
            (Some(wanted), Some(record)) => self.keep(wanted, record)?,
            (Some(wanted), None) => self.create(wanted, vec![Cause::New], None)?,
            (None, Some(record)) => self.delete(id, record)?,
            (None, None) => {}
        }
        let changes = self.delta.changes.len() > before.0 || self.delta.amendments.len() > before.1;
        if changes && !self.input.restrict.includes(id) {
            self.delta.changes.truncate(before.0);
            self.delta.amendments.truncate(before.1);
            self.delta.amended.truncate(before.1);
            self.delta.unchanged.pop_if(|last| last == id);
            self.delta.omitted.push(id.clone());
        }
        Ok(())
    }

    /// Touches an instance that itself stays as it is. Returns whether there is one.
    pub(super) fn refresh(&mut self, spec: &InstanceSpec, causes: BTreeSet<Cause>) -> bool {
        let record = self.input.state.instances.get(&spec.id);
        let Some(previous) = record.and_then(|record| record.confirmed.as_ref()) else { return false };
        let target = self.target(&spec.id.target, previous);
        let fingerprints = self.fingerprints(spec);
        let desired = refreshed(spec, previous, target, fingerprints, self.input.exact_versions);
        self.delta.changes.push(InstanceChange {
            id: spec.id.clone(),
            kind: ChangeKind::Refresh,
            causes: causes.into_iter().collect(),
            previous: Some(previous.clone()),
            confirmed: None,
            dirty: false,
            desired: Some(desired),
        });
        true
    }

    fn unchanged(&mut self, id: &InstanceId, record: Option<&InstanceRecord>) {
        if record.is_some() {
            self.delta.unchanged.push(id.clone());
        }
    }

    /// An instance that is wanted and recorded.
    fn keep(&mut self, wanted: &InstanceSpec, record: &InstanceRecord) -> Result<(), PlanError> {
        let Some(previous) = last_attempted(record) else {
            return self.create(wanted, vec![Cause::Dirty], None);
        };
        let target = self.target(&wanted.id.target, previous);
        let mut causes = Vec::new();
        causes.extend(record.dirty.as_ref().map(why_dirty));
        if record.assumed {
            causes.push(Cause::Assumed);
        }
        let relocated = self.input.relocated.contains(&wanted.id);
        let moved =
            !relocated && (target.address != previous.target.address || target.transport != previous.target.transport);
        if moved {
            causes.push(Cause::TargetChanged);
            self.warn_of_move(&target, &previous.target);
        }
        if previous.spec.kind != wanted.kind {
            return self.replace(wanted, record, previous, causes);
        }
        if !self.input.force.is_all() && self.input.force.includes(&wanted.id) {
            causes.push(Cause::Request("force".to_owned()));
        }
        let fingerprints = self.fingerprints(wanted);
        let kind = self.kind(&wanted.id, &wanted.kind)?;
        let difference = compare(previous, wanted, &fingerprints, &kind, self.input.kinds)?;
        let same = difference.causes.is_empty();
        causes.extend(difference.causes);
        if causes.is_empty() && !difference.verify {
            self.delta.unchanged.push(wanted.id.clone());
            self.amend(wanted, previous, target, fingerprints);
            return Ok(());
        }
        if causes.is_empty() {
            let desired = refreshed(wanted, previous, target, fingerprints, self.input.exact_versions);
            self.push(
                &wanted.id,
                ChangeKind::Refresh,
                vec![Cause::Verify],
                Some(record),
                Some(previous),
                Some(desired),
            );
            return Ok(());
        }
        // Whether anything is there at all is uncertain: everything has to be put in place.
        let deleting = record.dirty.as_ref().is_some_and(|dirty| dirty.deleting);
        let perhaps_absent = moved || deleting || record.confirmed.is_none();
        if same && perhaps_absent {
            return self.create(wanted, causes, Some(record));
        }
        let desired = self.deployed(wanted, target, fingerprints)?;
        self.push(&wanted.id, ChangeKind::Update, causes, Some(record), Some(previous), Some(desired));
        Ok(())
    }

    /// Says once per target that what is on the machine it was stays there.
    fn warn_of_move(&mut self, now: &TargetSpec, before: &TargetSpec) {
        if self.moved_targets.insert(now.name.clone()) {
            let message = format!(
                "the target `{}` is {} now and was {}: what was deployed there stays there",
                now.name, now.address, before.address
            );
            let hint = "undeploy with the old address first, if it is to be taken away";
            self.delta.warnings.push(Diagnostic::warning("target-moved", message).hint(hint));
        }
    }

    fn create(
        &mut self,
        wanted: &InstanceSpec,
        causes: Vec<Cause>,
        record: Option<&InstanceRecord>,
    ) -> Result<(), PlanError> {
        let target = self.known_target(wanted)?;
        let fingerprints = self.fingerprints(wanted);
        let desired = self.deployed(wanted, target, fingerprints)?;
        let previous = record.and_then(last_attempted);
        self.push(&wanted.id, ChangeKind::Create, causes, record, previous, Some(desired));
        Ok(())
    }

    /// Another type: what is there goes by the old one, what is wanted comes by the new one.
    fn replace(
        &mut self,
        wanted: &InstanceSpec,
        record: &InstanceRecord,
        previous: &Arc<Deployed>,
        mut causes: Vec<Cause>,
    ) -> Result<(), PlanError> {
        let changed = Cause::TypeChanged { from: previous.spec.kind.to_string(), to: wanted.kind.to_string() };
        causes.push(changed.clone());
        self.gone(&wanted.id, record, previous, causes)?;
        self.create(wanted, vec![changed], None)
    }

    /// An instance that is recorded and not wanted.
    fn delete(&mut self, id: &InstanceId, record: &InstanceRecord) -> Result<(), PlanError> {
        let Some(previous) = last_attempted(record) else {
            return Err(PlanError::EmptyRecord { instance: id.clone() });
        };
        let mut causes = vec![Cause::Unwanted];
        causes.extend(record.dirty.as_ref().map(why_dirty));
        self.gone(id, record, previous, causes)
    }

    fn gone(
        &mut self,
        id: &InstanceId,
        record: &InstanceRecord,
        previous: &Arc<Deployed>,
        causes: Vec<Cause>,
    ) -> Result<(), PlanError> {
        self.kind(id, &previous.spec.kind)?;
        let target = self.target(&id.target, previous);
        let same_place = target.address == previous.target.address && target.transport == previous.target.transport;
        // How to log in may have changed since; where to must not.
        let previous = if same_place && target != previous.target {
            Arc::new(Deployed { target, ..Deployed::clone(previous) })
        } else {
            previous.clone()
        };
        self.push(id, ChangeKind::Delete, causes, Some(record), Some(&previous), None);
        Ok(())
    }

    fn push(
        &mut self,
        id: &InstanceId,
        kind: ChangeKind,
        mut causes: Vec<Cause>,
        record: Option<&InstanceRecord>,
        previous: Option<&Arc<Deployed>>,
        desired: Option<Arc<Deployed>>,
    ) {
        causes.sort();
        causes.dedup();
        let dirty = record.is_some_and(|record| record.dirty.is_some());
        self.delta.changes.push(InstanceChange {
            id: id.clone(),
            kind,
            causes,
            previous: previous.cloned(),
            confirmed: record.filter(|_| dirty).and_then(|record| record.confirmed.clone()),
            dirty,
            desired,
        });
    }

    /// Brings the record of an unchanged instance up to date.
    fn amend(
        &mut self,
        wanted: &InstanceSpec,
        previous: &Arc<Deployed>,
        target: Arc<TargetSpec>,
        fingerprints: BTreeMap<SecretName, Fingerprint>,
    ) {
        let amended = refreshed(wanted, previous, target, fingerprints, self.input.exact_versions);
        if amended != *previous {
            self.delta.amendments.push(amended);
            self.delta.amended.push(previous.clone());
        }
    }

    fn deployed(
        &mut self,
        wanted: &InstanceSpec,
        target: Arc<TargetSpec>,
        secrets: BTreeMap<SecretName, Fingerprint>,
    ) -> Result<Arc<Deployed>, PlanError> {
        let plugin = self.plugin_digest(&wanted.id, &wanted.kind)?;
        Ok(Arc::new(Deployed { spec: wanted.clone(), target, plugin, secrets }))
    }

    fn plugin_digest(&mut self, id: &InstanceId, kind: &KindRef) -> Result<Digest, PlanError> {
        if let Some(digest) = self.digests.get(&kind.plugin) {
            return Ok(*digest);
        }
        let digest = self.input.kinds.plugins().digest(&kind.plugin);
        let digest = digest.ok_or_else(|| PlanError::UnknownKind { instance: id.clone(), kind: kind.clone() })?;
        self.digests.insert(kind.plugin.clone(), digest);
        Ok(digest)
    }

    fn kind(&self, id: &InstanceId, kind: &KindRef) -> Result<Rc<Kind<'k>>, PlanError> {
        let known = self.input.kinds.get(kind)?;
        known.ok_or_else(|| PlanError::UnknownKind { instance: id.clone(), kind: kind.clone() })
    }

    /// Returns how a target is reached now, else how it was when it was last deployed to.
    pub(super) fn target(&self, name: &TargetName, previous: &Deployed) -> Arc<TargetSpec> {
        self.current_target(name).unwrap_or(&previous.target).clone()
    }

    fn known_target(&self, wanted: &InstanceSpec) -> Result<Arc<TargetSpec>, PlanError> {
        let target = self.current_target(&wanted.id.target).cloned();
        target.ok_or_else(|| PlanError::Broken(format!("{} is on a target that is not in the environment", wanted.id)))
    }

    fn current_target(&self, name: &TargetName) -> Option<&Arc<TargetSpec>> {
        let desired = self.input.desired;
        self.input.targets.get(name).or_else(|| desired.and_then(|desired| desired.targets.get(name)))
    }

    /// Returns what tells the current values of an instance's secrets from earlier ones.
    pub(super) fn fingerprints(&mut self, spec: &InstanceSpec) -> BTreeMap<SecretName, Fingerprint> {
        let names = spec.secrets.iter().chain(spec.verify.iter().flat_map(|action| &action.secrets));
        let mut found = BTreeMap::new();
        for name in names {
            let known = self.fingerprints.get(name).cloned();
            let fingerprint = known.unwrap_or_else(|| self.read_fingerprint(name));
            found.insert(name.clone(), fingerprint);
        }
        found
    }

    fn read_fingerprint(&mut self, name: &SecretName) -> Fingerprint {
        let fingerprint = self.input.secrets.fingerprint(name);
        if fingerprint == Fingerprint::Unchecked {
            let message = format!("the secret `{name}` can't be read here, so whether it was rotated is not checked");
            self.delta.warnings.push(Diagnostic::warning("secret-not-checked", message));
        }
        self.fingerprints.insert(name.clone(), fingerprint.clone());
        fingerprint
    }
}

fn why_dirty(dirty: &Dirty) -> Cause {
    dirty.differs.clone().map_or(Cause::Dirty, Cause::Drift)
}

/// Returns what may be there: what an unfinished run was at, else what was last confirmed.
fn last_attempted(record: &InstanceRecord) -> Option<&Arc<Deployed>> {
    record.dirty.as_ref().and_then(|dirty| dirty.to.as_ref()).or(record.confirmed.as_ref())
}

/// Returns the record of an instance that itself stays as it is: what changed it last is still what it is recorded as.
pub(super) fn refreshed(
    wanted: &InstanceSpec,
    previous: &Arc<Deployed>,
    target: Arc<TargetSpec>,
    mut secrets: BTreeMap<SecretName, Fingerprint>,
    exact_version: bool,
) -> Arc<Deployed> {
    for (name, fingerprint) in &mut secrets {
        if let (Fingerprint::Unchecked, Some(known)) = (&*fingerprint, previous.secrets.get(name)) {
            *fingerprint = known.clone();
        }
    }
    let mut spec = wanted.clone();
    if !exact_version {
        spec.version = previous.spec.version.clone();
    }
    let refreshed = Deployed { spec, target, plugin: previous.plugin, secrets };
    if refreshed == **previous { previous.clone() } else { Arc::new(refreshed) }
}
