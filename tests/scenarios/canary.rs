//! A release that is ill: one instance finds out, and whoever uses the application does not.

use crate::site::Journal;
use crate::traffic::{Answers, Checks, Fleet, Release};

const RAMP: &str = "[{ ramp: [1, 25%, 100%] }, { rolling: 1 }]";
const BEYOND: [&str; 3] = ["host2", "host3", "host4"];

fn release<'a>(version: &'a str, healthy: bool, around: &'a str) -> Release<'a> {
    Release { healthy, rollout: RAMP, around: Some(around), ..Release::rolling(version) }
}

/// Deploys a release whose canary fails, lets somebody look at what has become of it, and rolls back; all of it under
/// load, of which nobody may be turned away.
fn fail_and_go_back(fleet: &Fleet, around: &str, look: impl FnOnce(&Journal)) -> Answers {
    fleet.deploy(release("1", true, around), 0);
    fleet.assert_all_up();
    let load = fleet.load();
    let (journal, fewest) = fleet.watched(|| fleet.deploy(release("2", false, around), 3));
    assert_eq!(fewest.up, 3, "{fewest:?}");
    for host in BEYOND {
        assert_eq!(fleet.statuses()[host], "UP");
    }
    // What was staged elsewhere is unseen; nothing else was begun.
    let beyond = |step: &&str| !step.contains("/stage/") && !step.contains("@host1/");
    assert_eq!(journal.steps("step-started").into_iter().filter(beyond).collect::<Vec<_>>(), [""; 0]);
    look(&journal);
    let (journal, fewest) = fleet.watched(|| fleet.roll_back());
    assert_eq!(fewest.up, 3, "{fewest:?}");
    let restarted =
        |step: &&str| step.ends_with("/start/start") || step.contains("/before/") || step.contains("/after/");
    let began: Vec<&str> = journal.steps("step-started").into_iter().filter(restarted).collect();
    let canary = ["before/1.drain@host5", "start/start", "after/1.ready@host5"];
    assert_eq!(began, canary.map(|step| format!("service@host1/{step}")), "the others run on");
    fleet.assert_all_up();
    assert_eq!(fleet.site.status()["version"], "1");
    // A release that is well takes the same way to the end.
    fleet.deploy(release("3", true, around), 0);
    fleet.assert_all_up();
    let answers = load.finish();
    eprintln!("{} requests: {answers:?}", answers.total());
    assert!(answers.failures.is_empty(), "{answers:?}");
    answers
}

/// Where the proxy knows less than `verify` does, what failed has to stay out of rotation.
#[test]
fn an_ill_canary_stays_out_of_rotation() {
    let Some(fleet) = Fleet::new(Checks::Port) else { return };
    let answers = fail_and_go_back(&fleet, "always: false", |journal| {
        assert!(journal.steps("step-skipped").contains(&"service@host1/after/1.ready@host5"));
        assert!(fleet.is_drained("host1"));
        fleet.heal("host1");
        fleet.wait_until("it can be connected to", |statuses| statuses["host1"] == "DRAIN");
    });
    assert_eq!(answers.versions.keys().collect::<Vec<_>>(), ["1", "3"], "nobody saw release 2");
}

/// Where the proxy checks the same, it keeps requests away itself, and takes an instance back that recovers.
#[test]
fn an_ill_canary_is_put_back_and_gets_no_request_from_a_proxy_that_checks_it() {
    let Some(fleet) = Fleet::new(Checks::Health) else { return };
    let answers = fail_and_go_back(&fleet, "always: true", |journal| {
        let (verified, ready) = ("service@host1/verify/1.check", "service@host1/after/1.ready@host5");
        assert!(journal.place("step-finished", verified) < journal.place("step-started", ready));
        assert!(journal.failure(ready).contains("api/host1 is DOWN"), "{}", journal.failure(ready));
        assert!(!fleet.is_drained("host1"));
        assert_eq!(fleet.statuses()["host1"], "DOWN");
        fleet.heal("host1");
        fleet.wait_until_all_up();
    });
    assert!(answers.versions.contains_key("3"), "{answers:?}");
}

/// What fails after the drain and before the instance itself changes.
#[test]
fn a_server_that_was_drained_for_nothing_comes_back_with_the_rollback() {
    let Some(fleet) = Fleet::new(Checks::Port) else { return };
    fleet.deploy(release("1", true, "always: false"), 0);
    let config = fleet.site.folder().join("host1/config.json");
    std::fs::remove_file(&config).expect("it was deployed");
    std::fs::create_dir_all(config.join("in the way")).expect("it can be made");
    let journal = fleet.deploy(Release { code: "1", ..release("2", true, "always: false") }, 3);
    journal.failure("config@host1/install/put");
    assert!(journal.places("step-started", "service").len() == 1 && fleet.is_drained("host1"));
    std::fs::remove_dir_all(&config).expect("it can be removed");
    fleet.roll_back();
    fleet.assert_all_up();
}

/// A release goes out in full, but an instance does not get back into rotation.
#[test]
fn a_server_that_could_not_be_put_back_is_put_back_by_the_next_run() {
    let Some(fleet) = Fleet::new(Checks::Health) else { return };
    fleet.deploy(release("1", true, "always: false"), 0);
    fleet.release(release("2", true, "always: false"));
    let path = fleet.site.project.path("launchway.yaml");
    let text = std::fs::read_to_string(&path).expect("it was written");
    let (before, after) = text.split_once("state: ready").expect("it is put back somewhere");
    fleet.site.application(&format!("{before}state: ready{}", after.replacen("admin.sock", "gone.sock", 1)));
    fleet.site.deploy(3).failure("service@host1/after/1.ready@host5");
    assert!(fleet.is_drained("host1"));
    fleet.deploy(release("2", true, "always: false"), 0);
    fleet.assert_all_up();
}
