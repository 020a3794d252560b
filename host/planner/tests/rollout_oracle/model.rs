//! Random applications in two releases.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;

use crate::support::Project;

/// Two releases of a random application in which some components roll together.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) parts: Vec<Part>,
    /// Of each group: its strategies, as YAML.
    pub(crate) groups: Vec<&'static str>,
}

/// A component of both releases, or of one.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// In each release.
    pub(crate) kind: [&'static str; 2],
    /// Of a file: two components of one release never have the same.
    pub(crate) path: usize,
    /// In each release: where it is, and with what it rolls.
    pub(crate) targets: [BTreeSet<usize>; 2],
    pub(crate) group: [Option<usize>; 2],
    pub(crate) changes: bool,
    pub(crate) around: bool,
    pub(crate) delete_first: bool,
    /// To parts of lower numbers; with `true`, on the same target only.
    pub(crate) needs: Vec<(usize, bool)>,
    /// How: `needs`, `subscribe`, or `after`.
    pub(crate) words: Vec<&'static str>,
}

/// The last of them is the one on which something is done around others.
pub(crate) const TARGETS: usize = 5;
pub(crate) const LB: usize = 4;
pub(crate) const STRATEGIES: [&str; 7] = [
    "[]",
    "[{ rolling: 1 }]",
    "[{ rolling: 2 }]",
    "[{ rolling: 2, window: true }]",
    "[{ ramp: [1, \"50%\"], gate: { bake: 5 } }]",
    "[{ by: dc }, { rolling: 1 }]",
    "[{ by: dc, gate: approve }]",
];

pub(crate) type Place = (usize, usize);

impl Model {
    pub(crate) fn is_there(&self, release: usize, (part, target): Place) -> bool {
        self.parts[part].targets[release].contains(&target)
    }

    /// With what a component rolls, if old and new instances of it are side by side at times.
    pub(crate) fn gradual(&self, release: usize, part: usize) -> Option<usize> {
        self.parts[part].group[release].filter(|group| self.groups[*group] != "[]")
    }

    /// What an instance needs of those that are there.
    pub(crate) fn needs(&self, place: Place, there: impl Fn(Place) -> bool) -> Vec<Place> {
        let pairs =
            self.parts[place.0].needs.iter().flat_map(|(to, same)| (0..TARGETS).map(move |on| (*to, on, *same)));
        pairs
            .filter(|(_, on, same)| !same || *on == place.1)
            .map(|(to, on, _)| (to, on))
            .filter(|at| there(*at))
            .collect()
    }
}

pub(crate) fn any_model() -> impl Strategy<Value = Model> {
    let groups = prop::collection::vec(prop::sample::select(STRATEGIES.to_vec()), 1..4);
    (1..7usize, groups).prop_flat_map(|(count, groups)| {
        let number = groups.len();
        let parts: Vec<_> = (0..count).map(|at| any_part(at, number)).collect();
        parts.prop_map(move |parts| Model { parts, groups: groups.clone() })
    })
}

pub(crate) fn any_targets() -> impl Strategy<Value = BTreeSet<usize>> {
    let some = prop::collection::btree_set(0..LB, 1..=LB);
    prop_oneof![6 => some, 1 => Just(BTreeSet::from([LB])), 1 => Just(BTreeSet::new())]
}

/// The second release has other types, and files whose paths change hands.
pub(crate) fn any_wild_model() -> impl Strategy<Value = Model> {
    let kind = || prop::sample::select(vec!["full", "service", "plain", "file", "file"]);
    let kinds = prop::collection::vec((kind(), kind(), prop::bool::weighted(0.4)), 7);
    (any_model(), kinds, 0..3usize).prop_map(|(mut model, kinds, shift)| {
        for (at, (part, (old, new, changes))) in model.parts.iter_mut().zip(kinds).enumerate() {
            (part.kind, part.path) = ([old, if changes { new } else { old }], at + shift * 100);
        }
        model
    })
}

fn any_part(at: usize, groups: usize) -> impl Strategy<Value = Part> {
    let kind = prop::sample::select(vec!["full", "service", "plain"]);
    let needs = prop::collection::vec((0..at.max(1), any::<bool>()), if at == 0 { 0..1 } else { 0..3 });
    let group = || prop::option::weighted(0.6, 0..groups);
    let places =
        (any_targets(), prop::option::weighted(0.6, any_targets()), group(), prop::option::weighted(0.2, group()));
    let flags = (prop::bool::weighted(0.8), prop::bool::weighted(0.4), prop::bool::weighted(0.15));
    let words = prop::collection::vec(prop::sample::select(vec!["needs", "needs", "needs", "subscribe", "after"]), 3);
    (kind, places, flags, needs, words).prop_map(move |(kind, (old, new, group, other), flags, mut needs, words)| {
        let (changes, around, delete_first) = flags;
        needs.retain(|(to, _)| *to < at);
        needs.sort();
        needs.dedup_by_key(|(to, _)| *to);
        let targets = [old.clone(), new.unwrap_or(old)];
        // Nothing is done around what is where that is done.
        let around = around && targets.iter().all(|targets| !targets.contains(&LB));
        let group = [group, other.unwrap_or(group)];
        Part { kind: [kind; 2], path: 0, targets, group, changes, around, delete_first, needs, words }
    })
}

pub(crate) fn project(model: &Model, release: usize) -> Project {
    let mut components = String::new();
    let there = |at: &usize| !model.parts[*at].targets[release].is_empty();
    for (at, part) in model.parts.iter().enumerate().filter(|(at, _)| there(at)) {
        let number = if part.changes { release + 1 } else { 1 };
        let scope = |same: bool| if same { "same-target" } else { "all" };
        let edges = |wanted: &str| -> String {
            let more = if wanted == "subscribe" { ", word: reload" } else { "" };
            let needs = part.needs.iter().zip(&part.words).filter(|((to, _), word)| there(to) && **word == wanted);
            let edge =
                |((to, same), _): (&(usize, bool), _)| format!("{{ component: c{to}, scope: {}{more} }}", scope(*same));
            format!("{wanted}: [{}]", needs.map(edge).collect::<Vec<_>>().join(", "))
        };
        let edges = ["needs", "subscribe", "after"].map(edges).join(", ");
        let with = match part.kind[release] {
            // Another release gives the same paths to other components.
            "file" => format!("path: /p{}, content: \"{number}\"", (at + part.path * release) % 7),
            _ => format!("number: {number}"),
        };
        let not = (0..TARGETS).filter(|at| !part.targets[release].contains(at));
        let not: Vec<String> = not.map(|at| format!("name!=t{at}")).collect();
        let on = if not.is_empty() { String::new() } else { format!(", on: \"{}\"", not.join(",")) };
        let around = ", around: [{ at: name=t4, before: { type: t/check }, after: { type: t/check } }]";
        let around = if part.around { around } else { "" };
        let first = if part.delete_first { ", replace: delete-first" } else { "" };
        let kind = part.kind[release];
        writeln!(components, "c{at}: {{ type: t/{kind}{on}, with: {{ {with} }}, {edges}{around}{first} }}").unwrap();
    }
    let targets: String = (0..TARGETS).map(|at| format!("t{at}: {{ labels: {{ dc: d{} }} }}\n", at % 2)).collect();
    let mut project = Project::new(if components.is_empty() { "x: 1" } else { &components }, &targets);
    if components.is_empty() {
        project.application = "application: shop\ncomponents: {}\n".to_owned();
        return project;
    }
    let mut groups = String::new();
    for (at, strategies) in model.groups.iter().enumerate() {
        let members = model.parts.iter().enumerate().filter(|(_, part)| part.group[release] == Some(at));
        let members: Vec<String> = members.filter(|(at, _)| there(at)).map(|(at, _)| format!("c{at}")).collect();
        if !members.is_empty() {
            write!(groups, "g{at}: {{ members: [{}], rollout: {strategies} }}, ", members.join(", ")).unwrap();
        }
    }
    project.also(&format!("groups: {{ {groups} }}\n"));
    project
}

/// Whether units wait for each other in a circle, found by trying every way.
pub(crate) fn circular(model: &Model, release: usize) -> bool {
    let there = |at: usize| !model.parts[at].targets[release].is_empty();
    let unit = |at: usize| model.gradual(release, at).map_or(at, |group| 100 + group);
    let mut reach: BTreeSet<(usize, usize)> = BTreeSet::new();
    for (at, part) in model.parts.iter().enumerate().filter(|(at, _)| there(*at)) {
        let needs = part.needs.iter().map(|(to, _)| *to).filter(|to| there(*to));
        reach.extend(needs.map(|to| (unit(at), unit(to))).filter(|(from, to)| from != to));
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
