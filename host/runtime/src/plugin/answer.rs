//! What guests answer, checked: nothing a guest says is believed unseen.

use std::collections::HashSet;
use std::sync::Arc;

use launchway_model::{
    Capability, Failure, Fault, KindInfo, KindRef, OnRollback, Phase, PlannedStep, PluginInfo, PluginName, Problem,
    ResourceResult, ResourceStatus, RunRule, StepReport, Usage,
};
use serde_json::Value;

use super::admission::CAPABILITIES;
use super::bindings::{deployment, description, planning, types};
use super::text::{clean, line};
use super::{Outcome, Verdict};

/// The steps for a proposal, or why it can't be.
pub(crate) type PlanAnswer = Result<Vec<PlannedStep>, Vec<Problem>>;

const KINDS: usize = 200;
const STEPS: usize = 256;
const PROBLEMS: usize = 256;
const LOCKS: usize = 32;
const RESOURCES: usize = 10_000;
/// Of a name, in bytes.
const NAME: usize = 200;
/// Of a text for people, in bytes.
const TEXT: usize = 8 << 10;
/// Of what tools said, in bytes.
const DETAIL: usize = 64 << 10;
/// Of a payload or token, in bytes.
const OPAQUE: usize = 1 << 20;
/// The shortest wait, in milliseconds: a guest can't make the host spin.
const AFTER: u64 = 10;

/// Checks what a plugin says of itself.
pub(crate) fn info(expected: &PluginName, info: description::Info) -> Result<PluginInfo, String> {
    if info.name != expected.as_str() {
        let name = line(&info.name, NAME);
        return Err(format!("it calls itself `{name}`, and the project calls it `{expected}`"));
    }
    if info.kinds.is_empty() || info.kinds.len() > KINDS {
        return Err(format!("it has {} kinds; between 1 and {KINDS} are allowed", info.kinds.len()));
    }
    let mut names = HashSet::new();
    let mut kinds = Vec::with_capacity(info.kinds.len());
    for guest in info.kinds {
        let kind = kind(expected, guest)?;
        if !names.insert(kind.name.clone()) {
            return Err(format!("it has two kinds `{}`", kind.name));
        }
        kinds.push(kind);
    }
    let mut capabilities = Vec::with_capacity(info.capabilities.len().min(CAPABILITIES.len()));
    for capability in info.capabilities {
        if !CAPABILITIES.contains(&capability.name.as_str()) {
            return Err(format!("it names the unknown capability `{}`", line(&capability.name, NAME)));
        }
        capabilities.push(Capability { name: capability.name, reason: line(&capability.reason, TEXT) });
    }
    Ok(PluginInfo {
        name: expected.clone(),
        version: line(&info.version, NAME),
        summary: line(&info.summary, TEXT),
        kinds,
        capabilities,
    })
}

fn kind(plugin: &PluginName, kind: description::Kind) -> Result<KindInfo, String> {
    let shown = line(&kind.name, NAME);
    let reference: KindRef = format!("{plugin}/{}", kind.name)
        .parse()
        .map_err(|error| format!("its kind `{shown}` is misnamed: {error}"))?;
    let schema: Value =
        serde_json::from_str(&kind.schema).map_err(|error| format!("the schema of `{shown}` is no JSON: {error}"))?;
    if !schema.is_object() {
        return Err(format!("the schema of `{shown}` is no JSON object"));
    }
    Ok(KindInfo {
        name: reference.kind,
        usage: match kind.usage {
            description::Usage::Component => Usage::Component,
            description::Usage::Action => Usage::Action,
            description::Usage::Both => Usage::Both,
        },
        summary: line(&kind.summary, TEXT),
        schema,
        run: match kind.run {
            description::RunRule::Changed => RunRule::Changed,
            description::RunRule::WithNeeds => RunRule::WithNeeds,
            description::RunRule::Always => RunRule::Always,
        },
        on_rollback: match kind.on_rollback {
            description::RollbackRule::Keep => OnRollback::Keep,
            description::RollbackRule::Run => OnRollback::Run,
            description::RollbackRule::Refuse => OnRollback::Refuse,
        },
    })
}

pub(crate) fn problems(problems: Vec<types::Problem>) -> Vec<Problem> {
    problems
        .into_iter()
        .take(PROBLEMS)
        .map(|problem| Problem {
            at: line(&problem.at, TEXT),
            on_key: false,
            message: clean(&problem.message, TEXT).into_owned(),
            hint: problem.hint.map(|hint| clean(&hint, TEXT).into_owned()),
        })
        .collect()
}

/// The properties that a proposal is about, as the host has them and as the guest got them.
pub(crate) struct Asked<'a> {
    pub(crate) properties: &'a Arc<Value>,
    pub(crate) text: &'a str,
}

/// Checks the answers to a batch of proposals.
pub(crate) fn plans(
    asked: &[Asked<'_>],
    answers: Vec<Result<Vec<planning::Step>, Vec<types::Problem>>>,
) -> Result<Vec<PlanAnswer>, String> {
    if answers.len() != asked.len() {
        return Err(format!("it gave {} answers to {} proposals", answers.len(), asked.len()));
    }
    asked
        .iter()
        .zip(answers)
        .map(|(asked, answer)| match answer {
            Ok(guest) => Ok(Ok(steps(asked, guest)?)),
            Err(found) if found.is_empty() => Err("it refuses without saying why".to_owned()),
            Err(found) => Ok(Err(problems(found))),
        })
        .collect()
}

fn steps(asked: &Asked<'_>, steps: Vec<planning::Step>) -> Result<Vec<PlannedStep>, String> {
    if steps.len() > STEPS {
        return Err(format!("it planned {} steps for one instance, and {STEPS} are allowed", steps.len()));
    }
    let mut names: HashSet<Arc<str>> = HashSet::with_capacity(steps.len());
    steps
        .into_iter()
        .map(|guest| {
            let step = step(asked, guest)?;
            if !names.insert(step.name.clone()) {
                return Err(format!("it planned two steps `{}`", step.name));
            }
            Ok(step)
        })
        .collect()
}

fn step(asked: &Asked<'_>, step: planning::Step) -> Result<PlannedStep, String> {
    let shown = line(&step.name, NAME);
    let misnamed = step.name.is_empty()
        || step.name.len() > NAME
        || step.name.contains('/')
        || step.name.trim() != step.name
        || step.name.chars().any(char::is_control);
    if misnamed {
        return Err(format!("the step name `{shown}` is not acceptable"));
    }
    if step.payload.len() > OPAQUE {
        return Err(format!(
            "the payload of step `{shown}` has {} bytes, and {OPAQUE} are allowed",
            step.payload.len()
        ));
    }
    let payload = if step.payload == asked.text {
        asked.properties.clone()
    } else {
        let payload = serde_json::from_str(&step.payload);
        Arc::new(payload.map_err(|error| format!("the payload of step `{shown}` is no JSON: {error}"))?)
    };
    if step.locks.len() > LOCKS || step.locks.iter().any(|lock| lock.is_empty() || lock.len() > NAME) {
        return Err(format!("the locks of step `{shown}` are not acceptable"));
    }
    Ok(PlannedStep {
        name: step.name.into(),
        phase: match step.phase {
            types::Phase::Stage => Phase::Stage,
            types::Phase::Stop => Phase::Stop,
            types::Phase::Remove => Phase::Remove,
            types::Phase::Install => Phase::Install,
            types::Phase::Start => Phase::Start,
            types::Phase::Verify => Phase::Verify,
            types::Phase::Finish => Phase::Finish,
        },
        summary: line(&step.summary, TEXT),
        payload,
        idempotent: step.idempotent,
        locks: step.locks.iter().map(|lock| line(lock, NAME)).collect(),
        timeout_ms: step.timeout_ms,
    })
}

pub(crate) fn outcome(outcome: deployment::Outcome) -> Result<Outcome, String> {
    Ok(match outcome {
        deployment::Outcome::Changed(guest) => Outcome::Changed(report(guest)?),
        deployment::Outcome::Unchanged(guest) => Outcome::Unchanged(report(guest)?),
        deployment::Outcome::RebootNeeded(guest) => Outcome::RebootNeeded(report(guest)?),
        deployment::Outcome::NotRun(why) => Outcome::NotRun(clean(&why, TEXT).into_owned()),
        deployment::Outcome::Pending(wait) => {
            if wait.token.len() > OPAQUE {
                return Err(format!("its token has {} bytes, and {OPAQUE} are allowed", wait.token.len()));
            }
            let message = line(&wait.message, TEXT);
            Outcome::Pending { token: wait.token, after_ms: wait.after_ms.max(AFTER), message }
        }
    })
}

pub(crate) fn report(report: deployment::Report) -> Result<StepReport, String> {
    if report.resources.len() > RESOURCES {
        let count = report.resources.len();
        return Err(format!("it reported {count} resources, and {RESOURCES} are allowed"));
    }
    let resources = report.resources.into_iter().map(|resource| ResourceResult {
        name: line(&resource.name, TEXT),
        status: match resource.status {
            deployment::ResourceStatus::Unchanged => ResourceStatus::Unchanged,
            deployment::ResourceStatus::Changed => ResourceStatus::Changed,
            deployment::ResourceStatus::Failed => ResourceStatus::Failed,
            deployment::ResourceStatus::Skipped => ResourceStatus::Skipped,
        },
        message: resource.message.map(|message| clean(&message, TEXT).into_owned()),
    });
    Ok(StepReport { summary: line(&report.summary, TEXT), resources: resources.collect() })
}

pub(crate) fn verdict(verdict: deployment::Verdict) -> Verdict {
    match verdict {
        deployment::Verdict::Done => Verdict::Done,
        deployment::Verdict::SafeToRerun => Verdict::SafeToRerun,
        deployment::Verdict::CannotTell(why) => Verdict::CannotTell(clean(&why, TEXT).into_owned()),
    }
}

/// Takes over a failure. Where the guest passes on what an effect failed with, the effect's hint comes along.
pub(crate) fn failure(failure: types::Failure, last: Option<Failure>) -> Failure {
    let passed_on = last.filter(|last| failure.message.contains(&last.message));
    let message = line(&failure.message, TEXT);
    Failure {
        fault: match failure.fault {
            types::Fault::Configuration => Fault::Configuration,
            types::Fault::Target => Fault::Target,
            types::Fault::Tool => Fault::Tool,
            types::Fault::Network => Fault::Network,
            types::Fault::Plugin => Fault::Plugin,
        },
        message: if message.trim().is_empty() { "the plugin does not say why".to_owned() } else { message },
        detail: failure.detail.map(|detail| clean(&detail, DETAIL).into_owned()),
        hint: passed_on.and_then(|last| last.hint),
        retryable: failure.retryable,
    }
}
