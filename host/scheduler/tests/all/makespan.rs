//! How close a run comes to the shortest possible time, in virtual time.

use std::collections::HashMap;
use std::sync::Arc;

use crate::support::plans::{self, Numbers};
use crate::support::world::{Fate, Fates, World, changed, options, step};
use launchway_model::{NodeId, NodeKind, Phase, Plan};
use launchway_scheduler::{Limits, OnFailure, Options};

/// No schedule is shorter than the longest chain, nor than all work spread evenly; and at a join, what comes before it
/// and what comes after it can't share the time.
fn lower_bound(plan: &Plan, fates: &Fates, slots: u64) -> u64 {
    let takes = |at: usize| fates.get(&NodeId(at as u32)).map_or(0, |fate| fate.takes);
    let shortest = |inside: &dyn Fn(usize) -> bool| {
        let mut ends: Vec<u64> = Vec::new();
        let mut work = 0;
        for (at, node) in plan.nodes.iter().enumerate() {
            let start = node.after.iter().map(|before| ends[before.0 as usize]).max().unwrap_or(0);
            let own = if inside(at) { takes(at) } else { 0 };
            ends.push(start + own);
            work += own;
        }
        ends.into_iter().max().unwrap_or(0).max(work.div_ceil(slots))
    };
    let mut bound = shortest(&|_| true);
    for (at, node) in plan.nodes.iter().enumerate() {
        if matches!(node.kind, NodeKind::Join { .. }) {
            let mut before = vec![false; plan.nodes.len()];
            before[at] = true;
            let mut open = vec![at];
            while let Some(node) = open.pop() {
                for earlier in &plan.nodes[node].after {
                    if !std::mem::replace(&mut before[earlier.0 as usize], true) {
                        open.push(earlier.0 as usize);
                    }
                }
            }
            let mut after = vec![false; plan.nodes.len()];
            after[at] = true;
            for later in at + 1..plan.nodes.len() {
                after[later] = plan.nodes[later].after.iter().any(|earlier| after[earlier.0 as usize]);
            }
            bound = bound.max(shortest(&|node| before[node]) + shortest(&|node| after[node]));
        }
    }
    bound
}

fn makespan(plan: &Arc<Plan>, fates: &Fates, limits: Limits) -> u64 {
    let durations: HashMap<_, _> =
        fates.iter().map(|(node, fate)| (step(plan, *node).key.clone(), fate.takes)).collect();
    let options = Options { durations, ..options(limits, OnFailure::Stop) };
    let mut world = World::new(plan, options, fates);
    world.is_checked = false;
    world.run();
    world.now
}

fn timed(plan: &Plan, mut takes: impl FnMut() -> u64) -> Fates {
    let steps = plan.nodes.iter().enumerate().filter(|(_, node)| matches!(node.kind, NodeKind::Step(_)));
    steps.map(|(at, _)| (NodeId(at as u32), Fate { takes: takes(), pending: 0, outcome: changed() })).collect()
}

/// Tiers of components over hosts; each tier starts when the one below is healthy.
fn tiers(numbers: &mut Numbers, tiers: u64, hosts: u64) -> Arc<Plan> {
    let mut builder = plans::plan();
    let mut below = None;
    for tier in 0..tiers {
        let mut healthy = Vec::new();
        for host in 0..1 + numbers.below(hosts) {
            let change = builder.change(&format!("tier{tier}"), &format!("t{host}"));
            let stage = builder.step(change, Phase::Stage, &[]);
            let install = builder.step(change, Phase::Install, &[stage]);
            let before: Vec<NodeId> = [Some(install), below].into_iter().flatten().collect();
            let start = builder.step(change, Phase::Start, &before);
            let verify = builder.step(change, Phase::Verify, &[start]);
            builder.commit(change, &[verify]);
            healthy.push(verify);
        }
        below = Some(builder.join(&healthy));
    }
    builder.build()
}

/// Any step may wait for a few earlier ones.
fn scattered(numbers: &mut Numbers, steps: u64) -> Arc<Plan> {
    let mut builder = plans::plan();
    let change = builder.change("c", "t");
    let mut earlier: Vec<NodeId> = Vec::new();
    for _ in 0..steps {
        let mut before: Vec<NodeId> =
            (0..numbers.below(3)).filter_map(|_| earlier.get(numbers.below(steps) as usize).copied()).collect();
        before.sort();
        before.dedup();
        earlier.push(builder.step(change, Phase::Install, &before));
    }
    builder.build()
}

#[test]
fn the_makespan_is_near_the_lower_bound() {
    let mut numbers = Numbers(7);
    let mut ratios = Vec::new();
    for slots in [4, 16, 64] {
        let limits = Limits { global: slots, per_target: usize::MAX };
        for _ in 0..6 {
            for plan in [scattered(&mut numbers, 600), tiers(&mut numbers, 5, 60)] {
                let fates = timed(&plan, || 200 + numbers.below(1800));
                let (took, bound) = (makespan(&plan, &fates, limits), lower_bound(&plan, &fates, slots as u64));
                let ratio = took as f64 / bound as f64;
                assert!(ratio <= 1.05, "{took} against {bound} with {slots} slots");
                ratios.push(ratio);
            }
        }
    }
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    assert!(mean <= 1.02, "{mean} on average");
}

#[test]
fn the_longest_way_goes_first() {
    let mut builder = plans::plan();
    let short = builder.change("short", "t");
    for _ in 0..4 {
        builder.step(short, Phase::Install, &[]);
    }
    let long = builder.change("long", "t");
    let mut chain = Vec::new();
    for _ in 0..4 {
        chain = vec![builder.step(long, Phase::Install, &chain)];
    }
    let plan = builder.build();
    let fates = timed(&plan, || 10);
    assert_eq!(makespan(&plan, &fates, Limits { global: 2, per_target: 2 }), 40);
}

#[test]
fn many_steps_that_compete_for_few_locks_cost_no_more_each_than_few_do() {
    // Counts commands, not time: had every release looked at all who wait, this would not end.
    let mut builder = plans::plan();
    for host in 0..2000 {
        let change = builder.change("c", &format!("t{host}"));
        for at in 0..5 {
            let node = builder.step(change, Phase::Install, &[]);
            builder.edit(node, |step| step.step.locks = vec![format!("lock{}", at % 2)]);
        }
    }
    let plan = builder.build();
    let mut core = launchway_scheduler::Core::new(plan.clone(), options(Limits::default(), OnFailure::Stop)).unwrap();
    let now = launchway_model::Timestamp(0);
    let mut commands = core.handle(launchway_scheduler::Input::Start, now).unwrap();
    let mut ran = 0;
    loop {
        let mut next = Vec::new();
        for command in commands {
            match command {
                launchway_scheduler::Command::Run { node, .. } => {
                    ran += 1;
                    let progress = launchway_scheduler::StepProgress::Ended(changed());
                    next.extend(core.handle(launchway_scheduler::Input::Progressed { node, progress }, now).unwrap());
                }
                launchway_scheduler::Command::Finish(outcome) => {
                    assert_eq!(outcome, launchway_model::RunOutcome::Done);
                    assert_eq!(ran, 10_000);
                    return;
                }
                _ => {}
            }
        }
        assert!(!next.is_empty(), "the run stands still");
        commands = next;
    }
}
