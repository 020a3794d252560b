//! The cache of compiled plugins is not trusted.
//!
//! A loader without a compiler can only succeed from the cache: what it refuses was refused there.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use launchway_hostile::{Guest, compiler};
use launchway_model::{ApplicationName, PluginName};
use launchway_runtime::{CachePlace, LoadError, PluginFile, PluginOptions, PluginSet};

const COMPILER: &str = env!("CARGO_BIN_EXE_hostile-compiler");

struct Place {
    folder: tempfile::TempDir,
    component: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("room");
        let component = folder.path().join("hostile.wasm");
        fs::write(&component, Guest::default().component()).expect("room");
        Self { folder, component }
    }

    fn cache(&self) -> CachePlace {
        CachePlace { dir: self.folder.path().join("cache/aot"), key_file: self.folder.path().join("state/aot.key") }
    }

    fn load(&self, compiler: Vec<std::ffi::OsString>) -> Result<PluginSet, LoadError> {
        let file = PluginFile {
            name: PluginName::new("hostile").expect("a name"),
            path: self.component.clone(),
            grant: ["target", "secrets", "http", "net"].map(str::to_owned).into(),
        };
        let options = PluginOptions { compiler, cache: Some(self.cache()), ..PluginOptions::default() };
        PluginSet::load(&[], &[file], options).map_err(|mut errors| errors.remove(0))
    }

    fn compile(&self) {
        self.load(compiler(COMPILER)).expect("it is good enough");
    }

    /// Whether the cache alone is enough.
    fn hits(&self) -> bool {
        match self.load(Vec::new()) {
            Ok(_) => true,
            Err(LoadError::Compile { .. }) => false,
            Err(other) => panic!("{other}"),
        }
    }

    /// The one file of the cache.
    fn entry(&self) -> PathBuf {
        let entries: Vec<_> = fs::read_dir(self.cache().dir).expect("a folder").flatten().collect();
        assert_eq!(entries.len(), 1, "an entry, and nothing left over");
        entries[0].path()
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test]
async fn a_second_load_compiles_nothing() {
    let place = Place::new();
    assert!(!place.hits(), "nothing is there yet");
    place.compile();
    assert!(place.hits());
    assert_eq!(mode(&place.cache().key_file), 0o600);
    assert_eq!(mode(&place.cache().dir), 0o700);
    assert_eq!(mode(&place.entry()), 0o600);
    // And it runs.
    let plugins = place.load(Vec::new()).expect("a hit");
    let (plugin, application) =
        (PluginName::new("hostile").expect("a name"), ApplicationName::new("a").expect("a name"));
    let answers = plugins.plan(&plugin, &application, &[launchway_hostile::proposal("nothing")]).await.expect("a plan");
    assert!(answers[0].is_ok());
}

#[test]
fn every_flipped_bit_is_noticed() {
    let place = Place::new();
    place.compile();
    let entry = place.entry();
    let good = fs::read(&entry).expect("an entry");
    for flip in 0..40_usize {
        // All over the entry, its first and last bytes among them.
        let at = (good.len() - 1) * flip / 39;
        let mut bad = good.clone();
        bad[at] ^= 1 << (flip % 8);
        fs::write(&entry, &bad).expect("room");
        assert!(!place.hits(), "byte {at} of {}", good.len());
    }
    fs::write(&entry, &good).expect("room");
    assert!(place.hits(), "the good one is good again");
}

#[test]
fn what_was_altered_is_compiled_anew() {
    let place = Place::new();
    place.compile();
    let good = fs::read(place.entry()).expect("an entry");
    for bad in [&b""[..], b"short", &good[..good.len() - 1]] {
        fs::write(place.entry(), bad).expect("room");
        assert!(!place.hits());
    }
    place.compile();
    assert!(place.hits());
}

#[test]
fn an_entry_can_not_stand_for_another() {
    let (one, other) = (Place::new(), Place::new());
    fs::write(&other.component, Guest { start: Some("log"), ..Guest::default() }.component()).expect("room");
    one.compile();
    // The same key, so that only the name differs.
    fs::create_dir_all(other.folder.path().join("state")).expect("room");
    fs::copy(one.cache().key_file, other.cache().key_file).expect("room");
    other.compile();
    fs::copy(one.entry(), other.entry()).expect("room");
    assert!(!other.hits());
}

#[test]
fn another_key_proves_nothing() {
    let place = Place::new();
    place.compile();
    fs::remove_file(place.cache().key_file).expect("a key");
    assert!(!place.hits());
}

#[test]
fn keys_and_entries_of_others_are_not_used() {
    let place = Place::new();
    place.compile();
    let key = place.cache().key_file;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("ours");
    assert!(!place.hits(), "others can read the key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("ours");
    assert!(place.hits());

    let entry = place.entry();
    fs::set_permissions(&entry, fs::Permissions::from_mode(0o666)).expect("ours");
    assert!(!place.hits(), "others can write the entry");
    fs::set_permissions(&entry, fs::Permissions::from_mode(0o600)).expect("ours");

    let elsewhere = place.folder.path().join("elsewhere");
    fs::rename(&entry, &elsewhere).expect("room");
    symlink(&elsewhere, &entry).expect("room");
    assert!(!place.hits(), "the entry is a symlink");
    fs::rename(&elsewhere, &entry).expect("room");

    let dir = place.cache().dir;
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).expect("ours");
    assert!(!place.hits(), "others can write the folder");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).expect("ours");
    assert!(place.hits());
}

#[test]
fn no_place_for_a_cache_is_no_error() {
    let place = Place::new();
    // A file where a folder should be.
    fs::write(place.folder.path().join("cache"), "").expect("room");
    place.compile();
    assert!(!place.hits());
}

#[test]
fn many_at_once_agree() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| place.compile());
        }
    });
    assert!(place.hits());
    place.entry();
}
