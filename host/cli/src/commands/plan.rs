use std::cell::RefCell;
use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use launchway_model::{Diagnostic, Digest, InstanceId, Operation, Plan, RunId};
use launchway_report::{
    LastChange, Paint, PlanViewOptions, diagnostics_json, inline, plan_json, plan_text, shell_quote, why, why_json,
    why_text,
};
use launchway_store::{RunSummary, Store};

use super::runs::row;
use crate::args::{Global, PlanArgs};
use crate::console::Console;
use crate::context::{Context, live_lease, set_values};
use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::holder::now;
use crate::planning::{Ready, Wish, make, shown};
use crate::requirements::{unmet_by, warnings_of};
use crate::saved_plan::SavedPlan;

/// Shows what a deployment would change.
pub(super) fn run(global: &Global, console: Console, args: &PlanArgs) -> Result<Exit> {
    let set = set_values(&args.release.set)?;
    let mut context = Context::open(global, console)?;
    // Only a saved plan needs its bytes to be kept.
    let keep = args.output.is_some();
    let store = if keep { Some(context.store()?) } else { context.store_if_any()? };
    let wish = Wish::Project { version: args.release.version.as_deref(), set: set.clone(), force: Vec::new() };
    let mut ready = make(&mut context, wish, &args.part, store.as_ref(), keep, None)?;
    if let Some(store) = &store
        && let Some(lease) = live_lease(&context, store, &ready.plan.environment)?
    {
        let message = format!("run {} is changing it: this is what is left to do as things are now", lease.run);
        ready.warnings.push(Diagnostic::warning("locked", message).hint("plan again when it has ended"));
    }
    ready.warnings.extend(warnings_of(&unmet_by(store.as_ref(), &ready.plan)?));
    let warnings = diagnostics_json(&context.sources, &ready.warnings);
    console.warnings(&context.sources, &ready.warnings);
    if let Some(asked) = &args.why {
        explain(&context, &ready, store.as_ref(), asked)?;
    } else if console.json {
        console.data(&plan_json(&ready.plan, ready.digest, &warnings))?;
    } else {
        console.data(&text(&ready.plan, &ready.rendered, store.as_ref(), console.paint, console.verbose))?;
    }
    let changes = !ready.plan.is_empty();
    if let (Some(path), Some(release)) = (&args.output, ready.release) {
        SavedPlan::new(ready.plan, ready.digest, set, release, &ready.environment.found).write(path)?;
        let file = shell_quote(&shown(path).to_string_lossy());
        console.say(&format!("Saved; run it with: launchway deploy {}\n", inline(&file)));
    }
    Ok(if changes && args.exit_code { Exit::Changes } else { Exit::Done })
}

/// Explains why something is touched or not, and why in this order.
fn explain(context: &Context, ready: &Ready, store: Option<&Store>, asked: &str) -> Result<()> {
    let state = context.state(store, &ready.plan.environment)?;
    let runs: RefCell<BTreeMap<RunId, Option<RunSummary>>> = RefCell::default();
    let last = |id: &InstanceId| {
        let run = state.instances.get(id)?.run;
        let mut runs = runs.borrow_mut();
        // A run that is not known any more has a number at least.
        let summary = runs.entry(run).or_insert_with(|| store?.run(run, now()).ok()?.map(|detail| detail.summary));
        let finished = summary.as_ref().and_then(|run| run.finished);
        Some(LastChange { run, operation: summary.clone().map(|run| row(run).operation), finished })
    };
    let why = why(&ready.plan, asked, &last).map_err(|unknown| CliError::unknown("unknown-instance", unknown))?;
    let console = context.console;
    if console.json {
        console.data(&why_json(&why))
    } else {
        console.data(&why_text(&why, console.paint, &TimeZone::system()))
    }
}

/// Returns a plan for people, with what differs in rendered files.
pub(super) fn text(
    plan: &Plan,
    rendered: &BTreeMap<Digest, Vec<u8>>,
    store: Option<&Store>,
    paint: Paint,
    verbose: bool,
) -> String {
    if plan.is_empty() {
        return format!("{}\n", nothing(plan));
    }
    let blobs = |digest: &Digest| {
        let known = rendered.get(digest).cloned();
        known.or_else(|| store.and_then(|store| store.read_blob(digest).ok()))
    };
    plan_text(plan, PlanViewOptions { paint, verbose, blobs: Some(&blobs) })
}

/// Says that there is nothing to do.
pub(super) fn nothing(plan: &Plan) -> String {
    let application = inline(plan.application.as_str());
    let environment = inline(plan.environment.as_str());
    if plan.operation == Operation::Adopt {
        return format!(
            "Nothing to take over: nothing is there of {application} on {environment} that is not recorded."
        );
    }
    if plan.operation == Operation::Restart {
        return format!("Nothing to do: nothing of {application} on {environment} can be restarted.");
    }
    if !plan.omitted.is_empty() {
        let parts = plan.basis.only.iter().map(|part| inline(part)).collect::<Vec<_>>().join(", ");
        return format!(
            "Nothing to do for {parts}: {} unchanged, {} left out that would change.",
            plan.unchanged.len(),
            plan.omitted.len()
        );
    }
    match &plan.version.to {
        Some(version) => {
            let version = inline(version.as_str());
            format!(
                "Nothing to do: {application} {version} is what {environment} has ({} unchanged).",
                plan.unchanged.len()
            )
        }
        None if !plan.unchanged.is_empty() => {
            format!(
                "Nothing to do: what there is of {application} on {environment} stays ({} unchanged).",
                plan.unchanged.len()
            )
        }
        None => format!("Nothing to do: {environment} has nothing of {application}."),
    }
}
