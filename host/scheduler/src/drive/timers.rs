//! Who is to be woken when: one timer for all waiting steps.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use launchway_model::NodeId;
use tokio::time::Instant;

/// The longest sleep at a time, so that no request can leave the clock's range.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[derive(Default)]
pub(super) struct Timers(BinaryHeap<Reverse<(Instant, u32)>>);

impl Timers {
    pub(super) fn add(&mut self, node: NodeId, ms: u64) {
        let at = Instant::now() + Duration::from_millis(ms).min(LONGEST);
        self.0.push(Reverse((at, node.0)));
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    pub(super) fn take_due(&mut self, now: Instant) -> Vec<NodeId> {
        let mut due = Vec::new();
        while let Some(Reverse((at, node))) = self.0.pop() {
            if at > now {
                self.0.push(Reverse((at, node)));
                break;
            }
            due.push(NodeId(node));
        }
        due
    }
}
