//! What can be done after a run that did not end well.

use launchway_model::{Operation, Plan, RunId, RunOutcome};
use launchway_report::{inline, shell_quote};
use serde::Serialize;

use crate::reporter::Gathered;

/// A command that goes on from where a run ended.
#[derive(PartialEq, Eq, Debug, Serialize)]
pub(crate) struct NextStep {
    pub command: String,
    /// What it does, in words.
    pub effect: &'static str,
}

/// Returns what can be done now, the most likely first; nothing after a run that ended well.
pub(crate) fn next_steps(plan: &Plan, run: RunId, outcome: RunOutcome, gathered: &Gathered) -> Vec<NextStep> {
    let step = gathered.failed.first().map(|step| &*step.key.0);
    steps(&plan.operation, &inline(plan.environment.as_str()), run, outcome, step)
}

fn steps(
    operation: &Operation,
    environment: &str,
    run: RunId,
    outcome: RunOutcome,
    failed: Option<&str>,
) -> Vec<NextStep> {
    let environment = shell_quote(environment);
    let mut next = Vec::new();
    let mut add = |command: String, effect| next.push(NextStep { command, effect });
    let effect = match outcome {
        RunOutcome::Done => return Vec::new(),
        RunOutcome::Stopped => "goes on",
        RunOutcome::Failed | RunOutcome::RolledBack => {
            let step = failed.map(|step| format!(" --step {}", shell_quote(step))).unwrap_or_default();
            add(format!("launchway show {run}{step} --log"), "shows all of a step's output");
            "goes on after the fix"
        }
    };
    match operation {
        Operation::Deploy => add(format!("launchway deploy -e {environment}"), effect),
        Operation::Undeploy => add(format!("launchway undeploy -e {environment}"), effect),
        // Going back from going back is going on with what was not wanted.
        Operation::Rollback { run } => {
            add(format!("launchway rollback {run} -e {environment}"), effect);
            return next;
        }
        Operation::RollbackTo { version } => {
            add(format!("launchway rollback --to {} -e {environment}", shell_quote(version.as_str())), effect);
        }
    }
    if outcome != RunOutcome::RolledBack {
        add(format!("launchway rollback {run} -e {environment}"), "restores what the run changed");
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(operation: &Operation, outcome: RunOutcome, failed: Option<&str>) -> Vec<String> {
        let found = steps(operation, "blue sky", RunId(7), outcome, failed);
        found.into_iter().map(|next| next.command).collect()
    }

    #[test]
    fn each_operation_goes_on_in_its_own_way() {
        let show = "launchway show 7 --step 'a@b/start/x y' --log";
        let back = "launchway rollback 7 -e 'blue sky'";
        let failed = Some("a@b/start/x y");
        let deploy = commands(&Operation::Deploy, RunOutcome::Failed, failed);
        assert_eq!(deploy, [show, "launchway deploy -e 'blue sky'", back]);
        let undeploy = commands(&Operation::Undeploy, RunOutcome::Stopped, None);
        assert_eq!(undeploy, ["launchway undeploy -e 'blue sky'", back]);
        let rollback = commands(&Operation::Rollback { run: RunId(5) }, RunOutcome::Failed, failed);
        assert_eq!(rollback, [show, "launchway rollback 5 -e 'blue sky'"], "not back to what was rolled back");
        assert!(commands(&Operation::Deploy, RunOutcome::Done, None).is_empty());
    }
}
