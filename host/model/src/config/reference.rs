//! The configuration's reference, from its schemas.

/// Returns `docs/configuration.md`.
pub fn reference_markdown() -> String {
    String::new()
}
