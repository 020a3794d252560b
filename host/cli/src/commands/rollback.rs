use launchway_model::{EnvironmentName, Operation, RunId, RunOutcome};
use launchway_store::RunStanding;

use super::deploy::execute;
use crate::args::{Global, RollbackArgs};
use crate::console::Console;
use crate::context::{Context, set_values, store_error, version};
use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::holder::now;
use crate::next_steps::Again;
use crate::planning::{Wish, make};

/// Restores what a run changed, or deploys an earlier release again.
pub(super) fn run(global: &Global, console: Console, args: &RollbackArgs) -> Result<Exit> {
    let set = set_values(&args.set)?;
    let mut context = Context::open(global, console)?;
    let Some(store) = context.store_if_any()? else {
        let environment = context.environment_name()?;
        return Err(never_ran(&context, &environment));
    };
    let wish = match (&args.to, args.run) {
        (Some(text), _) => Wish::Recorded { version: version(text)?, set },
        (None, Some(run)) => Wish::Before(RunId(run)),
        (None, None) => {
            let environment = context.environment_name()?;
            let last = store.last_run(&environment, context.application(), now());
            let last = last.map_err(|error| store_error(&error))?;
            let last = last.ok_or_else(|| never_ran(&context, &environment))?;
            // A rollback that did not get through is gone on with: the other way lies what was not wanted.
            match (&last.operation, &last.standing) {
                (_, RunStanding::Finished(RunOutcome::Done)) => Wish::Before(last.id),
                (Operation::Rollback { run }, _) => Wish::Before(*run),
                _ => Wish::Before(last.id),
            }
        }
    };
    let ready = make(&mut context, wish, &args.part, Some(&store), true, None)?;
    let again = Again::new(global).set(&args.set).part(&args.part).others(args.others);
    execute(&context, &store, ready, args.others, args.asking, false, again)
}

fn never_ran(context: &Context, environment: &EnvironmentName) -> CliError {
    CliError::usage("unknown-run", format!("nothing of {} ever ran on {environment}", context.application()))
}
