//! An application behind a real HAProxy, requests to it, and what became of them.

mod fleet;
mod load;
mod proxy;

pub(crate) use fleet::{Fleet, Release, free};
pub(crate) use load::{Answers, Load};
pub(crate) use proxy::Checks;
