//! What a run is started with, beside its plan.

use std::collections::HashMap;

use launchway_model::{ChangeIndex, Digest, Holder, RunId, StepKey};

/// How a plan is run.
#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    pub run: RunIdentity,
    pub limits: Limits,
    pub on_failure: OnFailure,
    /// How many milliseconds steps took before; what is missing counts as [`Options::UNKNOWN_DURATION`].
    ///
    /// Only the order in which ready steps start depends on it.
    pub durations: HashMap<StepKey, u64>,
    /// Other runs are at work in the store already; if not, [`Input::Joined`](crate::Input::Joined) tells of the first.
    pub shared: bool,
    /// What was found to differ before the run, by change.
    pub drift: Vec<(ChangeIndex, Vec<String>)>,
}

impl Options {
    /// What a step without history is taken to need, in milliseconds.
    pub const UNKNOWN_DURATION: u64 = 1000;

    /// Returns the options for a run with the default limits and no history.
    pub fn new(run: RunIdentity) -> Self {
        Self {
            run,
            limits: Limits::default(),
            on_failure: OnFailure::default(),
            durations: HashMap::new(),
            shared: false,
            drift: Vec::new(),
        }
    }
}

/// What the first event says of the run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunIdentity {
    pub run: RunId,
    pub plan: Digest,
    pub fence: u64,
    pub holder: Holder,
}

/// How many steps may run at once. Zero is taken as one: a run always gets on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// In all.
    pub global: usize,
    /// On one target, unless its `max_steps` says otherwise.
    pub per_target: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { global: 256, per_target: 4 }
    }
}

/// What happens once a step failed. Steps under way go on to their end in any case.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum OnFailure {
    /// Nothing new starts.
    #[default]
    Stop,
    /// Only what depends on the failed step is left out.
    Continue,
}
