//! Who may start next: ready steps in the order of their remaining critical path, held back by limits.
//!
//! Steps that need the same target and the same named locks form a class, and a class that can't go on parks as a
//! whole at the first resource it lacks. So a resource that becomes free looks at classes, not at steps, and a step
//! takes all that it needs or nothing: nobody holds one thing while waiting for another.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use launchway_model::{NodeKind, Plan, TargetName};

use crate::options::Limits;

/// A ready step: the longest way to the end first, then the smaller node.
type Entry = (u64, Reverse<u32>);

const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Resource {
    free: u32,
    /// Parked classes by the entry they parked with; outdated ones are dropped when met.
    parked: BinaryHeap<(Entry, u32)>,
}

#[derive(Debug)]
struct Class {
    /// The target, then the locks.
    needs: Box<[u32]>,
    ready: BinaryHeap<Entry>,
    parked_at: Option<u32>,
}

/// Ready steps and the permits they need.
#[derive(Debug)]
pub(crate) struct Permits {
    global: usize,
    resources: Vec<Resource>,
    classes: Vec<Class>,
    /// Of each node; [`NONE`] for nodes that are no step.
    class_of: Vec<u32>,
    /// What could start if only the global limit mattered: waiting steps to be asked again, then the first step of
    /// each class that is not parked. Outdated entries are dropped when met.
    heads: BinaryHeap<(bool, Entry)>,
}

impl Permits {
    pub(crate) fn new(plan: &Plan, limits: Limits) -> Self {
        let mut resources = Vec::new();
        let mut resource = |free: usize| {
            resources.push(Resource { free: clamp(free), parked: BinaryHeap::new() });
            (resources.len() - 1) as u32
        };
        let mut targets: HashMap<&TargetName, u32> = HashMap::new();
        let mut locks: HashMap<&str, u32> = HashMap::new();
        let mut known: HashMap<Box<[u32]>, u32> = HashMap::new();
        let mut classes: Vec<Class> = Vec::new();
        let mut class_of = vec![NONE; plan.nodes.len()];
        for (at, node) in plan.nodes.iter().enumerate() {
            let NodeKind::Step(step) = &node.kind else { continue };
            let mut needs = Vec::with_capacity(1 + step.step.locks.len());
            if let Some(target) = step.target(plan) {
                needs.push(*targets.entry(target).or_insert_with(|| {
                    let own = plan.targets.get(target).and_then(|target| target.max_steps);
                    resource(own.map_or(limits.per_target, |own| own as usize))
                }));
            }
            let mut named: Vec<u32> =
                step.step.locks.iter().map(|name| *locks.entry(name).or_insert_with(|| resource(1))).collect();
            named.sort_unstable();
            named.dedup();
            needs.extend(named);
            class_of[at] = *known.entry(needs.into_boxed_slice()).or_insert_with_key(|needs| {
                classes.push(Class { needs: needs.clone(), ready: BinaryHeap::new(), parked_at: None });
                (classes.len() - 1) as u32
            });
        }
        Self { global: limits.global.max(1), resources, classes, class_of, heads: BinaryHeap::new() }
    }

    /// Takes in a step whose turn has come.
    pub(crate) fn push(&mut self, node: u32, priority: u64) {
        let entry = (priority, Reverse(node));
        let class_at = self.class_of[node as usize];
        let class = &mut self.classes[class_at as usize];
        class.ready.push(entry);
        if class.ready.peek() != Some(&entry) {
            return;
        }
        match class.parked_at {
            None => self.heads.push((false, entry)),
            Some(resource) => self.resources[resource as usize].parked.push((entry, class_at)),
        }
    }

    /// Takes in a waiting step that is to be asked again. It holds its target and locks already, so it goes first.
    pub(crate) fn push_poll(&mut self, node: u32, priority: u64) {
        self.heads.push((true, (priority, Reverse(node))));
    }

    /// Returns the next step that may start, with all its permits taken.
    pub(crate) fn pop(&mut self) -> Option<u32> {
        while self.global > 0 {
            let (is_poll, entry) = self.heads.pop()?;
            let node = entry.1.0;
            if is_poll || self.try_start(entry) {
                self.global -= 1;
                return Some(node);
            }
        }
        None
    }

    /// Gives back the global permit alone: the step waits, and keeps what else it holds.
    pub(crate) fn release_global(&mut self) {
        self.global += 1;
    }

    /// Gives back a step's target and locks.
    pub(crate) fn release_held(&mut self, node: u32) {
        let class = self.class_of[node as usize] as usize;
        for at in 0..self.classes[class].needs.len() {
            let resource = self.classes[class].needs[at];
            self.resources[resource as usize].free += 1;
            self.wake_one(resource);
        }
    }

    /// Forgets all steps that have not started; those to be asked again stay.
    pub(crate) fn drop_ready(&mut self) {
        for class in &mut self.classes {
            class.ready = BinaryHeap::new();
            class.parked_at = None;
        }
        for resource in &mut self.resources {
            resource.parked = BinaryHeap::new();
        }
        self.heads.retain(|(is_poll, _)| *is_poll);
    }

    /// Takes all that the class of an entry needs, or parks it.
    fn try_start(&mut self, entry: Entry) -> bool {
        let class_at = self.class_of[entry.1.0 as usize];
        let class = &mut self.classes[class_at as usize];
        if class.parked_at.is_some() || class.ready.peek() != Some(&entry) {
            return false;
        }
        let lacking = class.needs.iter().copied().find(|need| self.resources[*need as usize].free == 0);
        match lacking {
            Some(resource) => {
                class.parked_at = Some(resource);
                self.resources[resource as usize].parked.push((entry, class_at));
            }
            None => {
                class.ready.pop();
                if let Some(next) = class.ready.peek() {
                    self.heads.push((false, *next));
                }
                for need in &class.needs {
                    self.resources[*need as usize].free -= 1;
                }
            }
        }
        // This class was the one contender for what is still free; somebody else may now try.
        for at in 0..self.classes[class_at as usize].needs.len() {
            self.wake_one(self.classes[class_at as usize].needs[at]);
        }
        lacking.is_none()
    }

    /// Lets the best class parked at a resource try again, if there is anything to be had.
    fn wake_one(&mut self, at: u32) {
        let resource = &mut self.resources[at as usize];
        if resource.free == 0 {
            return;
        }
        while let Some((_, class_at)) = resource.parked.pop() {
            let class = &mut self.classes[class_at as usize];
            if class.parked_at != Some(at) {
                continue;
            }
            class.parked_at = None;
            if let Some(head) = class.ready.peek() {
                self.heads.push((false, *head));
                return;
            }
        }
    }
}

fn clamp(limit: usize) -> u32 {
    u32::try_from(limit.max(1)).unwrap_or(u32::MAX)
}
