//! Asks plugins for steps, in batches, and checks what they answer.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use launchway_model::{
    ActionSpec, Around, Cause, Change, ChangeKind, Diagnostic, Diagnostics, InstanceChange, InstanceSpec, KindRef,
    Phase, PlannedStep, PluginName, Proposal, TargetName,
};

use crate::error::PlanError;
use crate::inputs::Plugins;
use crate::parting::Partings;

/// How many proposals are made at once; bounds the memory they take.
const BATCH: usize = 2048;

/// The steps of one change.
#[derive(Default)]
pub(crate) struct ChangeSteps {
    /// Sorted by phase. None of those that were put into the plan already.
    pub(crate) own: Vec<Option<PlannedStep>>,
    pub(crate) verify: Vec<ActionSteps>,
    pub(crate) around: Vec<AroundSteps>,
}

impl ChangeSteps {
    /// Whether there is anything in it that somebody outside could notice.
    pub(crate) fn is_disturbing(&self) -> bool {
        self.disturbs_from().is_some()
    }

    /// Returns the first phase in which somebody outside could notice something.
    pub(crate) fn disturbs_from(&self) -> Option<Phase> {
        let quiet = |phase: &Phase| matches!(phase, Phase::Stage | Phase::Verify | Phase::Finish);
        self.own.iter().flatten().map(|step| step.phase).find(|phase| !quiet(phase))
    }

    fn action(&mut self, ask: Ask) -> Option<&mut ActionSteps> {
        match ask {
            Ask::Own => None,
            Ask::Verify(at) => self.verify.get_mut(at),
            Ask::Before(at) => self.around.get_mut(at)?.before.as_mut(),
            Ask::After(at) => self.around.get_mut(at)?.after.as_mut(),
        }
    }
}

/// The steps of the actions around an instance; the same ones on each of the targets.
pub(crate) struct AroundSteps {
    pub(crate) at: Vec<TargetName>,
    pub(crate) before: Option<ActionSteps>,
    pub(crate) after: Option<ActionSteps>,
    pub(crate) always: bool,
}

/// The steps of one action.
pub(crate) struct ActionSteps {
    pub(crate) action: Arc<ActionSpec>,
    pub(crate) steps: Vec<Option<PlannedStep>>,
}

/// What a proposal is about: the change itself, or one of the actions that verify it.
#[derive(Clone, Copy)]
struct Question {
    change: usize,
    ask: Ask,
}

/// Whose steps are asked for: the change's own, or those of one of its actions.
#[derive(Clone, Copy)]
enum Ask {
    Own,
    Verify(usize),
    Before(usize),
    After(usize),
}

/// Returns the steps of each change, in the order of the changes.
pub(crate) fn ask(
    changes: &[InstanceChange],
    partings: &Partings,
    plugins: &dyn Plugins,
) -> Result<Vec<ChangeSteps>, PlanError> {
    let mut steps: Vec<ChangeSteps> = Vec::with_capacity(changes.len());
    let mut questions: BTreeMap<PluginName, Vec<Question>> = BTreeMap::new();
    for (at, change) in changes.iter().enumerate() {
        let mut found = ChangeSteps::default();
        if let Some(spec) = own_subject(change) {
            let question = Question { change: at, ask: Ask::Own };
            questions.entry(spec.kind.plugin.clone()).or_default().push(question);
        }
        let mut add = |action: &ActionSpec, ask| {
            questions.entry(action.kind.plugin.clone()).or_default().push(Question { change: at, ask });
            ActionSteps { action: Arc::new(action.clone()), steps: Vec::new() }
        };
        for (number, action) in actions(change).iter().enumerate() {
            found.verify.push(add(action, Ask::Verify(number)));
        }
        for (number, around) in arounds(at, change, partings).iter().enumerate() {
            found.around.push(AroundSteps {
                at: around.at.clone(),
                before: around.before.as_ref().map(|action| add(action, Ask::Before(number))),
                after: around.after.as_ref().map(|action| add(action, Ask::After(number))),
                always: around.always,
            });
        }
        steps.push(found);
    }
    let mut problems = Diagnostics::default();
    for (plugin, questions) in &questions {
        for batch in questions.chunks(BATCH) {
            ask_batch(plugin, batch, (changes, partings), plugins, &mut steps, &mut problems)?;
        }
    }
    if problems.has_errors() { Err(PlanError::Problems(problems)) } else { Ok(steps) }
}

fn ask_batch(
    plugin: &PluginName,
    batch: &[Question],
    (changes, partings): (&[InstanceChange], &Partings),
    plugins: &dyn Plugins,
    steps: &mut [ChangeSteps],
    problems: &mut Diagnostics,
) -> Result<(), PlanError> {
    let proposals = batch.iter().filter_map(|question| proposal(question, &changes[question.change], partings));
    let proposals: Vec<Proposal> = proposals.collect();
    let answers = plugins.plan(plugin, &proposals)?;
    if answers.len() != batch.len() {
        return Err(PlanError::BadAnswer {
            plugin: plugin.clone(),
            instance: changes[batch[0].change].id.clone(),
            why: format!("{} answers to {} proposals", answers.len(), batch.len()),
        });
    }
    for (question, answer) in batch.iter().zip(answers) {
        let change = &changes[question.change];
        match (answer, question.ask) {
            (Ok(planned), Ask::Own) if is_action(change) => {
                steps[question.change].own = takeable(check_action(plugin, change, planned, Phase::Start)?);
            }
            (Ok(planned), Ask::Own) => steps[question.change].own = takeable(check_own(plugin, change, planned)?),
            (Ok(planned), ask) => {
                let phase = if let Ask::Before(_) = ask { Phase::Stop } else { Phase::Verify };
                let planned = takeable(check_action(plugin, change, planned, phase)?);
                if let Some(action) = steps[question.change].action(ask) {
                    action.steps = planned;
                }
            }
            (Err(found), _) => {
                for problem in found {
                    let at = if problem.at.is_empty() { String::new() } else { format!(" (at `{}`)", problem.at) };
                    let message = format!("{}: {}{at}", change.id, problem.message);
                    let mut diagnostic = Diagnostic::error("property", message);
                    diagnostic.hint = problem.hint;
                    problems.push(diagnostic);
                }
            }
        }
    }
    Ok(())
}

fn takeable(planned: Vec<PlannedStep>) -> Vec<Option<PlannedStep>> {
    planned.into_iter().map(Some).collect()
}

/// Returns what the component's own plugin is asked about; none if only the verification runs again, and for an
/// action that goes: it leaves nothing.
fn own_subject(change: &InstanceChange) -> Option<&InstanceSpec> {
    let only_verify = change.kind == ChangeKind::Refresh && change.causes.iter().all(|cause| *cause == Cause::Verify);
    let spec = &change.subject()?.spec;
    let leaves_nothing = change.kind == ChangeKind::Delete && spec.run.is_some();
    if only_verify || leaves_nothing { None } else { Some(spec) }
}

/// Whether the component's own steps are those of an action.
fn is_action(change: &InstanceChange) -> bool {
    change.kind == ChangeKind::Act || change.subject().is_some_and(|deployed| deployed.spec.run.is_some())
}

fn actions(change: &InstanceChange) -> &[ActionSpec] {
    change.desired.as_ref().map_or(&[], |deployed| &deployed.spec.verify)
}

/// Returns what is done around a change; of one that goes for good, what is done before it.
fn arounds<'a>(at: usize, change: &'a InstanceChange, partings: &'a Partings) -> &'a [Around] {
    let parting = partings.get(&at).map_or(&[][..], Vec::as_slice);
    change.desired.as_ref().map_or(parting, |deployed| &deployed.spec.around)
}

fn proposal(question: &Question, change: &InstanceChange, partings: &Partings) -> Option<Proposal> {
    let arounds = || arounds(question.change, change, partings);
    let subject = change.subject()?.spec.clone();
    // Whoever is told that an instance goes for good may know nothing of it any more.
    let leaves = change.kind == ChangeKind::Delete && matches!(question.ask, Ask::Before(_));
    let causes = if leaves { vec![Cause::Request("leave".to_owned())] } else { change.causes.clone() };
    let action = match question.ask {
        Ask::Own => None,
        Ask::Verify(at) => Some(actions(change).get(at)?),
        Ask::Before(at) => Some(arounds().get(at)?.before.as_ref()?),
        Ask::After(at) => Some(arounds().get(at)?.after.as_ref()?),
    };
    let proposed = match (action, change.kind) {
        (Some(action), _) => Change::Act { action: action.clone(), instance: subject },
        (None, ChangeKind::Act) => Change::Act { action: subject.as_action(), instance: subject },
        (None, _) if is_action(change) => Change::Act { action: subject.as_action(), instance: subject },
        (None, ChangeKind::Create) => Change::Create(subject),
        (None, ChangeKind::Update) => {
            Change::Update { previous: change.previous.as_ref()?.spec.clone(), desired: subject }
        }
        (None, ChangeKind::Delete) => Change::Delete(subject),
        (None, ChangeKind::Refresh) => Change::Refresh(subject),
    };
    Some(Proposal { change: proposed, causes })
}

fn check_own(
    plugin: &PluginName,
    change: &InstanceChange,
    mut planned: Vec<PlannedStep>,
) -> Result<Vec<PlannedStep>, PlanError> {
    check_names(plugin, change, &planned)?;
    if change.kind == ChangeKind::Delete
        && let Some(step) = planned.iter().find(|step| matches!(step.phase, Phase::Install | Phase::Start))
    {
        let kind: &KindRef = &change.subject().expect("a delete has what it deletes").spec.kind;
        let why = format!("step `{}` of a delete by `{kind}` is in the phase `{}`", step.name, step.phase.as_str());
        return Err(bad_answer(plugin, change, why));
    }
    planned.sort_by_key(|step| step.phase);
    Ok(planned)
}

/// An action's steps all stand where the action is used, whatever phase its plugin thinks of.
fn check_action(
    plugin: &PluginName,
    change: &InstanceChange,
    mut planned: Vec<PlannedStep>,
    phase: Phase,
) -> Result<Vec<PlannedStep>, PlanError> {
    check_names(plugin, change, &planned)?;
    planned.sort_by_key(|step| step.phase);
    planned.iter_mut().for_each(|step| step.phase = phase);
    Ok(planned)
}

fn check_names(plugin: &PluginName, change: &InstanceChange, planned: &[PlannedStep]) -> Result<(), PlanError> {
    let mut names = HashSet::new();
    for step in planned {
        if step.name.is_empty() || step.name.chars().any(char::is_control) {
            return Err(bad_answer(plugin, change, "a step has no name that can be shown".to_owned()));
        }
        if !names.insert(&step.name) {
            return Err(bad_answer(plugin, change, format!("two steps are called `{}`", step.name)));
        }
    }
    Ok(())
}

fn bad_answer(plugin: &PluginName, change: &InstanceChange, why: String) -> PlanError {
    PlanError::BadAnswer { plugin: plugin.clone(), instance: change.id.clone(), why }
}
