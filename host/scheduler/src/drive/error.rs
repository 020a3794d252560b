use crate::protocol::CoreError;
use crate::seams::JournalError;

/// Why a run could not be driven to its end.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    #[error("the run was broken off")]
    Journal(#[from] JournalError),
    #[error("the run was broken off because the scheduler contradicts itself")]
    Core(#[from] CoreError),
    #[error("can't start the journal's thread")]
    Thread(#[source] std::io::Error),
    #[error("the journal's thread ended early")]
    ThreadEnded,
}
