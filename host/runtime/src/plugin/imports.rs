//! The imports: each turns a guest's call into a request to the step's effects.

use std::sync::Arc;
use std::time::Duration;

use launchway_model::{Failure as ModelFailure, Fault, LogLevel};
use wasmtime::Result;
use wasmtime::component::Resource;

use super::bindings::{clock, http, log, net, secrets, target, types};
use super::convert;
use super::state::{CallState, SecretHandle};
use crate::{Command, Effects, FileOptions, HttpRequest, Part, Source};

type Answer<T> = Result<std::result::Result<T, types::Failure>>;

/// How much of a file a guest gets, in bytes.
const READ_LIMIT: u64 = 4 << 20;

impl types::Host for CallState {}

impl log::Host for CallState {
    fn emit(&mut self, level: log::Level, message: String) -> Result<()> {
        self.meter.call(message.len())?;
        let level = match level {
            log::Level::Debug => LogLevel::Debug,
            log::Level::Info => LogLevel::Info,
            log::Level::Warn => LogLevel::Warn,
            log::Level::Error => LogLevel::Error,
        };
        self.write_log(level, &message);
        Ok(())
    }

    fn progress(&mut self, fraction: Option<f32>, message: String) -> Result<()> {
        self.meter.call(message.len())?;
        self.show_progress(fraction, &message);
        Ok(())
    }
}

impl clock::Host for CallState {
    fn elapsed_ms(&mut self) -> Result<u64> {
        self.meter.call(0)?;
        let started = self.acting("clock", "elapsed-ms")?.started;
        Ok(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

impl secrets::Host for CallState {
    async fn open(&mut self, name: String) -> Answer<Resource<SecretHandle>> {
        self.meter.call(name.len())?;
        let allowed = self.acting("secrets", "open")?.secrets.iter().find(|secret| secret.as_str() == name).cloned();
        let Some(secret) = allowed else {
            let name = super::text::line(&name, 200);
            return Ok(Err(
                self.refuse(format!("the plugin asked for secret `{name}`, which its instance does not use"))
            ));
        };
        let checked = secret.clone();
        let check = async move |effects: Arc<dyn Effects>| effects.check_secret(&checked).await;
        match self.effect("secrets", "open", check).await? {
            Ok(()) => Ok(Ok(self.open_secret(secret)?)),
            Err(failure) => Ok(Err(failure)),
        }
    }
}

impl secrets::HostSecret for CallState {
    async fn name(&mut self, handle: Resource<SecretHandle>) -> Result<String> {
        self.meter.call(0)?;
        Ok(self.secret(&handle)?.name.as_str().to_owned())
    }

    async fn drop(&mut self, handle: Resource<SecretHandle>) -> Result<()> {
        self.close(handle)
    }
}

impl target::Host for CallState {
    async fn exec(&mut self, command: target::Command) -> Answer<target::Output> {
        self.meter.call(command_size(&command))?;
        if command.argv.is_empty() {
            return Ok(Err(self.refuse("the plugin asked for a command without a program".to_owned())));
        }
        let mut env = Vec::with_capacity(command.env.len());
        for variable in command.env {
            env.push((variable.name, self.parts(variable.value)?));
        }
        let command = Command {
            argv: command.argv,
            env,
            cwd: command.cwd,
            stdin: self.parts(command.stdin)?,
            as_user: command.as_user,
            timeout: command.timeout_ms.map(Duration::from_millis),
            quiet: command.quiet,
        };
        let sink = self.acting("target", "exec")?.sink.clone();
        let exec = async move |effects: Arc<dyn Effects>| effects.exec(command, &*sink).await;
        let output = self.effect("target", "exec", exec).await?;
        Ok(output.map(convert::output_to_guest))
    }

    async fn put(
        &mut self,
        source: target::Source,
        path: String,
        options: target::FileOptions,
    ) -> Answer<target::Written> {
        let size = match &source {
            target::Source::Artifact(name) => name.len(),
            target::Source::Bytes(bytes) => bytes.len(),
            target::Source::Text(parts) => parts_size(parts),
        };
        self.meter.call(size + path.len())?;
        let source = match source {
            target::Source::Artifact(name) => {
                let artifacts = &self.acting("target", "put")?.artifacts;
                match artifacts.iter().find(|artifact| *artifact.name == *name) {
                    Some(artifact) => Source::Artifact(artifact.clone()),
                    None => {
                        let name = super::text::line(&name, 200);
                        let message =
                            format!("the plugin asked for artifact `{name}`, which its instance does not have");
                        return Ok(Err(self.refuse(message)));
                    }
                }
            }
            target::Source::Bytes(bytes) => Source::Bytes(bytes),
            target::Source::Text(parts) => Source::Text(self.parts(parts)?),
        };
        let options =
            FileOptions { mode: options.mode, owner: options.owner, group: options.group, as_user: options.as_user };
        let put = async move |effects: Arc<dyn Effects>| effects.put(source, &path, options).await;
        let written = self.effect("target", "put", put).await?;
        Ok(written.map(|written| target::Written { changed: written.changed, digest: written.digest.to_string() }))
    }

    async fn read(&mut self, path: String, limit: u64, as_user: Option<String>) -> Answer<Option<Vec<u8>>> {
        self.meter.call(path.len())?;
        let limit = limit.min(READ_LIMIT);
        let read = async move |effects: Arc<dyn Effects>| effects.read(&path, limit, as_user.as_deref()).await;
        self.effect("target", "read", read).await
    }

    async fn stat(&mut self, path: String, as_user: Option<String>) -> Answer<Option<target::Status>> {
        self.meter.call(path.len())?;
        let stat = async move |effects: Arc<dyn Effects>| effects.stat(&path, as_user.as_deref()).await;
        let status = self.effect("target", "stat", stat).await?;
        Ok(status.map(|status| status.map(convert::status_to_guest)))
    }
}

impl http::Host for CallState {
    async fn send(&mut self, request: http::Request) -> Answer<http::Response> {
        let request = self.request(request)?;
        let send = async move |effects: Arc<dyn Effects>| effects.send(request).await;
        let response = self.effect("http", "send", send).await?;
        Ok(response.map(|response| http::Response {
            status: response.status,
            headers: response.headers,
            body: response.body,
            truncated: response.truncated,
        }))
    }

    async fn download(&mut self, request: http::Request, file_name: String) -> Answer<types::Artifact> {
        let request = self.request(request)?;
        let download = async move |effects: Arc<dyn Effects>| effects.download(request, &file_name).await;
        let artifact = self.effect("http", "download", download).await?;
        Ok(artifact.map(|artifact| {
            let told = convert::artifact_to_guest(&artifact);
            // From now on it is the instance's, to put on the target.
            if let Some(acting) = &mut self.acting {
                acting.artifacts.retain(|known| known.name != artifact.name);
                acting.artifacts.push(artifact);
            }
            told
        }))
    }
}

impl net::Host for CallState {
    async fn connect(&mut self, address: String, port: u16, timeout_ms: u64, from: types::Vantage) -> Answer<()> {
        self.meter.call(address.len())?;
        let timeout = Duration::from_millis(timeout_ms);
        let from = convert::vantage(from);
        let connect = async move |effects: Arc<dyn Effects>| effects.connect(&address, port, timeout, from).await;
        self.effect("net", "connect", connect).await
    }
}

impl CallState {
    /// Returns the failure for a request that no well-made plugin makes.
    fn refuse(&mut self, message: String) -> types::Failure {
        let failure = ModelFailure { fault: Fault::Plugin, message, detail: None, hint: None, retryable: false };
        convert::failure_to_guest(&failure)
    }

    fn parts(&self, parts: Vec<secrets::Part>) -> Result<Vec<Part>> {
        parts
            .into_iter()
            .map(|part| match part {
                secrets::Part::Text(text) => Ok(Part::Text(text)),
                secrets::Part::Secret(handle) => Ok(Part::Secret(self.secret(&handle)?.name.clone())),
            })
            .collect()
    }

    fn request(&mut self, request: http::Request) -> Result<HttpRequest> {
        let headers: usize = request.headers.iter().map(|header| header.name.len() + parts_size(&header.value)).sum();
        let body = request.body.as_ref().map_or(0, Vec::len);
        self.meter.call(request.url.len() + headers + body)?;
        let mut headers = Vec::with_capacity(request.headers.len());
        for header in request.headers {
            headers.push((header.name, self.parts(header.value)?));
        }
        Ok(HttpRequest {
            method: request.method,
            url: request.url,
            headers,
            body: request.body,
            timeout: request.timeout_ms.map(Duration::from_millis),
            redirects: request.redirects,
            authorities: request.tls.authorities,
            insecure: request.tls.insecure,
            from: convert::vantage(request.from),
        })
    }
}

fn command_size(command: &target::Command) -> usize {
    let argv: usize = command.argv.iter().map(String::len).sum();
    let env: usize = command.env.iter().map(|variable| variable.name.len() + parts_size(&variable.value)).sum();
    argv + env + parts_size(&command.stdin)
}

fn parts_size(parts: &[secrets::Part]) -> usize {
    parts
        .iter()
        .map(|part| match part {
            secrets::Part::Text(text) => text.len(),
            secrets::Part::Secret(_) => 0,
        })
        .sum()
}
