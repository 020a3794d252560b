//! Compiled plugins on disk.

use std::path::PathBuf;

/// Where compiled plugins are kept, and the key that proves that it was us who put them there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CachePlace {
    pub dir: PathBuf,
    /// Made when it is missing. Not within `dir`, which a CI server may share between jobs.
    pub key_file: PathBuf,
}
