//! An application behind a real HAProxy, requests to it, and what became of them.

mod fleet;
mod load;
mod proxy;

pub(crate) use fleet::{Fleet, Release};
pub(crate) use load::Answers;
pub(crate) use proxy::Checks;
