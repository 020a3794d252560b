//! What a release was made of, kept so that it can be deployed again when the project has moved on.

use launchway_model::{ApplicationName, Digest, FormatVersion, Version};
use serde::{Deserialize, Serialize};

/// A release: the application's file and the bytes of everything it refers to, by digest.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub format: FormatVersion,
    pub application: ApplicationName,
    pub version: Version,
    /// The application's file, as it was.
    pub text: String,
    /// Sorted.
    pub files: Vec<ReleaseFile>,
}

impl Manifest {
    pub(crate) const FORMAT: FormatVersion = FormatVersion(1);

    /// Returns the bytes that stand for the release.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain data with text keys is always JSON")
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.bytes())
    }
}

/// A file of the project that the release refers to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct ReleaseFile {
    pub role: FileRole,
    /// How the application refers to it: a path, or an artifact's name.
    pub reference: String,
    pub file_name: String,
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum FileRole {
    File,
    Directory,
    Artifact,
    Template,
}
