//! Compiled plugins on disk: nothing of it is loaded without a proof that it was us who put it there.
//!
//! Whoever can write a file that we deserialize runs code in our process, and even one flipped bit has crashed it. So an
//! entry begins with a MAC over its name and its content, under a key that lives elsewhere, and the bytes that were
//! checked are the bytes that are loaded. Whatever does not hold is compiled anew, without a word.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use launchway_model::Digest;
use wasmtime::Engine;

use super::code::TrustedCode;

const KEY_LENGTH: usize = 32;
const MAC_LENGTH: usize = 32;
/// The largest entry that is read, in bytes.
const ENTRY_LIMIT: u64 = 512 << 20;
/// How many entries are kept.
const ENTRIES: usize = 64;

/// Where compiled plugins are kept, and the key that proves that it was us who put them there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CachePlace {
    pub dir: PathBuf,
    /// Made when it is missing. Not within `dir`, which a CI server may share between jobs.
    pub key_file: PathBuf,
}

impl CachePlace {
    /// Returns the user's own place by the XDG rules, if there is one.
    pub fn of_user() -> Option<Self> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let under_home = |path: &str| absolute("HOME").map(|home| home.join(path));
        let cache = absolute("XDG_CACHE_HOME").or_else(|| under_home(".cache"))?;
        let state = absolute("XDG_STATE_HOME").or_else(|| under_home(".local/state"))?;
        Some(Self { dir: cache.join("launchway/aot"), key_file: state.join("launchway/aot.key") })
    }
}

/// What is kept of a plugin.
pub(crate) struct Entry {
    /// What it answered to `describe`.
    pub(crate) info_json: String,
    pub(crate) code: TrustedCode,
}

/// An open cache.
pub(crate) struct Cache {
    dir: PathBuf,
    key: [u8; KEY_LENGTH],
}

impl Cache {
    /// Opens the cache; none if there can be no safe one.
    pub(crate) fn open(place: &CachePlace) -> Option<Self> {
        private_dir(&place.dir).ok()?;
        let key = key(&place.key_file).ok()?;
        Some(Self { dir: place.dir.clone(), key })
    }

    /// Returns the plugin, if it is there and unaltered.
    pub(crate) fn get(&self, name: &EntryName) -> Option<Entry> {
        let content = read_private(&self.dir.join(&name.0), ENTRY_LIMIT).ok()?;
        let (mac, rest) = content.split_at_checked(MAC_LENGTH)?;
        let mac = blake3::Hash::from_slice(mac).ok()?;
        // Comparing hashes takes the same time wherever they differ.
        if self.mac(name, rest) != mac {
            return None;
        }
        let (length, rest) = rest.split_first_chunk::<8>()?;
        let (info, cwasm) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        Some(Entry { info_json: String::from_utf8(info.to_vec()).ok()?, code: TrustedCode::verified(cwasm.to_vec()) })
    }

    /// Keeps a plugin. Several processes may keep the same one at once: the last one wins, and nobody sees half of it.
    pub(crate) fn put(&self, name: &EntryName, entry: &Entry) -> io::Result<()> {
        let mut rest = (entry.info_json.len() as u64).to_le_bytes().to_vec();
        rest.extend_from_slice(entry.info_json.as_bytes());
        rest.extend_from_slice(entry.code.bytes());
        let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.dir)?;
        file.write_all(self.mac(name, &rest).as_bytes())?;
        file.write_all(&rest)?;
        file.as_file().sync_all()?;
        file.persist(self.dir.join(&name.0)).map_err(|error| error.error)?;
        self.prune();
        Ok(())
    }

    fn mac(&self, name: &EntryName, rest: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        // All names have the same length.
        hasher.update(name.0.as_bytes());
        hasher.update(rest);
        hasher.finalize()
    }

    /// Removes what was kept longest ago, if it is too much. What fails here fails again next time.
    fn prune(&self) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let mut files: Vec<(SystemTime, PathBuf)> = entries
            .flatten()
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        files.sort();
        for (_, path) in files.iter().take(files.len().saturating_sub(ENTRIES)) {
            let _ = fs::remove_file(path);
        }
    }
}

/// The name of an entry: all that decides on the code.
pub(crate) struct EntryName(String);

impl EntryName {
    pub(crate) fn new(engine: &Engine, component: &Digest) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("launchway 2026 compiled plugin");
        for part in [env!("CARGO_PKG_VERSION"), env!("LAUNCHWAY_WASMTIME"), env!("LAUNCHWAY_TARGET")] {
            hasher.update(part.as_bytes());
            hasher.update(&[0]);
        }
        std::hash::Hash::hash(&engine.precompile_compatibility_hash(), &mut StdHasher(&mut hasher));
        hasher.update(component.hex().as_bytes());
        Self(hasher.finalize().to_hex().to_string())
    }
}

/// Feeds what implements the standard `Hash` to BLAKE3.
struct StdHasher<'a>(&'a mut blake3::Hasher);

impl std::hash::Hasher for StdHasher<'_> {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash = self.0.finalize();
        u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"))
    }
}

/// Makes a folder that only its owner enters, or checks that it is one.
fn private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let metadata = fs::symlink_metadata(dir)?;
    if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "not a private folder"));
    }
    Ok(())
}

/// Reads a file that is the user's own and that nobody else can write; never through a symlink.
fn read_private(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = File::options().read(true).custom_flags(flags.bits() as i32).open(path)?;
    let metadata = file.metadata()?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0;
    if !metadata.is_file() || !ours || metadata.len() > limit {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "not a private file"));
    }
    let mut content = Vec::with_capacity(metadata.len() as usize);
    file.take(limit).read_to_end(&mut content)?;
    Ok(content)
}

/// Reads the key, or makes it. Of several processes that make it at once, all end up with the same one.
fn key(path: &Path) -> io::Result<[u8; KEY_LENGTH]> {
    if let Some(dir) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    match read_key(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = [0; KEY_LENGTH];
            getrandom(&mut key)?;
            // Temporary files have the mode 0600.
            let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
            file.write_all(&key)?;
            file.as_file().sync_all()?;
            // Losing the race is fine: the key is read in any case.
            let _ = file.persist_noclobber(path);
            read_key(path)
        }
        result => result,
    }
}

fn read_key(path: &Path) -> io::Result<[u8; KEY_LENGTH]> {
    if fs::symlink_metadata(path)?.mode() & 0o077 != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others can read the key"));
    }
    let bytes = read_private(path, KEY_LENGTH as u64)?;
    bytes.try_into().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the key is damaged"))
}

fn getrandom(buffer: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        filled += rustix::rand::getrandom(&mut buffer[filled..], rustix::rand::GetRandomFlags::empty())?;
    }
    Ok(())
}
