//! What a plugin's author implements.

use serde::de::DeserializeOwned;

use crate::{Context, Failure, Outcome, Problem, Proposal, Report, RollbackRule, RunRule, Step, Usage, Verdict};

/// Properties can be described, where schemas are made at all.
#[cfg(not(target_family = "wasm"))]
pub trait Described: schemars::JsonSchema {}
#[cfg(not(target_family = "wasm"))]
impl<T: schemars::JsonSchema> Described for T {}
#[cfg(target_family = "wasm")]
pub trait Described {}
#[cfg(target_family = "wasm")]
impl<T> Described for T {}

/// A component or action kind.
///
/// `validate` and `plan` are pure: the host gives them nothing to act with. The other functions run one step.
pub trait Kind {
    /// What stands under `with:`. The host has checked it against the schema.
    type Properties: DeserializeOwned + Described;
    /// What a step needs to know, handed back when it runs; part of the plan, so no secrets but handles. Often the
    /// properties themselves ([`Step::of`]): steps are told apart by their names.
    type Payload: DeserializeOwned;

    /// One line for people.
    const SUMMARY: &'static str;
    const USAGE: Usage;
    /// For an action used as a component: when it runs again.
    const RUN: RunRule = RunRule::Changed;
    const ON_ROLLBACK: RollbackRule = RollbackRule::Run;

    /// Returns what is wrong beyond the schema.
    fn validate(_properties: &Self::Properties) -> Vec<Problem> {
        Vec::new()
    }

    /// Returns the steps of a change.
    fn plan(proposal: &Proposal<'_, Self::Properties>) -> Result<Vec<Step>, Vec<Problem>>;

    /// Carries a step out.
    fn apply(context: &Context<'_>, payload: Self::Payload) -> Result<Outcome, Failure>;

    /// Asks again after [`Outcome::Pending`].
    fn poll(_context: &Context<'_>, _payload: Self::Payload, _token: &str) -> Result<Outcome, Failure> {
        Err(Failure::plugin("this step never waits"))
    }

    /// After a crash: did the step happen?
    fn probe(context: &Context<'_>, _payload: Self::Payload) -> Result<Verdict, Failure> {
        Ok(if context.is_idempotent() {
            Verdict::SafeToRerun
        } else {
            Verdict::CannotTell("nothing on the target tells whether it ran".to_owned())
        })
    }

    /// Compares what is there with the instance, resource by resource: `Unchanged` is as it should be, `Changed` differs,
    /// `Failed` is missing, `Skipped` can't be compared. Without resources nothing can be told.
    fn inspect(_context: &Context<'_>, _properties: Self::Properties) -> Result<Report, Failure> {
        Ok(Report::new("nothing to compare"))
    }
}
