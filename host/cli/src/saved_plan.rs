//! A plan in a file, to be run later exactly as it was shown.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use launchway_model::{Digest, FormatVersion, Plan};
use launchway_planner::plan_digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{CliError, Result, io_text};
use crate::exit::Exit;
use crate::release::Manifest;

/// A saved plan, with what is needed to see whether it still holds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct SavedPlan {
    pub schema: FormatVersion,
    pub digest: Digest,
    /// Values given on the command line.
    pub set: BTreeMap<String, Value>,
    pub release: Manifest,
    pub plan: Plan,
}

impl SavedPlan {
    const SCHEMA: FormatVersion = FormatVersion(1);

    pub(crate) fn new(plan: Plan, set: BTreeMap<String, Value>, release: Manifest) -> Self {
        Self { schema: Self::SCHEMA, digest: plan_digest(&plan), set, release, plan }
    }

    /// Writes it, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let fail = |error: std::io::Error| {
            CliError::usage("file", format!("can't write {}: {}", path.display(), io_text(&error)))
        };
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
        let json = serde_json::to_vec_pretty(self).expect("plain data with text keys is always JSON");
        file.write_all(&json).map_err(fail)?;
        file.persist(path).map_err(|error| fail(error.error))?;
        Ok(())
    }

    /// Reads one, and checks that it is what was written.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = crate::project::read_text(path)?;
        let broken = |why: String| {
            CliError::usage("saved-plan", format!("{} is no saved plan: {why}", path.display()))
                .hint("`launchway plan -o FILE` writes one")
        };
        let value: Value = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
        let schema = value.get("schema").and_then(Value::as_u64);
        if schema.is_some_and(|schema| schema > u64::from(Self::SCHEMA.0)) {
            return Err(
                CliError::usage("saved-plan", "the plan was saved by a newer launchway").hint("make a new plan")
            );
        }
        let saved: Self = serde_json::from_value(value).map_err(|error| broken(error.to_string()))?;
        let intact = plan_digest(&saved.plan) == saved.digest
            && saved.plan.basis.release.is_none_or(|release| saved.release.digest() == release);
        if !intact {
            return Err(CliError::new(
                Exit::Refused,
                "saved-plan",
                format!("{} was changed after it was saved", path.display()),
            )
            .hint("make a new plan"));
        }
        Ok(saved)
    }
}
