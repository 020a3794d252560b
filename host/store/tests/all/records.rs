//! Runs that change records and nothing else.

use launchway_model::{Adoption, Dirty, Event, RunOutcome};
use launchway_store::Ledger;

use crate::support::{Folder, Scribe, begin, deploy, deployed, instance, plan, state, version};

#[test]
fn what_is_forgotten_and_what_is_taken_over_is_stored_as_it_is_folded() {
    let folder = Folder::new();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| instance(name, "t"));
    let changes = [&a, &b].map(|id| (id.clone(), Some(deployed(id, "1"))));
    deploy(&folder.store, &plan(&state(&folder.store), "1", &changes), 0);

    let mut forget = plan(&state(&folder.store), "1", &[]);
    forget.operation = launchway_model::Operation::Forget;
    forget.forgotten = vec![a.clone(), instance("x", "t")];
    let forgotten = amended(&folder, &forget, 1000);
    assert_eq!(forgotten.instances.keys().collect::<Vec<_>>(), [&b]);
    assert_eq!(forgotten.version, Some(version("1")), "a part of the records says nothing of the whole");

    let mut adopt = plan(&state(&folder.store), "2", &[]);
    adopt.operation = launchway_model::Operation::Adopt;
    let differs = Some("it is missing".to_owned());
    adopt.adopted = vec![
        Adoption { deployed: deployed(&c, "2"), differs: None },
        Adoption { deployed: deployed(&d, "2"), differs: differs.clone() },
    ];
    let adopted = amended(&folder, &adopt, 2000);
    assert_eq!(adopted.version, Some(version("2")), "the plan says that all of it is there");
    assert_eq!(adopted.instances[&c].dirty, None);
    let record = &adopted.instances[&d];
    let to = Some(deployed(&d, "2"));
    assert_eq!(record.confirmed, to);
    assert_eq!(record.dirty, Some(Dirty { run: record.run, to, deleting: false, differs }));

    // What is deployed over it is as any other.
    deploy(&folder.store, &plan(&state(&folder.store), "3", &[(d.clone(), Some(deployed(&d, "3")))]), 3000);
    assert_eq!(state(&folder.store).instances[&d].dirty, None);
}

/// Runs a plan of records, and returns the state, which is what its events mean.
fn amended(folder: &Folder, plan: &launchway_model::Plan, at: u64) -> launchway_model::ApplicationState {
    let before = state(&folder.store);
    let journal = begin(&folder.store, plan, at).unwrap();
    let mut scribe = Scribe::new(plan, journal.run(), at);
    scribe.add(Event::RecordsAmended);
    scribe.finish(RunOutcome::Done);
    journal.append(&scribe.records).unwrap();
    let mut folded = before.clone();
    let mut ledger = Ledger::new(scribe.plan.clone());
    for record in &scribe.records {
        if let Some(write) = ledger.take(&record.event) {
            write.apply(&mut folded, journal.run());
        }
    }
    let after = state(&folder.again());
    assert_eq!(after, folded);
    assert!(after.serial > before.serial);
    after
}
