//! The core's promises, on random plans with random fates.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::support::plans;
use crate::support::world::{Fates, World, done, fates, options, step};
use launchway_model::{Event, EventRecord, NodeId, NodeKind, Owner, Phase, Plan, RunOutcome, SkipReason, StepOutcome};
use launchway_scheduler::{Limits, OnFailure};
use proptest::prelude::{ProptestConfig, any, proptest};

/// What ought to happen to each node if nothing is ever stopped.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Expected {
    Done { changed: bool },
    Failed,
    Blocked,
}

/// Works it out node by node: all predecessors have smaller numbers.
fn expected(plan: &Plan, fates: &Fates) -> Vec<Expected> {
    let mut all: Vec<Expected> = Vec::new();
    for (at, node) in plan.nodes.iter().enumerate() {
        let good = |before: &NodeId| {
            let state = all[before.0 as usize];
            let is_finish = matches!(&plan.nodes[before.0 as usize].kind,
                NodeKind::Step(step) if step.step.phase == Phase::Finish);
            matches!(state, Expected::Done { .. }) || (state == Expected::Failed && is_finish)
        };
        let state = if !node.after.iter().all(good) {
            Expected::Blocked
        } else if let NodeKind::Step(_) = &node.kind {
            match &fates[&NodeId(at as u32)].outcome {
                StepOutcome::Changed(_) => Expected::Done { changed: true },
                StepOutcome::Unchanged(_) => Expected::Done { changed: false },
                _ => Expected::Failed,
            }
        } else {
            Expected::Done { changed: false }
        };
        all.push(state);
    }
    all
}

/// Subscriptions in random plans come without edges, so whether they act depends on timing: not for this oracle.
fn without_subscriptions(plan: &Arc<Plan>) -> Arc<Plan> {
    let mut plan = Plan::clone(plan);
    for node in &mut plan.nodes {
        if let NodeKind::Step(step) = &mut node.kind {
            step.only_if_changed.clear();
        }
    }
    Arc::new(plan)
}

/// What holds for every run, however it ends.
fn check_history(plan: &Plan, events: &[Arc<EventRecord>]) {
    assert!(matches!(events[0].event, Event::RunStarted { .. }));
    assert!(matches!(events[events.len() - 1].event, Event::RunFinished { .. }));
    let mut dirtied = BTreeSet::new();
    let mut settled = BTreeSet::new();
    for (at, record) in events.iter().enumerate() {
        match &record.event {
            Event::InstanceDirtied { change } => assert!(dirtied.insert(*change), "an instance becomes dirty once"),
            Event::StepStarted { node, .. } => {
                let done = done(plan, &events[..at]);
                for before in &plan.nodes[node.0 as usize].after {
                    assert!(done.contains(before), "{node:?} before {before:?}");
                }
                let change = step(plan, *node).owner.change();
                let committed = events[..at]
                    .iter()
                    .any(|record| matches!(record.event, Event::InstanceCommitted { change: c, .. } if c == change));
                assert!(committed || dirtied.contains(&change), "dirty before the first effect");
            }
            Event::StepFinished { node, .. } | Event::StepSkipped { node, .. } => {
                assert!(settled.insert(*node), "a step ends once");
            }
            Event::InstanceCommitted { node, .. } => {
                let done = done(plan, &events[..at]);
                for before in &plan.nodes[node.0 as usize].after {
                    assert!(done.contains(before), "commit {node:?} before {before:?}");
                }
            }
            _ => {}
        }
    }
    // Whatever became ready to commit did.
    let all = done(plan, events);
    for (at, node) in plan.nodes.iter().enumerate() {
        let id = NodeId(at as u32);
        match node.kind {
            NodeKind::Step(_) => assert!(settled.contains(&id), "{id:?} was forgotten"),
            NodeKind::Commit { .. } => {
                assert_eq!(all.contains(&id), node.after.iter().all(|before| all.contains(before)));
            }
            _ => {}
        }
    }
}

fn limits(seed: u64) -> Limits {
    Limits { global: 1 + (seed % 5) as usize, per_target: 1 + (seed / 5 % 3) as usize }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_run_keeps_order_and_limits_and_ends(seed in any::<u64>(), size in 1u64..14, failing in 0u64..20) {
        let plan = plans::random(seed, size);
        let fates = fates(&plan, seed, failing);
        for on_failure in [OnFailure::Stop, OnFailure::Continue] {
            let mut world = World::new(&plan, options(limits(seed), on_failure), &fates);
            let outcome = world.run();
            check_history(&plan, &world.events);
            world.check_fold();
            let broke = world.events.iter().any(|record| matches!(&record.event,
                Event::StepFinished { node, outcome, .. }
                if !outcome.is_success() && step(&plan, *node).step.phase != Phase::Finish));
            assert_eq!(outcome, if broke { RunOutcome::Failed } else { RunOutcome::Done });
        }
    }

    #[test]
    fn whoever_goes_on_does_exactly_what_is_not_behind_a_failure(seed in any::<u64>(), size in 1u64..14) {
        let plan = without_subscriptions(&plans::random(seed, size));
        let fates = fates(&plan, seed, 12);
        let mut world = World::new(&plan, options(limits(seed), OnFailure::Continue), &fates);
        world.run();
        let expected = expected(&plan, &fates);
        for record in &world.events {
            match &record.event {
                Event::StepFinished { node, outcome, .. } => match expected[node.0 as usize] {
                    Expected::Done { changed } => {
                        assert!(outcome.is_success());
                        assert_eq!(changed, matches!(outcome, StepOutcome::Changed(_)));
                    }
                    other => assert_eq!(other, Expected::Failed),
                },
                Event::StepSkipped { node, reason, .. } => {
                    assert_eq!(*reason, SkipReason::Blocked);
                    assert_eq!(expected[node.0 as usize], Expected::Blocked);
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_failure_that_stops_lets_nothing_new_start(seed in any::<u64>(), size in 1u64..14) {
        let plan = plans::random(seed, size);
        let fates = fates(&plan, seed, 15);
        let mut world = World::new(&plan, options(limits(seed), OnFailure::Stop), &fates);
        world.run();
        let mut broke = false;
        for record in &world.events {
            match &record.event {
                Event::StepFinished { node, outcome, .. } => {
                    broke |= !outcome.is_success() && step(&plan, *node).step.phase != Phase::Finish;
                }
                Event::StepStarted { .. } => assert!(!broke),
                _ => {}
            }
        }
    }

    #[test]
    fn stop_and_abort_end_every_run(seed in any::<u64>(), size in 1u64..14, at in 0u64..200, later in 0u64..40) {
        let plan = plans::random(seed, size);
        let fates = fates(&plan, seed, 5);
        let mut world = World::new(&plan, options(limits(seed), OnFailure::Continue), &fates);
        world.stop_at(at);
        world.abort_at(at + later);
        let outcome = world.run();
        check_history(&plan, &world.events);
        world.check_fold();
        let mut stopped = false;
        for record in &world.events {
            match &record.event {
                Event::StopRequested { .. } => stopped = true,
                Event::StepStarted { .. } => assert!(!stopped),
                _ => {}
            }
        }
        let aborted = |record: &Arc<EventRecord>| {
            matches!(record.event, Event::StepFinished { outcome: StepOutcome::Aborted, .. })
        };
        let abort = |record: &Arc<EventRecord>| matches!(record.event, Event::StopRequested { abort: true });
        let broken_off = world.events.iter().any(abort) && world.events.iter().any(aborted);
        let all_done = !broken_off && plan.nodes.iter().enumerate().all(|(at, node)| {
            !matches!(node.kind, NodeKind::Commit { .. } | NodeKind::Step(_))
                || done(&plan, &world.events).contains(&NodeId(at as u32))
        });
        if all_done {
            assert_eq!(outcome, RunOutcome::Done);
        } else {
            assert_ne!(outcome, RunOutcome::Done);
        }
    }

    #[test]
    fn the_same_happens_again(seed in any::<u64>(), size in 1u64..14) {
        let plan = plans::random(seed, size);
        let fates = fates(&plan, seed, 8);
        let mut first = World::new(&plan, options(limits(seed), OnFailure::Continue), &fates);
        let mut second = World::new(&plan, options(limits(seed), OnFailure::Continue), &fates);
        first.run();
        second.run();
        assert_eq!(first.events, second.events);
    }

    #[test]
    fn a_subscriber_acts_only_when_something_changed(seed in any::<u64>(), size in 1u64..14) {
        let plan = plans::random(seed, size);
        let fates = fates(&plan, seed, 0);
        let mut world = World::new(&plan, options(limits(seed), OnFailure::Stop), &fates);
        world.run();
        for (at, record) in world.events.iter().enumerate() {
            let (node, skipped) = match &record.event {
                Event::StepStarted { node, .. } => (*node, false),
                Event::StepSkipped { node, .. } => (*node, true),
                _ => continue,
            };
            let watched = &step(&plan, node).only_if_changed;
            let changed = world.events[..at].iter().any(|record| matches!(&record.event,
                Event::StepFinished { node, outcome: StepOutcome::Changed(_), .. }
                if matches!(step(&plan, *node).owner, Owner::Instance { change } if watched.contains(&change))));
            if skipped {
                assert!(!watched.is_empty() && !changed);
            }
        }
    }
}
