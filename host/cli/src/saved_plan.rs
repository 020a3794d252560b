//! A plan in a file, to be run later exactly as it was shown.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use launchway_model::{Digest, FormatVersion, Plan};
use launchway_planner::plan_digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{CliError, Result};
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

    pub(crate) fn new(plan: Plan, digest: Digest, set: BTreeMap<String, Value>, release: Manifest) -> Self {
        Self { schema: Self::SCHEMA, digest, set, release, plan }
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
