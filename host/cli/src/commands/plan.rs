use std::collections::BTreeMap;

use launchway_model::{Digest, Operation, Plan};
use launchway_report::{Paint, PlanViewOptions, diagnostics_json, inline, plan_json, plan_text};
use launchway_store::Store;

use crate::args::{Global, PlanArgs};
use crate::console::Console;
use crate::context::{Context, set_values};
use crate::error::Result;
use crate::exit::Exit;
use crate::next_steps::shell_quote;
use crate::planning::{Wish, make, shown};
use crate::saved_plan::SavedPlan;

/// Shows what a deployment would change.
pub(super) fn run(global: &Global, console: Console, args: &PlanArgs) -> Result<Exit> {
    let set = set_values(&args.release.set)?;
    let mut context = Context::open(global, console)?;
    // Only a saved plan needs its bytes to be kept.
    let keep = args.output.is_some();
    let store = if keep { Some(context.store()?) } else { context.store_if_any()? };
    let wish = Wish::Project { version: args.release.version.as_deref(), set: set.clone(), force: Vec::new() };
    let ready = make(&mut context, wish, &args.part, store.as_ref(), keep, None)?;
    let warnings = diagnostics_json(&context.sources, &ready.warnings);
    console.warnings(&context.sources, &ready.warnings);
    if console.json {
        console.data(&plan_json(&ready.plan, ready.digest, &warnings))?;
    } else {
        console.data(&text(&ready.plan, &ready.rendered, store.as_ref(), console.paint, console.verbose))?;
    }
    let changes = !ready.plan.is_empty();
    if let (Some(path), Some(release)) = (&args.output, ready.release) {
        SavedPlan::new(ready.plan, ready.digest, set, release).write(path)?;
        let file = shell_quote(&shown(path).to_string_lossy());
        console.say(&format!("Saved; run it with: launchway deploy {}\n", inline(&file)));
    }
    Ok(if changes && args.exit_code { Exit::Changes } else { Exit::Done })
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
            format!("Nothing to do: {} of {application} on {environment} stay as they are.", plan.unchanged.len())
        }
        None => format!("Nothing to do: {environment} has nothing of {application}."),
    }
}
