//! What runs of several applications share: each thing has as many holders as it may, whoever stops or dies.

use launchway_model::{Answer, Ask, Claim, Exchange, Plan, RunOutcome, Shareable, Timestamp, Verdict};
use launchway_store::{LEASE_MS, RunJournal, RunStanding, Store, StoreError};

use crate::support::{Folder, Scribe, begin, environment, of, plan};

fn plan_of(store: &Store, application: &str) -> Plan {
    let name = launchway_model::ApplicationName::new(application).unwrap();
    of(application, plan(&store.state(&environment(), &name).unwrap(), "1", &[]))
}

fn started(store: &Store, application: &str, at: u64) -> RunJournal {
    begin(store, &plan_of(store, application), at).unwrap()
}

fn lock(name: &str) -> Shareable {
    Shareable::Lock(name.into())
}

fn ask(id: u64, what: &[(&Shareable, u32)]) -> Exchange {
    let claims = what.iter().map(|(what, limit)| Claim { what: (*what).clone(), limit: *limit }).collect();
    Exchange { asks: vec![Ask { id, claims }], ..Exchange::default() }
}

fn release(what: &Shareable, slots: u32) -> Exchange {
    Exchange { release: vec![(what.clone(), slots)], ..Exchange::default() }
}

fn declare(held: &[(&Shareable, u32)]) -> Exchange {
    let held = held.iter().map(|(what, slots)| ((*what).clone(), *slots)).collect();
    Exchange { declare: Some(held), ..Exchange::default() }
}

#[track_caller]
fn verdict(journal: &RunJournal, exchange: &Exchange, now: u64) -> Verdict {
    match &journal.exchange(exchange, Timestamp(now)).unwrap()[..] {
        [Answer { verdict, .. }] => verdict.clone(),
        other => panic!("{other:?}"),
    }
}

/// Returns the application that has what was asked for.
#[track_caller]
fn lacks(journal: &RunJournal, exchange: &Exchange, now: u64) -> Vec<(String, String)> {
    match verdict(journal, exchange, now) {
        Verdict::Lacking(lacking) => {
            lacking.iter().map(|(what, by)| (what.to_string(), by.application.to_string())).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn is_granted(journal: &RunJournal, exchange: &Exchange, now: u64) {
    assert_eq!(verdict(journal, exchange, now), Verdict::Granted);
}

/// Two runs that share: `shop` began first, and has told what it holds.
fn two(folder: &Folder, held: &[(&Shareable, u32)]) -> (RunJournal, RunJournal) {
    let shop = started(&folder.store, "shop", 0);
    let payments = started(&folder.again(), "payments", 10);
    assert!(!shop.is_shared() && payments.is_shared());
    assert!(shop.exchange(&declare(held), Timestamp(20)).unwrap().is_empty());
    (shop, payments)
}

#[test]
fn the_first_is_asked_to_tell_and_until_then_the_second_gets_nothing() {
    let folder = Folder::new();
    let a = lock("a");
    let shop = started(&folder.store, "shop", 0);
    assert!(!shop.is_asked().unwrap());
    let payments = started(&folder.again(), "payments", 10);
    assert!(shop.is_asked().unwrap() && !payments.is_asked().unwrap());
    match verdict(&payments, &ask(7, &[(&a, 1)]), 20) {
        Verdict::Unknown(by) => {
            assert_eq!(by.to_string(), format!("run {} of shop on test ünï (ada@ci)", shop.run()));
        }
        other => panic!("{other:?}"),
    }
    shop.exchange(&declare(&[(&a, 1)]), Timestamp(30)).unwrap();
    assert_eq!(lacks(&payments, &ask(8, &[(&a, 1)]), 40), [("lock `a`".to_owned(), "shop".to_owned())]);
    shop.exchange(&release(&a, 1), Timestamp(50)).unwrap();
    is_granted(&payments, &ask(9, &[(&a, 1)]), 60);
}

#[test]
fn a_step_gets_all_or_nothing() {
    let folder = Folder::new();
    let (a, b) = (lock("a"), lock("b"));
    let (shop, payments) = two(&folder, &[(&b, 1)]);
    assert_eq!(lacks(&payments, &ask(1, &[(&a, 1), (&b, 1)]), 30).len(), 1);
    folder.sql("DELETE FROM tickets");
    is_granted(&shop, &ask(2, &[(&a, 1)]), 40);
}

#[test]
fn room_is_counted_over_all_runs() {
    let folder = Folder::new();
    let room = Shareable::Room("198.18.0.1".into());
    let (shop, payments) = two(&folder, &[(&room, 2)]);
    is_granted(&payments, &ask(1, &[(&room, 4)]), 30);
    is_granted(&payments, &ask(2, &[(&room, 4)]), 30);
    lacks(&payments, &ask(3, &[(&room, 4)]), 30);
    shop.exchange(&release(&room, 1), Timestamp(40)).unwrap();
    // Who waits comes first, and then goes to the end of the queue.
    lacks(&shop, &ask(4, &[(&room, 4)]), 50);
    is_granted(&payments, &ask(5, &[(&room, 4)]), 60);
    payments.exchange(&release(&room, 2), Timestamp(70)).unwrap();
    is_granted(&shop, &ask(6, &[(&room, 4)]), 80);
}

#[test]
fn a_place_in_the_queue_is_lost_by_who_asks_no_more() {
    let folder = Folder::new();
    let a = lock("a");
    let (shop, payments) = two(&folder, &[(&a, 1)]);
    lacks(&payments, &ask(1, &[(&a, 1)]), 30);
    shop.exchange(&release(&a, 1), Timestamp(40)).unwrap();
    assert_eq!(lacks(&shop, &ask(2, &[(&a, 1)]), 2000)[0].1, "payments");
    is_granted(&shop, &ask(3, &[(&a, 1)]), 3_100);
    lacks(&payments, &ask(4, &[(&a, 1)]), 3_200);
    shop.exchange(&release(&a, 1), Timestamp(3_300)).unwrap();
    payments.exchange(&Exchange { withdraw: true, ..Exchange::default() }, Timestamp(3_300)).unwrap();
    is_granted(&shop, &ask(5, &[(&a, 1)]), 3_400);
}

#[test]
fn a_run_that_ends_frees_all() {
    let folder = Folder::new();
    let a = lock("a");
    let (shop, payments) = two(&folder, &[(&a, 1)]);
    let mut scribe = Scribe::new(&plan_of(&folder.store, "shop"), shop.run(), 30);
    scribe.finish(RunOutcome::Done);
    shop.append(&scribe.records).unwrap();
    is_granted(&payments, &ask(1, &[(&a, 1)]), 40);
    payments.abandon(Timestamp(50)).unwrap();
    let late = payments.exchange(&ask(2, &[(&a, 1)]), Timestamp(60));
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    let other = started(&folder.store, "other", 70);
    assert!(!other.is_shared(), "nobody is left");
    is_granted(&other, &ask(3, &[(&a, 1)]), 80);
}

#[test]
fn what_the_dead_held_is_taken_and_they_write_no_more() {
    let folder = Folder::new();
    let a = lock("a");
    let (shop, payments) = two(&folder, &[(&a, 1)]);
    payments.heartbeat(Timestamp(LEASE_MS - 10)).unwrap();
    lacks(&payments, &ask(1, &[(&a, 1)]), LEASE_MS - 1);
    is_granted(&payments, &ask(2, &[(&a, 1)]), LEASE_MS);
    let told = Scribe::new(&plan_of(&folder.store, "shop"), shop.run(), LEASE_MS);
    assert!(matches!(shop.append(&told.records), Err(StoreError::LeaseLost { .. })), "its steps can't start");
    assert!(matches!(shop.exchange(&ask(3, &[]), Timestamp(LEASE_MS)), Err(StoreError::LeaseLost { .. })));
    let name = launchway_model::ApplicationName::new("shop").unwrap();
    let run = folder.store.last_run(&environment(), &name, Timestamp(LEASE_MS)).unwrap().unwrap();
    assert_eq!(run.standing, RunStanding::Interrupted);
}

#[test]
fn a_process_that_is_gone_is_not_waited_for() {
    let folder = Folder::new();
    let a = lock("a");
    let (_shop, payments) = two(&folder, &[(&a, 1)]);
    lacks(&payments, &ask(1, &[(&a, 1)]), 30);
    // Another start of this process: this one is a successor of that number.
    folder.sql("UPDATE leases SET process = process || '0' WHERE run = 1");
    is_granted(&payments, &ask(2, &[(&a, 1)]), 40);
}

#[test]
fn many_at_once_never_have_the_same() {
    let folder = Folder::new();
    let a = lock("a");
    let inside = std::sync::atomic::AtomicU32::new(0);
    let journals: Vec<_> = (0..4).map(|at| started(&folder.again(), &format!("app{at}"), 10)).collect();
    journals[0].exchange(&declare(&[]), Timestamp(20)).unwrap();
    std::thread::scope(|scope| {
        for journal in &journals {
            let (a, inside) = (&a, &inside);
            scope.spawn(move || {
                for _ in 0..20 {
                    while verdict(journal, &ask(1, &[(a, 1)]), 30) != Verdict::Granted {
                        std::thread::yield_now();
                    }
                    assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                    std::thread::yield_now();
                    inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    journal.exchange(&release(a, 1), Timestamp(30)).unwrap();
                }
            });
        }
    });
}
