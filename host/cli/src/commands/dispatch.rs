use super::{
    adopt, completions, deploy, forget, graph, init, plan, plugin, restart, rollback, runs, schema, show, status,
    targets, task, undeploy, validate,
};
use crate::args::{Cli, Command};
use crate::console::Console;
use crate::error::Result;
use crate::exit::Exit;

/// Carries out what the arguments ask for.
pub(crate) fn run(cli: &Cli, console: Console) -> Result<Exit> {
    let global = &cli.global;
    match &cli.command {
        Command::Init(args) => init::run(global, console, args),
        Command::Validate(args) => validate::run(global, console, args),
        Command::Plan(args) => plan::run(global, console, args),
        Command::Targets => targets::run(global, console),
        Command::Deploy(args) => deploy::run(global, console, args),
        Command::Status(args) => status::run(global, console, args),
        Command::Rollback(args) => rollback::run(global, console, args),
        Command::Undeploy(args) => undeploy::run(global, console, args),
        Command::Adopt(args) => adopt::run(global, console, args),
        Command::Forget(args) => forget::run(global, console, args),
        Command::Restart(args) => restart::run(global, console, args),
        Command::Task(args) => task::run(global, console, args),
        Command::Runs(args) => runs::run(global, console, args),
        Command::Show(args) => show::run(global, console, args),
        Command::Graph(args) => graph::run(global, console, args),
        Command::Schema(args) => schema::run(global, console, args),
        Command::Completions(args) => completions::run(console, args),
        Command::Plugin(command) => plugin::run(global, console, command),
    }
}
