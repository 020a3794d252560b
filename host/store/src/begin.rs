//! Beginning a run: the lease is taken, the plan checked against the state and kept.

use std::sync::Arc;

use launchway_model::{
    ApplicationName, Digest, EnvironmentName, Holder, Lineage, Plan, RunId, Timestamp, Unmet, unmet,
};
use rusqlite::{OptionalExtension, Transaction, params};

use crate::journal::RunJournal;
use crate::lease::{LeaseInfo, own_process};
use crate::runs::encode;
use crate::state::{Head, NEW_LINEAGE, number};
use crate::store::Failed;
use crate::{Store, StoreError, requirements, sharing};

/// A run that wants to begin.
#[derive(Clone, Debug)]
pub struct NewRun {
    pub plan: Arc<Plan>,
    pub plan_digest: Digest,
    pub holder: Holder,
    pub started: Timestamp,
    /// The plan was made earlier and kept in a file; it can be used once.
    pub saved_plan: bool,
    /// What the plan leaves unmet is no reason not to begin; it is recorded.
    pub ignore_requires: bool,
}

/// Why a run can't begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    #[error("run {run} of {} on {} is at work there", .holder.user, .holder.host)]
    Locked { run: RunId, holder: Holder, since: Timestamp },
    #[error("the state has changed since the plan was made: it was at {planned}, now it is at {current}")]
    Stale { planned: u64, current: u64 },
    #[error("the plan was made for another state of the same name")]
    OtherLineage,
    #[error("the plan was used already, by run {run}")]
    Used { run: RunId },
    #[error("a requirement is not met")]
    Unmet(Vec<Unmet>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a run got.
struct Begun {
    run: RunId,
    fence: u64,
    application: i64,
    is_shared: bool,
}

impl Store {
    /// Takes the lease and records a new run, or says why it can't begin.
    ///
    /// A lease whose holder is dead or silent for too long is taken over, and its run is recorded as interrupted.
    pub fn begin_run(&self, new: NewRun) -> Result<RunJournal, BeginError> {
        let plan_blob = self.put_json("plan", &*new.plan)?;
        let begun = self.write(|transaction| begin(transaction, &new, plan_blob))??;
        let Begun { run, fence, application, is_shared } = begun;
        Ok(RunJournal::open(self.clone(), new.plan, run, fence, application, is_shared, new.started)?)
    }

    /// Returns the run that a saved plan was used for.
    pub fn run_of_saved_plan(&self, plan: &Digest) -> Result<Option<RunId>, StoreError> {
        self.read(|transaction| user_of(transaction, plan))
    }

    /// Returns who holds the lease of an application, dead or alive.
    pub fn lease(
        &self,
        environment: &EnvironmentName,
        application: &ApplicationName,
    ) -> Result<Option<LeaseInfo>, StoreError> {
        self.read(|transaction| match Head::find(transaction, environment, application)? {
            Some(head) => LeaseInfo::find(transaction, head.id),
            None => Ok(None),
        })
    }
}

/// The outer error rolls back; a refusal keeps what was found out about a dead run.
fn begin(transaction: &Transaction<'_>, new: &NewRun, plan_blob: Digest) -> Result<Result<Begun, BeginError>, Failed> {
    let plan = &*new.plan;
    let head = Head::find(transaction, &plan.environment, &plan.application)?;
    if let Some(head) = &head
        && let Some(lease) = LeaseInfo::find(transaction, head.id)?
    {
        if lease.is_live(new.started) {
            return Ok(Err(BeginError::Locked { run: lease.run, holder: lease.holder, since: lease.since }));
        }
        interrupt(transaction, head.id, &lease)?;
    }
    let used = if new.saved_plan { user_of(transaction, &new.plan_digest)? } else { None };
    if let Some(run) = used {
        return Ok(Err(BeginError::Used { run }));
    }
    if let Some(refusal) = check_basis(plan, head.as_ref()) {
        return Ok(Err(refusal));
    }
    let neighbours = requirements::neighbours(transaction, &plan.environment, &plan.application, new.started)?;
    let unmet = unmet(plan, &neighbours);
    if !unmet.is_empty() && !new.ignore_requires {
        return Ok(Err(BeginError::Unmet(unmet)));
    }
    let application = match head {
        Some(head) => head.id,
        None => create(transaction, plan)?,
    };
    let fence: i64 = transaction
        .prepare_cached("UPDATE applications SET fence = fence + 1 WHERE id = ?1 RETURNING fence")?
        .query_row([application], |row| row.get(0))?;
    let holder = encode("holder", &new.holder)?;
    let run = insert_run(transaction, new, application, fence, &holder, plan_blob, &unmet)?;
    requirements::begin(transaction, application, &plan.requires.to)?;
    let is_shared = sharing::join(transaction, application, new.started)?;
    transaction
        .prepare_cached(
            "INSERT INTO leases (application, run, fence, holder, process, since, heartbeat, shares) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)",
        )?
        .execute(params![application, run, fence, holder, own_process(), new.started.0 as i64, is_shared])?;
    Ok(Ok(Begun { run: RunId(run as u64), fence: fence as u64, application, is_shared }))
}

fn check_basis(plan: &Plan, head: Option<&Head>) -> Option<BeginError> {
    let new = Lineage(NEW_LINEAGE.into());
    let (lineage, current) = head.map_or((&new, 0), |head| (&head.lineage, head.serial));
    let (expected, planned) = (&plan.basis.lineage, plan.basis.serial);
    // A plan made before the first run knows no lineage yet; whether the state moved since, the serial tells.
    if expected != lineage && *expected != new {
        return Some(BeginError::OtherLineage);
    }
    (planned != current).then_some(BeginError::Stale { planned, current })
}

/// Returns the run that used up a saved plan.
fn user_of(transaction: &Transaction<'_>, plan: &Digest) -> Result<Option<RunId>, Failed> {
    let user = transaction
        .prepare_cached("SELECT id FROM runs WHERE plan = ?1 AND saved_plan")?
        .query_row([plan.to_string()], |row| number(row, 0))
        .optional()?;
    Ok(user.map(RunId))
}

/// Records that a run came to no end of its own, and frees its lease.
pub(crate) fn interrupt(transaction: &Transaction<'_>, application: i64, lease: &LeaseInfo) -> Result<(), Failed> {
    transaction
        .prepare_cached("UPDATE runs SET status = 'interrupted', finished = ?2 WHERE id = ?1 AND status = 'running'")?
        .execute([lease.run.0 as i64, lease.heartbeat.0 as i64])?;
    sharing::end(transaction, application)
}

fn create(transaction: &Transaction<'_>, plan: &Plan) -> Result<i64, Failed> {
    let lineage: String = crate::keys::random::<16>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    transaction
        .prepare_cached(
            "INSERT INTO applications (environment, application, lineage, serial, fence) VALUES (?1, ?2, ?3, 0, 0)",
        )?
        .execute(params![plan.environment.as_str(), plan.application.as_str(), lineage])?;
    Ok(transaction.last_insert_rowid())
}

fn insert_run(
    transaction: &Transaction<'_>,
    new: &NewRun,
    application: i64,
    fence: i64,
    holder: &str,
    plan_blob: Digest,
    unmet: &[Unmet],
) -> Result<i64, Failed> {
    let ignored: Vec<String> = unmet.iter().map(Unmet::to_string).collect();
    let plan = &*new.plan;
    transaction
        .prepare_cached(
            "INSERT INTO runs (application, operation, version, plan, plan_blob, saved_plan, holder, fence, status, \
             started, steps, ignored) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'running', ?9, ?10, ?11)",
        )?
        .execute(params![
            application,
            encode("operation", &plan.operation)?,
            encode("version", &plan.version)?,
            new.plan_digest.to_string(),
            plan_blob.to_string(),
            new.saved_plan,
            holder,
            fence,
            new.started.0 as i64,
            plan.step_count() as i64,
            encode("ignored requirements", &ignored)?,
        ])?;
    Ok(transaction.last_insert_rowid())
}
