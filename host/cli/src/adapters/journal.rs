//! The store's journal, for the scheduler.

use std::sync::Arc;

use launchway_model::EventRecord;
use launchway_scheduler::{Journal, JournalError};
use launchway_store::RunJournal;

pub(crate) struct RunJournalAdapter(pub Arc<RunJournal>);

impl Journal for RunJournalAdapter {
    fn append(&self, events: &[Arc<EventRecord>]) -> Result<(), JournalError> {
        self.0.append(events).map_err(|error| JournalError(Box::new(error)))
    }
}
