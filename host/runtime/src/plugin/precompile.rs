//! Preparing first-party plugins for embedding, when Launchway itself is built.

use std::path::Path;

use launchway_model::{Digest, PluginInfo, PluginName};

use super::{LoadError, load};

/// A plugin ready to be embedded.
#[derive(Clone)]
pub struct Precompiled {
    pub info: PluginInfo,
    /// Of the component.
    pub digest: Digest,
    /// Code for the platform that this program was built for.
    pub cwasm: Vec<u8>,
}

/// Checks, compiles and describes a component; `path` is only for messages. Blocks.
///
/// Compiles in this very process, without limits: for components that are as trusted as this program's own source.
pub fn precompile(name: &PluginName, path: &Path, component: &[u8]) -> Result<Precompiled, LoadError> {
    let ready = load::prepare(name, path, component)?;
    Ok(Precompiled { info: ready.info, digest: ready.digest, cwasm: ready.code.bytes().to_vec() })
}
