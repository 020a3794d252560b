//! Keys for secrets' fingerprints.

use std::os::unix::fs::PermissionsExt;

use launchway_model::EnvironmentName;
use launchway_store::StoreError;

use crate::support::{Folder, environment};

#[test]
fn a_key_is_made_once_and_stays() {
    let folder = Folder::new();
    assert_eq!(folder.store.find_secret_key(&environment()).unwrap(), None);
    assert!(!folder.folder.path().join("store/keys").exists(), "looking makes none");
    let key = folder.store.secret_key(&environment()).unwrap();
    assert_eq!(folder.store.find_secret_key(&environment()).unwrap(), Some(key));
    assert_eq!(folder.again().secret_key(&environment()).unwrap(), key);
    let other = EnvironmentName::new("other").unwrap();
    assert_ne!(folder.store.secret_key(&other).unwrap(), key);
    let keys = folder.folder.path().join("store/keys");
    assert_eq!(std::fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in std::fs::read_dir(keys).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn all_who_ask_at_once_get_the_same_key() {
    let folder = Folder::new();
    let keys: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> =
            (0..16).map(|_| scope.spawn(|| folder.again().secret_key(&environment()).unwrap())).collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]));
}

#[test]
fn a_key_of_the_wrong_length_is_refused() {
    let folder = Folder::new();
    folder.store.secret_key(&environment()).unwrap();
    let keys = folder.folder.path().join("store/keys");
    let path = std::fs::read_dir(keys).unwrap().next().unwrap().unwrap().path();
    std::fs::write(path, "short").unwrap();
    assert!(matches!(folder.store.secret_key(&environment()), Err(StoreError::KeyDamaged { .. })));
}
