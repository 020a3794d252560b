use launchway_model::{ApplicationName, ApplicationState, EnvironmentName, Operation};
use launchway_report::{LastRun, applications_text, is_complete, status_json, status_text};
use launchway_store::Store;
use serde_json::json;

use super::runs::standing;
use crate::args::Global;
use crate::console::Console;
use crate::context::{Context, store_error};
use crate::environment;
use crate::error::Result;
use crate::exit::Exit;
use crate::holder::now;

/// Shows what is deployed where: in one environment, or a line for each if there are several.
pub(super) fn run(global: &Global, console: Console) -> Result<Exit> {
    let context = Context::open(global, console)?;
    let store = context.store_if_any()?;
    let several = environment::names(&context.project.dir)?.len() > 1;
    if global.environment.is_none() && several {
        return overview(&context, store.as_ref());
    }
    let name = context.environment_name()?;
    let state = context.state(store.as_ref(), &name)?;
    let last = last_run(store.as_ref(), &name, context.application())?;
    let neighbours = match &store {
        Some(store) => store.neighbours(&name, context.application(), now()).map_err(|error| store_error(&error))?,
        None => Vec::new(),
    };
    if console.json {
        console.data(&status_json(&state, &neighbours, last.as_ref()))?;
    } else {
        console.data(&status_text(&state, &neighbours, last.as_ref(), console.paint, console.verbose))?;
    }
    Ok(Exit::Done)
}

fn overview(context: &Context, store: Option<&Store>) -> Result<Exit> {
    let mut states: Vec<(ApplicationState, Option<LastRun>)> = Vec::new();
    for name in environment::all(&context.project.dir)? {
        let state = context.state(store, &name)?;
        states.push((state, last_run(store, &name, context.application())?));
    }
    if context.console.json {
        let list: Vec<_> = states
            .iter()
            .map(|(state, last)| {
                json!({
                    "application": state.application,
                    "environment": state.environment,
                    "version": state.version,
                    "complete": is_complete(state, last.as_ref()),
                    "instances": state.instances.len(),
                    "last_run": last,
                })
            })
            .collect();
        context.console.data(&launchway_report::document(&json!({ "environments": list })))?;
    } else {
        context.console.data(&applications_text(&states))?;
    }
    Ok(Exit::Done)
}

fn last_run(
    store: Option<&Store>,
    environment: &EnvironmentName,
    application: &ApplicationName,
) -> Result<Option<LastRun>> {
    let Some(store) = store else { return Ok(None) };
    let last = store.last_run(environment, application, now()).map_err(|error| store_error(&error))?;
    Ok(last.map(|run| LastRun {
        id: run.id,
        status: standing(run.standing).to_owned(),
        started: run.started,
        // An undeployment of all leaves no version.
        removed_part: run.operation == Operation::Undeploy && run.version.to.is_some(),
    }))
}
