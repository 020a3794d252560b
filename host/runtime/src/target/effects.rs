//! The effects of one step, carried out on its target.

use std::sync::Arc;
use std::time::Duration;

use launchway_model::{Artifact, Escalation, Failure, Fault, SecretName};

use super::failure::{FailureExt as _, failure};
use super::fill::{Filler, check_password};
use super::run::Place;
use super::wrapper::Become;
use super::{exec, inspect, put};
use crate::http::Http;
use crate::{
    Blobs, Command, CommandOutput, EffectFuture, Effects, FileOptions, FileStatus, HttpRequest, HttpResponse, Source,
    StepSink, Vantage, Written, net,
};

/// What one step may do.
pub(crate) struct TargetEffects {
    pub(crate) place: Place,
    pub(crate) escalation: Escalation,
    pub(crate) filler: Filler,
    pub(crate) artifacts: Vec<Artifact>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) http: Arc<Http>,
}

impl TargetEffects {
    /// Gets ready to become another user; on the target it turns out whether that is the login user anyway.
    pub(crate) async fn becoming(&self, user: Option<&str>) -> Result<Option<Arc<Become>>, Failure> {
        let Some(user) = user else { return Ok(None) };
        let bad = |c: char| c.is_whitespace() || c.is_control() || ":/'\"\\".contains(c);
        if user.is_empty() || user.starts_with(['-', '#', '+']) || user.contains(bad) {
            let message = format!("`{}` is no user name", user.escape_default());
            return Err(failure(Fault::Configuration, message).hint("correct `as:`"));
        }
        let password = match &self.escalation.password {
            None => None,
            Some(name) => {
                let value = self.filler.host_value(name).await?;
                check_password(name, &value)?;
                Some((*value).clone())
            }
        };
        Ok(Some(Arc::new(Become { user: user.to_owned(), method: self.escalation.method, password })))
    }

    /// Keeps secrets out of a failure's texts.
    fn clean<T>(&self, result: Result<T, Failure>) -> Result<T, Failure> {
        result.map_err(|failure| self.filler.redactor.failure(failure))
    }
}

impl Effects for TargetEffects {
    fn exec<'a>(&'a self, command: Command, sink: &'a dyn StepSink) -> EffectFuture<'a, CommandOutput> {
        Box::pin(async move { self.clean(exec::exec(self, command, sink).await) })
    }

    fn put<'a>(&'a self, source: Source, path: &'a str, options: FileOptions) -> EffectFuture<'a, Written> {
        Box::pin(async move { self.clean(put::put(self, source, path, options).await) })
    }

    fn read<'a>(&'a self, path: &'a str, limit: u64, as_user: Option<&'a str>) -> EffectFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move { self.clean(inspect::read(self, path, limit, as_user).await) })
    }

    fn stat<'a>(&'a self, path: &'a str, as_user: Option<&'a str>) -> EffectFuture<'a, Option<FileStatus>> {
        Box::pin(async move {
            let status = self.clean(inspect::stat(self, path, as_user).await)?;
            Ok(match status {
                Some(status) => Some(FileStatus { digest: put::unfilled(self, status.digest).await, ..status }),
                None => None,
            })
        })
    }

    fn send<'a>(&'a self, request: HttpRequest) -> EffectFuture<'a, HttpResponse> {
        Box::pin(async move { self.clean(self.http.send(request, &*self.place.transport, &self.filler).await) })
    }

    fn download<'a>(&'a self, request: HttpRequest, file_name: &'a str) -> EffectFuture<'a, Artifact> {
        Box::pin(async move {
            let transport = &*self.place.transport;
            self.clean(self.http.download(request, file_name, transport, &self.filler, &self.blobs).await)
        })
    }

    fn connect<'a>(&'a self, address: &'a str, port: u16, timeout: Duration, from: Vantage) -> EffectFuture<'a, ()> {
        Box::pin(async move {
            match from {
                Vantage::Host => net::connect(address, port, timeout).await,
                Vantage::Target => self.place.transport.connect(address, port, timeout).await,
            }
        })
    }

    fn check_secret<'a>(&'a self, name: &'a SecretName) -> EffectFuture<'a, ()> {
        Box::pin(async move { self.clean(self.filler.value(name).await.map(|_| ())) })
    }
}
