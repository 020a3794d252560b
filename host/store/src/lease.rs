//! One writer per environment and application: who holds the lease, and whether they still live.

use launchway_model::{Holder, RunId, Timestamp};
use rusqlite::{Row, Transaction};

use crate::StoreError;
use crate::state::number;
use crate::store::Failed;

/// How many milliseconds a lease lasts after its holder's last heartbeat.
pub const LEASE_MS: u64 = 30_000;

/// A lease as it is recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaseInfo {
    pub run: RunId,
    pub holder: Holder,
    pub since: Timestamp,
    pub heartbeat: Timestamp,
    process: Option<String>,
}

impl LeaseInfo {
    pub(crate) fn find(transaction: &Transaction<'_>, application: i64) -> Result<Option<Self>, Failed> {
        let mut statement = transaction
            .prepare_cached("SELECT run, holder, since, heartbeat, process FROM leases WHERE application = ?1")?;
        let mut rows = statement.query([application])?;
        rows.next()?.map(Self::read).transpose()
    }

    fn read(row: &Row<'_>) -> Result<Self, Failed> {
        let holder: String = row.get(1)?;
        let holder = serde_json::from_str(&holder)
            .map_err(|source| StoreError::Record { what: "lease holder".into(), source })?;
        Ok(Self {
            run: RunId(number(row, 0)?),
            holder,
            since: Timestamp(number(row, 2)?),
            heartbeat: Timestamp(number(row, 3)?),
            process: row.get(4)?,
        })
    }

    /// Whether the holder must be taken to be at work: it sent a heartbeat lately, and is not known to be dead.
    pub fn is_live(&self, now: Timestamp) -> bool {
        let expired = now.0.saturating_sub(self.heartbeat.0) >= LEASE_MS;
        !expired && !self.process.as_deref().is_some_and(is_dead)
    }
}

/// Returns what identifies this process among all that ever ran on this machine; none where the system doesn't say.
pub(crate) fn own_process() -> Option<String> {
    let pid = std::process::id();
    Some(format!("{} {pid} {}", machine()?, start_time(pid)?))
}

/// Whether a process is known to be gone. One of another machine or container never is.
fn is_dead(process: &str) -> bool {
    let Some((elsewhere, pid, started)) = split(process) else { return false };
    if machine().as_deref() != Some(elsewhere) {
        return false;
    }
    match start_time(pid) {
        Some(now_there) => now_there != started,
        // Not there, or not for us to see.
        None => i32::try_from(pid)
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH)),
    }
}

fn split(process: &str) -> Option<(&str, u32, &str)> {
    let (rest, started) = process.rsplit_once(' ')?;
    let (machine, pid) = rest.rsplit_once(' ')?;
    Some((machine, pid.parse().ok()?, started))
}

/// Returns what tells this boot and this process namespace from others.
fn machine() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

/// Returns when a process started, in the kernel's own count; of one that has ended and was not waited for, a word.
fn start_time(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name stands in brackets and may hold anything, brackets and blanks included.
    let (_, fields) = stat.rsplit_once(") ")?;
    // The state is the third field, the start time the 22nd.
    if fields.starts_with(['Z', 'X', 'x']) {
        return Some("ended".to_owned());
    }
    fields.split(' ').nth(22 - 3).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_dead_once_it_ended() {
        let own = own_process().expect("this system has /proc");
        assert!(!is_dead(&own));
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().expect("cat runs");
        let machine = machine().expect("this system has /proc");
        let started = start_time(child.id()).expect("the child lives");
        let process = format!("{machine} {} {started}", child.id());
        assert!(!is_dead(&process));
        drop(child.stdin.take());
        while start_time(child.id()).is_some_and(|found| found == started) {
            std::thread::yield_now();
        }
        assert!(is_dead(&process), "nobody has waited for it yet");
        child.wait().expect("the child ends");
        assert!(is_dead(&process));
    }

    #[test]
    fn a_process_number_used_again_is_another_process() {
        let own = own_process().expect("this system has /proc");
        let (machine, pid, started) = split(&own).expect("own format");
        assert!(is_dead(&format!("{machine} {pid} {started}0")));
        assert!(!is_dead(&format!("elsewhere {pid} {started}0")));
        assert!(!is_dead("nonsense"));
    }
}
