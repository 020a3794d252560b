//! What is told to the store and asked of it: one exchange at a time, off the driver's task.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use launchway_model::{Answer, Exchange};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::seams::{JournalError, Sharing};

/// How often a run that is alone looks whether another one has come.
const LOOK: Duration = Duration::from_millis(250);

/// What the store says.
pub(super) enum News {
    /// Another run is there, and wants to know what this one holds.
    Asked,
    Answers(Vec<Answer>),
}

pub(super) struct SharingThread {
    store: Option<Arc<dyn Sharing>>,
    /// No other run has come yet. When to look again.
    look: Option<Instant>,
    looking: Option<JoinHandle<Result<bool, JournalError>>>,
    exchanging: Option<JoinHandle<Result<Vec<Answer>, JournalError>>>,
    gathering: Exchange,
}

impl SharingThread {
    pub(super) fn new(store: Option<Arc<dyn Sharing>>, is_sharing: bool) -> Self {
        let look = (store.is_some() && !is_sharing).then(|| Instant::now() + LOOK);
        Self { store, look, looking: None, exchanging: None, gathering: Exchange::default() }
    }

    pub(super) fn push(&mut self, next: Exchange) {
        if next.withdraw {
            // Whatever was asked for before is not wanted any more.
            self.gathering.asks.clear();
        }
        let Exchange { declare, release, withdraw, asks } = next;
        self.gathering.declare = self.gathering.declare.take().or(declare);
        self.gathering.release.extend(release);
        self.gathering.withdraw |= withdraw;
        self.gathering.asks.extend(asks);
        self.flush();
    }

    fn flush(&mut self) {
        if self.exchanging.is_some() || self.gathering.is_empty() {
            return;
        }
        let Some(store) = self.store.clone() else { return };
        let exchange = std::mem::take(&mut self.gathering);
        self.exchanging = Some(tokio::task::spawn_blocking(move || store.exchange(&exchange)));
    }

    /// Waits for something the run has to know. Cancel-safe.
    pub(super) async fn news(&mut self) -> Result<News, JournalError> {
        loop {
            if let Some(exchanging) = &mut self.exchanging {
                let answers = joined(exchanging.await);
                self.exchanging = None;
                self.flush();
                return answers.map(News::Answers);
            }
            if let Some(looking) = &mut self.looking {
                let asked = joined(looking.await);
                self.looking = None;
                // What can't be read now is read next time; if the store is gone, the journal says so.
                if asked.unwrap_or(false) {
                    self.look = None;
                    return Ok(News::Asked);
                }
                self.look = Some(Instant::now() + LOOK);
            }
            let (Some(at), Some(store)) = (self.look, &self.store) else { return pending().await };
            tokio::time::sleep_until(at).await;
            let store = store.clone();
            self.looking = Some(tokio::task::spawn_blocking(move || store.is_asked()));
        }
    }
}

fn joined<T>(result: Result<Result<T, JournalError>, tokio::task::JoinError>) -> Result<T, JournalError> {
    result.unwrap_or_else(|error| Err(JournalError(error.into())))
}
