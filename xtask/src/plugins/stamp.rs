//! Whether a stage's inputs are those of its last run: a digest, kept beside its results.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use walkdir::WalkDir;

/// A digest of files and their names.
pub(super) struct Stamp(Sha256);

impl Stamp {
    pub(super) fn new() -> Self {
        Self(Sha256::new())
    }

    pub(super) fn add_bytes(&mut self, bytes: &[u8]) {
        // With its length: two neighbours are not one.
        self.0.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.0.update(bytes);
    }

    pub(super) fn add_file(&mut self, file: &Path) -> Result<()> {
        let mut reader = fs::File::open(file).with_context(|| format!("can't open {}", file.display()))?;
        self.add_bytes(file.as_os_str().as_encoded_bytes());
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = reader.read(&mut buffer).with_context(|| format!("can't read {}", file.display()))?;
            if read == 0 {
                break;
            }
            digest.update(&buffer[..read]);
        }
        self.add_bytes(&digest.finalize());
        Ok(())
    }

    /// Adds all files below a folder, but for what cargo builds there.
    pub(super) fn add_folder(&mut self, folder: &Path) -> Result<()> {
        let is_source = |entry: &walkdir::DirEntry| entry.depth() != 1 || entry.file_name() != "target";
        for entry in WalkDir::new(folder).sort_by_file_name().into_iter().filter_entry(is_source) {
            let entry = entry.with_context(|| format!("can't list {}", folder.display()))?;
            if entry.file_type().is_file() {
                self.add_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Whether the last run had the same inputs.
    pub(super) fn matches(&self, stamp: &Path) -> bool {
        fs::read_to_string(stamp).is_ok_and(|text| text == self.text())
    }

    pub(super) fn write(&self, stamp: &Path) -> Result<()> {
        fs::write(stamp, self.text()).with_context(|| format!("can't write {}", stamp.display()))
    }

    fn text(&self) -> String {
        self.0.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Stamp;

    #[test]
    fn a_stamp_matches_until_a_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (sources, stamp) = (folder.path().join("sources"), folder.path().join("stamp"));
        let digest = || {
            let mut stamp = Stamp::new();
            stamp.add_folder(&sources).unwrap();
            stamp
        };
        std::fs::create_dir_all(sources.join("target")).unwrap();
        std::fs::write(sources.join("a"), "1").unwrap();
        digest().write(&stamp).unwrap();
        std::fs::write(sources.join("target/b"), "built").unwrap();
        assert!(digest().matches(&stamp));
        std::fs::write(sources.join("a"), "2").unwrap();
        assert!(!digest().matches(&stamp));
    }
}
