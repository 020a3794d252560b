//! A plugin's command, from its request to its answer.

use std::sync::Arc;

use launchway_model::{Failure, Fault, Stream};

use super::effects::TargetEffects;
use super::failure::{FailureExt as _, failure};
use super::run::{Feed, run};
use super::wrapper::{Value, Work};
use crate::redact::StreamRedactor;
use crate::{Command, CommandOutput, OUTPUT_TAIL, StepSink};

/// Variables that a shell keeps for itself and refuses to set.
const READ_ONLY: [&str; 6] = ["UID", "EUID", "PPID", "SHELLOPTS", "BASHOPTS", "BASH_VERSINFO"];

/// Runs a command; its output goes to the sink as it comes.
pub(crate) async fn exec(
    effects: &TargetEffects,
    command: Command,
    sink: &dyn StepSink,
) -> Result<CommandOutput, Failure> {
    let work = work(effects, &command).await?;
    let stdin = effects.filler.fill(&command.stdin).await?.bytes;
    let feed = if command.stdin.is_empty() { Feed::Nothing } else { Feed::Bytes(stdin) };
    let as_user = effects.becoming(command.as_user.as_deref()).await?;
    effects.filler.learn_known();

    let redactor = &effects.filler.redactor;
    let mut outputs = [Output::new(redactor.stream()), Output::new(redactor.stream())];
    let sink = (!command.quiet).then_some(sink);
    let mut take = |stream: Stream, bytes: &[u8]| outputs[stream as usize].take(stream, bytes, sink);
    let ran = run(&effects.place, &work, as_user, feed, command.timeout, &mut take).await;
    let [stdout, stderr] = outputs;
    // What was held back is shown even if the command failed: it may say why.
    let (stdout, stderr) = (stdout.finish(Stream::Stdout, sink), stderr.finish(Stream::Stderr, sink));
    Ok(CommandOutput { exit: ran?, stdout, stderr })
}

async fn work(effects: &TargetEffects, command: &Command) -> Result<Work, Failure> {
    if command.argv.first().is_none_or(String::is_empty) {
        return Err(failure(Fault::Plugin, "the command names no program"));
    }
    for text in command.argv.iter().chain(&command.cwd) {
        no_nul("a command", text)?;
    }
    if command.cwd.as_ref().is_some_and(String::is_empty) {
        return Err(failure(Fault::Configuration, "the working folder has an empty name"));
    }
    let mut env = Vec::with_capacity(command.env.len());
    for (name, parts) in &command.env {
        check_variable(name)?;
        let filled = effects.filler.fill(parts).await?;
        if filled.bytes.contains(&0) {
            return Err(failure(Fault::Configuration, format!("environment variable `{name}` can't hold a NUL byte")));
        }
        let plain = (!filled.has_secrets).then(|| String::from_utf8(filled.bytes.to_vec()).ok()).flatten();
        env.push((name.clone(), plain.map_or_else(|| Value::Secret(filled.bytes), Value::Plain)));
    }
    Ok(Work::Program { argv: command.argv.clone(), env, cwd: command.cwd.clone() })
}

fn check_variable(name: &str) -> Result<(), Failure> {
    let valid = name
        .bytes()
        .enumerate()
        .all(|(at, byte)| byte == b'_' || byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_digit()));
    if name.is_empty() || !valid {
        let message = format!("`{}` is no name for an environment variable", name.escape_default());
        return Err(failure(Fault::Configuration, message).hint("letters, digits and `_`, not beginning with a digit"));
    }
    if READ_ONLY.contains(&name) {
        return Err(failure(
            Fault::Configuration,
            format!("environment variable `{name}` belongs to the shell and can't be set"),
        ));
    }
    Ok(())
}

/// Refuses what no argument and no path can hold.
pub(crate) fn no_nul(what: &str, text: &str) -> Result<(), Failure> {
    if text.contains('\0') {
        return Err(failure(Fault::Configuration, format!("{what} can't hold a NUL byte")));
    }
    Ok(())
}

/// One output stream: redacted, handed on, its end kept.
struct Output {
    redactor: StreamRedactor,
    clean: Vec<u8>,
    tail: Vec<u8>,
}

impl Output {
    fn new(redactor: StreamRedactor) -> Self {
        Self { redactor, clean: Vec::new(), tail: Vec::new() }
    }

    fn take(&mut self, stream: Stream, bytes: &[u8], sink: Option<&dyn StepSink>) {
        self.clean.clear();
        self.redactor.push(bytes, &mut self.clean);
        self.hand_on(stream, sink);
    }

    fn finish(mut self, stream: Stream, sink: Option<&dyn StepSink>) -> Vec<u8> {
        self.clean.clear();
        self.redactor.finish(&mut self.clean);
        self.hand_on(stream, sink);
        self.tail.drain(..self.tail.len().saturating_sub(OUTPUT_TAIL));
        self.tail
    }

    fn hand_on(&mut self, stream: Stream, sink: Option<&dyn StepSink>) {
        if self.clean.is_empty() {
            return;
        }
        if let Some(sink) = sink {
            sink.output(stream, &self.clean);
        }
        self.tail.extend_from_slice(&self.clean);
        // Not at every piece: moving the tail costs more than keeping two.
        if self.tail.len() > 2 * OUTPUT_TAIL {
            self.tail.drain(..self.tail.len() - OUTPUT_TAIL);
        }
    }
}

/// Runs a few lines of our own and returns what they print, up to a limit.
pub(crate) async fn script(
    effects: &TargetEffects,
    script: String,
    as_user: Option<&str>,
    limit: usize,
) -> Result<Printed, Failure> {
    let as_user = effects.becoming(as_user).await?;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut take = |stream: Stream, bytes: &[u8]| {
        let (kept, limit) = match stream {
            Stream::Stdout => (&mut stdout, limit),
            Stream::Stderr => (&mut stderr, OUTPUT_TAIL),
        };
        let room = limit.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    };
    let exit = run(&effects.place, &Work::Script(script), as_user, Feed::Nothing, None, &mut take).await?;
    Ok(Printed { exit, stdout, stderr })
}

/// What a script printed.
pub(crate) struct Printed {
    pub(crate) exit: crate::Exit,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Says that a script failed in a way nobody foresaw.
pub(crate) fn unexpected(what: &str, target: &Arc<str>, said: &[u8]) -> Failure {
    let denied = String::from_utf8_lossy(said).contains("ermission denied");
    let message = format!("can't {what} on {target}{}", if denied { ": permission denied" } else { "" });
    let failure = failure(Fault::Target, message).detail(said);
    if denied { failure.hint("run it `as:` a user who may, or give the login user the right") } else { failure }
}
