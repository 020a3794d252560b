//! All targets of a run, and what they share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use launchway_model::{Artifact, Failure, SecretName, TargetSpec};

use super::cleanup::Cleanup;
use super::effects::TargetEffects;
use super::fill::Filler;
use super::local::Local;
use super::marker::{self, FoundMarker, Marked, Marker, Marking};
use super::run::Place;
use super::ssh::{Settings, Shared, Ssh};
use super::transport::{Forward, Process, Start, Transport, TransportFuture};
use crate::http::Http;
use crate::{Blobs, Effects, Redactor, SecretValues};

/// How long closing waits for commands that were dropped to end.
const CLEANUP_LIMIT: Duration = Duration::from_secs(4);

/// How long closing waits for connections that are still being made.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);

/// What the targets of a run are given.
pub struct TargetsOptions {
    /// Where relative paths of identity files and the like start.
    pub project_dir: PathBuf,
    /// A private folder for connection sockets; must be there, and stays. Where its name is too long for a socket,
    /// a temporary folder takes its place.
    pub control_dir: PathBuf,
    pub secrets: Arc<dyn SecretValues>,
    pub blobs: Arc<dyn Blobs>,
    pub redactor: Arc<Redactor>,
    /// How many connections may be under way at once; a default sshd refuses some above ten.
    pub connect_concurrency: usize,
}

/// The targets of a run. Connects when a step first needs to, and keeps the connection for the next one.
pub struct Targets {
    options: TargetsOptions,
    shared: Arc<Shared>,
    connections: Mutex<HashMap<Settings, Arc<Ssh>>>,
    http: Arc<Http>,
}

impl Targets {
    /// Prepares; starts and connects nothing.
    pub fn new(options: TargetsOptions) -> Self {
        let cleanup = Cleanup::default();
        let shared = Arc::new(Shared::new(options.control_dir.clone(), options.connect_concurrency, cleanup));
        Self { options, shared, connections: Mutex::default(), http: Arc::default() }
    }

    /// Returns what a step may do on its target; `secrets` and `artifacts` are those of the step's instance.
    pub fn effects(&self, target: &TargetSpec, secrets: &[SecretName], artifacts: &[Artifact]) -> Arc<dyn Effects> {
        Arc::new(self.own_effects(target, secrets, artifacts))
    }

    /// Compares a target's marker with a state, and writes it where that allows it.
    pub async fn mark(&self, target: &TargetSpec, marker: &Marker, when: Marking) -> Result<Marked, Failure> {
        marker::mark(&self.own_effects(target, &[], &[]), marker, when).await
    }

    /// Returns a target's marker, if there is one.
    pub async fn read_marker(&self, target: &TargetSpec, marker: &Marker) -> Result<Option<FoundMarker>, Failure> {
        marker::read(&self.own_effects(target, &[], &[]), marker).await
    }

    /// Removes a target's marker.
    pub async fn unmark(&self, target: &TargetSpec, marker: &Marker) -> Result<(), Failure> {
        marker::unmark(&self.own_effects(target, &[], &[]), marker).await
    }

    fn own_effects(&self, target: &TargetSpec, secrets: &[SecretName], artifacts: &[Artifact]) -> TargetEffects {
        let transport: Arc<dyn Transport> = match target.transport {
            launchway_model::Transport::Local => Arc::new(Local),
            launchway_model::Transport::Ssh => match Settings::new(target, &self.options.project_dir) {
                Ok(settings) => self.connection(settings),
                Err(failure) => Arc::new(Refused(failure)),
            },
        };
        TargetEffects {
            place: Place { name: format!("`{}`", target.name).into(), transport, cleanup: self.shared.cleanup.clone() },
            escalation: target.escalation.clone(),
            filler: Filler {
                secrets: self.options.secrets.clone(),
                redactor: self.options.redactor.clone(),
                allowed: secrets.to_vec(),
            },
            artifacts: artifacts.to_vec(),
            blobs: self.options.blobs.clone(),
            http: self.http.clone(),
        }
    }

    /// Ends what dropped commands left behind, then all connections.
    pub async fn close(&self) {
        self.shared.begin_closing();
        let _ = tokio::time::timeout(CLEANUP_LIMIT, self.shared.cleanup.finish()).await;
        let connections: Vec<_> = self.connections().drain().map(|(_, connection)| connection).collect();
        let mut closing = tokio::task::JoinSet::new();
        for connection in connections {
            closing.spawn(async move { connection.close().await });
        }
        // A step that still connects holds its connection's lock; it finds out that the run is over.
        let _ = tokio::time::timeout(CLOSE_LIMIT, closing.join_all()).await;
        self.shared.closed();
    }

    fn connection(&self, settings: Settings) -> Arc<Ssh> {
        let mut connections = self.connections();
        let new = || Arc::new(Ssh::new(settings.clone(), self.shared.clone()));
        connections.entry(settings.clone()).or_insert_with(new).clone()
    }

    fn connections(&self) -> std::sync::MutexGuard<'_, HashMap<Settings, Arc<Ssh>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A target that can't be reached, whatever is tried.
struct Refused(Failure);

impl Refused {
    fn answer<T>(&self) -> TransportFuture<'_, Result<T, Failure>>
    where
        T: Send,
    {
        let failure = self.0.clone();
        Box::pin(async move { Err(failure) })
    }
}

impl Transport for Refused {
    fn start<'a>(&'a self, _: &'a str, _: Start) -> TransportFuture<'a, Result<Process, Failure>> {
        self.answer()
    }

    fn lost(&self) -> TransportFuture<'_, Option<Failure>> {
        Box::pin(async { Some(self.0.clone()) })
    }

    fn connect<'a>(&'a self, _: &'a str, _: u16, _: Duration) -> TransportFuture<'a, Result<(), Failure>> {
        self.answer()
    }

    fn forward<'a>(&'a self, _: &'a str, _: u16) -> TransportFuture<'a, Result<Option<Forward>, Failure>> {
        self.answer()
    }
}
