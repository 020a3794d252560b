use std::collections::BTreeMap;

use launchway_model::{ApplicationName, ApplicationState, EnvironmentName, InstanceId, Operation};
use launchway_planner::target_specs;
use launchway_report::{Finding, Found, LastRun, applications_text, drift_text, is_complete, status_json, status_text};
use launchway_store::Store;
use serde_json::json;

use super::runs::standing;
use crate::args::{Global, StatusArgs};
use crate::console::Console;
use crate::context::{Context, store_error};
use crate::environment;
use crate::error::Result;
use crate::exit::Exit;
use crate::holder::now;
use crate::inspection::{Look, look};
use crate::kept_plugins;

/// Shows what is deployed where: in one environment, or a line for each if there are several.
pub(super) fn run(global: &Global, console: Console, args: &StatusArgs) -> Result<Exit> {
    let mut context = Context::open(global, console)?;
    let store = context.store_if_any()?;
    let several = environment::names(&context.project.dir)?.len() > 1;
    if global.environment.is_none() && several && !args.refresh {
        return overview(&context, store.as_ref());
    }
    let name = context.environment_name()?;
    let state = context.state(store.as_ref(), &name)?;
    let last = last_run(store.as_ref(), &name, context.application())?;
    let neighbours = match &store {
        Some(store) => store.neighbours(&name, context.application(), now()).map_err(|error| store_error(&error))?,
        None => Vec::new(),
    };
    let findings = if args.refresh { Some(refresh(&mut context, store.as_ref(), &state)?) } else { None };
    if console.json {
        console.data(&status_json(&state, &neighbours, last.as_ref(), findings.as_ref()))?;
    } else {
        console.data(&status_text(&state, &neighbours, last.as_ref(), console.paint, console.verbose))?;
        if let Some(findings) = &findings {
            console.data(&drift_text(findings, console.paint, console.verbose))?;
        }
    }
    let drifted = findings.iter().flat_map(BTreeMap::values).any(|finding| finding.found == Found::Drifted);
    Ok(if drifted { Exit::Changes } else { Exit::Done })
}

/// Looks at everything that is recorded.
fn refresh(
    context: &mut Context,
    store: Option<&Store>,
    state: &ApplicationState,
) -> Result<BTreeMap<InstanceId, Finding>> {
    let environment = context.load_environment()?;
    let Some(store) = store else { return Ok(BTreeMap::new()) };
    let targets = target_specs(&environment.environment.value);
    let mut findings = BTreeMap::new();
    let mut looks = Vec::new();
    for (id, record) in &state.instances {
        match (&record.dirty, &record.confirmed) {
            // It was taken over as it was: nobody was at work there.
            (Some(dirty), _) if dirty.differs.is_none() => {
                let why = format!("run {} did not finish it; the next deployment deals with it", dirty.run);
                findings.insert(id.clone(), Finding::cannot_tell(why));
            }
            (_, Some(deployed)) => {
                // How to log in may have changed since; where to must not.
                let now = targets
                    .get(&id.target)
                    .filter(|now| now.address == deployed.target.address && now.transport == deployed.target.transport);
                let target = now.unwrap_or(&deployed.target).clone();
                looks.push(Look { spec: deployed.spec.clone(), target });
            }
            (_, None) => {}
        }
    }
    let plugins = context.plugins_for(Some(store), kept_plugins::recorded(state))?;
    findings.extend(look(context, store, &environment, plugins, looks)?);
    Ok(findings)
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
