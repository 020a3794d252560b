//! The graph of components: who needs whom, and cycles in it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// A directed graph over `0..count`, as lists of successors.
pub(crate) struct Graph {
    inner: DiGraph<(), ()>,
}

impl Graph {
    pub(crate) fn new(count: usize, edges: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut inner = DiGraph::with_capacity(count, 0);
        for _ in 0..count {
            inner.add_node(());
        }
        for (from, to) in edges {
            inner.add_edge(NodeIndex::new(from), NodeIndex::new(to), ());
        }
        Self { inner }
    }

    /// Returns one shortest cycle of each knot, each beginning with its smallest node; sorted.
    pub(crate) fn cycles(&self) -> Vec<Vec<usize>> {
        let knots = self.knots();
        let mut cycles: Vec<Vec<usize>> = Vec::new();
        let mut knot_of = BTreeMap::new();
        for (number, members) in knots.iter().enumerate() {
            knot_of.extend(members.iter().map(|member| (*member, number)));
        }
        for (number, members) in knots.iter().enumerate() {
            let start = members[0];
            cycles.extend(self.cycle_through(start, |node| knot_of.get(&node) == Some(&number)));
        }
        cycles.sort();
        cycles
    }

    /// Returns the sets of nodes that can reach each other, singletons only with an edge to themselves. Each is sorted.
    pub(crate) fn knots(&self) -> Vec<Vec<usize>> {
        let mut knots = Vec::new();
        for component in kosaraju_scc(&self.inner) {
            if component.len() > 1 || self.inner.find_edge(component[0], component[0]).is_some() {
                let mut members: Vec<usize> = component.into_iter().map(NodeIndex::index).collect();
                members.sort_unstable();
                knots.push(members);
            }
        }
        knots.sort();
        knots
    }

    /// Returns the nodes so that each comes after all it has edges to; none if there is a cycle.
    pub(crate) fn successors_first(&self) -> Option<Vec<usize>> {
        let order = petgraph::algo::toposort(&self.inner, None).ok()?;
        Some(order.into_iter().rev().map(NodeIndex::index).collect())
    }

    pub(crate) fn successors(&self, node: usize) -> impl Iterator<Item = usize> {
        self.inner.neighbors(NodeIndex::new(node)).map(NodeIndex::index)
    }

    fn cycle_through(&self, start: usize, inside: impl Fn(usize) -> bool) -> Option<Vec<usize>> {
        let mut came_from: BTreeMap<usize, usize> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            let mut next: Vec<usize> = self.successors(node).filter(|next| inside(*next)).collect();
            next.sort_unstable();
            for next in next {
                if next == start {
                    return Some(walk_back(&came_from, start, node));
                }
                if let Entry::Vacant(place) = came_from.entry(next) {
                    place.insert(node);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

fn walk_back(came_from: &BTreeMap<usize, usize>, start: usize, end: usize) -> Vec<usize> {
    let mut path = vec![end];
    let mut node = end;
    while node != start {
        node = came_from[&node];
        path.push(node);
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_knot_gives_one_shortest_cycle() {
        let graph = Graph::new(7, [(0, 1), (1, 2), (2, 0), (1, 0), (3, 4), (5, 5), (4, 6), (6, 3)]);
        assert_eq!(graph.cycles(), [vec![0, 1], vec![3, 4, 6], vec![5]]);
        assert_eq!(graph.successors_first(), None);
    }

    #[test]
    fn a_graph_without_cycles_has_an_order() {
        let graph = Graph::new(4, [(0, 1), (0, 2), (1, 3), (2, 3)]);
        assert!(graph.cycles().is_empty());
        let order = graph.successors_first().unwrap();
        let place = |node| order.iter().position(|at| *at == node).unwrap();
        assert!(place(3) < place(1) && place(1) < place(0) && place(2) < place(0));
    }

    #[test]
    fn long_chains_do_not_exhaust_the_stack() {
        let count = 200_000;
        let graph = Graph::new(count, (1..count).map(|at| (at - 1, at)).chain([(count - 1, 0)]));
        assert_eq!(graph.cycles()[0].len(), count);
    }
}
