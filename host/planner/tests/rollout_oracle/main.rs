//! What rolls in batches, what is done around it and what goes: random models, from one release to another and away,
//! against the promises' own words.

mod model;
mod promises;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;

use launchway_model::{Operation, RunId};
use launchway_planner::{Desired, PlanError, Restriction, Since, restore};
use model::{Model, Place, TARGETS, any_model, any_wild_model, circular, project};
use promises::{Oracle, place};
use proptest::prelude::*;
use support::{empty_state, run, run_all};

fn recorded(state: &launchway_model::ApplicationState) -> BTreeSet<Place> {
    state.instances.keys().map(place).collect()
}

/// From nothing to the first release, to the second one, in which something fails; then on, and away.
fn through_life(model: &Model, fails: &BTreeSet<Place>) -> Result<(), TestCaseError> {
    let first = project(model, 0);
    let mut state = empty_state();
    match first.try_plan(Operation::Deploy, Some(&first.desired()), &state) {
        Ok(planned) => {
            prop_assert!(!circular(model, 0));
            Oracle::new(model, &planned.plan, Some(0), BTreeSet::new()).check();
            run_all(&mut state, &planned.plan, 1);
        }
        Err(PlanError::NotConvex { .. }) => {
            prop_assert!(circular(model, 0));
            return Ok(());
        }
        Err(error) => panic!("{error}"),
    }
    let gone = first.undeploy(&state);
    Oracle::new(model, &gone, None, recorded(&state)).check();
    let mut second = project(model, 1);
    second.version("2.0");
    let plan = match second.try_plan(Operation::Deploy, Some(&second.desired()), &state) {
        Ok(planned) => planned.plan,
        Err(PlanError::NotConvex { .. }) => {
            prop_assert!(circular(model, 1));
            return Ok(());
        }
        Err(error) => panic!("{error}"),
    };
    // Where nothing changes, nothing is looked at.
    prop_assert!(plan.changes.is_empty() || !circular(model, 1));
    Oracle::new(model, &plan, Some(1), recorded(&state)).check();
    let before = state.clone();
    run(&mut state, &plan, 2, |id| !fails.contains(&place(id)));
    // Whatever mixture is there now: it can be restarted, and gone back from.
    let restart = second.try_plan(Operation::Restart, Some(&Desired::recorded(&state)), &state);
    prop_assert!(restart.is_ok(), "{restart:?}");
    let back = restore(&state, RunId(2), &plan, &Since::default(), &Restriction::default()).unwrap().desired;
    let back = second.try_plan(Operation::Rollback { run: RunId(2) }, Some(&back), &state);
    let mut restored = state.clone();
    match back {
        Ok(planned) => run_all(&mut restored, &planned.plan, 3),
        Err(error) => panic!("{error}"),
    }
    prop_assert!(restored.instances.keys().eq(before.instances.keys()));
    prop_assert!(restored.instances.values().all(|record| record.dirty.is_none()));
    // What failed half-way is done again.
    let again = second.deploy(&state);
    run_all(&mut state, &again, 3);
    prop_assert!(second.deploy(&state).is_empty());
    let gone = second.undeploy(&state);
    run_all(&mut state, &gone, 4);
    prop_assert!(state.instances.is_empty());
    Ok(())
}

/// The cases are divided among tests, so that they run beside each other.
macro_rules! parts {
    ($($name:ident: $part:literal)*) => { $(
        proptest! {
            #![proptest_config(support::part_of_cases(CASES, $part))]

            #[test]
            fn $name(model in any_model(), fails in prop::collection::btree_set((0..7usize, 0..TARGETS), 0..3)) {
                through_life(&model, &fails)?;
            }
        }
    )* };
}

const CASES: u32 = 5_000;

parts! {
    every_promise_of_what_rolls_and_goes_holds: 1
    every_promise_of_what_rolls_and_goes_holds_elsewhere: 2
}

proptest! {
    #![proptest_config(support::part_of_cases(2_000, 3))]

    /// Whatever changes its type or gives up a path: there is an order, or the user is told what stands in its way.
    #[test]
    fn nobody_waits_in_a_circle_that_nobody_wrote(
        model in any_wild_model(),
        fails in prop::collection::btree_set((0..7usize, 0..TARGETS), 0..4),
    ) {
        let mut state = empty_state();
        let first = project(&model, 0);
        let told = |error: PlanError| match error {
            PlanError::NotConvex { .. } | PlanError::PathChangesHands { .. } => {}
            PlanError::Problems(found) => assert!(found.iter().all(|problem| problem.code == "collision"), "{found:?}"),
            error => panic!("{error}"),
        };
        match first.try_plan(Operation::Deploy, Some(&first.desired()), &state) {
            Ok(planned) => run_all(&mut state, &planned.plan, 1),
            Err(error) => {
                told(error);
                return Ok(());
            }
        }
        let mut second = project(&model, 1);
        second.version("2.0");
        let plan = match second.try_plan(Operation::Deploy, Some(&second.desired()), &state) {
            Ok(planned) => planned.plan,
            Err(error) => {
                told(error);
                return Ok(());
            }
        };
        run(&mut state, &plan, 2, |id| !fails.contains(&place(id)));
        // Of what failed here others do not know, as they would in a run: two may have one path.
        let restart = second.try_plan(Operation::Restart, Some(&Desired::recorded(&state)), &state);
        prop_assert!(matches!(restart, Ok(_) | Err(PlanError::TwoWriters { .. })), "{restart:?}");
        let back = restore(&state, RunId(2), &plan, &Since::default(), &Restriction::default()).unwrap().desired;
        match second.try_plan(Operation::Rollback { run: RunId(2) }, Some(&back), &state) {
            Ok(_) | Err(PlanError::PathChangesHands { .. } | PlanError::TwoWriters { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        second.undeploy(&state);
    }
}
