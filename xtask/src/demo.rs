//! The demo: `examples/shop` on three hosts, from nothing to undeployed.

use anyhow::Result;

/// Runs the demo.
pub(crate) fn run(_local: bool) -> Result<()> {
    anyhow::bail!("not here yet")
}
