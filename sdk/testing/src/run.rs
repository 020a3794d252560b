//! Runs a case.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use launchway_sdk::{Failure, Host, Outcome, Phase, Plugin, wire};
use serde_json::Value;

use crate::case::{Case, ChangeName, InspectionData, InstanceData, OutcomeData, Round, StepData, default_version};
use crate::scripted::ScriptedHost;
use crate::shell::{self, ShellHost};

/// How often a step is asked again before the case gives up.
const POLL_LIMIT: usize = 1_000;

/// Runs a case; returns what is not as it says.
pub(crate) fn run(plugin: &Plugin, case: &Case) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let root = folder.path().canonicalize().map_err(|error| error.to_string())?;
    if let Some(missing) = case.content.requires.iter().find(|program| !is_installed(program)) {
        eprintln!("note: {}/{} is left out: {missing} is not installed", case.kind, case.name);
        return Ok(());
    }
    if let Some(given) = &case.content.given {
        shell::run_script(given, &root).map_err(|why| format!("`given`: {why}"))?;
    }
    for (index, round) in case.content.rounds.iter().enumerate() {
        let runner = Runner { plugin, kind: &case.kind, root: &root, shell: case.content.shell };
        runner.round(round).map_err(|why| format!("round {}: {why}", index + 1))?;
    }
    Ok(())
}

/// Plans and runs an action for real, with this machine's shell, and waits as long as it says between two looks: for what
/// a case can't show, such as a program that runs beside the test.
pub fn act(plugin: &Plugin, kind: &str, properties: &Value) -> Result<Outcome, Failure> {
    let properties = properties.to_string();
    if let Some(problem) = plugin.validate(kind, &properties).into_iter().next() {
        return Err(Failure::configuration(format!("{}: {}", problem.at, problem.message)));
    }
    let instance = wire::Instance {
        application: "shop".to_owned(),
        version: default_version(),
        component: "part".to_owned(),
        target: "host1".to_owned(),
        kind: kind.to_owned(),
        properties,
        artifacts: Vec::new(),
    };
    let proposal = wire::Proposal { change: wire::Change::Act(instance.clone()), causes: Vec::new() };
    let steps = plugin.plan(&proposal).map_err(|problems| Failure::configuration(format!("{problems:?}")))?;
    let [step] = steps.as_slice() else { return Err(Failure::plugin("an action is one step")) };
    let host = ShellHost { artifacts: BTreeMap::new(), clock: 0.into() };
    to_the_end(plugin, &instance, step, &host, |millis| {
        std::thread::sleep(Duration::from_millis(millis));
        *host.clock.borrow_mut() += millis;
    })
}

fn is_installed(program: &str) -> bool {
    std::env::split_paths("/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin").any(|folder| folder.join(program).is_file())
}

struct Runner<'a> {
    plugin: &'a Plugin,
    kind: &'a str,
    root: &'a Path,
    shell: bool,
}

impl Runner<'_> {
    fn round(&self, round: &Round) -> Result<(), String> {
        let desired = self.instance(&round.instance)?;
        let proposal = wire::Proposal {
            change: self.change(round, &desired)?,
            causes: round.causes.iter().map(Into::into).collect(),
        };
        let mut answer = match self.plugin.validate(self.kind, &desired.properties) {
            problems if problems.is_empty() => self.plugin.plan(&proposal),
            problems => Err(problems),
        };
        if answer.is_ok() {
            self.check_schema(&round.instance)?;
            let again = self.plugin.plan(&proposal);
            if answer != again {
                return Err("planned twice, it gives two plans".to_owned());
            }
        }
        if let Ok(steps) = &mut answer {
            // The host runs them phase by phase.
            steps.sort_by_key(|step| step.phase);
        }
        match answer {
            Err(problems) => check_problems(round, &problems),
            Ok(_) if !round.problems.is_empty() => Err("it finds no problem".to_owned()),
            Ok(steps) => self.steps(round, &desired, &steps),
        }
    }

    fn steps(&self, round: &Round, instance: &wire::Instance, steps: &[wire::Step]) -> Result<(), String> {
        let made: Vec<_> = steps.iter().map(shown).collect();
        let expected: Vec<_> = round.steps.iter().map(|step| self.shown_expected(step)).collect();
        if made != expected {
            return Err(format!("expected steps\n{}\nbut they are\n{}", expected.join("\n"), made.join("\n")));
        }
        for (step, data) in steps.iter().zip(&round.steps) {
            if data.timeout_ms.is_some() && data.timeout_ms != step.timeout_ms {
                return Err(format!("{}: its timeout is {:?} ms", step.name, step.timeout_ms));
            }
            self.step(instance, step, data, &round.instance).map_err(|why| format!("{}: {why}", step.name))?;
        }
        if self.shell {
            self.check(round)?;
            // What says that a second run does no harm is run a second time.
            let is_good = |data: &StepData| !matches!(data.outcome, Some(OutcomeData::Failed(_)));
            for (step, _) in steps.iter().zip(&round.steps).filter(|(step, data)| step.idempotent && is_good(data)) {
                let (host, outcome) = self.run_for_real(instance, step, &round.instance)?;
                drop(host);
                if let Err(failure) = outcome {
                    return Err(format!("{}: a second run fails: {}", step.name, failure_text(&failure)));
                }
            }
            self.check(round).map_err(|why| format!("after a second run: {why}"))?;
        }
        for (index, inspection) in round.inspections.iter().enumerate() {
            let looked = self.inspect(instance, inspection, &round.instance);
            looked.map_err(|why| format!("inspection {}: {why}", index + 1))?;
        }
        Ok(())
    }

    fn inspect(&self, instance: &wire::Instance, data: &InspectionData, source: &InstanceData) -> Result<(), String> {
        if let Some(script) = &data.after {
            shell::run_script(script, self.root).map_err(|why| format!("`after`: {why}"))?;
        }
        let report = match &data.calls {
            Some(calls) => {
                let host = ScriptedHost::new(calls);
                let report = self.plugin.inspect(&host, instance);
                if let Some(complaint) = host.complaint() {
                    return Err(complaint);
                }
                report
            }
            None => self.plugin.inspect(&self.shell_host(source), instance),
        };
        let made: Vec<String> = match &report {
            Ok(report) => report.resources.iter().map(found).collect(),
            Err(failure) => vec![failure_text(failure)],
        };
        let expected: Vec<String> = data.finds.iter().map(|text| self.text(text)).collect();
        if made == expected { Ok(()) } else { Err(format!("expected {expected:?}, but it finds {made:?}")) }
    }

    fn check(&self, round: &Round) -> Result<(), String> {
        let Some(check) = &round.check else { return Ok(()) };
        shell::run_script(check, self.root).map_err(|why| format!("`check`: {why}"))
    }

    fn step(
        &self,
        instance: &wire::Instance,
        step: &wire::Step,
        data: &StepData,
        source: &InstanceData,
    ) -> Result<(), String> {
        let outcome = if self.shell {
            self.run_for_real(instance, step, source)?.1
        } else if let Some(calls) = &data.calls {
            // Waiting takes no time.
            let host = ScriptedHost::new(calls);
            let outcome = to_the_end(self.plugin, instance, step, &host, |millis| *host.clock.borrow_mut() += millis);
            if let Some(complaint) = host.complaint() {
                return Err(complaint);
            }
            outcome
        } else {
            return Ok(());
        };
        let made = match &outcome {
            Ok(Outcome::Changed(report) | Outcome::RebootNeeded(report)) => {
                OutcomeData::Changed(report.summary.clone())
            }
            Ok(Outcome::Unchanged(report)) => OutcomeData::Unchanged(report.summary.clone()),
            Ok(Outcome::NotRun(why)) => OutcomeData::NotRun(why.clone()),
            Ok(Outcome::Pending(wait)) => return Err(format!("it waits without end: {}", wait.message)),
            Err(failure) => OutcomeData::Failed(format!("{}: {}", failure.fault, failure.message)),
        };
        match &data.outcome {
            Some(expected) if self.resolved(expected) != made => {
                let detail = outcome.err().and_then(|failure| failure.detail).unwrap_or_default();
                Err(format!("expected {expected:?}, but it is {made:?}\n{detail}"))
            }
            None if matches!(made, OutcomeData::Failed(_)) => {
                let detail = outcome.err().and_then(|failure| failure.detail).unwrap_or_default();
                Err(format!("{made:?}\n{detail}"))
            }
            _ => Ok(()),
        }
    }

    fn run_for_real(
        &self,
        instance: &wire::Instance,
        step: &wire::Step,
        source: &InstanceData,
    ) -> Result<(ShellHost, Result<Outcome, Failure>), String> {
        let host = self.shell_host(source);
        let outcome = to_the_end(self.plugin, instance, step, &host, |millis| *host.clock.borrow_mut() += millis);
        Ok((host, outcome))
    }

    fn shell_host(&self, source: &InstanceData) -> ShellHost {
        let artifacts = source.artifacts.iter().map(|(name, data)| (name.clone(), self.root.join(&data.file)));
        ShellHost { artifacts: artifacts.collect(), clock: 0.into() }
    }

    fn change(&self, round: &Round, desired: &wire::Instance) -> Result<wire::Change, String> {
        let desired = desired.clone();
        Ok(match (round.change, &round.previous) {
            (ChangeName::Update, Some(previous)) => {
                wire::Change::Update(wire::Update { previous: self.instance(previous)?, desired })
            }
            (ChangeName::Update, None) => return Err("an update needs `previous`".to_owned()),
            (_, Some(_)) => return Err("only an update has `previous`".to_owned()),
            (ChangeName::Create, None) => wire::Change::Create(desired),
            (ChangeName::Delete, None) => wire::Change::Delete(desired),
            (ChangeName::Refresh, None) => wire::Change::Refresh(desired),
            (ChangeName::Act, None) => wire::Change::Act(desired),
        })
    }

    fn instance(&self, data: &InstanceData) -> Result<wire::Instance, String> {
        let artifact = |(name, artifact): (&String, &crate::case::ArtifactData)| {
            let digest = match &artifact.digest {
                Some(digest) => digest.clone(),
                None if self.shell => shell::digest_of(&self.root.join(&artifact.file))
                    .map_err(|error| format!("{}: {error}", artifact.file.display()))?,
                None => format!("sha256:{}", "ab".repeat(32)),
            };
            let file_name = artifact.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok(wire::Artifact { name: name.clone(), file_name, digest, size: 0 })
        };
        Ok(wire::Instance {
            application: "shop".to_owned(),
            version: data.version.clone(),
            component: "part".to_owned(),
            target: "host1".to_owned(),
            kind: self.kind.to_owned(),
            properties: self.text(&data.with.to_string()),
            artifacts: data.artifacts.iter().map(artifact).collect::<Result<_, String>>()?,
        })
    }

    /// Checks that what a case proposes could be: the host lets nothing else through.
    fn check_schema(&self, data: &InstanceData) -> Result<(), String> {
        let kind = self.plugin.kind(self.kind).ok_or("there is no such kind")?;
        let schema = serde_json::from_str(kind.schema).map_err(|error| error.to_string())?;
        let validator = jsonschema::validator_for(&schema).map_err(|error| error.to_string())?;
        let mut properties: Value =
            serde_json::from_str(&self.text(&data.with.to_string())).map_err(|error| error.to_string())?;
        mask(&mut properties);
        match validator.validate(&properties) {
            Ok(()) => Ok(()),
            Err(error) => Err(format!("the schema refuses {}: {error}", error.instance_path())),
        }
    }

    /// Fills in `{root}`, the case's folder, and `{digest:FILE}`, the first 8 digits of the digest of a file in it.
    fn text(&self, text: &str) -> String {
        let mut text = text.replace("{root}", &self.root.to_string_lossy());
        while let Some((before, rest)) = text.split_once("{digest:") {
            let Some((file, after)) = rest.split_once('}') else { break };
            let digest = shell::digest_of(&self.root.join(file)).unwrap_or_else(|error| format!("({error})"));
            let hex = digest.strip_prefix("sha256:").unwrap_or(&digest);
            text = format!("{before}{}{after}", hex.get(..8).unwrap_or(hex));
        }
        text
    }

    fn shown_expected(&self, step: &StepData) -> String {
        let idempotent = if step.idempotent { "" } else { " (once)" };
        format!("  {} {}: {}{idempotent}", step.phase, step.name, self.text(&step.summary))
    }

    fn resolved(&self, outcome: &OutcomeData) -> OutcomeData {
        match outcome {
            OutcomeData::Changed(text) => OutcomeData::Changed(self.text(text)),
            OutcomeData::Unchanged(text) => OutcomeData::Unchanged(self.text(text)),
            OutcomeData::NotRun(text) => OutcomeData::NotRun(self.text(text)),
            OutcomeData::Failed(text) => OutcomeData::Failed(self.text(text)),
        }
    }
}

/// Applies a step and asks again until it has an end.
fn to_the_end(
    plugin: &Plugin,
    instance: &wire::Instance,
    step: &wire::Step,
    host: &dyn Host,
    wait: impl Fn(u64),
) -> Result<Outcome, Failure> {
    let mut outcome = plugin.apply(host, instance, step)?;
    for _ in 0..POLL_LIMIT {
        let Outcome::Pending(pending) = &outcome else { break };
        wait(pending.after_ms);
        outcome = plugin.poll(host, instance, step, &pending.token)?;
    }
    Ok(outcome)
}

fn check_problems(round: &Round, problems: &[wire::Problem]) -> Result<(), String> {
    let made: Vec<_> = problems.iter().map(|problem| (&problem.at, &problem.message, problem.hint.as_ref())).collect();
    let expected: Vec<_> =
        round.problems.iter().map(|problem| (&problem.at, &problem.message, problem.hint.as_ref())).collect();
    if made == expected { Ok(()) } else { Err(format!("expected problems {expected:?}, but they are {made:?}")) }
}

/// Puts a text where a secret stands.
fn mask(value: &mut Value) {
    match value {
        Value::Object(object) if object.contains_key("$secret") || object.contains_key("$parts") => {
            *value = Value::String("secret".to_owned());
        }
        Value::Object(object) => object.values_mut().for_each(mask),
        Value::Array(items) => items.iter_mut().for_each(mask),
        _ => {}
    }
}

fn shown(step: &wire::Step) -> String {
    let phase = match step.phase {
        Phase::Stage => "stage",
        Phase::Stop => "stop",
        Phase::Remove => "remove",
        Phase::Install => "install",
        Phase::Start => "start",
        Phase::Verify => "verify",
        Phase::Finish => "finish",
    };
    let idempotent = if step.idempotent { "" } else { " (once)" };
    format!("  {phase} {}: {}{idempotent}", step.name, step.summary)
}

fn failure_text(failure: &Failure) -> String {
    format!("{}: {}\n{}", failure.fault, failure.message, failure.detail.as_deref().unwrap_or_default())
}

/// Returns what was found of a resource: `changed NAME: why`.
fn found(resource: &wire::ResourceResult) -> String {
    let status = match resource.status {
        wire::ResourceStatus::Unchanged => "unchanged",
        wire::ResourceStatus::Changed => "changed",
        wire::ResourceStatus::Failed => "failed",
        wire::ResourceStatus::Skipped => "skipped",
    };
    let why = resource.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
    format!("{status} {}{why}", resource.name)
}
