//! Content-addressed bytes.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use launchway_model::Digest;
use launchway_store::StoreError;

use crate::support::Folder;

fn path_of(folder: &Folder, digest: &Digest) -> PathBuf {
    let hex = digest.hex();
    folder.folder.path().join("store/blobs/sha256").join(&hex[..2]).join(hex)
}

fn files_below(path: &Path) -> usize {
    std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| if path.is_dir() { files_below(&path) } else { 1 })
        .sum()
}

#[test]
fn what_goes_in_comes_out() {
    let folder = Folder::new();
    let bytes: Vec<u8> = (0..1_000_000u32).map(|at| (at % 251) as u8).collect();
    let source = folder.folder.path().join("source");
    std::fs::write(&source, &bytes).unwrap();
    let (digest, size) = folder.store.put_file(&source).unwrap();
    assert_eq!((digest, size), (Digest::of(&bytes), 1_000_000));
    assert_eq!(folder.store.put_bytes(&bytes).unwrap(), digest);
    assert_eq!(folder.store.put_reader(&bytes[..]).unwrap(), (digest, size));
    assert!(folder.store.contains(&digest));
    assert_eq!(folder.store.read_blob(&digest).unwrap(), bytes);
    for store in [&folder.store, &folder.again()] {
        let mut read = Vec::new();
        store.open_blob(&digest).unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, bytes);
    }
    assert_eq!(folder.store.put_bytes(b"").unwrap(), Digest::of(b""));
    assert_eq!(files_below(&folder.folder.path().join("store/blobs")), 2, "nothing is kept twice or left over");
}

#[test]
fn what_is_missing_is_said_so() {
    let folder = Folder::new();
    let digest = Digest::of(b"nowhere");
    assert!(!folder.store.contains(&digest));
    assert!(matches!(folder.store.open_blob(&digest), Err(StoreError::BlobMissing { .. })));
    assert!(matches!(folder.store.read_blob(&digest), Err(StoreError::BlobMissing { .. })));
    let error = folder.store.put_file(&folder.folder.path().join("no such file")).unwrap_err();
    assert!(error.to_string().contains("no such file"), "{error}");
}

#[test]
fn damage_is_noticed_and_mended_by_putting_again() {
    let folder = Folder::new();
    let digest = folder.store.put_bytes(b"artifact").unwrap();
    folder.store.open_blob(&digest).unwrap();
    for damage in ["artifacT", "artifact and more"] {
        std::fs::write(path_of(&folder, &digest), damage).unwrap();
        let again = folder.again();
        assert!(matches!(again.open_blob(&digest), Err(StoreError::BlobDamaged { .. })));
        assert!(matches!(again.read_blob(&digest), Err(StoreError::BlobDamaged { .. })));
    }
    // A store that found it sound before looks again when the file is another one.
    assert!(matches!(folder.store.open_blob(&digest), Err(StoreError::BlobDamaged { .. })));
    assert_eq!(folder.store.put_bytes(b"artifact").unwrap(), digest);
    assert_eq!(folder.store.read_blob(&digest).unwrap(), b"artifact");
    std::fs::write(path_of(&folder, &digest), b"").unwrap();
    assert_eq!(folder.store.put_reader(&b"artifact"[..]).unwrap(), (digest, 8));
    assert_eq!(folder.again().read_blob(&digest).unwrap(), b"artifact");
}

#[test]
fn fifty_put_at_once() {
    let folder = Folder::new();
    std::thread::scope(|scope| {
        for at in 0..50u8 {
            let folder = &folder;
            scope.spawn(move || {
                // Ten different contents, five times each, some through another process's eyes.
                let bytes = vec![at % 10; 100_000];
                let store = if at % 7 == 0 { folder.again() } else { folder.store.clone() };
                let digest = store.put_bytes(&bytes).unwrap();
                assert_eq!(store.read_blob(&digest).unwrap(), bytes);
            });
        }
    });
    assert_eq!(files_below(&folder.folder.path().join("store/blobs")), 10);
}

#[test]
fn a_reader_that_fails_leaves_nothing() {
    struct Broken(usize);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0 += 1;
            if self.0 > 2 { Err(std::io::Error::other("gone")) } else { Ok(buffer.len()) }
        }
    }
    let folder = Folder::new();
    assert!(matches!(folder.store.put_reader(Broken(0)), Err(StoreError::Io { .. })));
    assert_eq!(files_below(&folder.folder.path().join("store/blobs")), 0);
}

#[test]
fn what_never_arrived_is_swept_away_after_a_day() {
    let folder = Folder::new();
    let arriving = folder.folder.path().join("store/blobs/tmp");
    let hours_ago = |name: &str, hours: u64| {
        let file = std::fs::File::create(arriving.join(name)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(hours * 60 * 60)).unwrap();
    };
    hours_ago("old", 25);
    hours_ago("young", 23);
    folder.again();
    assert_eq!((arriving.join("old").exists(), arriving.join("young").exists()), (false, true));
}
