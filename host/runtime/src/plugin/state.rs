//! What the host keeps of one call: its limits, its handles, and what it may act upon.

use std::sync::Arc;
use std::time::Instant;

use launchway_model::{Artifact, Failure, LogLevel, SecretName};
use wasmtime::component::{Resource, ResourceTable};
use wasmtime::{ResourceLimiter, Result};

use super::bindings::types;
use super::ticker::Running;
use super::{Activity, CannotAct, Limits, convert, text};
use crate::{Effects, StepSink};

/// A secret that a guest opened: only its name is here.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct SecretHandle {
    pub(crate) name: SecretName,
}

/// The data of a call's store.
pub(crate) struct CallState {
    pub(crate) activity: Activity,
    /// None while planning.
    pub(crate) acting: Option<Acting>,
    pub(crate) meter: Meter,
    handles: ResourceTable,
    running: Running,
    /// What the guest logged last as an error: for a panic, its text.
    pub(crate) last_error: Option<String>,
    /// What an effect failed with last. Guests mostly pass it on, and the contract has no room for its hint.
    pub(crate) last_failure: Option<Failure>,
}

/// What an acting call acts upon.
pub(crate) struct Acting {
    pub(crate) effects: Arc<dyn Effects>,
    pub(crate) sink: Arc<dyn StepSink>,
    pub(crate) artifacts: Vec<Artifact>,
    pub(crate) secrets: Vec<SecretName>,
    pub(crate) started: Instant,
}

impl CallState {
    pub(crate) fn new(activity: Activity, acting: Option<Acting>, limits: &Limits, running: Running) -> Self {
        let mut handles = ResourceTable::new();
        handles.set_max_capacity(limits.handles);
        Self {
            activity,
            acting,
            meter: Meter::new(limits.clone()),
            handles,
            running,
            last_error: None,
            last_failure: None,
        }
    }

    /// Returns what to act upon, for an import that is linked for acting calls only.
    pub(crate) fn acting(&self, interface: &str, function: &str) -> Result<&Acting> {
        self.acting.as_ref().ok_or_else(|| {
            CannotAct { interface: interface.to_owned(), function: function.to_owned(), activity: self.activity }.into()
        })
    }

    /// Awaits an effect; the guest stands still meanwhile. Its failure is the guest's to handle.
    pub(crate) async fn effect<T, F: Future<Output = std::result::Result<T, Failure>>>(
        &mut self,
        interface: &str,
        function: &str,
        effect: impl FnOnce(Arc<dyn Effects>) -> F,
    ) -> Result<std::result::Result<T, types::Failure>> {
        let effects = self.acting(interface, function)?.effects.clone();
        self.running.pause();
        let result = effect(effects).await;
        self.running.resume();
        Ok(result.map_err(|failure| {
            let told = convert::failure_to_guest(&failure);
            self.last_failure = Some(failure);
            told
        }))
    }

    pub(crate) fn open_secret(&mut self, name: SecretName) -> Result<Resource<SecretHandle>> {
        let limit = self.meter.limits.handles as u64;
        self.handles
            .push(SecretHandle { name })
            .map_err(|_| LimitReached::TooMany { what: "handles of secrets", limit }.into())
    }

    pub(crate) fn secret(&self, handle: &Resource<SecretHandle>) -> Result<&SecretHandle> {
        Ok(self.handles.get(handle)?)
    }

    pub(crate) fn close(&mut self, handle: Resource<SecretHandle>) -> Result<()> {
        self.handles.delete(handle)?;
        Ok(())
    }

    /// Takes a line that the guest logs.
    pub(crate) fn write_log(&mut self, level: LogLevel, message: &str) {
        let message = text::clean(message, text::LINE);
        if level == LogLevel::Error {
            self.last_error = Some(message.clone().into_owned());
        }
        match self.meter.log(message.len()) {
            LogRoom::Enough => self.tell(level, &message),
            LogRoom::JustFull => self.tell(LogLevel::Warn, "log truncated: the plugin logs too much"),
            LogRoom::None => {}
        }
    }

    pub(crate) fn show_progress(&mut self, fraction: Option<f32>, message: &str) {
        let message = text::clean(message, text::LINE);
        let fraction = fraction.filter(|fraction| fraction.is_finite()).map(|fraction| fraction.clamp(0.0, 1.0));
        if let (LogRoom::Enough, Some(acting)) = (self.meter.log(message.len()), &self.acting) {
            acting.sink.progress(fraction, &message);
        }
    }

    fn tell(&self, level: LogLevel, message: &str) {
        if let Some(acting) = &self.acting {
            acting.sink.log(level, message);
        }
    }
}

/// Counts what a call uses.
pub(crate) struct Meter {
    pub(crate) limits: Limits,
    calls: u64,
    bytes: u64,
    logged: usize,
    /// Memory was asked for beyond the limit, and refused.
    pub(crate) out_of_memory: bool,
}

/// A limit that ends the call.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LimitReached {
    #[error("more than {limit} {what}")]
    TooMany { what: &'static str, limit: u64 },
}

enum LogRoom {
    Enough,
    JustFull,
    None,
}

impl Meter {
    fn new(limits: Limits) -> Self {
        Self { limits, calls: 0, bytes: 0, logged: 0, out_of_memory: false }
    }

    /// Counts a host call that brings so many bytes.
    pub(crate) fn call(&mut self, bytes: usize) -> Result<()> {
        self.calls += 1;
        self.bytes = self.bytes.saturating_add(bytes as u64);
        if self.calls > self.limits.host_calls {
            return Err(LimitReached::TooMany { what: "host calls", limit: self.limits.host_calls }.into());
        }
        if self.bytes > self.limits.total_bytes {
            let limit = self.limits.total_bytes >> 20;
            return Err(LimitReached::TooMany { what: "MiB for the host", limit }.into());
        }
        Ok(())
    }

    fn log(&mut self, bytes: usize) -> LogRoom {
        let before = self.logged;
        // An empty line takes room too.
        self.logged = before.saturating_add(bytes + 1);
        match (before > self.limits.log_bytes, self.logged > self.limits.log_bytes) {
            (false, false) => LogRoom::Enough,
            (false, true) => LogRoom::JustFull,
            (true, _) => LogRoom::None,
        }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let fits = desired <= self.limits.memory;
        self.out_of_memory |= !fits;
        Ok(fits)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        Ok(desired <= self.limits.table_elements)
    }

    fn instances(&self) -> usize {
        30
    }

    fn tables(&self) -> usize {
        30
    }

    fn memories(&self) -> usize {
        4
    }
}
