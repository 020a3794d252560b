//! Plugins that came from files of projects, kept for as long as what they deployed may have to be taken away.

use launchway_model::{Digest, PluginName, RunId};
use rusqlite::{OptionalExtension, params};

use crate::state::parsed;
use crate::{Store, StoreError};

/// A plugin that runs have used; the component's bytes are in the store under the digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptPlugin {
    pub name: PluginName,
    pub digest: Digest,
    /// The capabilities it had when it was last used.
    pub grant: Vec<String>,
    /// The last run that used it.
    pub run: RunId,
}

impl Store {
    /// Remembers that a run uses a plugin, and with which capabilities.
    pub fn record_plugin(&self, plugin: &KeptPlugin) -> Result<(), StoreError> {
        let encode = |source| StoreError::Encode { what: "grant", source };
        let grant = serde_json::to_string(&plugin.grant).map_err(encode)?;
        self.write(|transaction| {
            transaction
                .prepare_cached(
                    "INSERT INTO plugins (name, digest, grant_json, run) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT DO UPDATE SET grant_json = excluded.grant_json, run = excluded.run",
                )?
                .execute(params![plugin.name.as_str(), plugin.digest.to_string(), grant, plugin.run.0 as i64])?;
            Ok(())
        })
    }

    /// Returns the plugin of a name that was used last.
    pub fn last_plugin(&self, name: &PluginName) -> Result<Option<KeptPlugin>, StoreError> {
        let found: Option<(String, String, i64)> = self.read(|transaction| {
            Ok(transaction
                .prepare_cached(
                    "SELECT digest, grant_json, run FROM plugins WHERE name = ?1 ORDER BY run DESC, digest LIMIT 1",
                )?
                .query_row([name.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?)
        })?;
        found.map(|(digest, grant, run)| kept(name.clone(), digest, &grant, run)).transpose()
    }

    /// Returns all plugins, by name, what was used last first.
    pub fn plugins(&self) -> Result<Vec<KeptPlugin>, StoreError> {
        let rows: Vec<(String, String, String, i64)> = self.read(|transaction| {
            let mut statement = transaction
                .prepare_cached("SELECT name, digest, grant_json, run FROM plugins ORDER BY name, run DESC, digest")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })?;
        rows.into_iter()
            .map(|(name, digest, grant, run)| kept(parsed("plugin name", name)?, digest, &grant, run))
            .collect()
    }
}

fn kept(name: PluginName, digest: String, grant: &str, run: i64) -> Result<KeptPlugin, StoreError> {
    let record = |source| StoreError::Record { what: "grant".to_owned(), source };
    Ok(KeptPlugin {
        name,
        digest: parsed("digest", digest)?,
        grant: serde_json::from_str(grant).map_err(record)?,
        run: RunId(run as u64),
    })
}
