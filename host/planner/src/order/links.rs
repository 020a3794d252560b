//! The order of batches: all of one is done before anything of the next begins, with a gate in between maybe.

use super::batches::Schedule;
use super::draft::{Draft, Label};

/// Where a batch begins, and where it ends.
#[derive(Clone, Default)]
pub(super) struct CellEnds {
    pub(super) begins: Vec<u32>,
    pub(super) dones: Vec<u32>,
}

/// Draws the order of a unit's batches; `number` is the unit's, `ends` are those of its batches.
pub(super) fn draw_links(draft: &mut Draft, schedule: &Schedule<'_>, number: u32, ends: &[CellEnds]) {
    let mut passed: Vec<Option<u32>> = vec![None; ends.len()];
    let mut ahead: Vec<Option<u32>> = vec![None; ends.len()];
    for link in &schedule.links {
        let middle = match &link.gate {
            Some(gate) => draft.gate(gate.clone()),
            None => draft.junction(Label::Batch(number, link.after.first().copied().unwrap_or_default())),
        };
        for cell in &link.before {
            let join = *passed[*cell as usize].get_or_insert_with(|| {
                let join = draft.junction(Label::BatchDone(number, *cell));
                ends[*cell as usize].dones.iter().for_each(|done| draft.edge(*done, join));
                join
            });
            draft.edge(join, middle);
        }
        for cell in &link.after {
            let join = *ahead[*cell as usize].get_or_insert_with(|| {
                let join = draft.junction(Label::Batch(number, *cell));
                ends[*cell as usize].begins.iter().for_each(|begin| draft.edge(join, *begin));
                join
            });
            draft.edge(middle, join);
        }
    }
}
