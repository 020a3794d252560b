//! Writes `schema/`: `cargo xtask schemas` runs it.

fn main() -> std::io::Result<()> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for file in launchway_sdk::schema::write(&launchway_plugin_ssh::PLUGIN, folder)? {
        println!("wrote {}", file.display());
    }
    Ok(())
}
