//! The store as a whole: its folder and its shared connection.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::blobs::Blobs;
use crate::{StoreError, db};

/// A folder with everything Launchway remembers. Cheap to clone; all clones share one connection.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    connection: Mutex<Connection>,
    blobs: Blobs,
}

impl Store {
    /// Opens the store in a folder, creating both if need be. Only their owner can read what is created.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        let folder = folder.as_ref();
        if !folder.is_dir() {
            create_folder(folder)?;
            // Somebody's state and keys have no place in version control.
            let ignore = folder.join(".gitignore");
            std::fs::write(&ignore, "*\n").map_err(StoreError::io("write", &ignore))?;
        }
        let folder = std::path::absolute(folder).map_err(StoreError::io("find", folder))?;
        // The database comes first: where anything else is, one was.
        let connection = Mutex::new(db::open(&folder)?);
        let blobs = Blobs::open(&folder)?;
        Ok(Self { inner: Arc::new(Inner { folder, connection, blobs }) })
    }

    /// Opens the store in a folder to read it, if there is one. Nothing is created, and a folder that can't be written
    /// will do.
    pub fn open_to_read(folder: impl AsRef<Path>) -> Result<Option<Self>, StoreError> {
        let folder = folder.as_ref();
        match folder.metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("read", folder)(error)),
            Ok(data) if !data.is_dir() => return Err(StoreError::NotAFolder { path: folder.to_owned() }),
            Ok(_) => {}
        }
        let folder = std::path::absolute(folder).map_err(StoreError::io("find", folder))?;
        let Some(connection) = db::open_to_read(&folder)? else { return Ok(None) };
        let blobs = Blobs::of(&folder);
        Ok(Some(Self { inner: Arc::new(Inner { folder, connection: Mutex::new(connection), blobs }) }))
    }

    /// Returns the folder, absolute.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    pub(crate) fn blobs(&self) -> &Blobs {
        &self.inner.blobs
    }

    pub(crate) fn database_path(&self) -> PathBuf {
        self.inner.folder.join("launchway.db")
    }

    /// Reads from one consistent snapshot.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Transaction<'_>) -> Result<T, Failed>) -> Result<T, StoreError> {
        self.transact(TransactionBehavior::Deferred, read)
    }

    /// Writes in one durable transaction, or not at all.
    pub(crate) fn write<T>(&self, write: impl FnOnce(&Transaction<'_>) -> Result<T, Failed>) -> Result<T, StoreError> {
        self.transact(TransactionBehavior::Immediate, write)
    }

    fn transact<T>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Failed>,
    ) -> Result<T, StoreError> {
        // A panic under the lock leaves nothing half done: a dropped transaction is rolled back.
        let mut connection = self.inner.connection.lock().unwrap_or_else(PoisonError::into_inner);
        transact(&mut connection, behavior, work).map_err(|failed| failed.at(&self.database_path()))
    }
}

pub(crate) fn transact<T>(
    connection: &mut Connection,
    behavior: TransactionBehavior,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, Failed>,
) -> Result<T, Failed> {
    let transaction = connection.transaction_with_behavior(behavior)?;
    let value = work(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

/// An error inside a transaction, before it is known which file it belongs to.
#[derive(Debug)]
pub(crate) enum Failed {
    Sql(rusqlite::Error),
    Store(StoreError),
}

impl Failed {
    pub(crate) fn at(self, path: &Path) -> StoreError {
        match self {
            Self::Sql(error) => StoreError::database(path, error),
            Self::Store(error) => error,
        }
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Creates a folder and its missing parents; the folder itself is for its owner only.
pub(crate) fn create_folder(path: &Path) -> Result<(), StoreError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(StoreError::io("create", parent))?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() => return Ok(()),
        other => other.map_err(StoreError::io("create", path))?,
    }
    // What will be written into it is lost with its name.
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_folder(Path::new(".")),
        Some(parent) => sync_folder(parent),
        None => Ok(()),
    }
}

/// Makes the names in a folder outlast a power failure.
pub(crate) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(StoreError::io("write", path))
}
