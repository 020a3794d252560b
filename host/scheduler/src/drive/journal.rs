//! The journal's own thread: one batch commits there while the next one gathers here.

use std::sync::Arc;
use std::sync::mpsc;

use launchway_model::EventRecord;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::DriveError;
use crate::seams::{Journal, JournalError};

/// The most events of one batch: bounds the time of a commit.
const BATCH: usize = 4096;

type Batch = Vec<Arc<EventRecord>>;

pub(super) struct JournalThread {
    requests: mpsc::Sender<Batch>,
    answers: UnboundedReceiver<(Batch, Result<(), JournalError>)>,
    gathering: Batch,
    is_committing: bool,
    recorded: u64,
    durable: u64,
}

impl JournalThread {
    /// Starts the thread. It ends by itself once this handle is gone.
    pub(super) fn spawn(journal: Arc<dyn Journal>) -> Result<Self, DriveError> {
        let (requests, work) = mpsc::channel::<Batch>();
        let (report, answers) = unbounded_channel();
        std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || {
                while let Ok(batch) = work.recv() {
                    let result = journal.append(&batch);
                    let failed = result.is_err();
                    if report.send((batch, result)).is_err() || failed {
                        return;
                    }
                }
            })
            .map_err(DriveError::Thread)?;
        Ok(Self { requests, answers, gathering: Batch::new(), is_committing: false, recorded: 0, durable: 0 })
    }

    pub(super) fn push(&mut self, record: Arc<EventRecord>) {
        self.gathering.push(record);
        self.recorded += 1;
    }

    /// How many events were pushed.
    pub(super) fn recorded(&self) -> u64 {
        self.recorded
    }

    /// How many events are durable.
    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    /// Whether all events are durable.
    pub(super) fn is_idle(&self) -> bool {
        self.durable == self.recorded
    }

    /// Sends off what has gathered, unless a batch is committing.
    pub(super) fn flush(&mut self) -> Result<(), DriveError> {
        if self.is_committing || self.gathering.is_empty() {
            return Ok(());
        }
        let batch = if self.gathering.len() <= BATCH {
            std::mem::take(&mut self.gathering)
        } else {
            let rest = self.gathering.split_off(BATCH);
            std::mem::replace(&mut self.gathering, rest)
        };
        self.requests.send(batch).map_err(|_| DriveError::ThreadEnded)?;
        self.is_committing = true;
        Ok(())
    }

    /// Waits until a batch is durable and returns it. Cancel-safe.
    pub(super) async fn committed(&mut self) -> Result<Batch, DriveError> {
        let (batch, result) = self.answers.recv().await.ok_or(DriveError::ThreadEnded)?;
        self.is_committing = false;
        result?;
        self.durable += batch.len() as u64;
        Ok(batch)
    }
}
