//! The calls of a plugin set: planning in batches, and acting one step at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use launchway_model::{ApplicationName, Change, KindRef, PluginName, Problem, Proposal, StepReport};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::answer::PlanAnswer;
use super::bindings::{planning, types};
use super::guest::{Answer, Cut, Question, ask, in_time, in_time_or_cancelled};
use super::set::{Inner, PluginSet};
use super::state::{Acting, CallState};
use super::{
    Activity, CallError, CallInstance, InspectCall, Limits, Outcome, PluginFault, StepCall, Verdict, answer, convert,
};
use crate::{Effects, StepSink};

/// How much goes into one instance: it costs less the more share it, and a call of `plan` must fit a guest's memory.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 2 << 20;
/// What the steps of a batch may take, in bytes; the guest's memory bounds them too.
const PLAN_BYTES: usize = 64 << 20;

impl PluginSet {
    /// Returns what the plugin itself finds wrong in properties that satisfy the schema: one answer for each, in order.
    ///
    /// All of a batch are asked of one instance of the plugin: it is pure, and has nobody's secrets.
    pub async fn validate(&self, kind: &KindRef, properties: &[Value]) -> Result<Vec<Vec<Problem>>, PluginFault> {
        in_batches(properties.len(), |start| {
            let (texts, end) = fitting(properties.len(), start, |at| properties[at].to_string(), String::len);
            let (inner, kind) = (self.inner.clone(), kind.clone());
            (async move { inner.validate_batch(&kind, texts).await }, end)
        })
        .await
    }

    /// Returns one answer per proposal, in order. Batches are planned in parallel where the runtime allows it.
    pub async fn plan(
        &self,
        plugin: &PluginName,
        application: &ApplicationName,
        proposals: &[Proposal],
    ) -> Result<Vec<PlanAnswer>, PluginFault> {
        in_batches(proposals.len(), |start| {
            let guest = |at: usize| convert::proposal_to_guest(application, &proposals[at]);
            let (guests, end) = fitting(proposals.len(), start, guest, size);
            let properties =
                proposals[start..end].iter().map(|proposal| properties(&proposal.change).clone()).collect();
            let (inner, plugin) = (self.inner.clone(), plugin.clone());
            (async move { inner.plan_batch(&plugin, guests, properties).await }, end)
        })
        .await
    }

    /// Carries a step out.
    pub async fn apply(&self, call: StepCall) -> Result<Outcome, CallError> {
        let (call, step) = ActingCall::of_step(call, Activity::Applying);
        let instance = convert::instance_to_guest(&call.instance);
        let plugin = call.plugin.clone();
        let answer = self
            .ask_acting(
                call,
                Box::new(move |plugin, store| {
                    Box::pin(
                        async move { plugin.launchway_plugin_deployment().call_apply(store, &instance, &step).await },
                    )
                }),
            )
            .await?;
        answer::outcome(answer).map_err(|why| bad_answer(plugin, Activity::Applying, why))
    }

    /// Asks again about a step that answered [`Outcome::Pending`].
    pub async fn poll(&self, call: StepCall, token: &str) -> Result<Outcome, CallError> {
        let (call, step) = ActingCall::of_step(call, Activity::Applying);
        let instance = convert::instance_to_guest(&call.instance);
        let plugin = call.plugin.clone();
        let token = token.to_owned();
        let answer = self
            .ask_acting(
                call,
                Box::new(move |plugin, store| {
                    Box::pin(async move {
                        plugin.launchway_plugin_deployment().call_poll(store, &instance, &step, &token).await
                    })
                }),
            )
            .await?;
        answer::outcome(answer).map_err(|why| bad_answer(plugin, Activity::Applying, why))
    }

    /// Asks whether an interrupted step happened. The plugin can look, but not write.
    pub async fn probe(&self, call: StepCall) -> Result<Verdict, CallError> {
        let (call, step) = ActingCall::of_step(call, Activity::Probing);
        let instance = convert::instance_to_guest(&call.instance);
        let answer = self
            .ask_acting(
                call,
                Box::new(move |plugin, store| {
                    Box::pin(
                        async move { plugin.launchway_plugin_deployment().call_probe(store, &instance, &step).await },
                    )
                }),
            )
            .await?;
        Ok(answer::verdict(answer))
    }

    /// Asks what is there now. The plugin can look, but not write.
    pub async fn inspect(&self, call: InspectCall) -> Result<StepReport, CallError> {
        let call = ActingCall::of_inspection(call);
        let instance = convert::instance_to_guest(&call.instance);
        let plugin = call.plugin.clone();
        let answer = self
            .ask_acting(
                call,
                Box::new(move |plugin, store| {
                    Box::pin(async move { plugin.launchway_plugin_deployment().call_inspect(store, &instance).await })
                }),
            )
            .await?;
        answer::report(answer).map_err(|why| bad_answer(plugin, Activity::Inspecting, why))
    }

    /// Asks a question with effects; a failure that the plugin answers with is an error.
    async fn ask_acting<T: Send + 'static>(
        &self,
        call: ActingCall,
        question: Question<Result<T, types::Failure>>,
    ) -> Result<T, CallError> {
        let (timeout, cancel, plugin) = (call.timeout, call.cancel.clone(), call.plugin.clone());
        match in_time_or_cancelled(timeout, &cancel, self.inner.ask_acting(call, question)).await {
            Ok(Answer { value: Ok(value), .. }) => Ok(value),
            Ok(Answer { value: Err(failure), last_failure }) => {
                Err(CallError::Failed(answer::failure(failure, last_failure)))
            }
            Err(Cut::Fault(fault)) => Err(CallError::Fault { plugin, fault }),
            Err(Cut::TimedOut) => Err(CallError::TimedOut { after: timeout }),
            Err(Cut::Cancelled) => Err(CallError::Cancelled),
        }
    }
}

impl Inner {
    async fn validate_batch(&self, kind: &KindRef, properties: Vec<String>) -> Result<Vec<Vec<Problem>>, PluginFault> {
        let name = kind.kind.to_string();
        let question: Question<Vec<Vec<types::Problem>>> = Box::new(move |plugin, store| {
            Box::pin(async move {
                let mut found = Vec::with_capacity(properties.len());
                for properties in &properties {
                    let planning = plugin.launchway_plugin_planning();
                    found.push(planning.call_validate(&mut *store, &name, properties).await?);
                }
                Ok(found)
            })
        });
        let found = self.ask_planning(&kind.plugin, Activity::Validating, question).await?;
        Ok(found.into_iter().map(answer::problems).collect())
    }

    async fn plan_batch(
        &self,
        plugin: &PluginName,
        proposals: Vec<planning::Proposal>,
        properties: Vec<Arc<Value>>,
    ) -> Result<Vec<PlanAnswer>, PluginFault> {
        let at = Activity::Planning;
        type Answers = Vec<Result<Vec<planning::Step>, Vec<types::Problem>>>;
        let question: Question<(Vec<planning::Proposal>, Answers)> = Box::new(move |plugin, store| {
            Box::pin(async move {
                let answers = plugin.launchway_plugin_planning().call_plan(store, &proposals).await?;
                Ok((proposals, answers))
            })
        });
        let (proposals, answers) = self.ask_planning(plugin, at, question).await?;
        let guests = proposals.iter().map(|proposal| subject(&proposal.change).properties.as_str());
        let asked: Vec<_> =
            properties.iter().zip(guests).map(|(properties, text)| answer::Asked { properties, text }).collect();
        answer::plans(&asked, answers).map_err(|why| PluginFault::BadAnswer { at, why })
    }

    async fn ask_planning<T: Send + 'static>(
        &self,
        plugin: &PluginName,
        at: Activity,
        question: Question<T>,
    ) -> Result<T, PluginFault> {
        let linked = self.linked(plugin)?;
        let sandbox = self.sandbox()?;
        let _permit = sandbox.permit().await;
        let limits = Limits { call_bytes: PLAN_BYTES, ..self.limits.clone() };
        let call = ask(sandbox, &linked.planning, at, None, &limits, question);
        Ok(in_time(limits.planning_time, at, call).await?.value)
    }

    async fn ask_acting<T: Send + 'static>(
        &self,
        call: ActingCall,
        question: Question<T>,
    ) -> Result<Answer<T>, PluginFault> {
        let linked = self.linked(&call.plugin)?;
        let sandbox = self.sandbox()?;
        let _permit = sandbox.permit().await;
        let imports: &super::bindings::DeployerPre<CallState> = match call.activity {
            Activity::Applying => &linked.acting,
            Activity::Probing | Activity::Inspecting => &linked.inspecting,
            Activity::Describing | Activity::Validating | Activity::Planning => &linked.planning,
        };
        let acting = Acting {
            effects: call.effects,
            sink: call.sink,
            artifacts: call.instance.artifacts,
            secrets: call.instance.secrets,
            started: call.started,
        };
        ask(sandbox, imports, call.activity, Some(acting), &self.limits, question).await
    }
}

/// What all acting calls have in common.
struct ActingCall {
    activity: Activity,
    plugin: PluginName,
    instance: CallInstance,
    effects: Arc<dyn Effects>,
    sink: Arc<dyn StepSink>,
    started: Instant,
    timeout: Duration,
    cancel: CancellationToken,
}

impl ActingCall {
    fn of_step(call: StepCall, activity: Activity) -> (Self, planning::Step) {
        let step = convert::step_to_guest(&call.step);
        let StepCall { plugin, instance, effects, sink, started, timeout, cancel, .. } = call;
        (Self { activity, plugin, instance, effects, sink, started, timeout, cancel }, step)
    }

    fn of_inspection(call: InspectCall) -> Self {
        let InspectCall { plugin, instance, effects, sink, timeout, cancel } = call;
        let (activity, started) = (Activity::Inspecting, Instant::now());
        Self { activity, plugin, instance, effects, sink, started, timeout, cancel }
    }
}

/// Asks about so many things in batches, of which `batch` begins one and says where the next one begins; returns the
/// answers in order. As many run at once as there are processors, where the runtime allows it.
async fn in_batches<T, Work>(count: usize, mut batch: impl FnMut(usize) -> (Work, usize)) -> Result<Vec<T>, PluginFault>
where
    T: Send + 'static,
    Work: Future<Output = Result<Vec<T>, PluginFault>> + Send + 'static,
{
    if count == 0 {
        return Ok(Vec::new());
    }
    let (work, mut next) = batch(0);
    if next == count {
        // Another thread would take longer to wake up than this takes.
        return work.await;
    }
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut running: JoinSet<Result<_, PluginFault>> = JoinSet::new();
    running.spawn(async move { Ok((0, work.await?)) });
    let mut done: Vec<(usize, Vec<T>)> = Vec::new();
    while next < count || !running.is_empty() {
        if next < count && running.len() < workers {
            let (work, end) = batch(next);
            let start = std::mem::replace(&mut next, end);
            running.spawn(async move { Ok((start, work.await?)) });
            continue;
        }
        match running.join_next().await {
            Some(Ok(answers)) => done.push(answers?),
            // Dropping the set ends the others.
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
            None => {}
        }
    }
    done.sort_unstable_by_key(|(start, _)| *start);
    Ok(done.into_iter().flat_map(|(_, answers)| answers).collect())
}

/// Makes of the things from `start` on as many as fit one call, but one at least; returns them, and which one is next.
fn fitting<T>(
    count: usize,
    start: usize,
    mut make: impl FnMut(usize) -> T,
    size: impl Fn(&T) -> usize,
) -> (Vec<T>, usize) {
    let mut made = Vec::with_capacity(BATCH.min(count - start));
    let mut bytes = 0;
    for at in start..count {
        let thing = make(at);
        bytes += size(&thing);
        if !made.is_empty() && (bytes > BATCH_BYTES || made.len() == BATCH) {
            break;
        }
        made.push(thing);
    }
    let end = start + made.len();
    (made, end)
}

/// Returns the properties that steps are asked for.
fn properties(change: &Change) -> &Arc<Value> {
    match change {
        Change::Update { desired: spec, .. } | Change::Create(spec) | Change::Delete(spec) | Change::Refresh(spec) => {
            &spec.properties
        }
        Change::Act { action, .. } => &action.properties,
    }
}

/// Returns the instance that steps are asked for, as the guest gets it.
fn subject(change: &planning::Change) -> &types::Instance {
    match change {
        planning::Change::Update(update) => &update.desired,
        planning::Change::Create(instance)
        | planning::Change::Delete(instance)
        | planning::Change::Refresh(instance)
        | planning::Change::Act(instance) => instance,
    }
}

/// Returns about how much memory a proposal takes, in bytes.
fn size(proposal: &planning::Proposal) -> usize {
    let of = |instance: &types::Instance| instance.properties.len() + 256 * (1 + instance.artifacts.len());
    let change = match &proposal.change {
        planning::Change::Update(update) => of(&update.previous) + of(&update.desired),
        planning::Change::Create(instance)
        | planning::Change::Delete(instance)
        | planning::Change::Refresh(instance)
        | planning::Change::Act(instance) => of(instance),
    };
    change + 64 * proposal.causes.len()
}

fn bad_answer(plugin: PluginName, at: Activity, why: String) -> CallError {
    CallError::Fault { plugin, fault: PluginFault::BadAnswer { at, why } }
}
