//! What applications need of one another.

use std::collections::BTreeSet;

use launchway_model::{
    ApplicationName, EnvironmentName, Moving, Neighbour, Requirement, RunId, Timestamp, VersionChange,
};
use rusqlite::{Transaction, params};

use crate::lease::LeaseInfo;
use crate::state::parsed;
use crate::store::Failed;
use crate::{Store, StoreError};

impl Store {
    /// Returns the other applications of an environment: those that are there, and those that a run is at work on.
    pub fn neighbours(
        &self,
        environment: &EnvironmentName,
        application: &ApplicationName,
        now: Timestamp,
    ) -> Result<Vec<Neighbour>, StoreError> {
        self.read(|transaction| neighbours(transaction, environment, application, now))
    }
}

pub(crate) fn neighbours(
    transaction: &Transaction<'_>,
    environment: &EnvironmentName,
    application: &ApplicationName,
    now: Timestamp,
) -> Result<Vec<Neighbour>, Failed> {
    let mut statement = transaction.prepare_cached(
        "SELECT id, application, version, EXISTS (SELECT 1 FROM instances i WHERE i.application = a.id) \
         FROM applications a WHERE environment = ?1 AND application <> ?2 ORDER BY application",
    )?;
    let mut rows = statement.query(params![environment.as_str(), application.as_str()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get(0)?;
        let version: Option<String> = row.get(2)?;
        let lease = LeaseInfo::find(transaction, id)?.filter(|lease| lease.is_live(now));
        if version.is_none() && !row.get::<_, bool>(3)? && lease.is_none() {
            continue;
        }
        let moving = lease.map(|lease| moving(transaction, lease.run)).transpose()?.flatten();
        found.push(Neighbour {
            application: parsed("application name", row.get(1)?)?,
            version: version.map(|text| parsed("version", text)).transpose()?,
            moving,
            requires: of(transaction, id)?,
        });
    }
    Ok(found)
}

/// Returns where a run takes its application; none if its version stays.
fn moving(transaction: &Transaction<'_>, run: RunId) -> Result<Option<Moving>, Failed> {
    let text: String = transaction
        .prepare_cached("SELECT version FROM runs WHERE id = ?1")?
        .query_row([run.0 as i64], |row| row.get(0))?;
    let VersionChange { from, to, part } = serde_json::from_str(&text)
        .map_err(|source| StoreError::Record { what: format!("version of run {run}"), source })?;
    Ok((part.is_some() || from != to).then(|| Moving { run, to: part.or(to) }))
}

/// Returns what an application needs.
pub(crate) fn of(transaction: &Transaction<'_>, application: i64) -> Result<BTreeSet<Requirement>, Failed> {
    let mut statement =
        transaction.prepare_cached("SELECT required, range FROM requirements WHERE application = ?1")?;
    let mut rows = statement.query([application])?;
    let mut found = BTreeSet::new();
    while let Some(row) = rows.next()? {
        found.insert(Requirement {
            application: parsed("application name", row.get(0)?)?,
            range: parsed("range of versions", row.get(1)?)?,
        });
    }
    Ok(found)
}

/// Adds what a run that begins needs. From then on, whatever becomes of it, what it brings may be there, and what was
/// there before may be, too.
pub(crate) fn begin(
    transaction: &Transaction<'_>,
    application: i64,
    requires: &BTreeSet<Requirement>,
) -> Result<(), Failed> {
    transaction
        .prepare_cached(
            "DELETE FROM requirements WHERE application = ?1 \
             AND NOT EXISTS (SELECT 1 FROM applications a WHERE a.id = ?1 AND a.version IS NOT NULL) \
             AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.application = ?1)",
        )?
        .execute([application])?;
    add(transaction, application, requires)
}

fn add(transaction: &Transaction<'_>, application: i64, requires: &BTreeSet<Requirement>) -> Result<(), Failed> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO requirements (application, required, range) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?;
    for requirement in requires {
        insert.execute(params![application, requirement.application.as_str(), requirement.range.as_str()])?;
    }
    Ok(())
}

pub(crate) fn replace(
    transaction: &Transaction<'_>,
    application: i64,
    requires: &BTreeSet<Requirement>,
) -> Result<(), Failed> {
    transaction.prepare_cached("DELETE FROM requirements WHERE application = ?1")?.execute([application])?;
    add(transaction, application, requires)
}
