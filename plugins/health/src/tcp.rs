//! `health/tcp`: something takes connections.

use launchway_sdk::{Context, Failure, Kind, Outcome, Patience, Problem, Proposal, Report, RunRule, Step, Try, Usage};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::Deserialize;

use crate::http::Side;

pub(crate) struct TcpCheck;

#[derive(Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct Properties {
    /// The host name or address to connect to, such as `${target.address}`.
    address: String,
    /// The port.
    #[cfg_attr(not(target_family = "wasm"), schemars(range(min = 1, max = 65535)))]
    port: u16,
    /// From where to connect: from the machine that runs Launchway, or from the target's network.
    #[serde(default)]
    from: Side,
    #[serde(flatten)]
    patience: Patience,
}

impl Kind for TcpCheck {
    type Properties = Properties;
    type Payload = Properties;

    const SUMMARY: &'static str = "Checks that a TCP port takes connections.";
    const USAGE: Usage = Usage::Action;
    const RUN: RunRule = RunRule::WithNeeds;

    fn validate(properties: &Properties) -> Vec<Problem> {
        let mut problems = properties.patience.problems();
        let address = &properties.address;
        if address.is_empty() || address.starts_with('-') || address.chars().any(|c| c.is_control() || c == ' ') {
            problems.push(Problem::new("/address", "this is no host name or address"));
        }
        problems
    }

    fn plan(proposal: &Proposal<'_, Properties>) -> Result<Vec<Step>, Vec<Problem>> {
        let properties = &proposal.instance().properties;
        let Properties { address, port, .. } = properties;
        let summary = format!("Check that {address} takes connections at port {port}");
        Ok(properties.patience.step(proposal, summary))
    }

    fn apply(context: &Context<'_>, check: Properties) -> Result<Outcome, Failure> {
        check.patience.first(context, || check.connect(context))
    }

    fn poll(context: &Context<'_>, check: Properties, token: &str) -> Result<Outcome, Failure> {
        check.patience.next(context, token, || check.connect(context))
    }
}

impl Properties {
    fn connect(&self, context: &Context<'_>) -> Try {
        context.connect(&self.address, self.port, self.patience.timeout().duration(), self.from.vantage())?;
        Ok(Report::new(format!("{}:{} takes connections", self.address, self.port)))
    }
}
