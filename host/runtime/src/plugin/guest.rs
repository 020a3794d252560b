//! One call into a guest: a fresh store, its limits, and what a broken call comes to.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use launchway_model::Failure;
use tokio_util::sync::CancellationToken;
use wasmtime::{Store, Trap};

use super::bindings::{Deployer, DeployerPre};
use super::engine::{Sandbox, chain};
use super::state::{Acting, CallState, LimitReached};
use super::{Activity, CannotAct, Limits, PluginFault, Where};

/// What a guest is asked: a call of one of its exports.
pub(crate) type Question<T> = Box<
    dyn for<'a> FnOnce(
            &'a Deployer,
            &'a mut Store<CallState>,
        ) -> Pin<Box<dyn Future<Output = wasmtime::Result<T>> + Send + 'a>>
        + Send,
>;

/// What a guest answered.
pub(crate) struct Answer<T> {
    pub(crate) value: T,
    /// What an effect failed with last.
    pub(crate) last_failure: Option<Failure>,
}

/// Instantiates a plugin and asks it one question; the instance is gone afterwards.
///
/// Unbounded in time: see [`in_time`] and [`in_time_or_cancelled`].
pub(crate) async fn ask<T>(
    sandbox: &Sandbox,
    plugin: &DeployerPre<CallState>,
    activity: Activity,
    acting: Option<Acting>,
    limits: &Limits,
    question: Question<T>,
) -> Result<Answer<T>, PluginFault> {
    let mut store = Store::new(sandbox.engine(), CallState::new(activity, acting, limits, sandbox.running()));
    store.limiter(|state| &mut state.meter);
    store.set_hostcall_fuel(limits.call_bytes);
    store.set_max_component_handles(limits.handles);
    // With any other deadline than the next tick, a loop would outlast its timeout by as much.
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);

    let deployer = match plugin.instantiate_async(&mut store).await {
        Ok(deployer) => deployer,
        Err(error) => return Err(fault(&error, store.data(), Where::Starting(activity))),
    };
    match question(&deployer, &mut store).await {
        Ok(value) => Ok(Answer { value, last_failure: store.into_data().last_failure }),
        Err(error) => Err(fault(&error, store.data(), Where::In(activity))),
    }
}

/// Bounds a call that has no step's timeout.
pub(crate) async fn in_time<T>(
    limit: Duration,
    at: Activity,
    call: impl Future<Output = Result<T, PluginFault>>,
) -> Result<T, PluginFault> {
    tokio::time::timeout(limit, call).await.unwrap_or(Err(PluginFault::OutOfTime { at, limit }))
}

/// How a step's call ends without an answer.
pub(crate) enum Cut {
    Fault(PluginFault),
    TimedOut,
    Cancelled,
}

/// Bounds a step's call.
pub(crate) async fn in_time_or_cancelled<T>(
    limit: Duration,
    cancel: &CancellationToken,
    call: impl Future<Output = Result<T, PluginFault>>,
) -> Result<T, Cut> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(Cut::Cancelled),
        result = tokio::time::timeout(limit, call) => match result {
            Ok(answer) => answer.map_err(Cut::Fault),
            Err(_) => Err(Cut::TimedOut),
        },
    }
}

/// Says what broke a call.
fn fault(error: &wasmtime::Error, state: &CallState, at: Where) -> PluginFault {
    let limits = &state.meter.limits;
    if let Some(cannot_act) = error.downcast_ref::<CannotAct>() {
        return cannot_act.clone().into();
    }
    if let Some(LimitReached::TooMany { what, limit }) = error.downcast_ref() {
        return PluginFault::TooMany { what, limit: *limit };
    }
    // Allocators that get no memory abort, which looks like any other crash.
    if state.meter.out_of_memory {
        return PluginFault::OutOfMemory { limit: limits.memory };
    }
    let text = chain(error);
    // Wasmtime keeps the type of this one to itself.
    if text.contains("fuel allocated for hostcalls has been exhausted") {
        return PluginFault::TooBig { limit: limits.call_bytes };
    }
    let trap = error.downcast_ref::<Trap>();
    let cause = trap.map_or(text, |trap| trap.to_string());
    let cause = cause.trim_start_matches("wasm trap: ");
    let message = match (&state.last_error, trap) {
        (Some(said), Some(Trap::UnreachableCodeReached)) => said.clone(),
        (Some(said), _) => format!("{cause}; before that it said: {said}"),
        (None, Some(Trap::UnreachableCodeReached)) => "it gave up without a word (`unreachable`)".to_owned(),
        (None, _) => cause.to_owned(),
    };
    PluginFault::Trap { at, message }
}
