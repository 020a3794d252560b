//! A world that takes notes of what is done to it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use launchway_model::{Artifact, Digest, Failure, Fault, LogLevel, SecretName, Stream};
use launchway_runtime::{
    Command, CommandOutput, EffectFuture, Effects, Exit, FileOptions, FileStatus, HttpRequest, HttpResponse, Source,
    StepSink, Vantage, Written,
};

/// Takes every effect, and every line, and writes it down.
#[derive(Default)]
pub struct World {
    acts: Mutex<Vec<String>>,
    lines: Mutex<Vec<(LogLevel, String)>>,
    progress: Mutex<Vec<(Option<f32>, String)>>,
    /// Commands that never end, as long as somebody waits for them.
    hanging: Arc<AtomicUsize>,
}

impl World {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Returns the effects so far.
    pub fn acts(&self) -> Vec<String> {
        lock(&self.acts).clone()
    }

    pub fn lines(&self) -> Vec<(LogLevel, String)> {
        lock(&self.lines).clone()
    }

    pub fn progress(&self) -> Vec<(Option<f32>, String)> {
        lock(&self.progress).clone()
    }

    /// Returns how many commands hang right now.
    pub fn hanging(&self) -> usize {
        self.hanging.load(Ordering::SeqCst)
    }

    fn note<'a, T: Send + 'a>(&'a self, act: &str, answer: T) -> EffectFuture<'a, T> {
        lock(&self.acts).push(act.to_owned());
        Box::pin(async move { Ok(answer) })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics while taking notes")
}

struct Hanging(Arc<AtomicUsize>);

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Effects for World {
    fn exec<'a>(&'a self, command: Command, sink: &'a dyn StepSink) -> EffectFuture<'a, CommandOutput> {
        let output = CommandOutput { exit: Exit::Code(0), stdout: vec![0xff, b'!'], stderr: Vec::new() };
        match command.argv[0].as_str() {
            "hang" => {
                self.hanging.fetch_add(1, Ordering::SeqCst);
                let hanging = Hanging(self.hanging.clone());
                Box::pin(async move {
                    let _hanging = hanging;
                    std::future::pending().await
                })
            }
            "fail" => Box::pin(async {
                Err(Failure {
                    fault: Fault::Network,
                    message: "connection refused".to_owned(),
                    detail: None,
                    hint: Some("is sshd running?".to_owned()),
                    retryable: true,
                })
            }),
            _ => {
                sink.output(Stream::Stdout, b"\xff!");
                self.note("exec", output)
            }
        }
    }

    fn put<'a>(&'a self, source: Source, _: &'a str, _: FileOptions) -> EffectFuture<'a, Written> {
        let digest = match source {
            Source::Artifact(artifact) => artifact.digest,
            Source::Bytes(bytes) => Digest::of(&bytes),
            Source::Text(_) => Digest::of(b""),
        };
        self.note("put", Written { changed: true, digest })
    }

    fn read<'a>(&'a self, _: &'a str, limit: u64, _: Option<&'a str>) -> EffectFuture<'a, Option<Vec<u8>>> {
        self.note("read", Some(vec![b'x'; limit as usize]))
    }

    fn stat<'a>(&'a self, _: &'a str, _: Option<&'a str>) -> EffectFuture<'a, Option<FileStatus>> {
        self.note("stat", None)
    }

    fn send<'a>(&'a self, _: HttpRequest) -> EffectFuture<'a, HttpResponse> {
        self.note("send", HttpResponse { status: 200, headers: Vec::new(), body: Vec::new(), truncated: false })
    }

    fn download<'a>(&'a self, _: HttpRequest, file_name: &'a str) -> EffectFuture<'a, Artifact> {
        let digest = Digest::of(b"downloaded");
        self.note(
            "download",
            Artifact { name: file_name.into(), file_name: file_name.into(), digest, size: 10, has_secrets: false },
        )
    }

    fn connect<'a>(&'a self, _: &'a str, _: u16, _: Duration, _: Vantage) -> EffectFuture<'a, ()> {
        self.note("connect", ())
    }

    fn check_secret<'a>(&'a self, _: &'a SecretName) -> EffectFuture<'a, ()> {
        self.note("open", ())
    }
}

impl StepSink for World {
    fn output(&self, _: Stream, _: &[u8]) {}

    fn log(&self, level: LogLevel, message: &str) {
        lock(&self.lines).push((level, message.to_owned()));
    }

    fn progress(&self, fraction: Option<f32>, message: &str) {
        lock(&self.progress).push((fraction, message.to_owned()));
    }
}
