//! Content-addressed bytes: artifacts, rendered files, releases and plans, each under its own SHA-256.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use launchway_model::Digest;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::store::{create_folder, sync_folder};
use crate::{Store, StoreError};

/// How long nothing has been added to bytes that never arrived.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug)]
pub(crate) struct Blobs {
    folder: PathBuf,
    /// Files whose content was compared with their name: reading a gigabyte for each of fifty hosts proves no more.
    verified: Mutex<HashMap<Digest, Stamp>>,
}

/// Changes whenever a file's content may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Blobs {
    pub(crate) fn open(store: &Path) -> Result<Self, StoreError> {
        let blobs = store.join("blobs");
        create_folder(&blobs)?;
        create_folder(&blobs.join("sha256"))?;
        let arriving = blobs.join("tmp");
        create_folder(&arriving)?;
        sweep(&arriving);
        Ok(Self::of(store))
    }

    /// Returns those of a store, without making its folders.
    pub(crate) fn of(store: &Path) -> Self {
        Self { folder: store.join("blobs"), verified: Mutex::default() }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.folder.join("sha256").join(&hex[..2]).join(hex)
    }

    fn remember(&self, digest: &Digest, file: &File) {
        if let Ok(stamp) = stamp(file) {
            self.verified.lock().unwrap_or_else(PoisonError::into_inner).insert(*digest, stamp);
        }
    }

    fn is_verified(&self, digest: &Digest, file: &File) -> bool {
        let known = self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(digest).copied();
        known.is_some() && known == stamp(file).ok()
    }
}

impl Store {
    /// Takes in bytes and returns their digest.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        if self.open_blob(&digest).is_ok() {
            return Ok(digest);
        }
        let mut intake = self.intake()?;
        intake.write_all(bytes).map_err(StoreError::io("write", self.folder()))?;
        Ok(intake.keep()?.0)
    }

    /// Takes in a copy of a file and returns its digest and its size in bytes.
    pub fn put_file(&self, path: &Path) -> Result<(Digest, u64), StoreError> {
        let file = File::open(path).map_err(StoreError::io("read", path))?;
        self.put_reader(file).map_err(|error| match error {
            StoreError::Io { action: "copy", source, .. } => StoreError::io("copy", path)(source),
            other => other,
        })
    }

    /// Takes in all that a reader gives.
    pub fn put_reader(&self, mut reader: impl Read) -> Result<(Digest, u64), StoreError> {
        let mut intake = self.intake()?;
        let mut buffer = vec![0; 128 * 1024];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return intake.keep(),
                Ok(count) => intake.write_all(&buffer[..count]).map_err(StoreError::io("write", self.folder()))?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(StoreError::io("copy", self.folder())(error)),
            }
        }
    }

    /// Takes in a value as JSON.
    pub(crate) fn put_json(&self, what: &'static str, value: &impl Serialize) -> Result<Digest, StoreError> {
        let mut writer = BufWriter::with_capacity(128 * 1024, self.intake()?);
        serde_json::to_writer(&mut writer, value).map_err(|source| StoreError::Encode { what, source })?;
        let intake = writer.into_inner().map_err(|error| StoreError::io("write", self.folder())(error.into_error()))?;
        Ok(intake.keep()?.0)
    }

    /// Whether the store has the bytes of a digest.
    pub fn contains(&self, digest: &Digest) -> bool {
        self.blobs().path(digest).is_file()
    }

    /// Opens a blob for reading, at its start, once its bytes are known to be the right ones.
    pub fn open_blob(&self, digest: &Digest) -> Result<File, StoreError> {
        let path = self.blobs().path(digest);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(StoreError::BlobMissing { digest: *digest });
            }
            other => other.map_err(StoreError::io("read", &path))?,
        };
        if !self.blobs().is_verified(digest, &file) {
            let mut hasher = Hasher::default();
            io::copy(&mut file, &mut hasher).map_err(StoreError::io("read", &path))?;
            if hasher.digest() != *digest {
                return Err(StoreError::BlobDamaged { digest: *digest, path });
            }
            file.rewind().map_err(StoreError::io("read", &path))?;
            self.blobs().remember(digest, &file);
        }
        Ok(file)
    }

    /// Returns the file of a blob, once its bytes are known to be the right ones.
    pub fn blob_path(&self, digest: &Digest) -> Result<PathBuf, StoreError> {
        self.open_blob(digest)?;
        Ok(self.blobs().path(digest))
    }

    /// Reads a blob as a whole. What is returned is what the digest says, even if the file changes meanwhile.
    pub fn read_blob(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let path = self.blobs().path(digest);
        match std::fs::read(&path) {
            Ok(bytes) if Digest::of(&bytes) == *digest => Ok(bytes),
            Ok(_) => Err(StoreError::BlobDamaged { digest: *digest, path }),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(StoreError::BlobMissing { digest: *digest }),
            Err(error) => Err(StoreError::io("read", &path)(error)),
        }
    }

    fn intake(&self) -> Result<Intake<'_>, StoreError> {
        let folder = self.blobs().folder.join("tmp");
        let file = tempfile::NamedTempFile::new_in(&folder).map_err(StoreError::io("create a file in", &folder))?;
        Ok(Intake { store: self, file, hasher: Hasher::default(), size: 0 })
    }
}

/// Bytes on their way in. Dropped before [`Intake::keep`], they leave nothing.
struct Intake<'a> {
    store: &'a Store,
    file: tempfile::NamedTempFile,
    hasher: Hasher,
    size: u64,
}

impl Write for Intake<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.0.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Intake<'_> {
    /// Makes the bytes durable under their digest.
    fn keep(self) -> Result<(Digest, u64), StoreError> {
        let (digest, size) = (self.hasher.digest(), self.size);
        // What is there and sound stays; what is there and damaged is replaced.
        if self.store.open_blob(&digest).is_ok() {
            return Ok((digest, size));
        }
        let path = self.store.blobs().path(&digest);
        let folder = path.parent().unwrap_or(&path);
        create_folder(folder)?;
        self.file.as_file().sync_all().map_err(StoreError::io("write", &path))?;
        let file = self.file.persist(&path).map_err(|error| StoreError::io("write", &path)(error.error))?;
        // The name must outlast a power failure as well as the bytes.
        sync_folder(folder)?;
        self.store.blobs().remember(&digest, &file);
        Ok((digest, size))
    }
}

#[derive(Default)]
struct Hasher(Sha256);

impl Hasher {
    fn digest(&self) -> Digest {
        Digest::from_bytes(self.0.clone().finalize().into())
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Removes what processes that were killed left behind. What is being written is younger, whoever writes it.
fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let age = entry.metadata().and_then(|about| about.modified()).ok().and_then(|at| at.elapsed().ok());
        if age.is_some_and(|age| age > ABANDONED) {
            // It is in nobody's way.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn stamp(file: &File) -> io::Result<Stamp> {
    let data = file.metadata()?;
    Ok(Stamp {
        inode: data.ino(),
        size: data.size(),
        modified: (data.mtime(), data.mtime_nsec()),
        changed: (data.ctime(), data.ctime_nsec()),
    })
}
