//! Tests plugins without a host.
//!
//! A case is a file, `cases/KIND/CASE.yaml` beside the plugin's manifest: what is proposed, the steps that must come
//! out, and if it says so how they run, against a script of calls and answers or for real against a shell and a folder
//! of its own. [`plugin_contract!`] runs all of a plugin's cases, and checks what every plugin has to keep.
//! Owns no state but those folders. It is not for tests of the host.

mod case;
mod contract;
mod run;
mod scripted;
mod shell;

pub use case::{Case, load_cases};
pub use contract::{check_cases, check_description, check_schemas_are_current, check_schemas_are_valid};
pub use run::act;
