//! Which release a version was deployed from.

use launchway_model::{ApplicationName, Digest, Version};
use rusqlite::{OptionalExtension, Transaction};

use crate::state::parsed;
use crate::store::Failed;
use crate::{Store, StoreError};

impl Store {
    /// Remembers the release of a version; the latest one counts.
    pub fn record_release(
        &self,
        application: &ApplicationName,
        version: &Version,
        release: &Digest,
    ) -> Result<(), StoreError> {
        self.write(|transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO releases (application, version, digest) VALUES (?1, ?2, ?3) \
                     ON CONFLICT DO UPDATE SET digest = excluded.digest",
                )?
                .execute([application.as_str(), version.as_str(), &release.to_string()])?;
            Ok(())
        })
    }

    /// Returns the release of a version.
    pub fn find_release(&self, application: &ApplicationName, version: &Version) -> Result<Option<Digest>, StoreError> {
        let found = self.read(|transaction| find(transaction, application.as_str(), version.as_str()))?;
        found.map(|text| parsed("digest", text)).transpose()
    }

    /// Returns the versions whose releases are known, sorted as text.
    pub fn releases(&self, application: &ApplicationName) -> Result<Vec<(Version, Digest)>, StoreError> {
        self.read(|transaction| {
            let mut statement = transaction
                .prepare_cached("SELECT version, digest FROM releases WHERE application = ?1 ORDER BY version")?;
            let mut rows = statement.query([application.as_str()])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                found.push((parsed("version", row.get(0)?)?, parsed("digest", row.get(1)?)?));
            }
            Ok(found)
        })
    }
}

pub(crate) fn find(transaction: &Transaction<'_>, application: &str, version: &str) -> Result<Option<String>, Failed> {
    Ok(transaction
        .prepare_cached("SELECT digest FROM releases WHERE application = ?1 AND version = ?2")?
        .query_row([application, version], |row| row.get(0))
        .optional()?)
}
