//! Writes `schema/` and the tables of the plugin's page: `cargo xtask schemas` runs it.

use std::path::Path;

use launchway_plugin_haproxy::PLUGIN;
use launchway_sdk::{reference, schema};

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in schema::write(&PLUGIN, folder)? {
        println!("wrote {}", file.display());
    }
    let page = folder.join("../../docs/plugins/haproxy.md");
    if reference::write(&PLUGIN, &page)? {
        println!("wrote {}", page.display());
    }
    Ok(())
}
