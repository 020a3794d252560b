//! The store's bytes, for the transports.

use std::fs::File;
use std::io;
use std::path::Path;

use launchway_model::Digest;
use launchway_runtime::Blobs;
use launchway_store::Store;

use crate::error::chain;

pub(crate) struct StoreBlobs(pub Store);

impl Blobs for StoreBlobs {
    fn open(&self, digest: &Digest) -> io::Result<File> {
        self.0.open_blob(digest).map_err(|error| io::Error::other(chain(&error)))
    }

    fn insert(&self, file: &Path) -> io::Result<(Digest, u64)> {
        self.0.put_file(file).map_err(|error| io::Error::other(chain(&error)))
    }
}
