//! From the ways in which something rolls to batches of targets, and what comes after what.

use std::collections::BTreeMap;

use launchway_model::{Gate, GateSpec, GateWord, Ramp, Rolling, Strategy, TargetName};

/// A target of what rolls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) target: &'a TargetName,
    pub(super) labels: &'a BTreeMap<String, String>,
    /// Something changes there. Shares are of all targets; only those that change fill the batches.
    pub(super) changing: bool,
}

/// Batches, and the order among them.
#[derive(Default, Debug)]
pub(super) struct Schedule<'a> {
    pub(super) cells: Vec<Vec<&'a TargetName>>,
    pub(super) links: Vec<Link>,
}

/// All of `before` are done before any of `after` begins.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) before: Vec<u32>,
    pub(super) gate: Option<Gate>,
    pub(super) after: Vec<u32>,
}

/// How the strategies are read.
#[derive(Clone, Copy, Default)]
pub(super) struct Mode {
    /// What goes takes the opposite way of what comes.
    pub(super) reversed: bool,
    /// Going back takes no time to look around: gates and ramps are left out.
    pub(super) hurried: bool,
}

/// The first and the last cells of a part of a schedule.
#[derive(Default)]
struct Block {
    heads: Vec<u32>,
    tails: Vec<u32>,
}

/// Splits targets into batches by strategies, the outer one first.
pub(super) fn schedule<'a>(strategies: &[Strategy], places: &[Place<'a>], mode: Mode) -> Schedule<'a> {
    let mut builder = Builder { schedule: Schedule::default(), mode };
    builder.split(strategies, places);
    builder.schedule
}

struct Builder<'a> {
    schedule: Schedule<'a>,
    mode: Mode,
}

impl<'a> Builder<'a> {
    /// None if nothing changes there.
    fn split(&mut self, strategies: &[Strategy], places: &[Place<'a>]) -> Option<Block> {
        let Some((first, rest)) = strategies.split_first() else { return self.cell(places) };
        match first {
            Strategy::Parallel(_) => self.split(rest, places),
            Strategy::Ramp(_) if self.mode.hurried => self.split(rest, places),
            Strategy::By(by) => {
                let groups = by_label(&by.by, &by.order, places);
                self.sequence(groups, rest, by.gate.as_ref(), None)
            }
            Strategy::Rolling(Rolling { rolling, window, gate }) => {
                let size = rolling.of(places.len());
                let lanes = window.then_some(size);
                let chunks = chunks(places, std::iter::repeat(if *window { 1 } else { size }));
                self.sequence(chunks, rest, gate.as_ref(), lanes)
            }
            Strategy::Ramp(Ramp { ramp, gate }) => {
                let mut done = 0;
                let mut sizes: Vec<usize> = Vec::new();
                for size in ramp {
                    let until = size.of(places.len());
                    sizes.push(until.saturating_sub(done));
                    done = done.max(until);
                }
                let chunks = chunks(places, sizes.into_iter().chain(std::iter::repeat(places.len())));
                self.sequence(chunks, rest, gate.as_ref(), None)
            }
        }
    }

    fn cell(&mut self, places: &[Place<'a>]) -> Option<Block> {
        let targets: Vec<&TargetName> =
            places.iter().filter(|place| place.changing).map(|place| place.target).collect();
        if targets.is_empty() {
            return None;
        }
        let cell = self.schedule.cells.len() as u32;
        self.schedule.cells.push(targets);
        Some(Block { heads: vec![cell], tails: vec![cell] })
    }

    /// Puts parts one after the other; in lanes, each after the one so many places before it.
    fn sequence(
        &mut self,
        mut parts: Vec<Vec<Place<'a>>>,
        rest: &[Strategy],
        gate: Option<&GateSpec>,
        lanes: Option<usize>,
    ) -> Option<Block> {
        if self.mode.reversed {
            parts.reverse();
        }
        let blocks: Vec<Block> = parts.iter().filter_map(|part| self.split(rest, part)).collect();
        let lanes = lanes.unwrap_or(1);
        let gate = gate.filter(|_| !self.mode.hurried).map(to_gate);
        for (before, after) in blocks.iter().zip(blocks.iter().skip(lanes)) {
            let (before, after) = (before.tails.clone(), after.heads.clone());
            self.schedule.links.push(Link { before, gate: gate.clone(), after });
        }
        let heads = blocks.iter().take(lanes).flat_map(|block| block.heads.iter().copied()).collect();
        let tails = blocks.iter().rev().take(lanes).flat_map(|block| block.tails.iter().copied()).collect();
        (!blocks.is_empty()).then_some(Block { heads, tails })
    }
}

/// Returns the targets by a label's value: the values named first, then the others, then those without it.
fn by_label<'a>(label: &str, order: &[String], places: &[Place<'a>]) -> Vec<Vec<Place<'a>>> {
    let mut groups: BTreeMap<(usize, Option<&str>), Vec<Place<'a>>> = BTreeMap::new();
    for place in places {
        let value = place.labels.get(label).map(String::as_str);
        let named = value.and_then(|value| order.iter().position(|other| other == value));
        let rank = match (named, value) {
            (Some(at), _) => at,
            (None, Some(_)) => order.len(),
            (None, None) => order.len() + 1,
        };
        groups.entry((rank, value)).or_default().push(*place);
    }
    groups.into_values().collect()
}

/// Returns the changing targets in chunks of the given sizes.
fn chunks<'a>(places: &[Place<'a>], sizes: impl Iterator<Item = usize>) -> Vec<Vec<Place<'a>>> {
    let mut changing = places.iter().filter(|place| place.changing).copied().peekable();
    let mut chunks = Vec::new();
    for size in sizes {
        if changing.peek().is_none() {
            break;
        }
        let chunk: Vec<Place<'a>> = changing.by_ref().take(size).collect();
        if !chunk.is_empty() {
            chunks.push(chunk);
        }
    }
    chunks
}

fn to_gate(gate: &GateSpec) -> Gate {
    match gate {
        GateSpec::Word(GateWord::Approve) => Gate::Approve { message: "go on with the next batch?".to_owned() },
        GateSpec::Approve(approve) => Gate::Approve { message: approve.approve.clone() },
        GateSpec::Bake(bake) => Gate::Bake { seconds: bake.bake.0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rolled(strategies: &str, count: usize, unchanged: &[usize], mode: Mode) -> String {
        let strategies: Vec<Strategy> = serde_json::from_str(strategies).unwrap();
        let names: Vec<TargetName> = (1..=count).map(|at| TargetName::new(format!("t{at:02}")).unwrap()).collect();
        let labels: Vec<BTreeMap<String, String>> =
            (1..=count).map(|at| BTreeMap::from([("dc".to_owned(), ["eu", "us"][at % 2].to_owned())])).collect();
        let places: Vec<Place<'_>> = names
            .iter()
            .zip(&labels)
            .enumerate()
            .map(|(at, (target, labels))| Place { target, labels, changing: !unchanged.contains(&(at + 1)) })
            .collect();
        let schedule = schedule(&strategies, &places, mode);
        let cells: Vec<String> = schedule
            .cells
            .iter()
            .map(|cell| {
                cell.iter().map(|name| name.as_str()[1..].trim_start_matches('0')).collect::<Vec<_>>().join(" ")
            })
            .collect();
        let links: Vec<String> = schedule
            .links
            .iter()
            .map(|link| format!("{:?}{}{:?}", link.before, if link.gate.is_some() { "=" } else { "-" }, link.after))
            .collect();
        format!("{} | {}", cells.join(", "), links.join(" "))
    }

    #[test]
    fn targets_are_split_as_the_strategies_say() {
        let plain = Mode::default();
        assert_eq!(rolled("[]", 3, &[], plain), "1 2 3 | ");
        assert_eq!(rolled(r#"[{"rolling": 2}]"#, 5, &[], plain), "1 2, 3 4, 5 | [0]-[1] [1]-[2]");
        assert_eq!(rolled(r#"[{"rolling": "50%"}]"#, 4, &[1], plain), "2 3, 4 | [0]-[1]");
        assert_eq!(rolled(r#"[{"rolling": 2, "window": true}]"#, 4, &[], plain), "1, 2, 3, 4 | [0]-[2] [1]-[3]");
        let ramp = r#"[{"ramp": [1, "50%", "100%"], "gate": "approve"}]"#;
        assert_eq!(rolled(ramp, 6, &[], plain), "1, 2 3, 4 5 6 | [0]=[1] [1]=[2]");
        assert_eq!(rolled(r#"[{"ramp": [1, 3]}]"#, 6, &[], plain), "1, 2 3, 4 5 6 | [0]-[1] [1]-[2]");
        let by = r#"[{"by": "dc"}, {"rolling": 1, "window": true}]"#;
        assert_eq!(rolled(by, 4, &[], plain), "2, 4, 1, 3 | [0]-[1] [2]-[3] [1]-[2]");
        assert_eq!(rolled(r#"[{"by": "dc", "order": ["us"]}]"#, 4, &[], plain), "1 3, 2 4 | [0]-[1]");
    }

    #[test]
    fn what_goes_takes_the_opposite_way_and_going_back_does_not_dawdle() {
        let reversed = Mode { reversed: true, hurried: false };
        assert_eq!(rolled(r#"[{"by": "dc"}]"#, 4, &[], reversed), "1 3, 2 4 | [0]-[1]");
        let hurried = Mode { reversed: false, hurried: true };
        assert_eq!(
            rolled(r#"[{"by": "dc", "gate": "approve"}, {"ramp": [1]}]"#, 4, &[], hurried),
            "2 4, 1 3 | [0]-[1]"
        );
    }
}
