//! What applications in one environment require of one another: whether a plan leaves it met, and what is said if not.

use launchway_model::{Diagnostic, Diagnostics, Plan, Unmet, unmet};
use launchway_store::Store;

use crate::context::store_error;
use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::holder::now;

/// Returns what running a plan would leave unmet, as the store has it now. What decides is asked once more when the run
/// begins.
pub(crate) fn unmet_by(store: Option<&Store>, plan: &Plan) -> Result<Vec<Unmet>> {
    let neighbours = match store {
        Some(store) => store.neighbours(&plan.environment, &plan.application, now()),
        None => Ok(Vec::new()),
    };
    Ok(unmet(plan, &neighbours.map_err(|error| store_error(&error))?))
}

/// Returns why a run is refused.
pub(crate) fn refused(unmet: &[Unmet]) -> CliError {
    let messages: Vec<String> = unmet.iter().map(Unmet::to_string).collect();
    let mut hints: Vec<String> = unmet.iter().map(Unmet::hint).collect();
    hints.dedup();
    hints.push("--ignore-requires goes on anyway".to_owned());
    CliError::new(Exit::Refused, "requires", messages.join("\n")).hint(hints.join("; "))
}

/// Returns it as warnings.
pub(crate) fn warnings_of(unmet: &[Unmet]) -> Diagnostics {
    let mut warnings = Diagnostics::default();
    for unmet in unmet {
        warnings.push(Diagnostic::warning("requires", unmet.to_string()).hint(unmet.hint()));
    }
    warnings
}
