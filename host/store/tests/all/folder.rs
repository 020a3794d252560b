//! Opening a store: what is made, and what is refused.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use launchway_store::{Store, StoreError};

use crate::support::{Folder, application, deploy, deployed, environment, instance, plan, state};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn only_the_owner_can_read_what_is_made() {
    let folder = Folder::new();
    let a = instance("a", "t");
    deploy(&folder.store, &plan(&state(&folder.store), "1", &[(a.clone(), Some(deployed(&a, "1")))]), 0);
    let store = folder.folder.path().join("store");
    assert_eq!(mode(&store), 0o700);
    for file in ["launchway.db", "launchway.db-wal", "launchway.db-shm"] {
        assert_eq!(mode(&store.join(file)), 0o600, "{file}");
    }
    assert_eq!(std::fs::read_to_string(store.join(".gitignore")).unwrap(), "*\n");
}

#[test]
fn a_folder_inside_missing_folders_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("a b/ü/store")).unwrap();
    assert_eq!(store.applications().unwrap(), []);
}

#[test]
fn looking_writes_nothing() {
    let folder = Folder::new();
    let first = state(&folder.store);
    assert_eq!(first, state(&folder.store));
    assert_eq!(first, state(&folder.again()));
    assert_eq!((first.serial, &*first.lineage.0), (0, launchway_store::NEW_LINEAGE));
    assert!(folder.store.durations(&environment(), &application()).unwrap().is_empty());
    assert!(folder.store.applications().unwrap().is_empty());
}

#[test]
fn what_was_written_is_there_when_opened_again() {
    let folder = Folder::new();
    let a = instance("a", "t");
    deploy(&folder.store, &plan(&state(&folder.store), "1", &[(a.clone(), Some(deployed(&a, "1")))]), 0);
    let before = state(&folder.store);
    assert_eq!(state(&folder.again()), before);
    assert_eq!(folder.again().applications().unwrap(), [(environment(), application())]);
    assert_ne!(&*before.lineage.0, launchway_store::NEW_LINEAGE);
}

#[test]
fn a_newer_format_is_refused() {
    let folder = Folder::new();
    folder.sql("PRAGMA user_version = 99");
    let error = Store::open(folder.folder.path().join("store")).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, known: 1..99, .. }), "{error}");
}

#[test]
fn files_that_are_no_store_are_refused_and_left_alone() {
    let refused = |content: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("launchway.db");
        std::fs::write(&path, content).unwrap();
        let error = Store::open(folder.path()).unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), content);
        error
    };
    assert!(matches!(
        refused(b"application: shop\n# a text file that is long enough to have a page\n"),
        StoreError::NotAStore { .. }
    ));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(refused(&std::fs::read(&path).unwrap()), StoreError::NotAStore { .. }));
}

#[test]
fn a_store_whose_database_is_gone_is_not_a_new_one() {
    let folder = Folder::new();
    let a = instance("a", "t");
    deploy(&folder.store, &plan(&state(&folder.store), "1", &[(a.clone(), Some(deployed(&a, "1")))]), 0);
    let Folder { folder, store } = folder;
    drop(store);
    let store = folder.path().join("store");
    let path = store.join("launchway.db");
    std::fs::write(&path, "").unwrap();
    assert!(matches!(Store::open(&store).unwrap_err(), StoreError::Lost { .. }));
    assert!(matches!(Store::open_to_read(&store).unwrap_err(), StoreError::Lost { .. }));
    assert_eq!(path.metadata().unwrap().len(), 0);
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(Store::open(&store).unwrap_err(), StoreError::Lost { .. }));
    assert!(matches!(Store::open_to_read(&store).unwrap_err(), StoreError::Lost { .. }));
    assert!(!path.exists());
    std::fs::remove_dir_all(store.join("blobs")).unwrap();
    assert!(Store::open_to_read(&store).unwrap().is_none());
    assert!(Store::open(&store).unwrap().applications().unwrap().is_empty());
}

#[test]
fn reading_makes_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    assert!(Store::open_to_read(&store).unwrap().is_none());
    assert!(!store.exists());
    std::fs::write(&store, "x").unwrap();
    assert!(matches!(Store::open_to_read(&store).unwrap_err(), StoreError::NotAFolder { .. }));
}

#[test]
fn a_damaged_database_is_an_error_of_its_own() {
    let folder = Folder::new();
    let instances: Vec<_> = (0..200).map(|at| instance(&format!("c{at}"), "t")).collect();
    let changes: Vec<_> = instances.iter().map(|id| (id.clone(), Some(deployed(id, "1")))).collect();
    deploy(&folder.store, &plan(&state(&folder.store), "1", &changes), 0);
    folder.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    let Folder { folder, store } = folder;
    drop(store);
    let path = folder.path().join("store/launchway.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let pages = bytes.len() / 4096;
    assert!(pages > 20);
    // All pages but the first, whose header says what the file is.
    bytes[4096..].iter_mut().for_each(|byte| *byte ^= 0x5a);
    std::fs::write(&path, bytes).unwrap();
    let error = Store::open(folder.path().join("store"))
        .and_then(|store| store.state(&environment(), &application()))
        .unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[test]
fn a_file_in_the_folders_place_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "x").unwrap();
    assert!(matches!(Store::open(&path).unwrap_err(), StoreError::Io { .. }));
    assert!(matches!(Store::open(path.join("below")).unwrap_err(), StoreError::Io { .. }));
}

#[test]
fn many_open_a_new_store_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert!(Store::open(&path).unwrap().applications().unwrap().is_empty()));
        }
    });
}
