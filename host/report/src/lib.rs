//! Everything people and scripts see, as folds over the model: diagnostics, plans, states, runs and live progress.
//!
//! Owns what the folds have gathered so far, and nothing else: it reads no files, no clock and no terminal; widths,
//! colours and times are handed in.
//! Not for: deciding what is shown when (`launchway-cli`).

mod diagnostics;
mod diff;
mod drift;
mod events;
mod failures;
mod graph;
mod graph_part;
mod json;
mod live;
mod plain;
mod plan_json;
mod plan_view;
mod progress;
mod run_view;
mod sanitise;
mod status;
mod style;
mod table;
mod targets;
mod why;

pub use diagnostics::{DiagnosticJson, diagnostics_json, diagnostics_text};
pub use diff::{Difference, differences};
pub use drift::{DriftSummary, Finding, Found, drift_text};
pub use events::Events;
pub use failures::{FailedStep, Failures, failures_text};
pub use graph::{dot, mermaid};
pub use graph_part::GraphPart;
pub use json::{SCHEMA, document, line};
pub use live::Live;
pub use plain::Plain;
pub use plan_json::plan_json;
pub use plan_view::{BlobReader, PlanViewOptions, plan_text, summary_line};
pub use progress::{Progress, gate_message};
pub use run_view::{LogPiece, RunRow, RunView, run_json, run_text, runs_json, runs_text};
pub use sanitise::{Cleaner, inline, sanitise};
pub use status::{LastRun, applications_text, is_complete, status_json, status_text};
pub use style::{Paint, duration, shell_quote, time};
pub use targets::{TargetRow, targets_json, targets_text};
pub use why::{LastChange, UnknownName, Why, why, why_json, why_text};
