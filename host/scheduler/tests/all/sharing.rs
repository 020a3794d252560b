//! Several runs that share one store, in virtual time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use launchway_model::{
    Answer, ApplicationName, Ask, Claim, EnvironmentName, Event, EventRecord, Exchange, Holder, NodeId, NodeKind,
    Occupant, Plan, RunId, RunOutcome, Shareable, Timestamp, Verdict, Wait,
};
use launchway_scheduler::{Command, Core, Input, Limits, OnFailure, Options, StepProgress};
use proptest::prelude::{ProptestConfig, any, proptest};

use crate::support::plans::{self, Numbers, plan};
use crate::support::world::{Fates, changed, fates, options, step};

/// The store as it is meant: who shares, who holds what, who waits since when.
#[derive(Default)]
struct Model {
    shares: BTreeMap<usize, bool>,
    asked: BTreeSet<usize>,
    held: BTreeMap<(Shareable, usize), u32>,
    tickets: Vec<Ticket>,
    last: u64,
    exchanges: usize,
}

/// Somebody waits for something: since when, in the order of coming, and when he asked last.
struct Ticket {
    what: Shareable,
    run: usize,
    since: u64,
    seen: u64,
}

impl Model {
    /// Returns whether others are there already.
    fn join(&mut self, run: usize) -> bool {
        let is_shared = !self.shares.is_empty();
        self.asked.extend(self.shares.iter().filter(|(_, shares)| !**shares).map(|(run, _)| *run));
        self.shares.insert(run, is_shared);
        is_shared
    }

    fn end(&mut self, run: usize) {
        self.shares.remove(&run);
        self.held.retain(|(_, holder), _| *holder != run);
        self.tickets.retain(|ticket| ticket.run != run);
    }

    fn exchange(&mut self, run: usize, exchange: Exchange, now: u64) -> Vec<Answer> {
        self.tickets.retain(|ticket| now < ticket.seen + 3000);
        self.exchanges += 1;
        if let Some(held) = exchange.declare {
            self.shares.insert(run, true);
            for (what, slots) in held {
                *self.held.entry((what, run)).or_default() += slots;
            }
        }
        for (what, slots) in exchange.release {
            let held = self.held.get_mut(&(what, run)).expect("only what is held is given back");
            *held = held.checked_sub(slots).expect("no more than is held");
        }
        if exchange.withdraw {
            self.tickets.retain(|ticket| ticket.run != run);
        }
        let answer = |ask: Ask| Answer { id: ask.id, verdict: self.decide(run, &ask, now) };
        exchange.asks.into_iter().map(answer).collect()
    }

    fn decide(&mut self, run: usize, ask: &Ask, now: u64) -> Verdict {
        if let Some((other, _)) = self.shares.iter().find(|(other, shares)| **other != run && !**shares) {
            return Verdict::Unknown(occupant(*other));
        }
        let mut lacking = Vec::new();
        let own = self.tickets.iter().filter(|ticket| ticket.run == run).map(|ticket| ticket.since).min();
        for claim in &ask.claims {
            let holders = self.held.iter().filter(|((what, _), slots)| *what == claim.what && **slots > 0);
            let holders: Vec<_> = holders.map(|((_, holder), slots)| (*holder, *slots)).collect();
            let is_before = |ticket: &&Ticket| ticket.run != run && own.is_none_or(|own| ticket.since < own);
            let queue = self.tickets.iter().filter(|ticket| ticket.what == claim.what).filter(is_before);
            let before: Vec<_> = queue.map(|ticket| ticket.run).collect();
            let taken = holders.iter().map(|(_, slots)| slots).sum::<u32>() + before.len() as u32;
            let others = holders.iter().map(|(holder, _)| *holder).chain(before).find(|other| *other != run);
            if taken >= claim.limit {
                let other = others.expect("a run keeps its own count");
                lacking.push((claim.what.clone(), occupant(other)));
            }
        }
        if lacking.is_empty() {
            for claim in &ask.claims {
                *self.held.entry((claim.what.clone(), run)).or_default() += 1;
            }
            self.tickets.retain(|ticket| ticket.run != run);
        } else {
            self.last += 1;
            let since = own.unwrap_or(self.last);
            for Claim { what, .. } in &ask.claims {
                self.tickets.retain(|ticket| (ticket.run, &ticket.what) != (run, what));
                self.tickets.push(Ticket { what: what.clone(), run, since, seen: now });
            }
        }
        if lacking.is_empty() { Verdict::Granted } else { Verdict::Lacking(lacking) }
    }
}

fn occupant(run: usize) -> Occupant {
    Occupant {
        environment: EnvironmentName::new("test").unwrap(),
        application: ApplicationName::new("shop").unwrap(),
        run: RunId(run as u64),
        holder: Holder { user: "ada".into(), host: "ci".into(), url: None },
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Coming {
    Begin,
    Look,
    Call(NodeId),
    Due(NodeId),
    Exchange(usize),
    Answer(usize),
    Retry,
    Stop,
    Kill,
}

struct Run<'a> {
    plan: Arc<Plan>,
    options: Options,
    fates: &'a Fates,
    core: Option<Core>,
    calls: BTreeMap<NodeId, u32>,
    /// Running, or waiting for the next call.
    holding: BTreeSet<NodeId>,
    /// Exchanges under way, in order.
    told: Vec<Exchange>,
    answers: Vec<Vec<Answer>>,
    events: Vec<Arc<EventRecord>>,
    waits: Vec<Wait>,
    outcome: Option<RunOutcome>,
    killed: bool,
}

struct Yard<'a> {
    runs: Vec<Run<'a>>,
    store: Model,
    coming: BinaryHeap<Reverse<(u64, u64, usize, Coming)>>,
    sequence: u64,
    now: u64,
    /// What an exchange takes, at most.
    latency: u64,
    numbers: Numbers,
}

impl<'a> Yard<'a> {
    fn new(seed: u64, latency: u64) -> Self {
        let numbers = Numbers(seed);
        let (runs, store, coming) = (Vec::new(), Model::default(), BinaryHeap::new());
        Self { runs, store, coming, sequence: 0, now: 0, latency, numbers }
    }

    fn add(&mut self, at: u64, plan: &Arc<Plan>, limits: Limits, fates: &'a Fates) {
        let options = options(limits, OnFailure::Continue);
        self.push(at, self.runs.len(), Coming::Begin);
        self.runs.push(Run {
            plan: plan.clone(),
            options,
            fates,
            core: None,
            calls: BTreeMap::new(),
            holding: BTreeSet::new(),
            told: Vec::new(),
            answers: Vec::new(),
            events: Vec::new(),
            waits: Vec::new(),
            outcome: None,
            killed: false,
        });
    }

    fn push(&mut self, at: u64, run: usize, what: Coming) {
        self.sequence += 1;
        self.coming.push(Reverse((at, self.sequence, run, what)));
    }

    fn go(&mut self) {
        while self.runs.iter().any(|run| run.outcome.is_none() && !run.killed) {
            let Reverse((at, _, run, what)) = self.coming.pop().expect("who has not ended waits for something");
            assert!(at < 10_000_000, "nobody gets on");
            self.now = at;
            if self.runs[run].killed || self.runs[run].outcome.is_some() {
                continue;
            }
            match what {
                Coming::Begin => {
                    let is_shared = self.store.join(run);
                    let begun = &mut self.runs[run];
                    begun.options.shared = is_shared;
                    begun.core = Some(Core::new(begun.plan.clone(), begun.options.clone()).unwrap());
                    self.handle(run, Input::Start);
                    if !is_shared {
                        self.push(at + 250, run, Coming::Look);
                    }
                }
                Coming::Look if self.store.asked.contains(&run) => self.handle(run, Input::Joined),
                Coming::Look => self.push(at + 250, run, Coming::Look),
                Coming::Call(node) => {
                    let fate = &self.runs[run].fates[&node];
                    let call = self.runs[run].calls[&node];
                    let progress = if call <= fate.pending {
                        StepProgress::Pending { token: "t".into(), after_ms: 7, message: "not yet".into() }
                    } else {
                        self.runs[run].holding.remove(&node);
                        StepProgress::Ended(fate.outcome.clone())
                    };
                    self.handle(run, Input::Progressed { node, progress });
                }
                Coming::Due(node) => self.handle(run, Input::Due { node }),
                Coming::Exchange(at_index) => {
                    let exchange = std::mem::take(&mut self.runs[run].told[at_index]);
                    let answers = self.store.exchange(run, exchange, at);
                    self.runs[run].answers.push(answers);
                    let index = self.runs[run].answers.len() - 1;
                    // Answers come in the order of the exchanges.
                    let last = self.coming.iter().filter_map(|Reverse((at, _, other, what))| {
                        (*other == run && matches!(what, Coming::Answer(_))).then_some(*at)
                    });
                    let after = last.max().unwrap_or(0);
                    let at = after.max(self.now + self.numbers.below(self.latency + 1));
                    self.push(at, run, Coming::Answer(index));
                }
                Coming::Answer(index) => {
                    let answers = std::mem::take(&mut self.runs[run].answers[index]);
                    if !answers.is_empty() {
                        self.handle(run, Input::Answered(answers));
                    }
                }
                Coming::Retry => self.handle(run, Input::Retry),
                Coming::Stop => self.handle(run, Input::Stop),
                Coming::Kill => {
                    self.runs[run].killed = true;
                    self.store.end(run);
                }
            }
            self.check();
        }
    }

    fn handle(&mut self, at: usize, input: Input) {
        let core = self.runs[at].core.as_mut().expect("it has begun");
        let commands = core.handle(input, Timestamp(self.now)).unwrap();
        for command in commands {
            assert_eq!(self.runs[at].outcome, None, "nothing comes after the end");
            match command {
                Command::Record(record) => self.runs[at].events.push(record),
                Command::Run { node, .. } => {
                    self.runs[at].holding.insert(node);
                    *self.runs[at].calls.entry(node).or_default() += 1;
                    let takes = self.runs[at].fates[&node].takes;
                    self.push(self.now + takes, at, Coming::Call(node));
                }
                Command::WakeAfter { node, ms } => self.push(self.now + ms, at, Coming::Due(node)),
                Command::RetryAfter { ms } => {
                    assert!((50..=1000).contains(&ms), "asked every {ms} ms");
                    self.push(self.now + ms, at, Coming::Retry);
                }
                Command::Exchange(exchange) => {
                    assert!(!exchange.is_empty());
                    self.runs[at].told.push(exchange);
                    let index = self.runs[at].told.len() - 1;
                    let last = self.coming.iter().filter_map(|Reverse((when, _, other, what))| {
                        (*other == at && matches!(what, Coming::Exchange(_))).then_some(*when)
                    });
                    let after = last.max().unwrap_or(0);
                    let when = after.max(self.now + self.numbers.below(self.latency + 1));
                    self.push(when, at, Coming::Exchange(index));
                }
                Command::Tell(wait) => self.runs[at].waits.push(wait),
                Command::Finish(outcome) => {
                    self.runs[at].outcome = Some(outcome);
                    self.store.end(at);
                }
                Command::Ask { .. } | Command::Cancel { .. } => {}
            }
        }
    }

    /// Nobody has what another one has, whatever the store believes.
    fn check(&self) {
        let mut taken: BTreeMap<Shareable, (u32, u32)> = BTreeMap::new();
        for run in &self.runs {
            let is_over = run.killed || run.outcome.is_some();
            for node in run.holding.iter().filter(|_| !is_over) {
                for (what, limit) in needs(&run.plan, *node, run.options.limits) {
                    let entry = taken.entry(what).or_insert((0, limit));
                    entry.0 += 1;
                    entry.1 = entry.1.max(limit);
                }
            }
        }
        for (what, (count, limit)) in taken {
            assert!(count <= limit, "{count} of {limit} have {what} at {}", self.now);
        }
    }

    fn ends(&self, run: usize) -> u64 {
        self.runs[run].events.last().expect("it ran").at.0
    }
}

fn needs(plan: &Plan, node: NodeId, limits: Limits) -> Vec<(Shareable, u32)> {
    let step = step(plan, node);
    let target = &plan.targets[&plan.changes[step.owner.change().0 as usize].id.target];
    let limit = target.max_steps.unwrap_or(limits.per_target as u32).max(1);
    let locks: BTreeSet<_> = step.step.locks.iter().collect();
    let locks = locks.into_iter().map(|name| (Shareable::Lock(name.as_str().into()), 1));
    locks.chain([(Shareable::room(target), limit)]).collect()
}

fn steps(plan: &Plan) -> usize {
    plan.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Step(_))).count()
}

fn settled(events: &[Arc<EventRecord>]) -> usize {
    let settles = |event: &Event| matches!(event, Event::StepFinished { .. } | Event::StepSkipped { .. });
    events.iter().filter(|record| settles(&record.event)).count()
}

/// A plan of so many steps that name one lock, each on a target of its own or all on one.
fn locked(lock: &str, target: impl Fn(usize) -> String, count: usize) -> Arc<Plan> {
    let mut builder = plan();
    for at in 0..count {
        let change = builder.change(&format!("c{at}"), &target(at));
        let node = builder.step(change, launchway_model::Phase::Start, &[]);
        builder.edit(node, |step| step.step.locks = vec![lock.to_owned()]);
        builder.commit(change, &[node]);
    }
    builder.build()
}

fn on(target: &str) -> impl Fn(usize) -> String {
    move |_| target.to_owned()
}

fn all_take(plan: &Plan, takes: u64) -> Fates {
    let mut fates = fates(plan, 0, 0);
    fates.values_mut().for_each(|fate| (fate.takes, fate.pending, fate.outcome) = (takes, 0, changed()));
    fates
}

const LIMITS: Limits = Limits { global: 64, per_target: 4 };

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn runs_that_share_never_have_the_same_and_all_end(
        seed in any::<u64>(), size in 1u64..12, latency in 0u64..40, later in 0u64..400, failing in 0u64..15,
    ) {
        let limits = Limits { global: 1 + (seed % 7) as usize, per_target: 1 + (seed / 7 % 3) as usize };
        let plans: Vec<_> = (0..3).map(|run| plans::random(seed ^ run, size)).collect();
        let fates: Vec<_> = plans.iter().map(|plan| fates(plan, seed, failing)).collect();
        let mut yard = Yard::new(seed, latency);
        for (run, (plan, fates)) in plans.iter().zip(&fates).enumerate() {
            yard.add(later * run as u64, plan, limits, fates);
        }
        yard.go();
        for (run, plan) in yard.runs.iter().zip(&plans) {
            assert_eq!(settled(&run.events), steps(plan), "no step is forgotten");
        }
        assert!(yard.store.held.is_empty() && yard.store.tickets.is_empty(), "nothing is left");
    }

    #[test]
    fn whoever_stops_or_dies_leaves_the_others_free(
        seed in any::<u64>(), size in 1u64..12, latency in 0u64..40, at in 0u64..600, dies in any::<bool>(),
    ) {
        let plans: Vec<_> = (0..3).map(|run| plans::random(seed ^ run, size)).collect();
        let fates: Vec<_> = plans.iter().map(|plan| fates(plan, seed, 0)).collect();
        let mut yard = Yard::new(seed, latency);
        for (run, (plan, fates)) in plans.iter().zip(&fates).enumerate() {
            yard.add(50 * run as u64, plan, LIMITS, fates);
        }
        yard.push(101 + at, (seed % 3) as usize, if dies { Coming::Kill } else { Coming::Stop });
        yard.go();
        for (run, plan) in yard.runs.iter().zip(&plans).filter(|(run, _)| !run.killed) {
            assert_eq!(settled(&run.events), steps(plan), "no step is forgotten");
        }
    }
}

#[test]
fn a_run_that_is_alone_asks_nobody() {
    let plan = plans::random(7, 40);
    let fates = fates(&plan, 7, 0);
    let mut yard = Yard::new(7, 5);
    yard.add(0, &plan, LIMITS, &fates);
    yard.go();
    assert_eq!(yard.store.exchanges, 0);
}

#[test]
fn who_shares_with_nobody_in_the_way_tells_little() {
    let mut builder = plan();
    for at in 0..10 {
        let change = builder.change(&format!("c{at}"), &format!("t{at}"));
        let mut last = Vec::new();
        for _ in 0..50 {
            last = vec![builder.step(change, launchway_model::Phase::Start, &last)];
        }
        builder.commit(change, &last);
    }
    let (chains, other) = (builder.build(), locked("lock", on("far"), 1));
    let (chain_fates, other_fates) = (all_take(&chains, 10), all_take(&other, 100_000));
    let mut yard = Yard::new(1, 3);
    yard.add(0, &other, LIMITS, &other_fates);
    yard.add(1000, &chains, LIMITS, &chain_fates);
    yard.push(3000, 0, Coming::Stop);
    yard.go();
    // 500 steps; each of the ten targets is asked for and given back once.
    assert!(yard.store.exchanges <= 25, "{} exchanges", yard.store.exchanges);
}

#[test]
fn who_waits_gets_his_turn_while_the_other_has_plenty_to_do() {
    let (many, one) = (locked("lock", on("a"), 100), locked("lock", on("b"), 1));
    let (many_fates, one_fates) = (all_take(&many, 200), all_take(&one, 10));
    let mut yard = Yard::new(1, 3);
    yard.add(0, &many, LIMITS, &many_fates);
    yard.add(100, &one, LIMITS, &one_fates);
    yard.go();
    assert!(yard.ends(0) >= 20_000);
    assert!(yard.ends(1) <= 5_000, "{}", yard.ends(1));
    let waits = &yard.runs[1].waits;
    assert!(!waits.is_empty(), "it is told");
    let text = waits[0].to_string();
    assert_eq!(text, "waiting for lock `lock`, held by run 0 of shop on test (ada@ci)");
    assert!(waits.len() <= 2, "and not again and again: {waits:?}");
}

#[test]
fn a_thousand_steps_that_wait_make_one_question() {
    let (long, many) = (locked("lock", on("a"), 1), locked("lock", |at| format!("b{at}"), 1000));
    let (long_fates, many_fates) = (all_take(&long, 20_000), all_take(&many, 1));
    let mut yard = Yard::new(1, 3);
    yard.add(0, &long, LIMITS, &long_fates);
    yard.add(1000, &many, LIMITS, &many_fates);
    yard.push(19_000, 1, Coming::Stop);
    yard.go();
    // For 18 s, once every half second.
    let asks = yard.store.exchanges;
    assert!((30..60).contains(&asks), "{asks} exchanges");
    assert_eq!(yard.ends(1), 19_000, "a stop ends the waiting");
    assert_eq!(yard.runs[1].outcome, Some(RunOutcome::Stopped));
}
