use super::deploy::{execute, unchanged};
use crate::args::{Global, UndeployArgs};
use crate::console::Console;
use crate::context::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::next_steps::Again;
use crate::planning::{Wish, make};

/// Removes the application from the environment.
pub(super) fn run(global: &Global, console: Console, args: &UndeployArgs) -> Result<Exit> {
    let mut context = Context::open(global, console)?;
    let store = context.store_if_any()?;
    let ready = make(&mut context, Wish::Nothing, &args.part, store.as_ref(), store.is_some(), None)?;
    let again = Again::new(global).part(&args.part).others(args.others);
    match store {
        Some(store) => execute(&context, &store, ready, args.others, args.asking, false, again),
        // Nothing was ever deployed from here, so nothing is what there is to remove.
        None => unchanged(&context, &ready),
    }
}
