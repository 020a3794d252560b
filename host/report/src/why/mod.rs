//! Why an instance is touched, and why its steps come when they do: one fold over a plan.

mod asked;
mod causes;
mod explain;
mod order;
mod text;

pub use asked::UnknownName;
pub use explain::{LastChange, Why, why};
pub use text::{why_json, why_text};
