//! A plugin whose steps say one line and do nothing: what the machinery itself costs.

wit_bindgen::generate!({ path: "../../../wit/0.1", world: "launchway:plugin/deployer" });

use exports::launchway::plugin::deployment::{self, Outcome, Report, Verdict};
use exports::launchway::plugin::description::{self, Info, Kind, RollbackRule, RunRule, Usage};
use exports::launchway::plugin::planning::{self, Proposal, Step};
use launchway::plugin::log::{self, Level};
use launchway::plugin::types::{Failure, Instance, Phase, Problem};

struct Idle;

export!(Idle);

impl description::Guest for Idle {
    fn describe() -> Info {
        let kind = Kind {
            name: "nothing".to_owned(),
            usage: Usage::Component,
            summary: "Does nothing".to_owned(),
            schema: r#"{"type":"object"}"#.to_owned(),
            run: RunRule::Changed,
            on_rollback: RollbackRule::Run,
        };
        Info {
            name: "idle".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Does nothing".to_owned(),
            kinds: vec![kind],
            capabilities: Vec::new(),
        }
    }
}

impl planning::Guest for Idle {
    fn validate(_kind: String, _properties: String) -> Vec<Problem> {
        Vec::new()
    }

    fn plan(proposals: Vec<Proposal>) -> Vec<Result<Vec<Step>, Vec<Problem>>> {
        let step = || Step {
            name: "nothing".to_owned(),
            phase: Phase::Start,
            summary: "Do nothing".to_owned(),
            payload: "null".to_owned(),
            idempotent: true,
            locks: Vec::new(),
            timeout_ms: None,
        };
        proposals.iter().map(|_| Ok(vec![step()])).collect()
    }
}

impl deployment::Guest for Idle {
    fn apply(_instance: Instance, _step: Step) -> Result<Outcome, Failure> {
        log::emit(Level::Debug, "nothing was done");
        Ok(Outcome::Changed(report()))
    }

    fn poll(_instance: Instance, _step: Step, _token: String) -> Result<Outcome, Failure> {
        Ok(Outcome::Changed(report()))
    }

    fn probe(_instance: Instance, _step: Step) -> Result<Verdict, Failure> {
        Ok(Verdict::Done)
    }

    fn inspect(_instance: Instance) -> Result<Report, Failure> {
        Ok(report())
    }
}

fn report() -> Report {
    Report { summary: "nothing".to_owned(), resources: Vec::new() }
}
