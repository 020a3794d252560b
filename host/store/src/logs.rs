//! What steps printed, a file for each attempt.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use launchway_model::{NodeId, RunId};

use crate::{Store, StoreError};

impl Store {
    /// Returns where an attempt's output is kept. The file is there once something was printed.
    pub fn log_path(&self, run: RunId, node: NodeId, attempt: u32) -> PathBuf {
        self.folder().join("runs").join(run.to_string()).join("logs").join(format!("{}-{attempt}.log", node.0))
    }

    /// Returns a writer for an attempt's output.
    pub fn log_writer(&self, run: RunId, node: NodeId, attempt: u32) -> LogWriter {
        LogWriter { path: self.log_path(run, node, attempt), file: None }
    }
}

/// Appends to an attempt's log. The file is created by the first write.
#[derive(Debug)]
pub struct LogWriter {
    path: PathBuf,
    file: Option<File>,
}

impl LogWriter {
    /// Appends bytes as they are.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if self.file.is_none() {
            self.file = Some(self.create().map_err(StoreError::io("create", &self.path))?);
        }
        match &mut self.file {
            Some(file) => file.write_all(bytes).map_err(StoreError::io("write", &self.path)),
            None => Ok(()),
        }
    }

    fn create(&self) -> std::io::Result<File> {
        if let Some(folder) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path)
    }
}
