//! A plugin whose steps say one line and do nothing: what the machinery itself costs.
//!
//! It is made with the kit, as plugins are: what a call costs depends on how the guest uses its memory.

use launchway_sdk::{Change, Context, Failure, Kind, Outcome, Phase, Problem, Proposal, Report, Step, Usage};
use serde::Deserialize;

struct Nothing;

#[derive(Deserialize)]
struct Properties {
    /// Anything.
    #[serde(rename = "input")]
    _input: Option<String>,
}

impl Kind for Nothing {
    type Properties = Properties;
    type Payload = ();

    const SUMMARY: &'static str = "Does nothing.";
    const USAGE: Usage = Usage::Component;

    fn plan(proposal: &Proposal<'_, Properties>) -> Result<Vec<Step>, Vec<Problem>> {
        let phase = if let Change::Delete(_) = proposal.change { Phase::Remove } else { Phase::Start };
        Ok(vec![Step::new(phase, "nothing", "Do nothing", &())])
    }

    fn apply(context: &Context<'_>, (): ()) -> Result<Outcome, Failure> {
        context.info("nothing was done");
        Ok(Outcome::Changed(Report::new("nothing")))
    }
}

launchway_sdk::plugin! {
    name: "idle",
    summary: "Does nothing.",
    capabilities: [],
    kinds: { "nothing" => Nothing },
}
