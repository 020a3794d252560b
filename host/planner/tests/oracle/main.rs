//! The order promises, held by plans of random applications: checked pair by pair against the promises' own words.

mod model;
mod promises;
#[path = "../support/mod.rs"]
mod support;

use launchway_model::{ApplicationState, ChangeKind, InstanceId, Operation, Plan, Replace, RunId};
use launchway_planner::{Desired, PlanError, Restriction, Since, plan_digest, restore};
use model::{Model, TARGETS, any_model, project};
use promises::Oracle;
use proptest::prelude::*;
use support::{Project, empty_state, run_all, text};

/// Whether something goes and something else comes at one path, and nobody said that the one goes first.
fn collides(model: &Model, state: &ApplicationState) -> bool {
    let path = |id: &InstanceId| {
        let record = state.instances.get(id)?;
        let deployed = record.dirty.as_ref().and_then(|dirty| dirty.to.as_ref()).or(record.confirmed.as_ref())?;
        Some((deployed.spec.properties.get("path")?.as_str()?.to_owned(), deployed.spec.edges.replace))
    };
    let place = |id: &InstanceId| (number(id.component.as_str()), number(id.target.as_str()));
    let stays = |(name, target): (usize, usize)| model.get(&name).is_some_and(|part| part.targets.contains(&target));
    state.instances.keys().filter(|id| !stays(place(id))).any(|gone| {
        let Some((given, recorded)) = path(gone) else { return false };
        let first = model.get(&place(gone).0).map_or(recorded == Replace::DeleteFirst, |part| part.delete_first);
        let takers = model.iter().filter(|(_, part)| part.kind == "file" && part.targets.contains(&place(gone).1));
        let mut takers = takers.filter(|(_, part)| format!("/p{}", part.path) == given);
        takers.any(|(name, part)| {
            let component = launchway_model::ComponentName::new(format!("c{name}")).unwrap();
            let id = InstanceId { component, target: gone.target.clone() };
            let has = path(&id).is_some_and(|(path, _)| path == given);
            !has && !first && !part.delete_first
        })
    })
}

fn number(text: &str) -> usize {
    text[1..].parse().unwrap()
}

/// Returns the plan from a state to what is wanted; none if a path changes hands in a way that nobody asked for, or
/// between two one of which is after all of the other.
fn change(
    project: &Project,
    model: &Model,
    operation: Operation,
    desired: &Desired,
    state: &ApplicationState,
) -> Option<Plan> {
    let collides = operation == Operation::Deploy && collides(model, state);
    match project.try_plan(operation, Some(desired), state) {
        Ok(planned) => {
            assert!(!collides, "a collision was not noticed\n{}", text::plan(&planned.plan));
            Some(planned.plan)
        }
        Err(PlanError::PathChangesHands { .. }) => None,
        Err(PlanError::Problems(found)) => {
            assert!(collides && found.iter().all(|problem| problem.code == "collision"), "{found:?}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn deployed(model: &Model) -> ApplicationState {
    let mut state = empty_state();
    let plan = project(model).deploy(&state);
    run_all(&mut state, &plan, 1);
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_promise_holds_from_any_release_to_any_other(old in any_model(), new in any_model()) {
        let mut state = deployed(&old);
        let project = project(&new);
        let Some(plan) = change(&project, &new, Operation::Deploy, &project.desired(), &state) else { return Ok(()) };
        Oracle::new(&plan, &new).check();
        prop_assert_eq!(plan_digest(&plan), plan_digest(&project.deploy(&state)));
        run_all(&mut state, &plan, 2);
        let again = project.deploy(&state);
        prop_assert!(again.changes.is_empty() && again.nodes.is_empty() && again.amendments.is_empty());
    }

    #[test]
    fn an_undeployment_keeps_every_promise_and_leaves_nothing(model in any_model()) {
        let mut state = deployed(&model);
        let plan = project(&model).undeploy(&state);
        prop_assert!(plan.changes.iter().all(|change| change.kind == ChangeKind::Delete));
        Oracle::new(&plan, &Model::new()).check();
        run_all(&mut state, &plan, 2);
        prop_assert!(state.instances.is_empty() && state.version.is_none());
    }

    #[test]
    fn a_rollback_of_anything_that_failed_anywhere_brings_back_what_was(
        old in any_model(),
        new in any_model(),
        fails in prop::collection::btree_set((0..7usize, 0..TARGETS), 0..4),
        fails_again in prop::collection::btree_set((0..7usize, 0..TARGETS), 0..3),
    ) {
        let mut state = deployed(&old);
        let before = state.clone();
        let mut project = project(&new);
        project.version("2.0");
        let Some(plan) = change(&project, &new, Operation::Deploy, &project.desired(), &state) else { return Ok(()) };
        let place = |id: &InstanceId| (number(id.component.as_str()), number(id.target.as_str()));
        support::run(&mut state, &plan, 2, |id| !fails.contains(&place(id)));
        let run = RunId(2);
        let mut since = Since::default();
        // A rollback that fails itself is gone on with by the next one.
        for attempt in [3, 4] {
            let desired = restore(&state, run, &plan, &since, &Restriction::default()).unwrap().desired;
            let Some(rollback) = change(&project, &new, Operation::Rollback { run }, &desired, &state) else { return Ok(()) };
            support::run(&mut state, &rollback, attempt, |id| attempt == 4 || !fails_again.contains(&place(id)));
            since.attempts.insert(RunId(attempt));
        }
        prop_assert_eq!(&state.version, &before.version);
        let confirmed = |state: &ApplicationState| -> Vec<_> {
            state.instances.iter().map(|(id, record)| (id.clone(), record.confirmed.clone(), record.dirty.clone())).collect()
        };
        prop_assert_eq!(confirmed(&state), confirmed(&before));
    }
}
