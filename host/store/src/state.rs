//! Reading states.

use std::collections::HashMap;
use std::str::FromStr;

use launchway_model::{
    ApplicationName, ApplicationState, Digest, Dirty, EnvironmentName, InstanceId, InstanceRecord, Lineage, RunId,
    StepKey, Version,
};
use rusqlite::{Row, Transaction, params};

use crate::intern::Interner;
use crate::store::Failed;
use crate::{Store, StoreError, requirements};

/// The lineage of a state that was never written. The first run replaces it with a random one.
pub const NEW_LINEAGE: &str = "new";

impl Store {
    /// Returns the state of an application in an environment; an empty one if it was never deployed there.
    pub fn state(
        &self,
        environment: &EnvironmentName,
        application: &ApplicationName,
    ) -> Result<ApplicationState, StoreError> {
        self.read(|transaction| {
            let lineage = Lineage(NEW_LINEAGE.into());
            let mut state = ApplicationState::empty(environment.clone(), application.clone(), lineage);
            let Some(head) = Head::find(transaction, environment, application)? else { return Ok(state) };
            state.lineage = head.lineage;
            state.serial = head.serial;
            state.version = head.version;
            state.release = head.release;
            read_instances(transaction, head.id, &mut state)?;
            if state.version.is_some() || !state.instances.is_empty() {
                state.requires = requirements::of(transaction, head.id)?;
            }
            Ok(state)
        })
    }

    /// Returns everything that was ever deployed, sorted.
    pub fn applications(&self) -> Result<Vec<(EnvironmentName, ApplicationName)>, StoreError> {
        self.read(|transaction| {
            let mut statement = transaction.prepare_cached("SELECT environment, application FROM applications")?;
            let mut rows = statement.query([])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push((parsed("environment name", row.get(0)?)?, parsed("application name", row.get(1)?)?));
            }
            found.sort();
            Ok(found)
        })
    }

    /// Returns how many milliseconds each step took when it last succeeded.
    pub fn durations(
        &self,
        environment: &EnvironmentName,
        application: &ApplicationName,
    ) -> Result<HashMap<StepKey, u64>, StoreError> {
        self.read(|transaction| {
            let mut found = HashMap::new();
            let Some(head) = Head::find(transaction, environment, application)? else { return Ok(found) };
            let mut statement = transaction.prepare_cached("SELECT step, ms FROM durations WHERE application = ?1")?;
            let mut rows = statement.query([head.id])?;
            while let Some(row) = rows.next()? {
                found.insert(StepKey(row.get::<_, String>(0)?.into()), number(row, 1)?);
            }
            Ok(found)
        })
    }
}

/// The row of a state without its instances.
pub(crate) struct Head {
    pub(crate) id: i64,
    pub(crate) lineage: Lineage,
    pub(crate) serial: u64,
    pub(crate) version: Option<Version>,
    pub(crate) release: Option<Digest>,
}

impl Head {
    pub(crate) fn find(
        transaction: &Transaction<'_>,
        environment: &EnvironmentName,
        application: &ApplicationName,
    ) -> Result<Option<Self>, Failed> {
        let mut statement = transaction.prepare_cached(
            "SELECT id, lineage, serial, version, release FROM applications WHERE environment = ?1 AND application = ?2",
        )?;
        let mut rows = statement.query(params![environment.as_str(), application.as_str()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let version: Option<String> = row.get(3)?;
        let release: Option<String> = row.get(4)?;
        Ok(Some(Self {
            id: row.get(0)?,
            lineage: Lineage(row.get::<_, String>(1)?.into()),
            serial: number(row, 2)?,
            version: version.map(|text| parsed("version", text)).transpose()?,
            release: release.map(|text| parsed("digest", text)).transpose()?,
        }))
    }
}

fn read_instances(transaction: &Transaction<'_>, application: i64, state: &mut ApplicationState) -> Result<(), Failed> {
    let mut statement = transaction.prepare_cached(
        "SELECT component, target, confirmed, dirty_run, dirty_to, assumed, run, dirty_deleting, dirty_differs FROM instances WHERE application = ?1",
    )?;
    let mut rows = statement.query([application])?;
    let mut interner = Interner::default();
    let mut read = |id: &InstanceId, row: &Row<'_>, column| -> Result<_, Failed> {
        let Some(text) = row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)? else { return Ok(None) };
        let record = |source| StoreError::Record { what: format!("record of {id}"), source };
        Ok(Some(interner.deployed(text).map_err(record)?))
    };
    while let Some(row) = rows.next()? {
        let id = InstanceId {
            component: parsed("component name", row.get(0)?)?,
            target: parsed("target name", row.get(1)?)?,
        };
        let dirty = match row.get::<_, Option<i64>>(3)? {
            Some(run) => Some(Dirty {
                run: RunId(run as u64),
                to: read(&id, row, 4)?,
                deleting: row.get(7)?,
                differs: row.get(8)?,
            }),
            None => None,
        };
        let record =
            InstanceRecord { confirmed: read(&id, row, 2)?, dirty, assumed: row.get(5)?, run: RunId(number(row, 6)?) };
        state.instances.insert(id, record);
    }
    Ok(())
}

/// Reads text that was valid when it was written.
pub(crate) fn parsed<T: FromStr>(what: &'static str, text: String) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Value { what, text })
}

/// Reads an unsigned number; SQLite knows signed ones only, and both have 64 bits.
pub(crate) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|number| number as u64)
}
