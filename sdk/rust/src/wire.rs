//! The contract's own types, under one roof: what crosses the boundary of a component.

pub use crate::bindings::exports::launchway::plugin::deployment::{
    Outcome, Report, ResourceResult, ResourceStatus, Verdict, Wait,
};
pub use crate::bindings::exports::launchway::plugin::description::{
    Capability, Info, Kind as KindInfo, RollbackRule, RunRule, Usage,
};
pub use crate::bindings::exports::launchway::plugin::planning::{Cause, Change, Proposal, Step, Subscription, Update};
pub use crate::bindings::launchway::plugin::log::Level;
pub use crate::bindings::launchway::plugin::target::{Exit, FileOptions, FileType, Output, Status, Written};
pub use crate::bindings::launchway::plugin::types::{Artifact, Failure, Fault, Instance, Phase, Problem, Vantage};

impl Report {
    /// Returns a report without resources.
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), resources: Vec::new() }
    }
}

impl Outcome {
    /// Says whether the step changed something, and how things are now.
    pub fn of(changed: bool, summary: impl Into<String>) -> Self {
        let report = Report::new(summary);
        if changed { Self::Changed(report) } else { Self::Unchanged(report) }
    }

    /// Says that the step changed something.
    pub fn changed_with(summary: impl Into<String>) -> Self {
        Self::Changed(Report::new(summary))
    }

    /// Says that everything was in place already.
    pub fn unchanged_with(summary: impl Into<String>) -> Self {
        Self::Unchanged(Report::new(summary))
    }
}

impl Problem {
    /// Returns a problem at a JSON Pointer into the properties.
    pub fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at: at.into(), message: message.into(), hint: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
