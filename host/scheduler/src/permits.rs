//! Who may start next: ready steps in the order of their remaining critical path, held back by limits.
//!
//! Steps that need the same target and the same named locks form a class, and a class that can't go on parks as a
//! whole at the first resource it lacks. So a resource that becomes free looks at classes, not at steps, and a step
//! takes all that it needs or nothing: nobody holds one thing while waiting for another.
//!
//! With other runs in the same store, what a step takes here it has to be granted there, too: see [`sharing`].

mod sharing;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use launchway_model::{NodeKind, Plan, Shareable, Timestamp};

pub(crate) use self::sharing::Answered;
use self::sharing::{Lack, Sharing};
use crate::options::Limits;

/// A ready step: the longest way to the end first, then the smaller node.
type Entry = (u64, Reverse<u32>);

const NONE: u32 = u32::MAX;

#[derive(Debug)]
struct Resource {
    what: Shareable,
    limit: u32,
    /// How many nobody of this run has, or asks for.
    free: u32,
    /// How many running and waiting steps have.
    used: u32,
    /// How many the store has granted to this run.
    held: u32,
    /// When the last of them was granted.
    granted: Timestamp,
    /// Other runs have it: not to be asked for until it is time to ask again.
    blocked: bool,
    lack: Lack,
    /// Parked classes by the entry they parked with; outdated ones are dropped when met.
    parked: BinaryHeap<(Entry, u32)>,
}

impl Resource {
    fn new(what: Shareable, limit: u32) -> Self {
        Self {
            what,
            limit,
            free: limit,
            used: 0,
            held: 0,
            granted: Timestamp::default(),
            blocked: false,
            lack: Lack::default(),
            parked: BinaryHeap::new(),
        }
    }

    /// Whether a step of this run may not have one now.
    fn is_out(&self) -> bool {
        self.free == 0 || (self.blocked && self.held <= self.used)
    }
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
    /// How many steps were taken in and have not started.
    ready: usize,
    sharing: Sharing,
}

/// What became of a step whose turn it was.
enum Turn {
    Starts,
    Asks,
    Parks,
}

impl Permits {
    pub(crate) fn new(plan: &Plan, limits: Limits, is_shared: bool) -> Self {
        let mut resources: Vec<Resource> = Vec::new();
        let mut known: HashMap<Shareable, u32> = HashMap::new();
        let mut resource = |what: Shareable, limit: usize| {
            let limit = clamp(limit);
            let at = *known.entry(what).or_insert_with_key(|what| {
                resources.push(Resource::new(what.clone(), limit));
                (resources.len() - 1) as u32
            });
            // Two names of one host: the lower limit is the host's.
            let resource = &mut resources[at as usize];
            resource.limit = resource.limit.min(limit);
            resource.free = resource.limit;
            at
        };
        let mut classes: Vec<Class> = Vec::new();
        let mut class_at: HashMap<Box<[u32]>, u32> = HashMap::new();
        let mut class_of = vec![NONE; plan.nodes.len()];
        // Each target once, however many steps it has.
        let mut rooms = HashMap::new();
        for (at, node) in plan.nodes.iter().enumerate() {
            let NodeKind::Step(step) = &node.kind else { continue };
            let mut needs = Vec::with_capacity(1 + step.step.locks.len());
            if let Some(name) = step.target(plan) {
                needs.push(*rooms.entry(name).or_insert_with(|| {
                    let target = plan.targets.get(name);
                    let target = target.or_else(|| Some(&plan.change(step.owner.change())?.subject()?.target));
                    let limit = target.and_then(|target| target.max_steps);
                    let what = target.map_or_else(|| Shareable::Room(name.as_str().into()), |t| Shareable::room(t));
                    resource(what, limit.map_or(limits.per_target, |own| own as usize))
                }));
            }
            let locks = step.step.locks.iter().map(|name| resource(Shareable::Lock(name.as_str().into()), 1));
            let mut named: Vec<u32> = locks.collect();
            named.sort_unstable();
            named.dedup();
            needs.extend(named);
            class_of[at] = *class_at.entry(needs.into_boxed_slice()).or_insert_with_key(|needs| {
                classes.push(Class { needs: needs.clone(), ready: BinaryHeap::new(), parked_at: None });
                (classes.len() - 1) as u32
            });
        }
        let sharing = Sharing::new(is_shared);
        let global = limits.global.max(1);
        Self { global, resources, classes, class_of, heads: BinaryHeap::new(), ready: 0, sharing }
    }

    /// Takes in a step whose turn has come.
    pub(crate) fn push(&mut self, node: u32, priority: u64) {
        self.ready += 1;
        self.take_in((priority, Reverse(node)));
    }

    fn take_in(&mut self, entry: Entry) {
        let class_at = self.class_of[entry.1.0 as usize];
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
            // Until it is known what others hold, only those go on that hold what they need.
            if self.sharing.is_closed() && self.heads.peek().is_some_and(|(is_poll, _)| !is_poll) {
                return None;
            }
            let (is_poll, entry) = self.heads.pop()?;
            let turn = if is_poll { Turn::Starts } else { self.try_start(entry) };
            match turn {
                Turn::Parks => {}
                Turn::Asks => self.global -= 1,
                Turn::Starts => {
                    self.global -= 1;
                    self.ready -= usize::from(!is_poll);
                    return Some(entry.1.0);
                }
            }
        }
        None
    }

    /// Whether steps wait for their turn.
    pub(crate) fn has_ready(&self) -> bool {
        self.ready > 0
    }

    /// Gives back the global permit alone: the step waits, and keeps what else it holds.
    pub(crate) fn release_global(&mut self) {
        self.global += 1;
    }

    /// Gives back a step's target and locks.
    pub(crate) fn release_held(&mut self, node: u32, now: Timestamp) {
        let class = self.class_of[node as usize] as usize;
        for at in 0..self.classes[class].needs.len() {
            let resource = self.classes[class].needs[at];
            self.resources[resource as usize].used -= 1;
            self.resources[resource as usize].free += 1;
            self.give_turn(resource, now);
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
        self.ready = 0;
        self.drop_asks();
    }

    /// Takes all that the class of an entry needs, or parks it.
    fn try_start(&mut self, entry: Entry) -> Turn {
        let class_at = self.class_of[entry.1.0 as usize];
        let class = &mut self.classes[class_at as usize];
        if class.parked_at.is_some() || class.ready.peek() != Some(&entry) {
            return Turn::Parks;
        }
        let is_lacking = |need: &u32| self.resources[*need as usize].is_out();
        let turn = match class.needs.iter().copied().find(is_lacking) {
            Some(resource) => {
                class.parked_at = Some(resource);
                self.resources[resource as usize].parked.push((entry, class_at));
                Turn::Parks
            }
            None => {
                class.ready.pop();
                if let Some(next) = class.ready.peek() {
                    self.heads.push((false, *next));
                }
                let has_all = !self.sharing.is_on()
                    || class.needs.iter().all(|need| {
                        let resource = &self.resources[*need as usize];
                        resource.held > resource.used
                    });
                for need in &class.needs {
                    let resource = &mut self.resources[*need as usize];
                    resource.free -= 1;
                    resource.used += u32::from(has_all);
                }
                if has_all {
                    Turn::Starts
                } else {
                    self.ask(class_at, entry);
                    Turn::Asks
                }
            }
        };
        // This class was the one contender for what is still free; somebody else may now try.
        for at in 0..self.classes[class_at as usize].needs.len() {
            self.wake_one(self.classes[class_at as usize].needs[at]);
        }
        turn
    }

    /// Lets the best class parked at a resource try again, if there is anything to be had.
    fn wake_one(&mut self, at: u32) {
        let resource = &mut self.resources[at as usize];
        if resource.is_out() {
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
