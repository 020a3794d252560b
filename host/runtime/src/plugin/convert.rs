//! Between the model's words and the contract's. What guests answer is checked in `answer.rs`.

use launchway_model::{
    ApplicationName, Artifact, Cause, Change, Failure, Fault, InstanceSpec, Phase, PlannedStep, Proposal,
};

use super::CallInstance;
use super::bindings::{planning, target, types};
use crate::{CommandOutput, Exit, FileStatus, FileType, Vantage};

pub(crate) fn failure_to_guest(failure: &Failure) -> types::Failure {
    types::Failure {
        fault: match failure.fault {
            Fault::Configuration => types::Fault::Configuration,
            Fault::Target => types::Fault::Target,
            Fault::Tool => types::Fault::Tool,
            Fault::Network => types::Fault::Network,
            Fault::Plugin => types::Fault::Plugin,
        },
        message: failure.message.clone(),
        detail: failure.detail.clone(),
        retryable: failure.retryable,
    }
}

pub(crate) fn output_to_guest(output: CommandOutput) -> target::Output {
    target::Output {
        exit: match output.exit {
            Exit::Code(code) => target::Exit::Code(code),
            Exit::Signal(signal) => target::Exit::Signal(signal),
            Exit::TimedOut => target::Exit::TimedOut,
        },
        stdout: lossy(output.stdout),
        stderr: lossy(output.stderr),
    }
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

pub(crate) fn status_to_guest(status: FileStatus) -> target::Status {
    target::Status {
        file_type: match status.file_type {
            FileType::File => target::FileType::File,
            FileType::Directory => target::FileType::Directory,
            FileType::Link => target::FileType::Link,
            FileType::Other => target::FileType::Other,
        },
        digest: status.digest.map(|digest| digest.to_string()),
        size: status.size,
        mode: status.mode,
        owner: status.owner,
        group: status.group,
        link: status.link,
    }
}

pub(crate) fn vantage(from: types::Vantage) -> Vantage {
    match from {
        types::Vantage::Host => Vantage::Host,
        types::Vantage::Target => Vantage::Target,
    }
}

pub(crate) fn artifact_to_guest(artifact: &Artifact) -> types::Artifact {
    types::Artifact {
        name: artifact.name.to_string(),
        file_name: artifact.file_name.to_string(),
        digest: artifact.digest.to_string(),
        size: artifact.size,
    }
}

pub(crate) fn instance_to_guest(instance: &CallInstance) -> types::Instance {
    types::Instance {
        application: instance.application.as_str().to_owned(),
        version: instance.version.as_str().to_owned(),
        component: instance.id.component.as_str().to_owned(),
        target: instance.id.target.as_str().to_owned(),
        kind: instance.kind.kind.to_string(),
        properties: instance.properties.to_string(),
        artifacts: instance.artifacts.iter().map(artifact_to_guest).collect(),
    }
}

pub(crate) fn proposal_to_guest(application: &ApplicationName, proposal: &Proposal) -> planning::Proposal {
    let guest = |spec: &InstanceSpec| instance_to_guest(&CallInstance::of_instance(application, spec));
    let change = match &proposal.change {
        Change::Create(instance) => planning::Change::Create(guest(instance)),
        Change::Update { previous, desired } => {
            planning::Change::Update(planning::Update { previous: guest(previous), desired: guest(desired) })
        }
        Change::Delete(instance) => planning::Change::Delete(guest(instance)),
        Change::Refresh(instance) => planning::Change::Refresh(guest(instance)),
        Change::Act { instance, action } => {
            planning::Change::Act(instance_to_guest(&CallInstance::of_action(application, instance, action)))
        }
    };
    planning::Proposal { change, causes: proposal.causes.iter().filter_map(cause_to_guest).collect() }
}

/// Causes that say nothing beyond the change itself are the host's own.
fn cause_to_guest(cause: &Cause) -> Option<planning::Cause> {
    Some(match cause {
        Cause::Property(pointer) => planning::Cause::Property(pointer.clone()),
        Cause::Artifact(name) => planning::Cause::Artifact(name.clone()),
        Cause::Secret(name) => planning::Cause::Secret(name.as_str().to_owned()),
        Cause::Subscription { component, word } => planning::Cause::Subscription(planning::Subscription {
            component: component.as_str().to_owned(),
            word: word.to_string(),
        }),
        // What is there was assumed or is on another machine now: as uncertain as after a crash.
        Cause::Dirty | Cause::Drift(_) | Cause::Assumed | Cause::TargetChanged => planning::Cause::Dirty,
        Cause::Request(word) => planning::Cause::Request(word.clone()),
        Cause::New | Cause::Verify | Cause::Unwanted | Cause::TypeChanged { .. } | Cause::Needs(_) | Cause::Always => {
            return None;
        }
    })
}

pub(crate) fn step_to_guest(step: &PlannedStep) -> planning::Step {
    planning::Step {
        name: step.name.to_string(),
        phase: match step.phase {
            Phase::Stage => types::Phase::Stage,
            Phase::Stop => types::Phase::Stop,
            Phase::Remove => types::Phase::Remove,
            Phase::Install => types::Phase::Install,
            Phase::Start => types::Phase::Start,
            Phase::Verify => types::Phase::Verify,
            Phase::Finish => types::Phase::Finish,
        },
        summary: step.summary.clone(),
        payload: step.payload.to_string(),
        idempotent: step.idempotent,
        locks: step.locks.clone(),
        timeout_ms: step.timeout_ms,
    }
}
