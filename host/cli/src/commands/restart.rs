use super::deploy::{execute, unchanged};
use crate::args::{Global, OthersArgs, PartArgs, RestartArgs};
use crate::console::Console;
use crate::context::Context;
use crate::error::Result;
use crate::exit::Exit;
use crate::next_steps::Again;
use crate::planning::{Wish, make};

/// Restarts what is deployed and can be restarted.
pub(super) fn run(global: &Global, console: Console, args: &RestartArgs) -> Result<Exit> {
    let mut context = Context::open(global, console)?;
    let store = context.store_if_any()?;
    let part = PartArgs { component: args.component.clone(), target: args.target.clone() };
    let ready = make(&mut context, Wish::Restart, &part, store.as_ref(), store.is_some(), None)?;
    let again = Again::new(global).restart(&part);
    match store {
        Some(store) => execute(&context, &store, ready, OthersArgs::default(), args.asking, false, again),
        None => unchanged(&context, &ready),
    }
}
