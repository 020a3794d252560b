//! A plan in a file, to be run later exactly as it was shown.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use launchway_model::config::Target;
use launchway_model::{Digest, FormatVersion, Plan, TargetName};
use launchway_planner::plan_digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::inventory::Found;
use crate::release::Manifest;

/// How many targets that have changed are named.
const SHOWN: usize = 5;

/// A saved plan, with what is needed to see whether it still holds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct SavedPlan {
    pub schema: FormatVersion,
    pub digest: Digest,
    /// Values given on the command line.
    pub set: BTreeMap<String, Value>,
    pub release: Manifest,
    /// What the environment's inventories answered.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inventory: BTreeMap<TargetName, Target>,
    pub plan: Plan,
}

impl SavedPlan {
    const SCHEMA: FormatVersion = FormatVersion(1);

    pub(crate) fn new(
        plan: Plan,
        digest: Digest,
        set: BTreeMap<String, Value>,
        release: Manifest,
        found: &BTreeMap<TargetName, Found>,
    ) -> Self {
        let inventory = found.iter().map(|(name, found)| (name.clone(), found.target.clone())).collect();
        Self { schema: Self::SCHEMA, digest, set, release, inventory, plan }
    }

    /// Says how inventories answer otherwise now; nothing if they don't.
    pub(crate) fn moved(&self, found: &BTreeMap<TargetName, Found>) -> Option<String> {
        let gone =
            self.inventory.keys().filter(|name| !found.contains_key(*name)).map(|name| format!("{name} is gone"));
        let others = found.iter().filter_map(|(name, found)| match self.inventory.get(name) {
            None => Some(format!("{name} is new")),
            Some(known) if *known != found.target => Some(format!("{name} differs")),
            Some(_) => None,
        });
        let mut all: Vec<String> = gone.chain(others).collect();
        all.sort();
        let more = all.len().saturating_sub(SHOWN);
        all.truncate(SHOWN);
        if more > 0 {
            all.push(format!("and {more} more"));
        }
        (!all.is_empty()).then(|| format!("the inventory's targets have changed ({})", all.join(", ")))
    }

    /// Writes it, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let fail = |error: io::Error| CliError::file("write", path, &error);
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
        let mut out = BufWriter::new(file);
        serde_json::to_writer(&mut out, self).map_err(|error| fail(error.into()))?;
        out.write_all(b"\n").map_err(fail)?;
        let file = out.into_inner().map_err(|error| fail(error.into_error()))?;
        file.persist(path).map_err(|error| fail(error.error))?;
        Ok(())
    }

    /// Reads one, and checks that it is what was written.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| CliError::file("read", path, &error))?;
        let broken = |error: serde_json::Error| {
            CliError::usage("saved-plan", format!("{} is no saved plan: {error}", path.display()))
                .hint("`launchway plan -o FILE` writes one")
        };
        let Header { schema } = serde_json::from_slice(&bytes).map_err(broken)?;
        if schema > Self::SCHEMA {
            return Err(
                CliError::usage("saved-plan", "the plan was saved by a newer launchway").hint("make a new plan")
            );
        }
        let saved: Self = serde_json::from_slice(&bytes).map_err(broken)?;
        let intact = plan_digest(&saved.plan) == saved.digest
            && saved.plan.basis.release.is_none_or(|release| saved.release.digest() == release);
        if !intact {
            let message = format!("{} was changed after it was saved", path.display());
            return Err(CliError::new(Exit::Refused, "saved-plan", message).hint("make a new plan"));
        }
        Ok(saved)
    }
}

/// What is read first: a newer format may look otherwise in all the rest.
#[derive(Deserialize)]
struct Header {
    schema: FormatVersion,
}
