//! What a call may use.

use std::time::Duration;

/// The limits of one call of a plugin.
#[derive(Clone, PartialEq, Debug)]
pub struct Limits {
    /// Of linear memory, in bytes; never more than a slot of the pool holds.
    pub memory: usize,
    pub table_elements: usize,
    /// Calls of imports, logging included.
    pub host_calls: u64,
    /// What the guest may hand the host in one call, in bytes.
    pub call_bytes: usize,
    /// What the guest may hand the host in all calls together, in bytes.
    pub total_bytes: u64,
    /// What it may log, in bytes; the rest is dropped with a notice.
    pub log_bytes: usize,
    /// Open secrets.
    pub handles: usize,
    /// For `describe`, `validate` and one batch of `plan`.
    pub planning_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: MEMORY,
            table_elements: TABLE_ELEMENTS,
            host_calls: 100_000,
            call_bytes: 4 << 20,
            total_bytes: 1 << 30,
            log_bytes: 4 << 20,
            handles: 1_000,
            planning_time: Duration::from_secs(30),
        }
    }
}

/// The largest linear memory, in bytes; what a slot of the pool holds.
pub(crate) const MEMORY: usize = 64 << 20;
pub(crate) const TABLE_ELEMENTS: usize = 20_000;
