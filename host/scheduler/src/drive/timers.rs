//! Who is to be woken when: one timer for all waiting steps.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use launchway_model::NodeId;
use tokio::time::Instant;

/// The longest sleep at a time, so that no request can leave the clock's range.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

#[derive(Default)]
pub(super) struct Timers(BinaryHeap<Reverse<Timer>>);

/// When to wake, whom, and how much of what was asked for is left then.
type Timer = (Instant, u32, Duration);

impl Timers {
    pub(super) fn add(&mut self, node: NodeId, ms: u64) {
        self.push(Instant::now(), node.0, Duration::from_millis(ms));
    }

    fn push(&mut self, now: Instant, node: u32, wait: Duration) {
        let sleep = wait.min(LONGEST);
        self.0.push(Reverse((now + sleep, node, wait - sleep)));
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, ..))| *at)
    }

    pub(super) fn take_due(&mut self, now: Instant) -> Vec<NodeId> {
        let mut due = Vec::new();
        while let Some(Reverse((at, node, left))) = self.0.pop() {
            if at > now {
                self.0.push(Reverse((at, node, left)));
                break;
            }
            if left.is_zero() {
                due.push(NodeId(node));
            } else {
                self.push(at, node, left);
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_woken_early_however_long_the_wait() {
        let day = Duration::from_secs(24 * 60 * 60);
        let mut timers = Timers::default();
        let begun = Instant::now();
        timers.add(NodeId(1), 71 * 24 * 60 * 60 * 1000);
        timers.add(NodeId(2), u64::MAX);
        assert_eq!(timers.take_due(begun + 31 * day), []);
        assert_eq!(timers.take_due(begun + 70 * day), []);
        assert_eq!(timers.take_due(begun + 72 * day), [NodeId(1)]);
        assert!(timers.next().is_some(), "the other one still waits");
    }
}
