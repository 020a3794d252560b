//! Hosts that leave an application in use: nobody may notice that either.

use launchway_harness::Output;

use crate::site::Journal;
use crate::traffic::{Checks, Fleet, Release};

const DRAIN: &str = "service@HOST/before/1.drain@host5";
const STOP: &str = "service@HOST/stop/stop";

#[track_caller]
fn began(journal: &Journal, step: &str, host: &str) -> usize {
    journal.place("step-started", &step.replace("HOST", host))
}

#[track_caller]
fn ended(journal: &Journal, step: &str, host: &str) -> usize {
    journal.place("step-finished", &step.replace("HOST", host))
}

/// The components of what is recorded on a host.
fn on(fleet: &Fleet, host: &str) -> Vec<String> {
    let at = format!("@{host}");
    let recorded = fleet.site.recorded().into_iter();
    recorded.filter_map(|(name, _)| Some(name.strip_suffix(&at)?.to_owned())).collect()
}

#[test]
fn a_host_that_is_removed_leaves_the_proxy_first() {
    let Some(fleet) = Fleet::new(Checks::Health) else { return };
    fleet.deploy(Release { rollout: "[parallel]", ..Release::rolling("1") }, 0);
    fleet.assert_all_up();
    let load = fleet.load();
    // One host less, and a new release for the others in the same run.
    fleet.environment(3);
    let (journal, fewest) = fleet.watched(|| fleet.deploy(Release::rolling("2"), 0));
    let answers = load.finish();
    assert!(answers.failures.is_empty(), "{answers:?}");
    assert_eq!(answers.instances.len(), 4, "{answers:?}");
    // Capacity goes last: never more than one is missing.
    assert_eq!(fewest.up, 3, "{fewest:?}");
    for host in ["host1", "host2", "host3"] {
        assert!(ended(&journal, "service@HOST/after/1.ready@host5", host) < began(&journal, DRAIN, "host4"));
    }
    assert!(ended(&journal, DRAIN, "host4") < began(&journal, STOP, "host4"));
    assert!(!journal.steps("step-started").iter().any(|step| step.contains("@host4/after/")), "it does not come back");
    assert!(fleet.is_drained("host4") && on(&fleet, "host4").is_empty());
    assert_eq!(fleet.site.deployed("host4/app/version"), None);
}

/// The proxy's configuration lists the hosts: it still knows the one that goes when that is drained, and forgets it
/// before that stops.
#[test]
fn a_proxy_forgets_a_host_between_its_drain_and_its_stop() {
    let Some(fleet) = Fleet::new(Checks::Health) else { return };
    let release = |version| Release { proxied: true, ..Release::rolling(version) };
    fleet.deploy(Release { rollout: "[parallel]", ..release("1") }, 0);
    fleet.assert_all_up();
    let load = fleet.load();
    fleet.environment(3);
    fleet.release(release("2"));
    let why = fleet.site.run(&["plan", "--why", "proxy-config"]).exits(0);
    assert!(text(&why).contains("service, which goes and is taken out of service before others forget it"), "{why:?}");
    let (journal, fewest) = fleet.watched(|| fleet.site.deploy(0));
    let answers = load.finish();
    assert!(answers.failures.is_empty(), "{answers:?}");
    let places = [
        ended(&journal, "service@HOST/after/1.ready@host5", "host3"),
        began(&journal, DRAIN, "host4"),
        ended(&journal, DRAIN, "host4"),
        began(&journal, "proxy-config@HOST/install/put", "host5"),
        ended(&journal, "proxy@HOST/start/reload", "host5"),
        began(&journal, STOP, "host4"),
    ];
    assert!(places.is_sorted(), "{places:?} in {journal:#?}");
    assert!(fewest.up >= 3, "{fewest:?}");
    assert_eq!(fleet.statuses().into_keys().collect::<Vec<_>>(), ["host1", "host2", "host3"]);
    assert!(on(&fleet, "host4").is_empty());
    // The whole goes backwards: who uses it, and then host by host, with nobody left to be told.
    let gone = Journal::of(&fleet.site.run(&["undeploy", "--yes", "--json"]).exits(0));
    let proxy = gone.places("step-finished", "proxy");
    assert!(proxy.last() < Some(&began(&gone, STOP, "host3")), "{gone:#?}");
    assert!(ended(&gone, STOP, "host3") < began(&gone, STOP, "host2"));
    assert!(ended(&gone, STOP, "host2") < began(&gone, STOP, "host1"));
    assert!(!gone.steps("step-started").iter().any(|step| step.contains("/before/")));
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
