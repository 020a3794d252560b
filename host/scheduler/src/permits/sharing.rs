//! What this run shares with others: what it holds in the store, what it asks for, and what it gives back.
//!
//! Alone, a run keeps its own count. From the moment it shares, a step that needs what the run does not hold asks for all
//! of it at once, and a denial gives back what it had here: again nobody holds one thing while waiting for another. What
//! is lacking is not asked for until it is time to ask again, so a thousand steps that wait for one lock make one
//! question. What a step gives back is kept for the next one of this run, as long as that is there and for
//! [`TURN_MS`] at most: then it is the others' turn.

use std::collections::HashMap;

use launchway_model::{Answer, Ask, Claim, Exchange, NodeId, Occupant, RunId, Timestamp, Verdict, Wait};

use super::{Entry, Permits};

/// How long a run may hand a thing on among its own steps while others may want it, in milliseconds.
const TURN_MS: u64 = 2000;

/// How long something is lacking before that is told, in milliseconds.
const TELL_MS: u64 = 500;

/// How long something has been lacking, and whose run that was told of.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Lack {
    since: Option<Timestamp>,
    told: Option<RunId>,
}

impl Lack {
    /// Takes note of a denial; returns whether it is time to tell.
    fn again(&mut self, by: &Occupant, now: Timestamp) -> bool {
        let since = *self.since.get_or_insert(now);
        let is_due = now.0.saturating_sub(since.0) >= TELL_MS && self.told != Some(by.run);
        if is_due {
            self.told = Some(by.run);
        }
        is_due
    }
}

#[derive(Debug)]
struct Asked {
    class: u32,
    entry: Entry,
    /// Nobody waits for the answer any more.
    dropped: bool,
}

#[derive(Debug)]
pub(super) struct Sharing {
    is_on: bool,
    /// Another run has yet to tell what it holds: nothing is asked for.
    closed: bool,
    asked: HashMap<u64, Asked>,
    next: u64,
    outgoing: Exchange,
    /// Resources of which the run may hold more than it uses.
    loose: Vec<u32>,
    blocked: Vec<u32>,
    /// Of a run that has yet to tell what it holds.
    silence: Lack,
}

impl Sharing {
    pub(super) fn new(is_on: bool) -> Self {
        Self {
            is_on,
            closed: false,
            asked: HashMap::new(),
            next: 0,
            outgoing: Exchange::default(),
            loose: Vec::new(),
            blocked: Vec::new(),
            silence: Lack::default(),
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }
}

/// What an answer means for its step.
pub(crate) enum Answered {
    /// It may start, with all its permits taken.
    Starts(u32),
    /// It waits for others; who ought to be told of that now.
    Waits(Vec<Wait>),
    /// Nobody asked any more.
    Nothing,
}

impl Permits {
    pub(crate) fn is_sharing(&self) -> bool {
        self.sharing.is_on
    }

    /// Begins to share: the store is told what the steps under way hold.
    pub(crate) fn share(&mut self) {
        if self.sharing.is_on {
            return;
        }
        self.sharing.is_on = true;
        let mut declared = Vec::new();
        for resource in self.resources.iter_mut().filter(|resource| resource.used > 0) {
            resource.held = resource.used;
            declared.push((resource.what.clone(), resource.used));
        }
        self.sharing.outgoing.declare = Some(declared);
    }

    /// Whether something is to be asked for again later.
    pub(crate) fn waits_for_others(&self) -> bool {
        self.sharing.closed || !self.sharing.blocked.is_empty()
    }

    /// Lets what was lacking be asked for again.
    pub(crate) fn retry(&mut self) {
        self.sharing.closed = false;
        for at in std::mem::take(&mut self.sharing.blocked) {
            self.resources[at as usize].blocked = false;
            self.wake_one(at);
        }
    }

    /// Returns what the store is to be told, if anything; what is held and not used is given back with it.
    pub(crate) fn exchange(&mut self) -> Option<Exchange> {
        for at in std::mem::take(&mut self.sharing.loose) {
            let resource = &mut self.resources[at as usize];
            let spare = resource.held.saturating_sub(resource.used);
            if spare > 0 {
                resource.held -= spare;
                self.sharing.outgoing.release.push((resource.what.clone(), spare));
            }
        }
        (!self.sharing.outgoing.is_empty()).then(|| std::mem::take(&mut self.sharing.outgoing))
    }

    /// Takes in the store's answer to a question.
    pub(crate) fn answered(&mut self, answer: Answer, now: Timestamp) -> Answered {
        let Some(Asked { class, entry, dropped }) = self.sharing.asked.remove(&answer.id) else {
            return Answered::Nothing;
        };
        let node = entry.1.0;
        match answer.verdict {
            Verdict::Granted => {
                self.sharing.silence = Lack::default();
                for at in 0..self.classes[class as usize].needs.len() {
                    let need = self.classes[class as usize].needs[at];
                    let resource = &mut self.resources[need as usize];
                    resource.held += 1;
                    resource.granted = now;
                    resource.lack = Lack::default();
                    resource.used += u32::from(!dropped);
                    self.sharing.loose.push(need);
                }
                if dropped {
                    return Answered::Nothing;
                }
                self.ready -= 1;
                Answered::Starts(node)
            }
            _ if dropped => Answered::Nothing,
            Verdict::Lacking(lacking) => {
                let mut waits = Vec::new();
                for at in 0..self.classes[class as usize].needs.len() {
                    let need = self.classes[class as usize].needs[at];
                    let resource = &mut self.resources[need as usize];
                    let Some((what, by)) = lacking.iter().find(|(what, _)| *what == resource.what) else { continue };
                    if !resource.blocked {
                        resource.blocked = true;
                        self.sharing.blocked.push(need);
                    }
                    if resource.lack.again(by, now) {
                        waits.push(Wait { node: NodeId(node), what: Some(what.clone()), by: by.clone() });
                    }
                }
                self.put_back(class, entry);
                Answered::Waits(waits)
            }
            Verdict::Unknown(by) => {
                self.sharing.closed = true;
                self.put_back(class, entry);
                let is_due = self.sharing.silence.again(&by, now);
                Answered::Waits(is_due.then_some(Wait { node: NodeId(node), what: None, by }).into_iter().collect())
            }
        }
    }

    /// Notes a question for the store: a step has taken what it needs here.
    pub(super) fn ask(&mut self, class: u32, entry: Entry) {
        let id = self.sharing.next;
        self.sharing.next += 1;
        let claim = |need: &u32| {
            let resource = &self.resources[*need as usize];
            Claim { what: resource.what.clone(), limit: resource.limit }
        };
        let needs = &self.classes[class as usize].needs;
        self.sharing.outgoing.asks.push(Ask { id, claims: needs.iter().map(claim).collect() });
        // What is there of it already is asked for with the rest, or it would be held while that is waited for.
        self.sharing.loose.extend(needs);
        self.sharing.asked.insert(id, Asked { class, entry, dropped: false });
    }

    /// Gives the store what a step of this run had, once it is the others' turn.
    pub(super) fn give_turn(&mut self, at: u32, now: Timestamp) {
        if !self.sharing.is_on {
            return;
        }
        let resource = &mut self.resources[at as usize];
        if resource.held > 0 && now.0.saturating_sub(resource.granted.0) >= TURN_MS {
            resource.held -= 1;
            self.sharing.outgoing.release.push((resource.what.clone(), 1));
        }
        self.sharing.loose.push(at);
    }

    /// Forgets what was asked for. What is granted all the same is given back when the answer comes.
    pub(super) fn drop_asks(&mut self) {
        let mut given_back = Vec::new();
        for asked in self.sharing.asked.values_mut().filter(|asked| !asked.dropped) {
            asked.dropped = true;
            given_back.push(asked.class);
        }
        let wanted = !given_back.is_empty() || self.waits_for_others();
        for class in given_back {
            self.global += 1;
            for need in &self.classes[class as usize].needs {
                self.resources[*need as usize].free += 1;
            }
        }
        // Questions not yet put are taken back; the store forgets the others.
        for ask in std::mem::take(&mut self.sharing.outgoing.asks) {
            self.sharing.asked.remove(&ask.id);
        }
        self.sharing.outgoing.withdraw |= wanted && self.sharing.is_on;
        self.sharing.closed = false;
        for at in std::mem::take(&mut self.sharing.blocked) {
            self.resources[at as usize].blocked = false;
        }
    }

    /// Takes a step back in that has to wait, with what it had here.
    fn put_back(&mut self, class_at: u32, entry: Entry) {
        self.global += 1;
        let class = &mut self.classes[class_at as usize];
        for need in &class.needs {
            self.resources[*need as usize].free += 1;
        }
        self.take_in(entry);
        for at in 0..self.classes[class_at as usize].needs.len() {
            self.wake_one(self.classes[class_at as usize].needs[at]);
        }
    }
}
