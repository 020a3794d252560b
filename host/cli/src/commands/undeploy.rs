use super::deploy::execute;
use crate::args::{Global, UndeployArgs};
use crate::console::Console;
use crate::context::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::planning::{Wish, make};

/// Removes the application from the environment.
pub(super) fn run(global: &Global, console: Console, args: &UndeployArgs) -> Result<Exit> {
    let mut context = Context::open(global, console)?;
    let store = context.store()?;
    let ready = make(&mut context, Wish::Nothing, &args.part, Some(&store), true, None)?;
    execute(&context, &store, ready, args.yes, false)
}
