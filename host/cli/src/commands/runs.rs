use jiff::tz::TimeZone;
use launchway_model::{Operation, RunOutcome};
use launchway_report::{RunRow, runs_json, runs_text};
use launchway_store::{RunFilter, RunStanding, RunSummary};

use crate::args::{Global, RunsArgs};
use crate::console::Console;
use crate::context::{Context, store_error};
use crate::error::Result;
use crate::exit::Exit;
use crate::holder::now;

/// Lists runs of the project's application.
pub(super) fn run(global: &Global, console: Console, args: &RunsArgs) -> Result<Exit> {
    let context = Context::open(global, console)?;
    let environment = global.environment.as_ref().map(|_| context.environment_name()).transpose()?;
    let rows: Vec<RunRow> = match context.store_if_any()? {
        Some(store) => {
            let limit = u32::try_from(args.limit).unwrap_or(u32::MAX);
            let filter =
                RunFilter { environment, application: Some(context.application().clone()), limit: Some(limit) };
            let runs = store.runs(&filter, now()).map_err(|error| store_error(&error))?;
            runs.into_iter().map(row).collect()
        }
        None => Vec::new(),
    };
    if console.json {
        console.data(&runs_json(&rows))?;
    } else if rows.is_empty() {
        console.say("No runs yet.\n");
    } else {
        console.data(&runs_text(&rows, &TimeZone::system()))?;
    }
    Ok(Exit::Done)
}

pub(super) fn row(run: RunSummary) -> RunRow {
    RunRow {
        run: run.id,
        operation: match run.operation {
            Operation::Deploy => "deploy".to_owned(),
            Operation::Undeploy => "undeploy".to_owned(),
            Operation::Rollback { run } => format!("rollback {run}"),
            Operation::RollbackTo { version } => format!("rollback --to {version}"),
            Operation::Restart => "restart".to_owned(),
            Operation::Forget => "forget".to_owned(),
            Operation::Adopt => "adopt".to_owned(),
            Operation::Task { name } => format!("task {name}"),
        },
        application: run.application.to_string(),
        environment: run.environment.to_string(),
        version: run.version,
        status: standing(run.standing).to_owned(),
        started: run.started,
        finished: run.finished,
        user: run.holder.user,
        host: run.holder.host,
        ignored: run.ignored,
    }
}

/// Returns how a run stands, in a word.
pub(super) fn standing(standing: RunStanding) -> &'static str {
    match standing {
        RunStanding::Running => "running",
        RunStanding::Finished(RunOutcome::Done) => "done",
        RunStanding::Finished(RunOutcome::Failed) => "failed",
        RunStanding::Finished(RunOutcome::RolledBack) => "rolled-back",
        RunStanding::Finished(RunOutcome::Stopped) => "stopped",
        RunStanding::Interrupted => "interrupted",
    }
}
