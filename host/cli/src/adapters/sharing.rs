//! What runs share, for the scheduler: the store keeps count.

use std::sync::Arc;

use launchway_model::{Answer, Exchange};
use launchway_scheduler::{JournalError, Sharing};
use launchway_store::RunJournal;

use crate::holder::now;

pub(crate) struct SharingAdapter(pub Arc<RunJournal>);

impl Sharing for SharingAdapter {
    fn is_asked(&self) -> Result<bool, JournalError> {
        self.0.is_asked().map_err(|error| JournalError(Box::new(error)))
    }

    fn exchange(&self, exchange: &Exchange) -> Result<Vec<Answer>, JournalError> {
        self.0.exchange(exchange, now()).map_err(|error| JournalError(Box::new(error)))
    }
}
