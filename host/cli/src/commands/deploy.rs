use std::path::Path;

use launchway_model::config::Drift;
use launchway_model::{Operation, Plan};
use launchway_report::{Events, inline};
use launchway_store::Store;

use super::plan::{nothing, text};
use crate::args::{AskingArgs, DeployArgs, Global, OthersArgs, PartArgs};
use crate::confirm::confirm;
use crate::console::Console;
use crate::context::{Context, live_lease, set_values, store_error};
use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::gates::Gates;
use crate::live_run::{self, LiveRun, unchanged_json};
use crate::next_steps::Again;
use crate::planning::{Ready, Wish, make};
use crate::preflight::unreadable_secrets;
use crate::requirements::{refused, unmet_by, warnings_of};
use crate::saved_plan::SavedPlan;

/// Deploys the project, or runs a saved plan.
pub(super) fn run(global: &Global, console: Console, args: &DeployArgs) -> Result<Exit> {
    if let Some(path) = &args.plan {
        return saved(global, console, path, args.others, args.asking);
    }
    let set = set_values(&args.release.set)?;
    let mut context = Context::open(global, console)?;
    let store = context.store()?;
    let wish = Wish::Project { version: args.release.version.as_deref(), set, force: args.force.clone() };
    let ready = make(&mut context, wish, &args.part, Some(&store), true, None)?;
    let again = Again::new(global).release(&args.release).part(&args.part).force(&args.force).others(args.others);
    execute(&context, &store, ready, args.others, args.asking, false, again)
}

/// Shows a plan, asks, and runs it.
pub(super) fn execute(
    context: &Context,
    store: &Store,
    mut ready: Ready,
    others: OthersArgs,
    asking: AskingArgs,
    saved: bool,
    again: Again,
) -> Result<Exit> {
    let console = context.console;
    if let Some(lease) = live_lease(context, store, &ready.plan.environment)? {
        return Err(live_run::locked(lease));
    }
    if ready.plan.is_empty() {
        return unchanged(context, &ready);
    }
    let unmet = unmet_by(Some(store), &ready.plan)?;
    if !others.ignore_requires && !unmet.is_empty() {
        return Err(refused(&unmet));
    }
    ready.warnings.extend(warnings_of(&unmet));
    console.warnings(&context.sources, &ready.warnings);
    if !console.json {
        console.say(&text(&ready.plan, &ready.rendered, Some(store), console.paint_err, console.verbose));
    }
    if let Some(error) = context.runtime.block_on(unreadable_secrets(&ready.plan, &ready.secrets)) {
        return Err(error);
    }
    // Records brought up to date are no reason to ask: nothing is touched, and nothing is lost.
    if ready.plan.step_count() > 0 || ready.plan.is_of_records() {
        confirm(&context.runtime, console, asking.yes, &question(&ready.plan))?;
    }
    let gates = Gates::new(&ready.plan, console, asking.approve)?;
    let Ready { plan, digest, environment, plugins, secrets, release, preface, .. } = ready;
    let OthersArgs { ignore_requires, drift } = others;
    let drift = drift.map(Drift::from).or(environment.environment.value.drift).unwrap_or_default();
    let live = LiveRun {
        plan,
        digest,
        environment,
        plugins,
        secrets,
        release,
        saved,
        ignore_requires,
        drift,
        again,
        gates,
        preface,
    };
    live_run::run(context, store, live)
}

/// Says that there is nothing to do.
pub(super) fn unchanged(context: &Context, ready: &Ready) -> Result<Exit> {
    let console = context.console;
    console.warnings(&context.sources, &ready.warnings);
    if console.json {
        console.data(&Events::header(&ready.plan, ready.digest))?;
        console.data(&ready.preface)?;
        console.data(&unchanged_json())?;
    } else {
        console.say(&format!("{}\n", nothing(&ready.plan)));
    }
    Ok(Exit::Done)
}

fn question(plan: &Plan) -> String {
    let environment = inline(plan.environment.as_str());
    match &plan.operation {
        Operation::Deploy => format!("Deploy to {environment}?"),
        Operation::Undeploy => format!("Undeploy from {environment}?"),
        Operation::Rollback { .. } | Operation::RollbackTo { .. } => format!("Roll back on {environment}?"),
        Operation::Restart => format!("Restart on {environment}?"),
        Operation::Forget => format!("Forget {} of {environment}?", count(plan.forgotten.len())),
        Operation::Adopt if plan.reclaimed.is_empty() => {
            format!("Take over {} on {environment}?", count(plan.adopted.len()))
        }
        Operation::Adopt => {
            let targets: Vec<String> = plan.reclaimed.iter().map(|name| inline(name.as_str())).collect();
            let count = count(plan.adopted.len());
            format!("Take over {count} on {environment}, and {} from another state?", targets.join(", "))
        }
        Operation::Task { name } => format!("Run {} on {environment}?", inline(name.as_str())),
    }
}

fn count(instances: usize) -> String {
    if instances == 1 { "1 instance".to_owned() } else { format!("{instances} instances") }
}

fn saved(global: &Global, console: Console, path: &Path, others: OthersArgs, asking: AskingArgs) -> Result<Exit> {
    let saved = SavedPlan::read(path)?;
    let name = saved.plan.environment.as_str();
    if global.environment.as_deref().is_some_and(|asked| asked != name) {
        return Err(CliError::usage("usage", format!("the plan is for the environment `{name}`")));
    }
    let global = Global { environment: Some(name.to_owned()), ..global.clone() };
    let mut context = Context::open(&global, console)?;
    if saved.plan.application != *context.application() {
        let (of, here) = (&saved.plan.application, context.application());
        return Err(CliError::usage(
            "usage",
            format!("the plan is for the application `{of}`, the project is `{here}`"),
        ));
    }
    let store = context.store()?;
    if let Some(run) = store.run_of_saved_plan(&saved.digest).map_err(|error| store_error(&error))? {
        return Err(live_run::used(run));
    }
    let state = store.state(&saved.plan.environment, context.application()).map_err(|error| store_error(&error))?;
    let basis = &saved.plan.basis;
    if state.lineage != basis.lineage || state.serial != basis.serial {
        return Err(stale("the state has changed"));
    }
    // Planned anew only to see whether it would come from the same: the files are read, nothing is touched.
    let version = saved.release.version.clone();
    let wish = Wish::Project { version: Some(version.as_str()), set: saved.set.clone(), force: Vec::new() };
    let anew = make(&mut context, wish, &PartArgs::default(), Some(&store), true, Some(state))?;
    if let Some(moved) = saved.moved(&anew.environment.found) {
        return Err(stale(&moved));
    }
    let now = &anew.plan.basis;
    if now.environment != basis.environment {
        return Err(stale("the environment's files have changed"));
    }
    if now.release != basis.release {
        return Err(stale("the release's files have changed"));
    }
    if basis.plugins.iter().any(|(plugin, digest)| anew.plugins.digest(plugin) != Some(*digest)) {
        return Err(stale("a plugin has changed"));
    }
    let ready = Ready { plan: saved.plan, digest: saved.digest, release: Some(saved.release), ..anew };
    // A saved plan runs once: what goes on is a deployment of the project.
    execute(&context, &store, ready, others, asking, true, Again::new(&global))
}

fn stale(what: &str) -> CliError {
    CliError::new(Exit::Refused, "stale-plan", format!("{what} since the plan was made")).hint("make a new plan")
}
