//! Reading runs: what was done, by whom, how it ended, event by event.

use launchway_model::{
    ApplicationName, Digest, EnvironmentName, EventRecord, FormatVersion, Holder, Operation, Plan, RunId, RunOutcome,
    Timestamp, VersionChange,
};
use rusqlite::{Row, Transaction, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::lease::LeaseInfo;
use crate::state::{number, parsed};
use crate::store::Failed;
use crate::{Store, StoreError};

/// Which runs are asked for.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RunFilter {
    pub environment: Option<EnvironmentName>,
    pub application: Option<ApplicationName>,
    /// The latest so many; none is all.
    pub limit: Option<u32>,
}

/// A run at a glance.
#[derive(Clone, PartialEq, Debug)]
pub struct RunSummary {
    pub id: RunId,
    pub operation: Operation,
    pub application: ApplicationName,
    pub environment: EnvironmentName,
    pub version: VersionChange,
    /// Of the plan.
    pub plan: Digest,
    pub holder: Holder,
    pub standing: RunStanding,
    pub started: Timestamp,
    /// For an interrupted run: its last sign of life.
    pub finished: Option<Timestamp>,
    pub steps: StepCounts,
    /// Requirements that were not met when it began, in words; it was told not to mind.
    pub ignored: Vec<String>,
}

/// How a run stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunStanding {
    Running,
    Finished(RunOutcome),
    /// Its process ended, or fell silent, before the run did.
    Interrupted,
}

/// How the steps of a run ended; those missing from the sum have not.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct StepCounts {
    pub total: u64,
    pub changed: u64,
    pub unchanged: u64,
    pub failed: u64,
    pub skipped: u64,
}

/// A run with all that is kept of it.
#[derive(Clone, PartialEq, Debug)]
pub struct RunDetail {
    pub summary: RunSummary,
    pub plan: Plan,
    pub events: Vec<StoredEvent>,
}

/// An event as it was stored, maybe by a newer Launchway.
#[derive(Clone, PartialEq, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all are of the large one")]
pub enum StoredEvent {
    Known(EventRecord),
    /// Can be shown, but a run with such an event can't be resumed.
    Unknown(Value),
}

const SUMMARY: &str = "SELECT r.id, r.operation, r.version, r.plan, r.holder, r.status, r.started, r.finished, r.steps, \
     r.changed, r.unchanged, r.failed, r.skipped, a.application, a.environment, a.id, r.ignored \
     FROM runs r JOIN applications a ON a.id = r.application";

impl Store {
    /// Returns runs, the latest first. With `now` it tells a live run from a silent one.
    pub fn runs(&self, filter: &RunFilter, now: Timestamp) -> Result<Vec<RunSummary>, StoreError> {
        self.read(|transaction| summaries(transaction, filter, now))
    }

    /// Returns the latest run of an application in an environment.
    pub fn last_run(
        &self,
        environment: &EnvironmentName,
        application: &ApplicationName,
        now: Timestamp,
    ) -> Result<Option<RunSummary>, StoreError> {
        let filter = RunFilter {
            environment: Some(environment.clone()),
            application: Some(application.clone()),
            limit: Some(1),
        };
        Ok(self.runs(&filter, now)?.pop())
    }

    /// Returns a run at a glance.
    pub fn run_summary(&self, run: RunId, now: Timestamp) -> Result<Option<RunSummary>, StoreError> {
        self.read(|transaction| summary(transaction, run, now))
    }

    /// Returns a run with its plan and its events.
    pub fn run(&self, run: RunId, now: Timestamp) -> Result<Option<RunDetail>, StoreError> {
        let found = self.read(|transaction| {
            let Some(summary) = summary(transaction, run, now)? else { return Ok(None) };
            let blob: String = transaction
                .prepare_cached("SELECT plan_blob FROM runs WHERE id = ?1")?
                .query_row([run.0 as i64], |row| row.get(0))?;
            let blob: Digest = parsed("digest", blob)?;
            Ok(Some((summary, blob, events(transaction, run)?)))
        })?;
        let Some((summary, blob, events)) = found else { return Ok(None) };
        Ok(Some(RunDetail { summary, plan: self.read_plan(run, &blob)?, events }))
    }

    fn read_plan(&self, run: RunId, blob: &Digest) -> Result<Plan, StoreError> {
        #[derive(Deserialize)]
        struct Header {
            format: FormatVersion,
        }
        let bytes = self.read_blob(blob)?;
        let damaged = |source| StoreError::Record { what: format!("plan of run {run}"), source };
        let FormatVersion(found) = serde_json::from_slice::<Header>(&bytes).map_err(damaged)?.format;
        let FormatVersion(known) = Plan::FORMAT;
        if found > known {
            return Err(StoreError::PlanFormat { run, found, known });
        }
        serde_json::from_slice(&bytes).map_err(damaged)
    }
}

fn summaries(transaction: &Transaction<'_>, filter: &RunFilter, now: Timestamp) -> Result<Vec<RunSummary>, Failed> {
    let mut statement = transaction.prepare_cached(&format!(
        "{SUMMARY} WHERE (?1 IS NULL OR a.environment = ?1) AND (?2 IS NULL OR a.application = ?2) \
         ORDER BY r.id DESC LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![
        filter.environment.as_ref().map(|name| name.as_str()),
        filter.application.as_ref().map(|name| name.as_str()),
        filter.limit.map_or(-1, i64::from),
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read_summary(transaction, row, now)?);
    }
    Ok(found)
}

fn summary(transaction: &Transaction<'_>, run: RunId, now: Timestamp) -> Result<Option<RunSummary>, Failed> {
    let mut statement = transaction.prepare_cached(&format!("{SUMMARY} WHERE r.id = ?1"))?;
    let mut rows = statement.query([run.0 as i64])?;
    rows.next()?.map(|row| read_summary(transaction, row, now)).transpose()
}

fn read_summary(transaction: &Transaction<'_>, row: &Row<'_>, now: Timestamp) -> Result<RunSummary, Failed> {
    let id = RunId(number(row, 0)?);
    let status: String = row.get(5)?;
    let mut standing = standing_of(&status).ok_or(StoreError::Value { what: "run status", text: status })?;
    let mut finished = row.get::<_, Option<i64>>(7)?.map(|at| Timestamp(at as u64));
    if standing == RunStanding::Running {
        let lease = LeaseInfo::find(transaction, row.get(15)?)?.filter(|lease| lease.run == id);
        if !lease.as_ref().is_some_and(|lease| lease.is_live(now)) {
            standing = RunStanding::Interrupted;
            finished = lease.map(|lease| lease.heartbeat);
        }
    }
    Ok(RunSummary {
        id,
        operation: decode("operation", id, &row.get::<_, String>(1)?)?,
        version: decode("version", id, &row.get::<_, String>(2)?)?,
        plan: parsed("digest", row.get(3)?)?,
        holder: decode("holder", id, &row.get::<_, String>(4)?)?,
        standing,
        started: Timestamp(number(row, 6)?),
        finished,
        steps: StepCounts {
            total: number(row, 8)?,
            changed: number(row, 9)?,
            unchanged: number(row, 10)?,
            failed: number(row, 11)?,
            skipped: number(row, 12)?,
        },
        ignored: decode("ignored requirements", id, &row.get::<_, String>(16)?)?,
        application: parsed("application name", row.get(13)?)?,
        environment: parsed("environment name", row.get(14)?)?,
    })
}

fn events(transaction: &Transaction<'_>, run: RunId) -> Result<Vec<StoredEvent>, Failed> {
    let mut statement = transaction.prepare_cached("SELECT body FROM events WHERE run = ?1 ORDER BY number")?;
    let mut rows = statement.query([run.0 as i64])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let body = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        found.push(match serde_json::from_str(body) {
            Ok(record) => StoredEvent::Known(record),
            Err(_) => StoredEvent::Unknown(decode("event", run, body)?),
        });
    }
    Ok(found)
}

pub(crate) fn encode(what: &'static str, value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Encode { what, source })
}

fn decode<T: DeserializeOwned>(what: &str, run: RunId, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| StoreError::Record { what: format!("{what} of run {run}"), source })
}

/// Returns the word a run's end is stored as.
pub(crate) fn status_text(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Done => "done",
        RunOutcome::Failed => "failed",
        RunOutcome::RolledBack => "rolled-back",
        RunOutcome::Stopped => "stopped",
    }
}

fn standing_of(text: &str) -> Option<RunStanding> {
    match text {
        "running" => Some(RunStanding::Running),
        "interrupted" => Some(RunStanding::Interrupted),
        _ => [RunOutcome::Done, RunOutcome::Failed, RunOutcome::RolledBack, RunOutcome::Stopped]
            .into_iter()
            .find(|outcome| status_text(*outcome) == text)
            .map(RunStanding::Finished),
    }
}
