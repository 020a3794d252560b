//! What comes before what.

use launchway_model::Plan;

/// What comes before what in a plan: everything, however far.
pub(crate) struct Reach {
    words: usize,
    before: Vec<u64>,
}

impl Reach {
    pub(crate) fn of(plan: &Plan) -> Self {
        let words = plan.nodes.len().div_ceil(64).max(1);
        let mut before = vec![0u64; words * plan.nodes.len()];
        for (at, node) in plan.nodes.iter().enumerate() {
            for earlier in &node.after {
                let earlier = earlier.0 as usize;
                assert!(earlier < at, "nodes come in a topological order");
                for word in 0..words {
                    before[at * words + word] |= before[earlier * words + word];
                }
                before[at * words + earlier / 64] |= 1 << (earlier % 64);
            }
        }
        Self { words, before }
    }

    pub(crate) fn comes_before(&self, earlier: usize, later: usize) -> bool {
        self.before[later * self.words + earlier / 64] & (1 << (earlier % 64)) != 0
    }
}
