use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use launchway_model::{ApplicationState, Diagnostics, InstanceId};
use launchway_planner::{RecordsInput, forget, forgettable, plan_digest, target_specs};

use super::deploy::execute;
use crate::args::{AskingArgs, ForgetArgs, Global, OthersArgs};
use crate::console::Console;
use crate::context::Context;
use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::next_steps::Again;
use crate::planning::{Ready, restriction, secret_store};

/// Drops records: what is there stays there, and nobody knows of it any more.
pub(super) fn run(global: &Global, console: Console, args: &ForgetArgs) -> Result<Exit> {
    let mut context = Context::open(global, console)?;
    let environment = context.load_environment()?;
    let name = environment.environment.value.environment.clone();
    let store = context.store_if_any()?;
    let state = context.state(store.as_ref(), &name)?;
    let Some(store) = store.filter(|_| !state.instances.is_empty()) else {
        let message = format!("nothing of {} is recorded on {name}", context.application());
        return Err(CliError::usage("not-recorded", message).hint("there is nothing to forget"));
    };
    let instances = if args.instance.is_empty() {
        forgettable(&state, &restriction(&args.part)).map_err(|error| {
            CliError::usage("no-match", error.to_string())
                .hint(error.hint.unwrap_or_else(|| "`launchway status` shows what is recorded".to_owned()))
        })?
    } else {
        args.instance.iter().map(|text| recorded(text, &state)).collect::<Result<BTreeSet<_>>>()?
    };
    if instances.is_empty() {
        return Err(CliError::usage(
            "no-match",
            "no recorded instance is both of these components and on these targets",
        )
        .hint("`launchway status` shows what is recorded"));
    }
    let input = RecordsInput {
        state: &state,
        targets: &target_specs(&environment.environment.value),
        environment_digest: environment.digest,
    };
    let plan = forget(&input, instances);
    let plugins = context.plugins()?;
    let ready = Ready {
        digest: plan_digest(&plan),
        plan,
        warnings: Diagnostics::default(),
        secrets: Arc::new(secret_store(&environment, &context.project.dir)),
        environment,
        plugins,
        release: None,
        rendered: BTreeMap::new(),
        preface: String::new(),
    };
    let again = Again::new(global).instances(&args.instance).part(&args.part);
    let asking = AskingArgs { yes: args.yes, approve: false };
    execute(&context, &store, ready, OthersArgs::default(), asking, false, again)
}

/// Finds a recorded instance by its name.
fn recorded(text: &str, state: &ApplicationState) -> Result<InstanceId> {
    state.instances.keys().find(|id| id.to_string() == text).cloned().ok_or_else(|| {
        let names: Vec<String> = state.instances.keys().map(InstanceId::to_string).collect();
        let hint = match launchway_model::closest(text, names.iter().map(String::as_str)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "`launchway status` shows what is recorded; instances are named COMPONENT@TARGET".to_owned(),
        };
        CliError::usage("not-recorded", format!("no instance `{text}` is recorded")).hint(hint)
    })
}
