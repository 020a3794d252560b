//! The pure function from a desired release and a recorded state to a plan.
//!
//! Ordered passes, a file or a folder each: expand, diff, ask the plugins, order, reduce, lint. Owns no state and does
//! no I/O; plugins, files and secrets are behind the traits of [`inputs`].
//! Not for: reading projects, or running plans.

mod alone;
mod ask;
mod check;
mod claims;
mod desired;
mod diff;
mod edges;
mod error;
mod expand;
pub mod inputs;
mod kinds;
mod lint;
mod moves;
mod order;
mod parting;
mod paths;
mod plan;
mod records;
mod restore;
mod restrict;
mod suggest;

pub use check::{CheckInput, check};
pub use desired::{Desired, Names, Ways, target_specs};
pub use error::{PlanError, WriterInTree};
pub use expand::{DictionaryFiles, ExpandInput, Expanded, LastTargets, expand};
pub use lint::{Fault, lint};
pub use plan::{PlanInput, Planned, plan, plan_digest};
pub use records::{Adoptable, RecordsInput, adopt, adoptable, forget, forgettable};
pub use restore::{RestoreError, Restored, Since, restore};
pub use restrict::{Restriction, RestrictionError};
