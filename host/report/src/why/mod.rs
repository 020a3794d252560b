//! Why an instance is touched, and why its steps come when they do: one fold over a plan.

mod asked;
mod causes;
mod explain;
mod order;
mod text;

pub use asked::UnknownName;
pub(crate) use asked::{Names, suggestion};
pub use explain::{LastChange, Why, why};
pub(crate) use order::{change_of, slot};
pub use text::{why_json, why_text};
