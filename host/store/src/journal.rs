//! The journal of a live run: events and what they mean for the state, in one transaction.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use launchway_model::{
    Adoption, Deployed, Event, EventRecord, InstanceId, Move, NodeId, Plan, RunId, StepOutcome, Timestamp,
};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::ledger::{Ledger, StateWrite};
use crate::releases;
use crate::runs::{StepCounts, encode, status_text};
use crate::store::{Failed, transact};
use crate::{Store, StoreError, db, requirements, sharing};

/// Appends to the journal of one run, for as long as it holds its lease.
///
/// Dropping it frees nothing: a run that ends without a `RunFinished` was interrupted.
#[derive(Debug)]
pub struct RunJournal {
    store: Store,
    run: RunId,
    fence: u64,
    application: i64,
    is_shared: bool,
    writer: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    connection: Connection,
    plan: Arc<Plan>,
    ledger: Ledger,
    next: u64,
    /// When the current attempt of each running step started.
    started: HashMap<NodeId, Timestamp>,
    counts: StepCounts,
    heartbeat: Timestamp,
    /// A batch failed, so what is kept here may differ from what is stored.
    broken: bool,
}

/// Events carry the time: a heartbeat of their own is due only in the silence between them.
const HEARTBEAT_MS: u64 = 5_000;

impl RunJournal {
    pub(crate) fn open(
        store: Store,
        plan: Arc<Plan>,
        run: RunId,
        fence: u64,
        application: i64,
        is_shared: bool,
        started: Timestamp,
    ) -> Result<Self, StoreError> {
        let writer = Writer {
            connection: db::reopen(store.folder())?,
            ledger: Ledger::new(plan.clone()),
            plan,
            next: 0,
            started: HashMap::new(),
            counts: StepCounts::default(),
            heartbeat: started,
            broken: false,
        };
        Ok(Self { store, run, fence, application, is_shared, writer: Mutex::new(writer) })
    }

    pub fn run(&self) -> RunId {
        self.run
    }

    /// Returns the fencing token: it grows with every lease of the application.
    pub fn fence(&self) -> u64 {
        self.fence
    }

    /// Appends events and does the state writes they imply; returns once all of it is durable.
    pub fn append(&self, events: &[Arc<EventRecord>]) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = &mut *writer;
        if writer.broken {
            return Err(StoreError::Broken { run: self.run });
        }
        // Until the commit nobody can tell; a panic on the way leaves it so.
        writer.broken = true;
        let Writer { connection, plan, ledger, next, started, counts, heartbeat, .. } = writer;
        let mut batch = Batch { journal: self, plan, ledger, next, started, counts, heartbeat };
        transact(connection, TransactionBehavior::Immediate, |transaction| batch.append(transaction, events))
            .map_err(|failed| failed.at(&self.store.database_path()))?;
        writer.broken = false;
        Ok(())
    }

    /// Says that the run is still at work.
    pub fn heartbeat(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        transact(&mut writer.connection, TransactionBehavior::Immediate, |transaction| self.beat(transaction, now))
            .map_err(|failed| failed.at(&self.store.database_path()))
    }

    /// Gives the lease back without an end: the run is recorded as interrupted.
    pub fn abandon(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.broken = true;
        transact(&mut writer.connection, TransactionBehavior::Immediate, |transaction| {
            self.check_lease(transaction)?;
            self.finish(transaction, "interrupted", now)
        })
        .map_err(|failed| failed.at(&self.store.database_path()))
    }

    /// Does something that need not outlast a power failure: nobody who wrote it does. For the holder of the lease only.
    pub(crate) fn note<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>, i64) -> Result<T, Failed>,
    ) -> Result<T, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = &mut writer.connection;
        let attempt = || {
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            let noted = transact(connection, TransactionBehavior::Immediate, |transaction| {
                self.check_lease(transaction)?;
                work(transaction, self.application)
            });
            connection.pragma_update(None, "synchronous", "FULL")?;
            noted
        };
        attempt().map_err(|failed| failed.at(&self.store.database_path()))
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Whether other runs were at work in the store when this one began.
    pub fn is_shared(&self) -> bool {
        self.is_shared
    }

    fn check_lease(&self, transaction: &Transaction<'_>) -> Result<(), Failed> {
        let is_held = transaction
            .prepare_cached("SELECT 1 FROM leases WHERE application = ?1 AND run = ?2 AND fence = ?3")?
            .exists(params![self.application, self.run.0 as i64, self.fence as i64])?;
        if is_held { Ok(()) } else { Err(StoreError::LeaseLost { run: self.run }.into()) }
    }

    fn beat(&self, transaction: &Transaction<'_>, now: Timestamp) -> Result<(), Failed> {
        self.check_lease(transaction)?;
        transaction
            .prepare_cached("UPDATE leases SET heartbeat = max(heartbeat, ?2) WHERE application = ?1")?
            .execute(params![self.application, now.0 as i64])?;
        Ok(())
    }

    fn finish(&self, transaction: &Transaction<'_>, status: &str, at: Timestamp) -> Result<(), Failed> {
        transaction.prepare_cached("UPDATE runs SET status = ?2, finished = ?3 WHERE id = ?1")?.execute(params![
            self.run.0 as i64,
            status,
            at.0 as i64
        ])?;
        sharing::end(transaction, self.application)
    }
}

/// One append under way.
struct Batch<'a> {
    journal: &'a RunJournal,
    plan: &'a Plan,
    ledger: &'a mut Ledger,
    next: &'a mut u64,
    started: &'a mut HashMap<NodeId, Timestamp>,
    counts: &'a mut StepCounts,
    heartbeat: &'a mut Timestamp,
}

impl Batch<'_> {
    fn append(&mut self, transaction: &Transaction<'_>, events: &[Arc<EventRecord>]) -> Result<(), Failed> {
        self.journal.check_lease(transaction)?;
        let Some(last) = events.last() else { return Ok(()) };
        if last.at.0.saturating_sub(self.heartbeat.0) >= HEARTBEAT_MS {
            self.journal.beat(transaction, last.at)?;
            *self.heartbeat = last.at;
        }
        let counts = *self.counts;
        let mut writes = 0i64;
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO events (run, number, body) VALUES (?1, ?2, ?3)")?;
            for record in events {
                self.check_order(record)?;
                insert.execute(params![self.journal.run.0 as i64, record.index as i64, encode("event", &**record)?])?;
                self.count(transaction, record)?;
                if let Some(write) = self.ledger.take(&record.event) {
                    writes += 1;
                    self.write(transaction, write)?;
                    if let Some(write) = self.ledger.take_next() {
                        writes += 1;
                        self.write(transaction, write)?;
                    }
                }
            }
        }
        if writes > 0 {
            transaction
                .prepare_cached("UPDATE applications SET serial = serial + ?2 WHERE id = ?1")?
                .execute([self.journal.application, writes])?;
        }
        if *self.counts != counts {
            self.write_counts(transaction)?;
        }
        if let Event::RunFinished { outcome } = &last.event {
            self.journal.finish(transaction, status_text(*outcome), last.at)?;
        }
        Ok(())
    }

    fn check_order(&mut self, record: &EventRecord) -> Result<(), StoreError> {
        let expected = *self.next;
        if record.index != expected {
            return Err(StoreError::OutOfOrder { run: self.journal.run, expected, found: record.index });
        }
        *self.next += 1;
        Ok(())
    }

    fn count(&mut self, transaction: &Transaction<'_>, record: &EventRecord) -> Result<(), Failed> {
        match &record.event {
            Event::StepStarted { node, .. } => {
                self.started.insert(*node, record.at);
            }
            Event::StepSkipped { .. } => self.counts.skipped += 1,
            Event::StepFinished { node, step, outcome, .. } => {
                let started = self.started.remove(node);
                match outcome {
                    StepOutcome::Changed(_) => self.counts.changed += 1,
                    StepOutcome::Unchanged(_) => self.counts.unchanged += 1,
                    _ => self.counts.failed += 1,
                }
                if let Some(started) = started.filter(|_| outcome.is_success()) {
                    let took = record.at.0.saturating_sub(started.0);
                    transaction
                        .prepare_cached(
                            "INSERT INTO durations (application, step, ms) VALUES (?1, ?2, ?3) \
                             ON CONFLICT DO UPDATE SET ms = excluded.ms",
                        )?
                        .execute(params![self.journal.application, &*step.0, took as i64])?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn write_counts(&self, transaction: &Transaction<'_>) -> Result<(), Failed> {
        let StepCounts { changed, unchanged, failed, skipped, .. } = *self.counts;
        transaction
            .prepare_cached("UPDATE runs SET changed = ?2, unchanged = ?3, failed = ?4, skipped = ?5 WHERE id = ?1")?
            .execute([self.journal.run.0 as i64, changed as i64, unchanged as i64, failed as i64, skipped as i64])?;
        Ok(())
    }

    /// Does on disk what [`StateWrite::apply`] does in memory.
    fn write(&self, transaction: &Transaction<'_>, write: StateWrite) -> Result<(), Failed> {
        match write {
            StateWrite::Dirty { id, to, deleting } => self.execute(
                transaction,
                "INSERT INTO instances (application, component, target, run, dirty_run, dirty_to, dirty_deleting, assumed) \
                 VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, FALSE) ON CONFLICT DO UPDATE SET dirty_run = excluded.dirty_run, \
                 dirty_to = excluded.dirty_to, dirty_deleting = excluded.dirty_deleting, dirty_differs = NULL, \
                 run = excluded.run",
                &id,
                to.as_deref(),
                deleting,
            ),
            StateWrite::Confirm { id, deployed, assumed } => self.execute(
                transaction,
                "INSERT INTO instances (application, component, target, run, confirmed, assumed) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET confirmed = excluded.confirmed, \
                 dirty_run = NULL, dirty_to = NULL, dirty_deleting = FALSE, dirty_differs = NULL, \
                 assumed = excluded.assumed, run = excluded.run",
                &id,
                Some(&deployed),
                assumed,
            ),
            StateWrite::Remove { id, successor: None } => self.remove(transaction, &id),
            StateWrite::Forget(ids) => {
                ids.iter().try_for_each(|id| self.remove(transaction, id))?;
                // What is put there next is a first deployment.
                transaction
                    .prepare_cached(
                        "DELETE FROM markers WHERE application = ?1 \
                         AND target NOT IN (SELECT target FROM instances WHERE application = ?1)",
                    )?
                    .execute([self.journal.application])?;
                Ok(())
            }
            StateWrite::Adopt(found) => found.iter().try_for_each(|one| self.adopt(transaction, one)),
            StateWrite::Remove { id, successor } => self.execute(
                transaction,
                "INSERT INTO instances (application, component, target, run, dirty_run, dirty_to, assumed) \
                 VALUES (?1, ?2, ?3, ?4, ?4, ?5, FALSE) ON CONFLICT DO UPDATE SET confirmed = NULL, \
                 dirty_run = excluded.dirty_run, dirty_to = excluded.dirty_to, dirty_deleting = FALSE, \
                 dirty_differs = NULL, assumed = FALSE, run = excluded.run",
                &id,
                successor.as_deref(),
                false,
            ),
            StateWrite::Owe(ids) => {
                let mut owe = transaction.prepare_cached(
                    "UPDATE instances SET dirty_run = ?4, dirty_to = confirmed, dirty_deleting = FALSE, run = ?4 \
                     WHERE application = ?1 AND component = ?2 AND target = ?3 AND dirty_run IS NULL",
                )?;
                for InstanceId { component, target } in ids {
                    let run = self.journal.run.0 as i64;
                    owe.execute(params![self.journal.application, component.as_str(), target.as_str(), run])?;
                }
                Ok(())
            }
            StateWrite::Amend { moves, deployed } => {
                moves.iter().try_for_each(|moved| self.rename(transaction, moved))?;
                deployed.iter().try_for_each(|deployed| {
                self.execute(
                    transaction,
                    "INSERT INTO instances (application, component, target, run, confirmed, assumed) \
                     VALUES (?1, ?2, ?3, ?4, ?5, FALSE) ON CONFLICT DO UPDATE SET \
                     confirmed = excluded.confirmed, run = excluded.run",
                    &deployed.spec.id,
                    Some(deployed),
                    false,
                )
            })},
            StateWrite::Version { version, release, requires } => {
                let application = self.plan.application.as_str();
                let version = version.as_ref().map(|version| version.as_str());
                // A rollback's plan doesn't know the release; whoever deployed that version recorded it.
                let release = match (release, version) {
                    (Some(release), _) => Some(release.to_string()),
                    (None, Some(version)) => releases::find(transaction, application, version)?,
                    (None, None) => None,
                };
                transaction
                    .prepare_cached("UPDATE applications SET version = ?2, release = ?3 WHERE id = ?1")?
                    .execute(params![self.journal.application, version, release])?;
                requirements::replace(transaction, self.journal.application, &requires)
            }
        }
    }

    fn remove(&self, transaction: &Transaction<'_>, id: &InstanceId) -> Result<(), Failed> {
        transaction
            .prepare_cached("DELETE FROM instances WHERE application = ?1 AND component = ?2 AND target = ?3")?
            .execute(params![self.journal.application, id.component.as_str(), id.target.as_str()])?;
        Ok(())
    }

    /// Records what was found; where it differs, as something that is uncertain.
    fn adopt(&self, transaction: &Transaction<'_>, found: &Adoption) -> Result<(), Failed> {
        let Adoption { deployed, differs } = found;
        let id = &deployed.spec.id;
        self.execute(
            transaction,
            "INSERT INTO instances (application, component, target, run, confirmed, assumed) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            id,
            Some(deployed),
            false,
        )?;
        let Some(differs) = differs else { return Ok(()) };
        let mut mark = transaction.prepare_cached(
            "UPDATE instances SET dirty_run = run, dirty_to = confirmed, dirty_differs = ?4 \
             WHERE application = ?1 AND component = ?2 AND target = ?3",
        )?;
        mark.execute(params![self.journal.application, id.component.as_str(), id.target.as_str(), differs])?;
        Ok(())
    }

    /// Gives a record another name, in what it records, too.
    fn rename(&self, transaction: &Transaction<'_>, moved: &Move) -> Result<(), Failed> {
        let Move { from, to, same_target } = moved;
        let mut renamed = "'$.spec.id.component', ?4, '$.spec.id.target', ?5".to_owned();
        if *same_target {
            renamed.push_str(", '$.target.name', ?5");
        }
        let sql = format!(
            "UPDATE instances SET component = ?4, target = ?5, run = ?6, confirmed = json_set(confirmed, {renamed}), \
             dirty_to = json_set(dirty_to, {renamed}) WHERE application = ?1 AND component = ?2 AND target = ?3"
        );
        transaction.prepare_cached(&sql)?.execute(params![
            self.journal.application,
            from.component.as_str(),
            from.target.as_str(),
            to.component.as_str(),
            to.target.as_str(),
            self.journal.run.0 as i64
        ])?;
        Ok(())
    }

    /// Writes one instance: `?1`–`?4` are application, component, target and run, `?5` the record, `?6` a flag of it.
    fn execute(
        &self,
        transaction: &Transaction<'_>,
        sql: &str,
        id: &InstanceId,
        deployed: Option<&Deployed>,
        flag: bool,
    ) -> Result<(), Failed> {
        let record = deployed.map(|deployed| encode("record", deployed)).transpose()?;
        let mut statement = transaction.prepare_cached(sql)?;
        statement.raw_bind_parameter(1, self.journal.application)?;
        statement.raw_bind_parameter(2, id.component.as_str())?;
        statement.raw_bind_parameter(3, id.target.as_str())?;
        statement.raw_bind_parameter(4, self.journal.run.0 as i64)?;
        statement.raw_bind_parameter(5, record)?;
        if statement.parameter_count() > 5 {
            statement.raw_bind_parameter(6, flag)?;
        }
        statement.raw_execute()?;
        Ok(())
    }
}
