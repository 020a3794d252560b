use std::path::{Path, PathBuf};

use launchway_model::{Digest, RunId};
use rusqlite::{ErrorCode, ffi};

/// Why the store can't do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("can't {action} `{path}`", path = .path.display())]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("`{path}` is not a launchway store", path = .path.display())]
    NotAStore { path: PathBuf },
    #[error("`{path}` is not a folder", path = .path.display())]
    NotAFolder { path: PathBuf },
    /// What belongs to it is still there.
    #[error("`{path}` is missing or empty, though it was not before", path = .path.display())]
    Lost { path: PathBuf },
    /// SQLite's log, or another format, would have to be worked in.
    #[error("`{path}` can't be read without being brought up to date, and it is read-only", path = .path.display())]
    Unmerged { path: PathBuf },
    #[error(
        "`{path}` was written by a newer launchway: its format is {found}, this one knows up to {known}",
        path = .path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("`{path}` is damaged", path = .path.display())]
    Corrupt { path: PathBuf, source: rusqlite::Error },
    #[error("`{path}` can't be written: it is read-only", path = .path.display())]
    ReadOnly { path: PathBuf, source: rusqlite::Error },
    #[error("`{path}` can't be written: the disk is full", path = .path.display())]
    Full { path: PathBuf, source: rusqlite::Error },
    #[error("`{path}` is in use by another process for too long", path = .path.display())]
    Busy { path: PathBuf, source: rusqlite::Error },
    #[error("the database `{path}` refused", path = .path.display())]
    Database { path: PathBuf, source: rusqlite::Error },
    #[error("the store's {what} can't be read")]
    Record { what: String, source: serde_json::Error },
    #[error("the store's {what} can't be read: `{text}` is not valid")]
    Value { what: &'static str, text: String },
    #[error("a {what} can't be written as JSON")]
    Encode { what: &'static str, source: serde_json::Error },
    #[error("the plan of run {run} has the format {found}; this launchway knows up to {known}")]
    PlanFormat { run: RunId, found: u32, known: u32 },
    #[error("the store has no bytes for {digest}")]
    BlobMissing { digest: Digest },
    #[error("the stored bytes of {digest} are damaged: `{path}` holds something else", path = .path.display())]
    BlobDamaged { digest: Digest, path: PathBuf },
    #[error("the key `{path}` is damaged: it must be 32 bytes long", path = .path.display())]
    KeyDamaged { path: PathBuf },
    #[error("the system gives no random numbers")]
    Random(#[source] std::io::Error),
    #[error("run {run} lost its lease: another run has taken over")]
    LeaseLost { run: RunId },
    #[error("event {found} of run {run} came where event {expected} was due")]
    OutOfOrder { run: RunId, expected: u64, found: u64 },
    #[error("the journal of run {run} failed before and takes nothing more")]
    Broken { run: RunId },
}

impl StoreError {
    /// Tells what users can do something about from the rest.
    pub(crate) fn database(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotAStore { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt { path, source },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                Self::ReadOnly { path, source }
            }
            Some(ErrorCode::DiskFull) => Self::Full { path, source },
            // The file that processes share could not grow.
            _ if source.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHMSIZE) => {
                Self::Full { path, source }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path, source },
            _ => Self::Database { path, source },
        }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: i32) -> StoreError {
        let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
        StoreError::database(Path::new("/x/launchway.db"), error)
    }

    #[test]
    fn what_users_can_mend_is_told_apart() {
        assert!(matches!(failure(ffi::SQLITE_FULL), StoreError::Full { .. }));
        assert!(matches!(failure(ffi::SQLITE_IOERR_SHMSIZE), StoreError::Full { .. }));
        assert!(matches!(failure(ffi::SQLITE_READONLY), StoreError::ReadOnly { .. }));
        assert!(matches!(failure(ffi::SQLITE_BUSY), StoreError::Busy { .. }));
        assert!(matches!(failure(ffi::SQLITE_CORRUPT), StoreError::Corrupt { .. }));
        assert!(matches!(failure(ffi::SQLITE_NOTADB), StoreError::NotAStore { .. }));
        assert!(matches!(failure(ffi::SQLITE_ERROR), StoreError::Database { .. }));
        assert_eq!(failure(ffi::SQLITE_FULL).to_string(), "`/x/launchway.db` can't be written: the disk is full");
    }
}
