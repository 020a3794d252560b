//! Random applications.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use proptest::prelude::*;

use crate::support::Project;

pub(crate) const TARGETS: usize = 3;

/// A component of a random application. Edges lead only to components of a lower rank.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) kind: &'static str,
    pub(crate) targets: BTreeSet<usize>,
    pub(crate) number: u8,
    /// Of a file: two components of one application never have the same.
    pub(crate) path: usize,
    /// What it takes the place of goes first.
    pub(crate) delete_first: bool,
    pub(crate) edges: Vec<Edge>,
}

#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) to: usize,
    pub(crate) word: &'static str,
    pub(crate) same_target: bool,
}

/// By component number; what is absent is not in the application.
pub(crate) type Model = BTreeMap<usize, Part>;

pub(crate) fn any_part(at: usize) -> impl Strategy<Value = Part> {
    let kind = prop::sample::select(vec!["full", "service", "plain", "file"]);
    let targets = prop::collection::btree_set(0..TARGETS, 1..=TARGETS);
    let word = prop::sample::select(vec!["needs", "needs", "needs", "after", "subscribe"]);
    let edge = (0..at.max(1), word, any::<bool>()).prop_map(|(to, word, same_target)| Edge { to, word, same_target });
    let edges = prop::collection::vec(edge, if at == 0 { 0..1 } else { 0..4 });
    let first = prop::bool::weighted(0.4);
    (kind, targets, 0..2u8, edges, first).prop_map(move |(kind, targets, number, edges, delete_first)| Part {
        kind,
        targets,
        number,
        path: 0,
        delete_first,
        edges: edges_of(at, edges),
    })
}

pub(crate) fn edges_of(at: usize, mut edges: Vec<Edge>) -> Vec<Edge> {
    edges.retain(|edge| edge.to < at);
    edges.sort_by_key(|edge| (edge.to, edge.word));
    edges.dedup_by_key(|edge| (edge.to, edge.word));
    edges
}

pub(crate) fn any_model() -> impl Strategy<Value = Model> {
    (0..6usize, any::<u64>()).prop_flat_map(|(count, ranks)| {
        let parts: Vec<_> = (0..=count).map(|at| (any_part(at), prop::bool::weighted(0.85))).collect();
        parts.prop_map(move |parts| {
            // A random relabelling, so that names do not follow ranks: each model has its own ranks.
            let names = shuffled(parts.len(), ranks);
            let mut model = Model::new();
            for (at, (part, present)) in parts.iter().enumerate() {
                if *present {
                    let edges = part.edges.iter().map(|edge| Edge { to: names[edge.to], ..edge.clone() }).collect();
                    // Another application gives the same paths to other components.
                    let path = (names[at] + ranks as usize % 3) % 7;
                    model.insert(names[at], Part { edges, path, ..part.clone() });
                }
            }
            let present: BTreeSet<usize> = model.keys().copied().collect();
            model.values_mut().for_each(|part| part.edges.retain(|edge| present.contains(&edge.to)));
            model
        })
    })
}

pub(crate) fn shuffled(count: usize, mut seed: u64) -> Vec<usize> {
    let mut names: Vec<usize> = (0..count).collect();
    for at in (1..count).rev() {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        names.swap(at, (seed >> 33) as usize % (at + 1));
    }
    names
}

pub(crate) fn project(model: &Model) -> Project {
    let mut components = String::new();
    for (name, part) in model {
        let mut lists: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for edge in &part.edges {
            let scope = if edge.same_target { "same-target" } else { "all" };
            let word = if edge.word == "subscribe" { ", word: reload" } else { "" };
            lists.entry(edge.word).or_default().push(format!("{{ component: c{}, scope: {scope}{word} }}", edge.to));
        }
        let lists: String = lists.iter().map(|(word, list)| format!(", {word}: [{}]", list.join(", "))).collect();
        let labels: Vec<String> =
            (0..TARGETS).filter(|at| !part.targets.contains(at)).map(|at| format!("name!=t{at}")).collect();
        let on = if labels.is_empty() { String::new() } else { format!(", on: \"{}\"", labels.join(",")) };
        let with = match part.kind {
            "file" => format!("path: /p{}, content: \"{}\"", part.path, part.number),
            _ => format!("number: {}", part.number),
        };
        let first = if part.delete_first { ", replace: delete-first" } else { "" };
        writeln!(components, "c{name}: {{ type: t/{}{on}, with: {{ {with} }}{lists}{first} }}", part.kind).unwrap();
    }
    let targets: String = (0..TARGETS).map(|at| format!("t{at}: {{}}\n")).collect();
    if model.is_empty() {
        let mut project = Project::new("x: 1", &targets);
        project.application = "application: shop\ncomponents: {}\n".to_owned();
        return project;
    }
    Project::new(&components, &targets)
}
