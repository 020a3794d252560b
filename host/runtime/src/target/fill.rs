//! Puts secrets where a plugin said they go.

use std::sync::Arc;

use launchway_model::{Digest, Failure, Fault, SecretName};
use zeroize::Zeroizing;

use super::failure::{FailureExt as _, failure};
use crate::{Part, Redactor, SecretValues};

/// Stands before a secret's name in a text...
const MARKER_START: &str = "\u{2}secret:";
/// ...and this after it.
const MARKER_END: char = '\u{3}';

/// The secrets that one step may use.
pub(crate) struct Filler {
    pub(crate) secrets: Arc<dyn SecretValues>,
    pub(crate) redactor: Arc<Redactor>,
    pub(crate) allowed: Vec<SecretName>,
}

/// A content with its secrets in it.
pub(crate) struct Filled {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    pub(crate) has_secrets: bool,
    /// Of the content with markers in the secrets' places.
    pub(crate) digest: Digest,
}

impl Filler {
    /// Returns the value of a secret that the step's instance uses.
    pub(crate) async fn value(&self, name: &SecretName) -> Result<Arc<Zeroizing<Vec<u8>>>, Failure> {
        if !self.allowed.contains(name) {
            return Err(failure(
                Fault::Plugin,
                format!("the plugin asked for secret `{name}`, which its instance does not use"),
            ));
        }
        self.host_value(name).await
    }

    /// Returns the value of a secret that the host itself needs.
    pub(crate) async fn host_value(&self, name: &SecretName) -> Result<Arc<Zeroizing<Vec<u8>>>, Failure> {
        let value = self.secrets.value(name).await?;
        self.redactor.learn(&value);
        Ok(value)
    }

    /// Makes sure that nothing read so far, by whomever, can be shown.
    pub(crate) fn learn_known(&self) {
        for (_, value) in self.secrets.known() {
            self.redactor.learn(&value);
        }
    }

    pub(crate) async fn fill(&self, parts: &[Part]) -> Result<Filled, Failure> {
        let (mut bytes, mut marked) = (Zeroizing::new(Vec::new()), String::new());
        let mut has_secrets = false;
        for part in parts {
            match part {
                Part::Text(text) => {
                    bytes.extend_from_slice(text.as_bytes());
                    marked.push_str(text);
                }
                Part::Secret(name) => {
                    bytes.extend_from_slice(&self.value(name).await?);
                    marked.push_str(MARKER_START);
                    marked.push_str(name.as_str());
                    marked.push(MARKER_END);
                    has_secrets = true;
                }
            }
        }
        Ok(Filled { bytes, has_secrets, digest: Digest::of(marked.as_bytes()) })
    }

    /// Fills in the markers of a rendered file.
    pub(crate) async fn fill_markers(&self, content: &[u8]) -> Result<Filled, Failure> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(content.len()));
        let mut has_secrets = false;
        let mut rest = content;
        while let Some(at) = find(rest, MARKER_START.as_bytes()) {
            let name = &rest[at + MARKER_START.len()..];
            let Some(end) = name.iter().position(|&byte| byte == MARKER_END as u8) else { break };
            let name = std::str::from_utf8(&name[..end]).ok().and_then(|name| SecretName::new(name).ok());
            let name = name.ok_or_else(|| failure(Fault::Plugin, "a file has a secret marker without a valid name"))?;
            bytes.extend_from_slice(&rest[..at]);
            bytes.extend_from_slice(&self.value(&name).await?);
            has_secrets = true;
            rest = &rest[at + MARKER_START.len() + end + 1..];
        }
        bytes.extend_from_slice(rest);
        Ok(Filled { bytes, has_secrets, digest: Digest::of(content) })
    }
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    text.windows(word.len()).position(|window| window == word)
}

/// Refuses values that can't be one line.
pub(crate) fn check_password(name: &SecretName, value: &[u8]) -> Result<(), Failure> {
    if value.contains(&b'\n') || value.contains(&0) {
        return Err(failure(
            Fault::Configuration,
            format!("secret `{name}` can't be a password: it has several lines"),
        )
        .hint("a password is one line"));
    }
    Ok(())
}
