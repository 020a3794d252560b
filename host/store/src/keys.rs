//! Keys that tell secrets' values apart without telling them. They stand outside the database, so that a copy of it
//! gives nobody the means to guess.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use launchway_model::{Digest, EnvironmentName};

use crate::store::{create_folder, sync_folder};
use crate::{Store, StoreError};

impl Store {
    /// Returns an environment's key, if it was made already; writes nothing.
    pub fn find_secret_key(&self, environment: &EnvironmentName) -> Result<Option<[u8; 32]>, StoreError> {
        read_key(&self.key_path(environment))
    }

    /// Returns an environment's key, making a random one on first use.
    pub fn secret_key(&self, environment: &EnvironmentName) -> Result<[u8; 32], StoreError> {
        if let Some(key) = self.find_secret_key(environment)? {
            return Ok(key);
        }
        let (folder, path) = (self.keys(), self.key_path(environment));
        create_folder(&folder)?;
        let key = random::<32>()?;
        let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(StoreError::io("create", &path))?;
        file.write_all(&key).map_err(StoreError::io("write", &path))?;
        file.as_file().sync_all().map_err(StoreError::io("write", &path))?;
        match file.persist_noclobber(&path) {
            Ok(_) => {
                // Fingerprints made with it are about to be recorded.
                sync_folder(&folder)?;
                Ok(key)
            }
            // Another process was faster: its key is the one.
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
                read_key(&path)?.ok_or(StoreError::KeyDamaged { path })
            }
            Err(error) => Err(StoreError::io("write", &path)(error.error)),
        }
    }

    fn keys(&self) -> PathBuf {
        self.folder().join("keys")
    }

    fn key_path(&self, environment: &EnvironmentName) -> PathBuf {
        // The name may hold anything; its digest fits every file system.
        self.keys().join(Digest::of(environment.as_str().as_bytes()).hex())
    }
}

fn read_key(path: &Path) -> Result<Option<[u8; 32]>, StoreError> {
    match std::fs::read(path) {
        Ok(bytes) => {
            let key = <[u8; 32]>::try_from(bytes).map_err(|_| StoreError::KeyDamaged { path: path.to_owned() })?;
            Ok(Some(key))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::io("read", path)(error)),
    }
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())
            .map_err(|errno| StoreError::Random(errno.into()))?;
    }
    Ok(bytes)
}
