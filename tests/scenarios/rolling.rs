//! Upgrades of an application that is in use: nobody may notice them.

use std::time::Instant;

use crate::site::Journal;
use crate::traffic::{Checks, Fleet, Release};

const HOSTS: [&str; 4] = ["host1", "host2", "host3", "host4"];
const CAREFUL: &str = "[{ ramp: [1, 50%, 100%] }, { rolling: 1 }]";

/// Panics unless each instance left the rotation before anything of it changed, and came back verified, before the
/// next one left.
#[track_caller]
fn assert_one_by_one(journal: &Journal) {
    let mut last = 0;
    for host in HOSTS {
        let began = |step: &str| journal.place("step-started", &step.replace("HOST", host));
        let ended = |step: &str| journal.place("step-finished", &step.replace("HOST", host));
        let places = [
            began("service@HOST/before/1.drain@host5"),
            ended("service@HOST/before/1.drain@host5"),
            began("code@HOST/install/mirror"),
            ended("code@HOST/install/mirror"),
            began("service@HOST/start/start"),
            ended("service@HOST/verify/1.check"),
            began("service@HOST/after/1.ready@host5"),
        ];
        assert!(last < places[0] && places.is_sorted(), "{host}: {last} {places:?} in {journal:#?}");
        last = ended("service@HOST/after/1.ready@host5");
    }
}

#[test]
fn upgrades_one_by_one_and_the_way_back_lose_no_request() {
    let Some(fleet) = Fleet::new(Checks::Health) else { return };
    fleet.deploy(Release { rollout: "[parallel]", ..Release::rolling("1") }, 0);
    fleet.assert_all_up();
    let (began, load) = (Instant::now(), fleet.load());
    for version in ["2", "3", "4"] {
        let (journal, fewest) = fleet.watched(|| fleet.deploy(Release::rolling(version), 0));
        assert_one_by_one(&journal);
        assert_eq!(fewest.up, 3, "{version}: {fewest:?}");
    }
    let (journal, fewest) = fleet.watched(|| fleet.roll_back());
    assert_one_by_one(&journal);
    assert_eq!(fewest.up, 3, "{fewest:?}");
    let (restart, fewest) = fleet.watched(|| fleet.site.run(&["restart", "--yes", "--json"]).exits(0));
    let restarted = Journal::of(&restart).steps("step-finished").iter().filter(|step| step.contains("/start/")).count();
    assert_eq!((restarted, fewest.up), (4, 3), "{fewest:?}");
    fleet.assert_all_up();
    let answers = load.finish();
    eprintln!("{} requests in {:.1} s: {answers:?}", answers.total(), began.elapsed().as_secs_f32());
    assert!(answers.failures.is_empty(), "{answers:?}");
    assert_eq!(answers.versions.keys().collect::<Vec<_>>(), ["1", "2", "3", "4"]);
    assert_eq!(answers.instances.keys().collect::<Vec<_>>(), HOSTS);
    assert_eq!(fleet.site.status()["version"], "3");
}

#[test]
fn a_ramp_takes_out_its_batches_and_with_rolling_inside_one_at_a_time() {
    let Some(fleet) = Fleet::new(Checks::Health) else { return };
    fleet.deploy(Release { rollout: "[parallel]", ..Release::rolling("1") }, 0);
    let load = fleet.load();
    let ramp = Release { rollout: "[{ ramp: [1, 50%, 100%] }]", ..Release::rolling("2") };
    let (journal, fewest) = fleet.watched(|| fleet.deploy(ramp, 0));
    let drains: Vec<&str> = journal.steps("step-started").into_iter().filter(|step| step.contains("drain")).collect();
    assert!(drains[0].contains("host1") && drains[1].contains("host2"), "{drains:?}");
    let ready = |host: &str| journal.place("step-finished", &format!("service@{host}/after/1.ready@host5"));
    let drain = |host: &str| journal.place("step-started", &format!("service@{host}/before/1.drain@host5"));
    assert!(ready("host1") < drain("host2") && ready("host2") < drain("host3").min(drain("host4")));
    assert!(drain("host3").max(drain("host4")) < ready("host3").min(ready("host4")), "the last batch has two");
    assert_eq!(fewest.up, 2, "{fewest:?}");
    let (journal, fewest) = fleet.watched(|| fleet.deploy(Release { rollout: CAREFUL, ..Release::rolling("3") }, 0));
    assert_one_by_one(&journal);
    assert_eq!(fewest.up, 3, "{fewest:?}");
    // A rollback leaves the ramp out, and rolls as the run did, whatever the earlier release said.
    let (journal, fewest) = fleet.watched(|| fleet.roll_back());
    assert_one_by_one(&journal);
    assert_eq!(fewest.up, 3, "{fewest:?}");
    fleet.assert_all_up();
    let answers = load.finish();
    assert!(answers.failures.is_empty(), "{answers:?}");
    assert_eq!(answers.versions.keys().collect::<Vec<_>>(), ["1", "2", "3"]);
}

#[test]
fn a_run_that_is_stopped_half_way_goes_on_without_losing_a_request() {
    let Some(fleet) = Fleet::new(Checks::Health) else { return };
    let release = |version| Release { around: Some("always: false"), ..Release::rolling(version) };
    fleet.deploy(Release { rollout: "[parallel]", ..release("1") }, 0);
    let load = fleet.load();
    fleet.release(release("2"));
    let ((), fewest) = fleet.watched(|| {
        let mut run = fleet.site.project.start(["deploy", "--yes", "--json"]).expect("it starts");
        let begins = |line: &str| line.contains("step-started") && line.contains("service@host2/start/start");
        run.wait_for(begins).expect("the second one is drained and starts");
        run.interrupt().expect("it runs");
        run.finish().expect("it ends").exits(5);
        assert!(fleet.is_drained("host2"), "nobody has looked whether it is well");
        let journal = fleet.site.deploy(0);
        assert!(journal.steps("step-started").iter().all(|step| !step.contains("@host1/")), "that one is done");
    });
    assert_eq!(fewest.up, 3, "{fewest:?}");
    fleet.assert_all_up();
    let answers = load.finish();
    assert!(answers.failures.is_empty(), "{answers:?}");
}

/// What the other tests look for can be seen.
#[test]
fn without_a_proxy_that_knows_requests_are_lost() {
    let Some(fleet) = Fleet::new(Checks::Health) else { return };
    fleet.deploy(Release { around: None, ..Release::rolling("1") }, 0);
    fleet.wait_until_all_up();
    let load = fleet.load();
    fleet.deploy(Release { around: None, ..Release::rolling("2") }, 0);
    assert!(!load.finish().failures.is_empty());
}
