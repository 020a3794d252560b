//! What this machine has and allows.

use std::path::Path;

/// Whether this process runs as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Returns the first of these programs that is missing.
///
/// A test that can't run without it returns then: why was said, or it has [failed](skip).
pub fn requires(programs: &[&'static str]) -> Option<&'static str> {
    let missing = programs.iter().copied().find(|program| !Path::new(program).exists())?;
    skip(&format!("{missing} is missing"));
    Some(missing)
}

/// Says why a test is skipped; fails instead where `LAUNCHWAY_REQUIRE_HOSTS` is set.
pub fn skip(why: &str) {
    assert!(
        std::env::var_os("LAUNCHWAY_REQUIRE_HOSTS").is_none(),
        "LAUNCHWAY_REQUIRE_HOSTS is set, as it is with CI, and this test can't run here: {why}"
    );
    eprintln!("skipped: {why}");
}

/// Returns the Python that test applications run under: the system's, because it is the same on every target.
pub fn python() -> &'static str {
    "/usr/bin/python3"
}
