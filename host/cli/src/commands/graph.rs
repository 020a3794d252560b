use launchway_model::{ApplicationState, Lineage};
use launchway_report::{GraphPart, dot, mermaid};
use launchway_store::NEW_LINEAGE;
use serde_json::json;

use crate::args::{Global, GraphArgs, GraphFormat};
use crate::console::Console;
use crate::context::{Context, set_values};
use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::planning::{Wish, make};

/// Draws the plan's graph.
pub(super) fn run(global: &Global, console: Console, args: &GraphArgs) -> Result<Exit> {
    let set = set_values(&args.release.set)?;
    let mut context = Context::open(global, console)?;
    let store = context.store_if_any()?;
    let nothing = if args.all {
        let environment = context.environment_name()?;
        Some(ApplicationState::empty(environment, context.application().clone(), Lineage(NEW_LINEAGE.into())))
    } else {
        None
    };
    let wish = Wish::Project { version: args.release.version.as_deref(), set, force: Vec::new() };
    let ready = make(&mut context, wish, &args.part, store.as_ref(), false, nothing)?;
    console.warnings(&context.sources, &ready.warnings);
    let part = GraphPart::between(&ready.plan, args.from.as_deref(), args.to.as_deref())
        .map_err(|unknown| CliError::unknown("unknown-step", unknown))?;
    let (format, drawing) = match args.format {
        GraphFormat::Dot => ("dot", dot(&ready.plan, &part)),
        GraphFormat::Mermaid => ("mermaid", mermaid(&ready.plan, &part)),
    };
    if console.json {
        console.data(&launchway_report::document(&json!({ "format": format, "graph": drawing })))?;
    } else {
        console.data(&drawing)?;
        if ready.plan.nodes.is_empty() {
            console.say("Nothing would be done; --all draws it as if nothing were deployed yet.\n");
        }
    }
    Ok(Exit::Done)
}
