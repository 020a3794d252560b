//! A plugin that misbehaves in every way it is asked for.
//!
//! `validate`, `plan` and the acting calls look for `"do": "…"` in the properties. `describe`, the initialiser and the
//! allocator have nobody to ask: they look at marks that a test writes into the compiled module.

mod allocator;
mod deeds;
mod marks;

wit_bindgen::generate!({ path: "../../../wit/0.1", world: "launchway:plugin/deployer" });

use exports::launchway::plugin::deployment::{self, Outcome, Report, ResourceResult, ResourceStatus, Verdict, Wait};
use exports::launchway::plugin::description::{self, Capability, Info, Kind, RollbackRule, RunRule, Usage};
use exports::launchway::plugin::planning::{self, Change, Proposal, Step};
use launchway::plugin::types::{Failure, Fault, Instance, Phase, Problem};

struct Hostile;

export!(Hostile);

/// Runs before any call, as far as WebAssembly goes.
#[unsafe(export_name = "_initialize")]
extern "C" fn initialize() {
    match marks::start() {
        "quiet" => {}
        deed => deeds::run(deed),
    }
}

impl description::Guest for Hostile {
    fn describe() -> Info {
        allocator::call_has_begun();
        panic_to_log();
        let mut info = Info {
            name: "hostile".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Misbehaves".to_owned(),
            kinds: vec![kind("any", r#"{"type":"object"}"#)],
            capabilities: ["target", "secrets", "http", "net"].map(capability).into(),
        };
        match marks::describe() {
            "good" => {}
            "name" => info.name = "friendly".to_owned(),
            "schema" => info.kinds = vec![kind("any", "no schema")],
            "list" => info.kinds = vec![kind("any", "[]")],
            "none" => info.kinds.clear(),
            "twice" => info.kinds.push(kind("any", "{}")),
            "slash" => info.kinds = vec![kind("a/b", "{}")],
            "power" => info.capabilities.push(capability("power")),
            "modest" => info.capabilities.clear(),
            deed => deeds::run(deed),
        }
        info
    }
}

impl planning::Guest for Hostile {
    fn validate(_kind: String, properties: String) -> Vec<Problem> {
        panic_to_log();
        match wish(&properties) {
            "problem" => vec![problem("\u{1b}[31mno")],
            "problems" => (0..100_000).map(|_| problem("no")).collect(),
            deed => {
                deeds::run(deed);
                Vec::new()
            }
        }
    }

    fn plan(proposals: Vec<Proposal>) -> Vec<Result<Vec<Step>, Vec<Problem>>> {
        panic_to_log();
        let mut answers: Vec<_> = proposals.iter().map(answer).collect();
        match proposals.first().map(|proposal| wish(&subject(proposal).properties)) {
            Some("fewer") => drop(answers.pop()),
            Some("more") => answers.push(Ok(Vec::new())),
            _ => {}
        }
        answers
    }
}

impl deployment::Guest for Hostile {
    fn apply(instance: Instance, step: Step) -> Result<Outcome, Failure> {
        panic_to_log();
        match wish(&instance.properties) {
            "pending" => Ok(Outcome::Pending(Wait {
                token: format!("token of {}", step.name),
                after_ms: 0,
                message: "\u{1b}[2Jnot\nyet".to_owned(),
            })),
            "token" => Ok(Outcome::Pending(Wait { token: "t".repeat(2 << 20), after_ms: 1, message: String::new() })),
            "resources" => Ok(Outcome::Changed(report(20_000))),
            "pass-on" => deeds::try_exec().map(|()| Outcome::Unchanged(report(0))),
            "stranger" => deeds::open("stranger").map(|()| Outcome::Unchanged(report(0))),
            "forge" => deeds::put_artifact("../../etc/shadow").map(|()| Outcome::Unchanged(report(0))),
            "no-program" => deeds::exec_nothing().map(|()| Outcome::Unchanged(report(0))),
            deed => {
                deeds::run(deed);
                Ok(Outcome::Changed(report(1)))
            }
        }
    }

    fn poll(_instance: Instance, _step: Step, token: String) -> Result<Outcome, Failure> {
        Ok(Outcome::Changed(Report { summary: token, resources: Vec::new() }))
    }

    fn probe(instance: Instance, _step: Step) -> Result<Verdict, Failure> {
        panic_to_log();
        deeds::run(wish(&instance.properties));
        Ok(Verdict::SafeToRerun)
    }

    fn inspect(instance: Instance) -> Result<Report, Failure> {
        panic_to_log();
        deeds::run(wish(&instance.properties));
        Ok(report(0))
    }
}

fn answer(proposal: &Proposal) -> Result<Vec<Step>, Vec<Problem>> {
    let wish = wish(&subject(proposal).properties);
    match wish {
        "bad-json" => Ok(vec![step("one", "{")]),
        "twice" => Ok(vec![step("one", "{}"), step("one", "{}")]),
        "slash" => Ok(vec![step("a/b", "{}")]),
        "empty-name" => Ok(vec![step("", "{}")]),
        "escape-name" => Ok(vec![step("\u{1b}[31m", "{}")]),
        "many" => Ok((0..10_000).map(|i| step(&i.to_string(), "{}")).collect()),
        "huge" => Ok(vec![step("one", &format!("\"{}\"", "x".repeat(2 << 20)))]),
        "huger" => Ok((0..200).map(|i| step(&i.to_string(), &format!("\"{}\"", "x".repeat(400 << 10)))).collect()),
        "silent" => Err(Vec::new()),
        "refuse" => Err(vec![problem("no")]),
        "fewer" | "more" => Ok(Vec::new()),
        deed => {
            deeds::run(deed);
            Ok(vec![step("one", "{\"kept\": [1, 2]}")])
        }
    }
}

fn subject(proposal: &Proposal) -> &Instance {
    match &proposal.change {
        Change::Create(instance) | Change::Delete(instance) | Change::Refresh(instance) | Change::Act(instance) => {
            instance
        }
        Change::Update(update) => &update.desired,
    }
}

/// Returns what stands at `"do"`; tests write it without blanks.
fn wish(properties: &str) -> &str {
    let after = properties.split_once("\"do\":\"").map_or("nothing", |(_, after)| after);
    after.split_once('"').map_or(after, |(wish, _)| wish)
}

fn step(name: &str, payload: &str) -> Step {
    Step {
        name: name.to_owned(),
        phase: Phase::Install,
        summary: "Misbehave".to_owned(),
        payload: payload.to_owned(),
        idempotent: true,
        locks: Vec::new(),
        timeout_ms: None,
    }
}

fn problem(message: &str) -> Problem {
    Problem { at: "/do".to_owned(), message: message.to_owned(), hint: None }
}

fn report(resources: usize) -> Report {
    let resource =
        |i: usize| ResourceResult { name: format!("resource {i}"), status: ResourceStatus::Changed, message: None };
    Report { summary: "did it".to_owned(), resources: (0..resources).map(resource).collect() }
}

fn kind(name: &str, schema: &str) -> Kind {
    Kind {
        name: name.to_owned(),
        usage: Usage::Both,
        summary: "Anything".to_owned(),
        schema: schema.to_owned(),
        run: RunRule::Changed,
        on_rollback: RollbackRule::Run,
    }
}

fn capability(name: &str) -> Capability {
    Capability { name: name.to_owned(), reason: "to misbehave".to_owned() }
}

fn failed(message: &str) -> Failure {
    Failure { fault: Fault::Tool, message: message.to_owned(), detail: None, retryable: false }
}

/// As the SDK does it: a panic's text is lost otherwise.
fn panic_to_log() {
    std::panic::set_hook(Box::new(|info| {
        launchway::plugin::log::emit(launchway::plugin::log::Level::Error, &info.to_string());
    }));
}
