//! What this machine has and allows.

use std::path::Path;

/// Whether this process runs as root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Returns the first of these programs that is missing.
///
/// A test that can't run without it says so and returns; with `LAUNCHWAY_REQUIRE_HOSTS` set, as in CI, it fails.
pub fn requires(programs: &[&'static str]) -> Option<&'static str> {
    let missing = programs.iter().copied().find(|program| !Path::new(program).exists())?;
    assert!(std::env::var_os("LAUNCHWAY_REQUIRE_HOSTS").is_none(), "{missing} is missing");
    eprintln!("skipped: {missing} is missing");
    Some(missing)
}

/// Returns the Python that test applications run under: the system's, because it is the same on every target.
pub fn python() -> &'static str {
    "/usr/bin/python3"
}
