use launchway_planner::target_specs;
use launchway_report::{TargetRow, inline, targets_json, targets_text};

use crate::args::Global;
use crate::console::Console;
use crate::context::Context;
use crate::error::Result;
use crate::exit::Exit;

/// Lists the environment's targets, and where they came from. Nothing is connected to.
pub(super) fn run(global: &Global, console: Console) -> Result<Exit> {
    let mut context = Context::open(global, console)?;
    let environment = context.load_environment()?;
    let rows: Vec<TargetRow> = target_specs(&environment.environment.value)
        .into_iter()
        .map(|(name, spec)| TargetRow { spec, origin: environment.found.get(&name).map(|found| found.origin.clone()) })
        .collect();
    if console.json {
        console.data(&targets_json(&rows))?;
    } else if rows.is_empty() {
        console.say(&format!("{} has no targets.\n", inline(environment.environment.value.environment.as_str())));
    } else {
        console.data(&targets_text(&rows, console.paint))?;
    }
    Ok(Exit::Done)
}
