//! One call into a plugin: a fresh instance with limits on, one host call in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use launchway_harness::find_binary;
use launchway_model::{
    ApplicationName, Artifact, ComponentName, Failure, Fault, InstanceId, LogLevel, Phase, PlannedStep, PluginName,
    SecretName, Stream, TargetName, Version,
};
use launchway_runtime::{
    CallInstance, Command, CommandOutput, EffectFuture, Effects, FileOptions, FileStatus, HttpRequest, HttpResponse,
    PluginFile, PluginOptions, PluginSet, Source, StepCall, StepSink, Vantage, Written,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::guest;
use crate::table::{Table, time};

const CALLS: u32 = 20_000;

pub(crate) fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let name = PluginName::new("idle")?;
    let file = PluginFile { name, path: guest::idle(folder.path())?, grant: Vec::new() };
    let compiler = vec![find_binary()?.path().into(), "__compile-plugin".into()];
    let options = PluginOptions { compiler, ..PluginOptions::default() };
    let plugins = PluginSet::load(&[], &[file], options).map_err(|errors| anyhow!("{errors:?}"))?;
    let call = call()?;

    let one = calls(&plugins, &call, CALLS)?;
    let mut times = one.clone();
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64();
    let table = Table::new(&["", "one thread"]);
    table.row(&["median".to_owned(), time(at(0.5))]);
    table.row(&["99th percentile".to_owned(), time(at(0.99))]);

    let begin = Instant::now();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(|| calls(&plugins, &call, CALLS))).collect();
        threads.into_iter().try_for_each(|thread| match thread.join() {
            Ok(result) => result.map(drop),
            Err(_) => Err(anyhow!("a thread panicked")),
        })
    })?;
    let alone: Duration = one.iter().sum();
    let gain = 2.0 * alone.as_secs_f64() / begin.elapsed().as_secs_f64();
    println!("\ntwo threads do {gain:.2} times the calls of one");
    Ok(())
}

/// Calls so many times, one after the other, and returns how long each took.
fn calls(plugins: &PluginSet, call: &StepCall, count: u32) -> Result<Vec<Duration>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut times = Vec::with_capacity(count as usize);
        for _ in 0..count {
            let begin = Instant::now();
            let outcome = plugins.apply(call.clone()).await;
            times.push(begin.elapsed());
            ensure!(outcome.is_ok(), "the call failed: {outcome:?}");
        }
        Ok(times)
    })
}

fn call() -> Result<StepCall> {
    let id = InstanceId { component: ComponentName::new("component")?, target: TargetName::new("target")? };
    Ok(StepCall {
        plugin: PluginName::new("idle")?,
        instance: CallInstance {
            application: ApplicationName::new("application")?,
            version: Version::new("1")?,
            id,
            kind: "idle/nothing".parse()?,
            properties: Arc::new(serde_json::json!({ "input": "1" })),
            artifacts: Vec::new(),
            secrets: Vec::new(),
        },
        step: PlannedStep {
            name: "nothing".into(),
            phase: Phase::Start,
            summary: "Do nothing".to_owned(),
            payload: Arc::new(Value::Null),
            idempotent: true,
            locks: Vec::new(),
            timeout_ms: None,
        },
        effects: Arc::new(Nowhere),
        sink: Arc::new(Nowhere),
        started: Instant::now(),
        timeout: Duration::from_secs(600),
        cancel: CancellationToken::new(),
    })
}

/// A target on which nothing can be done: the plugin does not try.
struct Nowhere;

impl StepSink for Nowhere {
    fn output(&self, _: Stream, _: &[u8]) {}
    fn log(&self, _: LogLevel, _: &str) {}
    fn progress(&self, _: Option<f32>, _: &str) {}
}

fn nowhere<'a, T: Send + 'a>() -> EffectFuture<'a, T> {
    let failure = Failure {
        fault: Fault::Plugin,
        message: "there is no target".to_owned(),
        detail: None,
        hint: None,
        retryable: false,
    };
    Box::pin(std::future::ready(Err(failure)))
}

impl Effects for Nowhere {
    fn exec<'a>(&'a self, _: Command, _: &'a dyn StepSink) -> EffectFuture<'a, CommandOutput> {
        nowhere()
    }
    fn put<'a>(&'a self, _: Source, _: &'a str, _: FileOptions) -> EffectFuture<'a, Written> {
        nowhere()
    }
    fn read<'a>(&'a self, _: &'a str, _: u64, _: Option<&'a str>) -> EffectFuture<'a, Option<Vec<u8>>> {
        nowhere()
    }
    fn stat<'a>(&'a self, _: &'a str, _: Option<&'a str>) -> EffectFuture<'a, Option<FileStatus>> {
        nowhere()
    }
    fn send<'a>(&'a self, _: HttpRequest) -> EffectFuture<'a, HttpResponse> {
        nowhere()
    }
    fn download<'a>(&'a self, _: HttpRequest, _: &'a str) -> EffectFuture<'a, Artifact> {
        nowhere()
    }
    fn connect<'a>(&'a self, _: &'a str, _: u16, _: Duration, _: Vantage) -> EffectFuture<'a, ()> {
        nowhere()
    }
    fn check_secret<'a>(&'a self, _: &'a SecretName) -> EffectFuture<'a, ()> {
        nowhere()
    }
}
