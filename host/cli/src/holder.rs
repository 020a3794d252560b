//! Who runs this, and when.

use std::time::{SystemTime, UNIX_EPOCH};

use launchway_model::{Holder, Timestamp};

/// Variables in which CI servers give a job's address, in the order in which they are looked at.
const JOB_ADDRESSES: [&str; 5] =
    ["BUILD_URL", "CI_JOB_URL", "BUILDKITE_BUILD_URL", "CIRCLE_BUILD_URL", "TRAVIS_JOB_WEB_URL"];

/// Returns who runs this process.
pub(crate) fn holder() -> Holder {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = variable("USER").or_else(|| variable("LOGNAME"));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Holder {
        user: user.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw())),
        host,
        url: JOB_ADDRESSES.iter().find_map(|name| variable(name)).or_else(|| github_job(&variable)),
    }
}

fn github_job(variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let server = variable("GITHUB_SERVER_URL")?;
    Some(format!("{server}/{}/actions/runs/{}", variable("GITHUB_REPOSITORY")?, variable("GITHUB_RUN_ID")?))
}

/// Returns the time.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
