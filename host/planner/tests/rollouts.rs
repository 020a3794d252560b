//! What rolls in batches, what is done around it, and actions of all kinds: small plans in full, and random models
//! against the promises' own words.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use launchway_model::{
    ActionPlace, ApplicationState, ComponentName, NodeKind, Operation, Owner, Phase, Plan, TargetName,
};
use launchway_planner::{PlanError, Restriction};
use proptest::prelude::*;
use support::reach::Reach;
use support::{Project, empty_state, run, run_all, text};

const FOUR: &str = "
    a1: { labels: { role: app, dc: eu } }
    a2: { labels: { role: app, dc: eu } }
    a3: { labels: { role: app, dc: us } }
    lb: { labels: { role: lb } }";

fn deployed(project: &Project) -> ApplicationState {
    let mut state = empty_state();
    let plan = project.deploy(&state);
    run_all(&mut state, &plan, 1);
    state
}

#[test]
fn a_group_rolls_batch_by_batch_with_what_is_around_it() {
    let components = |number: u8| {
        format!(
            "
            code: {{ type: t/full, on: role=app, with: {{ number: {number} }} }}
            service:
              type: t/service
              on: role=app
              with: {{ number: {number} }}
              subscribe: [{{ code: restart }}]
              verify: [{{ type: t/check }}]
              around:
                - at: role=lb
                  before: {{ type: t/check, with: {{ url: \"drain ${{instance.target}}\" }} }}
                  after: {{ type: t/check, with: {{ url: \"ready ${{instance.target}}\" }} }}
                  always: true"
        )
    };
    let rollout = "groups: { api: { members: [code, service], rollout: [{ ramp: [1, \"100%\"], gate: approve }] } }\n";
    let mut project = Project::new(&components(1), FOUR);
    project.also(rollout);
    let state = deployed(&project);
    project.version("2.0").components(&components(2)).also(rollout);
    let plan = project.deploy(&state);
    insta::assert_snapshot!(text::plan(&plan));
    let batches: Vec<usize> = plan.rollouts[0].batches.iter().map(Vec::len).collect();
    assert_eq!(batches, [1, 2]);
    let at = plan.nodes.iter().filter_map(|node| match &node.kind {
        NodeKind::Step(step) => step.target(&plan).filter(|target| target.as_str() == "lb"),
        _ => None,
    });
    assert_eq!(at.count(), 6, "before and after on the proxy, for each of three instances");
}

#[test]
fn what_stands_between_the_members_of_a_group_is_named() {
    let mut project = Project::new(
        "a: { type: t/plain, needs: [b] }\nb: { type: t/plain, needs: [c] }\nc: { type: t/plain }",
        "t1: {}\nt2: {}",
    );
    project.also("groups: { g: { members: [a, c], rollout: [{ rolling: 1 }] } }\n");
    let error = project.try_plan(Operation::Deploy, Some(&project.desired()), &empty_state()).unwrap_err();
    assert_eq!(error.to_string(), "`b` stands between what rolls with `g`: g → b → g");
    assert!(error.hint().unwrap().contains("put `b` into it"));
}

#[test]
fn groups_that_can_not_be_are_explained() {
    let mut project = Project::new(
        "a: { type: t/plain, rollout: [{ rolling: 1 }] }\nb: { type: t/plain }\ng: { type: t/plain, run: always }",
        "t1: {}",
    );
    project.also("groups: { g: { members: [a, bb] }, h: { members: [b] }, i: { members: [b] } }\n");
    project.environment("rollouts: { aplication: [{ rolling: 1 }] }\ndisable: [z]\n");
    insta::assert_snapshot!(project.problems());
}

#[test]
fn an_environment_says_how_things_roll_there() {
    let mut project = Project::new("a: { type: t/plain }", "t1: {}\nt2: {}\nt3: {}");
    project.also("rollout: [{ rolling: 1 }]\n");
    assert_eq!(project.deploy(&empty_state()).rollouts[0].batches.len(), 3);
    project.environment("rollouts: { application: [parallel] }\n");
    assert!(project.deploy(&empty_state()).rollouts.is_empty());
    project.environment.truncate(project.environment.find("rollouts").unwrap());
    project.environment("rollouts: { a: [{ rolling: 2 }] }\n");
    assert_eq!(project.deploy(&empty_state()).rollouts[0].batches.len(), 2);
}

#[test]
fn an_action_as_a_component_runs_by_its_rule() {
    let components = |number: u8| {
        format!(
            "
            code: {{ type: t/plain, with: {{ number: {number} }} }}
            other: {{ type: t/plain }}
            smoke: {{ type: t/check, needs: [code], run: with-needs }}
            once: {{ type: t/check, needs: [code], run: changed }}
            ping: {{ type: t/check, run: always }}
            after: {{ type: t/check, needs: [smoke], run: with-needs }}"
        )
    };
    let mut project = Project::new(&components(1), "t1: {}");
    let mut state = deployed(&project);
    let again = project.deploy(&state);
    assert_eq!(
        text::changes(&again),
        "Refresh ping@t1: always\nunchanged after@t1\nunchanged code@t1\nunchanged once@t1\nunchanged other@t1\n\
         unchanged smoke@t1\n"
    );
    project.version("2.0").components(&components(2));
    let second = project.deploy(&state);
    insta::assert_snapshot!(text::plan(&second));
    run_all(&mut state, &second, 2);
    let gone = project.undeploy(&state);
    let steps = gone.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Step(_))).count();
    assert_eq!(steps, 2, "an action leaves nothing to take away");
}

#[test]
fn something_runs_at_the_end_whatever_happens_and_tasks_run_alone() {
    let mut project = Project::new("a: { type: t/plain }", FOUR);
    project.also(
        "finally: [{ type: t/check, on: role=lb, with: { url: done } }]\n\
         tasks: { smoke: { type: t/check, on: role=app, once: true, with: { url: \"${target.name}\" } } }\n",
    );
    let plan = project.deploy(&empty_state());
    insta::assert_snapshot!(text::plan(&plan));
    let state = deployed(&project);
    assert!(project.deploy(&state).is_empty(), "nothing to do, nothing to end");
    let name = ComponentName::new("smoke").unwrap();
    let task = project.try_plan(Operation::Task { name }, Some(&project.desired()), &state).unwrap().plan;
    assert_eq!(text::plan(&task), "Act smoke@a1: asked for: task\n\n  0 smoke@a1/start/check\n");
    assert_eq!(task.version.to, state.version);
}

#[test]
fn what_is_restarted_is_what_can_be() {
    let mut project =
        Project::new("s: { type: t/service }\nf: { type: t/plain }\nc: { type: t/check }", "t1: {}\nt2: {}");
    let state = deployed(&project);
    project.restriction = Restriction { components: Vec::new(), targets: vec!["t1".to_owned()] };
    let plan = project.try_plan(Operation::Restart, Some(&project.desired()), &state).unwrap().plan;
    let text = text::changes(&plan);
    assert!(text.starts_with("Refresh s@t1: asked for: restart\n"), "{text}");
    assert_eq!(plan.changes.len(), 1);
}

#[test]
fn what_is_forced_is_put_in_place_again() {
    let mut project = Project::new("a: { type: t/plain }\nb: { type: t/plain }", "t1: {}");
    let state = deployed(&project);
    project.force = Restriction { components: vec!["a".to_owned()], targets: Vec::new() };
    let plan = project.deploy(&state);
    assert_eq!(text::changes(&plan), "Update a@t1: asked for: force\nunchanged b@t1\n");
}

#[test]
fn one_of_several_targets_is_kept_and_moving_is_no_change() {
    let mut project = Project::new("m: { type: t/command, on: role=app, once: true }", FOUR);
    let mut state = deployed(&project);
    assert_eq!(state.instances.len(), 1);
    assert!(state.instances.keys().all(|id| id.target.as_str() == "a1"));
    let m = ComponentName::new("m").unwrap();
    project.last_targets.insert(m.clone(), TargetName::new("a2").unwrap());
    let moved = project.deploy(&state);
    assert_eq!(text::changes(&moved), "moved m@a1 → m@a2\nunchanged m@a2\namended m@a2\n");
    assert_eq!(moved.step_count(), 0);
    run_all(&mut state, &moved, 2);
    assert!(project.deploy(&state).is_empty());
}

#[test]
fn renamed_components_and_targets_keep_their_records() {
    let mut project =
        Project::new("old: { type: t/plain }\nx: { type: t/plain, needs: [old] }", "t1: { address: 10.0.0.1 }");
    let mut state = deployed(&project);
    project.components("new: { type: t/plain, renamed_from: old }\nx: { type: t/plain, needs: [new] }");
    project.environment = "environment: test\ntargets: { t9: { address: 10.0.0.1, renamed_from: t1 } }\n".to_owned();
    let plan = project.deploy(&state);
    assert_eq!(
        text::changes(&plan),
        "moved old@t1 → new@t9\nmoved x@t1 → x@t9\nunchanged new@t9\nunchanged x@t9\namended x@t9\n"
    );
    run_all(&mut state, &plan, 2);
    assert!(project.deploy(&state).is_empty(), "the old name may stay where it is");
}

#[test]
fn disabled_and_optional_components_are_not_there() {
    let mut project = Project::new(
        "a: { type: t/plain, needs: [b, c] }\nb: { type: t/plain }\nc: { type: t/plain, on: { match: role=x, min: 0 } }",
        "t1: { labels: { role: app } }",
    );
    assert_eq!(deployed(&project).instances.len(), 2);
    project.environment("disable: [b]\n");
    assert_eq!(deployed(&project).instances.len(), 1);
    let mut few =
        Project::new("a: { type: t/plain, on: { match: role=app, min: 2 } }", "t1: { labels: { role: app } }");
    assert!(few.problems().contains("matches 1 targets, and `min` is 2"));
    few.environment("");
}

#[test]
fn a_subscriber_that_a_run_did_not_reach_is_owed_its_word() {
    let components = |number: u8| {
        format!(
            "
            cfg: {{ type: t/plain, with: {{ number: {number} }} }}
            app: {{ type: t/service, subscribe: [{{ cfg: reload }}] }}"
        )
    };
    let mut project = Project::new(&components(1), "t1: {}");
    let state = deployed(&project);
    project.version("2.0").components(&components(2));
    let debts = |plan: &Plan| plan.owed.iter().map(|owed| format!("{} → {}", owed.by, owed.to)).collect::<Vec<_>>();
    assert_eq!(debts(&project.deploy(&state)), ["cfg → app@t1"]);
    project.restriction = Restriction { components: vec!["cfg".to_owned()], targets: Vec::new() };
    assert_eq!(debts(&project.deploy(&state)), ["cfg → app@t1"], "left out, it is owed all the same");
    assert!(debts(&project.deploy(&empty_state())).is_empty(), "what is new knows");
}

#[test]
fn what_goes_is_gone_before_what_it_used_changes() {
    let both = "x: { type: t/file, with: { path: /x, content: \"1\" } }\ny: { type: t/plain, needs: [x] }";
    let mut project = Project::new(both, "t1: {}");
    let state = deployed(&project);
    let undo_first = |project: &Project, undo: &str, change: &str| {
        let plan = project.deploy(&state);
        let node = |key: &str| {
            let found = plan.nodes.iter().position(|node| matches!(&node.kind, NodeKind::Step(s) if &*s.key.0 == key));
            found.unwrap_or_else(|| panic!("no {key} in\n{}", text::plan(&plan)))
        };
        assert!(Reach::of(&plan).comes_before(node(undo), node(change)), "{}", text::plan(&plan));
    };
    project.version("2.0").components("x: { type: t/plain }\ny: { type: t/file, with: { path: /y, content: \"1\" } }");
    undo_first(&project, "y@t1/replaced/remove/undo", "x@t1/replaced/remove/unlink");
    project.components("x: { type: t/plain }");
    undo_first(&project, "y@t1/remove/undo", "x@t1/replaced/remove/unlink");
    project.components("x: { type: t/file, with: { path: /elsewhere, content: \"1\" } }");
    undo_first(&project, "y@t1/remove/undo", "x@t1/install/put");
}

/// A random application in which some components roll together.
#[derive(Clone, Debug)]
struct Model {
    parts: Vec<Part>,
    /// Of each group: its strategies, as YAML.
    groups: Vec<&'static str>,
}

#[derive(Clone, Debug)]
struct Part {
    kind: &'static str,
    targets: BTreeSet<usize>,
    group: Option<usize>,
    changes: bool,
    around: bool,
    /// To parts of lower numbers; with `true`, on the same target only.
    needs: Vec<(usize, bool)>,
}

const TARGETS: usize = 4;
const STRATEGIES: [&str; 7] = [
    "[]",
    "[{ rolling: 1 }]",
    "[{ rolling: 2 }]",
    "[{ rolling: 2, window: true }]",
    "[{ ramp: [1, \"50%\"], gate: { bake: 5 } }]",
    "[{ by: dc }, { rolling: 1 }]",
    "[{ by: dc, gate: approve }]",
];

fn any_model() -> impl Strategy<Value = Model> {
    let groups = prop::collection::vec(prop::sample::select(STRATEGIES.to_vec()), 1..4);
    (1..7usize, groups).prop_flat_map(|(count, groups)| {
        let number = groups.len();
        let parts: Vec<_> = (0..count).map(|at| any_part(at, number)).collect();
        parts.prop_map(move |parts| Model { parts, groups: groups.clone() })
    })
}

fn any_part(at: usize, groups: usize) -> impl Strategy<Value = Part> {
    let kind = prop::sample::select(vec!["full", "service", "plain"]);
    let targets = prop::collection::btree_set(0..TARGETS, 1..=TARGETS);
    let needs = prop::collection::vec((0..at.max(1), any::<bool>()), if at == 0 { 0..1 } else { 0..3 });
    let group = prop::option::weighted(0.6, 0..groups);
    (kind, targets, group, prop::bool::weighted(0.8), prop::bool::weighted(0.3), needs).prop_map(
        move |(kind, targets, group, changes, around, mut needs)| {
            needs.retain(|(to, _)| *to < at);
            needs.sort();
            needs.dedup_by_key(|(to, _)| *to);
            Part { kind, targets, group, changes, around, needs }
        },
    )
}

fn project(model: &Model, number: u8) -> Project {
    let mut components = String::new();
    for (at, part) in model.parts.iter().enumerate() {
        let number = if part.changes { number } else { 1 };
        let scope = |same: bool| if same { "same-target" } else { "all" };
        let needs: Vec<String> =
            part.needs.iter().map(|(to, same)| format!("{{ component: c{to}, scope: {} }}", scope(*same))).collect();
        let not: Vec<String> =
            (0..TARGETS).filter(|at| !part.targets.contains(at)).map(|at| format!("name!=t{at}")).collect();
        let on = if not.is_empty() { String::new() } else { format!(", on: \"{}\"", not.join(",")) };
        let around = if part.around {
            ", around: [{ at: name=lb, before: { type: t/check }, after: { type: t/check } }]"
        } else {
            ""
        };
        let on = if on.is_empty() { ", on: name!=lb".to_owned() } else { on.replacen(": \"", ": \"name!=lb,", 1) };
        let (kind, needs) = (part.kind, needs.join(", "));
        writeln!(components, "c{at}: {{ type: t/{kind}{on}, with: {{ number: {number} }}, needs: [{needs}]{around} }}")
            .unwrap();
    }
    let targets: String =
        (0..TARGETS).map(|at| format!("t{at}: {{ labels: {{ dc: d{} }} }}\n", at % 2)).collect::<String>() + "lb: {}\n";
    let mut project = Project::new(&components, &targets);
    let mut groups = String::new();
    for (at, strategies) in model.groups.iter().enumerate() {
        let members = model.parts.iter().enumerate().filter(|(_, part)| part.group == Some(at));
        let members: Vec<String> = members.map(|(at, _)| format!("c{at}")).collect();
        if !members.is_empty() {
            write!(groups, "g{at}: {{ members: [{}], rollout: {strategies} }}, ", members.join(", ")).unwrap();
        }
    }
    project.also(&format!("groups: {{ {groups} }}\n"));
    project
}

/// Whether units wait for each other in a circle, found by trying every way.
fn circular(model: &Model) -> bool {
    let unit = |at: usize| match model.parts[at].group {
        Some(group) if model.groups[group] != "[]" => 100 + group,
        _ => at,
    };
    let mut reach: BTreeSet<(usize, usize)> = BTreeSet::new();
    for (at, part) in model.parts.iter().enumerate() {
        reach.extend(part.needs.iter().map(|(to, _)| (unit(at), unit(*to))).filter(|(from, to)| from != to));
    }
    loop {
        let more: Vec<(usize, usize)> = reach
            .iter()
            .flat_map(|(a, b)| reach.iter().filter(move |(c, _)| c == b).map(move |(_, d)| (*a, *d)))
            .collect();
        let before = reach.len();
        reach.extend(more);
        if reach.len() == before {
            return reach.iter().any(|(from, to)| from == to);
        }
    }
}

const DISTURBING: [Phase; 5] = [Phase::Stop, Phase::Remove, Phase::Install, Phase::Start, Phase::Verify];

/// The nodes of each instance, by what they are.
#[derive(Default)]
struct Nodes {
    phases: BTreeMap<Phase, Vec<usize>>,
    commit: usize,
    before: Vec<usize>,
    after: Vec<usize>,
}

impl Nodes {
    fn of(&self, phases: &[Phase]) -> Vec<usize> {
        phases.iter().filter_map(|phase| self.phases.get(phase)).flatten().copied().collect()
    }
}

fn nodes(plan: &Plan) -> BTreeMap<(usize, usize), Nodes> {
    let place = |at: usize| {
        let id = &plan.changes[at].id;
        (id.component.as_str()[1..].parse().unwrap(), id.target.as_str()[1..].parse().unwrap())
    };
    let mut found: BTreeMap<(usize, usize), Nodes> = BTreeMap::new();
    for (at, node) in plan.nodes.iter().enumerate() {
        match &node.kind {
            NodeKind::Step(step) => {
                let entry = found.entry(place(step.owner.change().0 as usize)).or_default();
                match &step.owner {
                    Owner::Action { place: ActionPlace::Before, .. } => entry.before.push(at),
                    Owner::Action { place: ActionPlace::After, .. } => entry.after.push(at),
                    _ => entry.phases.entry(step.step.phase).or_default().push(at),
                }
            }
            NodeKind::Commit { change } => found.entry(place(change.0 as usize)).or_default().commit = at,
            _ => {}
        }
    }
    found
}

fn check(model: &Model, plan: &Plan) {
    let reach = Reach::of(plan);
    let nodes = nodes(plan);
    let require = |earlier: &[usize], later: &[usize], why: &str| {
        for (a, b) in earlier.iter().flat_map(|a| later.iter().map(move |b| (*a, *b))) {
            assert!(reach.comes_before(a, b), "{why}: {a} must come before {b}\n{}", text::plan(plan));
        }
    };
    // In which batch each target of a group is, and which come before it.
    let mut cells: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for rollout in &plan.rollouts {
        let group: usize = rollout.unit.to_string()[1..].parse().unwrap();
        for (cell, targets) in rollout.batches.iter().enumerate() {
            cells.extend(targets.iter().map(|target| ((group, target.as_str()[1..].parse().unwrap()), cell)));
        }
    }
    let gradual = |at: usize| model.parts[at].group.filter(|group| model.groups[*group] != "[]");
    let cell = |(component, target): (usize, usize)| Some(*cells.get(&(gradual(component)?, target))?);
    for (place, own) in &nodes {
        let part = &model.parts[place.0];
        let disturbing = own.of(&DISTURBING);
        require(&own.of(&[Phase::Stage]), &disturbing, "stage");
        for other in nodes.values() {
            require(&own.of(&[Phase::Stage]), &other.of(&[Phase::Stop, Phase::Remove]), "staged everywhere");
            require(&own.of(&[Phase::Stage]), &other.before, "staged before anything is done around");
        }
        require(&own.before, &disturbing, "before");
        require(&own.after, &[own.commit], "done when it is back");
        assert!(part.around != own.before.is_empty() || own.of(&DISTURBING[..4]).is_empty());
        for (other, its) in &nodes {
            let together = gradual(place.0).is_some() && gradual(place.0) == gradual(other.0);
            let same_group = part.group.is_some() && part.group == model.parts[other.0].group;
            if (same_group || place.0 == other.0) && place.1 == other.1 {
                require(&its.of(&DISTURBING), &own.after, "after all of its group on its target");
            }
            // Batches, where all of one comes before all of the other.
            let windowed = gradual(place.0).is_some_and(|group| model.groups[group].contains("window"));
            if let (true, false, Some(mine), Some(theirs)) = (together, windowed, cell(*place), cell(*other))
                && theirs < mine
            {
                require(&[its.commit], &disturbing, "an earlier batch");
                require(&its.after, &disturbing, "what is done after an earlier batch");
                require(&[its.commit], &own.before, "an earlier batch, around");
            }
            if let (true, true, Some(mine), Some(theirs)) = (together, windowed, cell(*place), cell(*other))
                && theirs + 2 == mine
            {
                require(&[its.commit], &disturbing, "an earlier place in the window");
            }
            let Some((_, same_target)) = part.needs.iter().find(|(to, _)| *to == other.0) else { continue };
            if *same_target && place.1 != other.1 {
                continue;
            }
            let needed =
                its.of(&[Phase::Stage, Phase::Stop, Phase::Remove, Phase::Install, Phase::Start, Phase::Verify]);
            if together {
                if cell(*place) == cell(*other) {
                    require(&needed, &own.of(&[Phase::Start, Phase::Verify]), "needs, in one batch");
                    require(&own.of(&[Phase::Stop]), &its.of(&DISTURBING), "stops first, in one batch");
                }
            } else if gradual(place.0).is_some() {
                require(&needed, &disturbing, "needs, beside old ones");
                require(&needed, &own.before, "needs, beside old ones, around");
            } else {
                require(&needed, &own.of(&[Phase::Start, Phase::Verify]), "needs");
                require(&own.of(&[Phase::Stop]), &its.of(&DISTURBING), "stops first");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn every_promise_of_what_rolls_holds(model in any_model(), fails in prop::collection::btree_set((0..7usize, 0..TARGETS), 0..3)) {
        let first = project(&model, 1);
        let mut state = empty_state();
        match first.try_plan(Operation::Deploy, Some(&first.desired()), &state) {
            Ok(planned) => {
                prop_assert!(!circular(&model));
                check(&model, &planned.plan);
                run_all(&mut state, &planned.plan, 1);
            }
            Err(PlanError::NotConvex { .. }) => {
                prop_assert!(circular(&model));
                return Ok(());
            }
            Err(error) => panic!("{error}"),
        }
        let mut second = project(&model, 2);
        second.version("2.0");
        let plan = second.deploy(&state);
        check(&model, &plan);
        // What failed half-way is done again, and in the same order.
        run(&mut state, &plan, 2, |id| {
            let number = |text: &str| text[1..].parse::<usize>().unwrap();
            !fails.contains(&(number(id.component.as_str()), number(id.target.as_str())))
        });
        let again = second.deploy(&state);
        check(&model, &again);
        run_all(&mut state, &again, 3);
        prop_assert!(second.deploy(&state).is_empty());
        let gone = second.undeploy(&state);
        run_all(&mut state, &gone, 4);
        prop_assert!(state.instances.is_empty());
    }
}
