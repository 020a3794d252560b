//! On which targets a state has left its marker.

use std::collections::{BTreeMap, BTreeSet};

use launchway_model::{ApplicationName, EnvironmentName, Lineage, TargetName, Timestamp};
use rusqlite::params;

use crate::state::{Head, number, parsed};
use crate::{Store, StoreError};

impl Store {
    /// Returns the targets on which a marker was left, with the place where that was.
    pub fn markers(
        &self,
        environment: &EnvironmentName,
        application: &ApplicationName,
    ) -> Result<BTreeMap<TargetName, String>, StoreError> {
        self.read(|transaction| {
            let mut found = BTreeMap::new();
            let Some(head) = Head::find(transaction, environment, application)? else { return Ok(found) };
            let mut statement =
                transaction.prepare_cached("SELECT target, place FROM markers WHERE application = ?1")?;
            let mut rows = statement.query([head.id])?;
            while let Some(row) = rows.next()? {
                found.insert(parsed("target name", row.get(0)?)?, row.get(1)?);
            }
            Ok(found)
        })
    }

    /// Records that a marker was left on a target, or with no place, that it was taken away.
    pub fn set_marker(
        &self,
        environment: &EnvironmentName,
        application: &ApplicationName,
        target: &TargetName,
        place: Option<&str>,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            let Some(head) = Head::find(transaction, environment, application)? else { return Ok(()) };
            let name = target.as_str();
            match place {
                Some(place) => transaction
                    .prepare_cached(
                        "INSERT INTO markers (application, target, place) VALUES (?1, ?2, ?3) \
                         ON CONFLICT DO UPDATE SET place = excluded.place",
                    )?
                    .execute(params![head.id, name, place])?,
                None => transaction
                    .prepare_cached("DELETE FROM markers WHERE application = ?1 AND target = ?2")?
                    .execute(params![head.id, name])?,
            };
            Ok(())
        })
    }

    /// Returns a state's lineage and the fence of its last run; none if nothing ever ran.
    pub fn lineage(
        &self,
        environment: &EnvironmentName,
        application: &ApplicationName,
    ) -> Result<Option<(Lineage, u64)>, StoreError> {
        self.read(|transaction| {
            let Some(head) = Head::find(transaction, environment, application)? else { return Ok(None) };
            let fence: i64 = transaction
                .prepare_cached("SELECT fence FROM applications WHERE id = ?1")?
                .query_row([head.id], |row| row.get(0))?;
            Ok(Some((head.lineage, fence as u64)))
        })
    }

    /// Returns the fences of a state's last runs, and when those began: the latest first, as many as are worth knowing.
    pub fn last_fences(
        &self,
        environment: &EnvironmentName,
        application: &ApplicationName,
    ) -> Result<Vec<(u64, Timestamp)>, StoreError> {
        self.read(|transaction| {
            let Some(head) = Head::find(transaction, environment, application)? else { return Ok(Vec::new()) };
            let mut statement = transaction
                .prepare_cached("SELECT fence, started FROM runs WHERE application = ?1 ORDER BY id DESC LIMIT 64")?;
            let mut rows = statement.query([head.id])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push((number(row, 0)?, Timestamp(number(row, 1)?)));
            }
            Ok(found)
        })
    }

    /// Returns the targets on which instances are recorded.
    pub fn recorded_targets(
        &self,
        environment: &EnvironmentName,
        application: &ApplicationName,
    ) -> Result<BTreeSet<TargetName>, StoreError> {
        self.read(|transaction| {
            let mut found = BTreeSet::new();
            let Some(head) = Head::find(transaction, environment, application)? else { return Ok(found) };
            let mut statement =
                transaction.prepare_cached("SELECT DISTINCT target FROM instances WHERE application = ?1")?;
            let mut rows = statement.query([head.id])?;
            while let Some(row) = rows.next()? {
                found.insert(parsed("target name", row.get(0)?)?);
            }
            Ok(found)
        })
    }
}
