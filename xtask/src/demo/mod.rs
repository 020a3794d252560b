//! The demo: `examples/shop` on three hosts, from nothing to undeployed. It ends well only if every claim it makes holds.

mod claims;
mod script;
mod stage;

pub(crate) use script::run;
