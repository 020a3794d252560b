use launchway_model::ComponentName;

use super::deploy::execute;
use crate::args::{Global, OthersArgs, PartArgs, TaskArgs};
use crate::console::Console;
use crate::context::{Context, set_values};
use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::next_steps::Again;
use crate::planning::{Wish, make};

/// Runs a task: planned, leased and journaled like a deployment, but no state changes.
pub(super) fn run(global: &Global, console: Console, args: &TaskArgs) -> Result<Exit> {
    let set = set_values(&args.release.set)?;
    let mut context = Context::open(global, console)?;
    let known = &context.project.application.value.tasks;
    let name = known.keys().find(|name| name.as_str() == args.name).cloned().ok_or_else(|| {
        let names: Vec<&str> = known.keys().map(ComponentName::as_str).collect();
        let error = CliError::usage("unknown-task", format!("there is no task `{}`", args.name));
        match (launchway_model::closest(&args.name, names.iter().copied()), names.as_slice()) {
            (Some(near), _) => error.hint(format!("did you mean `{near}`?")),
            (None, []) => error.hint("write it under `tasks:` of launchway.yaml"),
            (None, names) => error.hint(format!("there are: {}", names.join(", "))),
        }
    })?;
    let store = context.store()?;
    let part = PartArgs { component: Vec::new(), target: args.target.clone() };
    let wish = Wish::Task { name, version: args.release.version.as_deref(), set };
    let ready = make(&mut context, wish, &part, Some(&store), true, None)?;
    let again = Again::new(global).release(&args.release).part(&part);
    execute(&context, &store, ready, OthersArgs::default(), args.asking, false, again)
}
