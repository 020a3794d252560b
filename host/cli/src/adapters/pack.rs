//! Folders as tar files, the same bytes for the same content wherever and whenever they are packed.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};
use walkdir::WalkDir;

/// Why a folder can't be packed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackError {
    #[error("can't read {path}", path = .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is neither a file nor a folder nor a link", path = .path.display())]
    Special { path: PathBuf },
    #[error("{path} changed while it was read", path = .path.display())]
    Changed { path: PathBuf },
    #[error("can't write the packed folder")]
    Write(#[source] io::Error),
}

/// Packs what is in a folder, sorted by name, without owners and times; symbolic links stay links.
///
/// `skip` is left out: the store, should it lie inside.
pub(crate) fn pack(folder: &Path, skip: Option<&Path>, out: impl Write) -> Result<(), PackError> {
    let mut tar = Builder::new(out);
    let walk = WalkDir::new(folder).sort_by_file_name().min_depth(1).into_iter();
    for entry in walk.filter_entry(|entry| Some(entry.path()) != skip) {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(folder).to_path_buf();
            PackError::Read { path, source: error.into() }
        })?;
        let path = entry.path();
        let name = path.strip_prefix(folder).expect("a walk stays below where it began");
        append(&mut tar, path, name)?;
    }
    tar.into_inner().and_then(|mut out| out.flush()).map_err(PackError::Write)
}

fn append(tar: &mut Builder<impl Write>, path: &Path, name: &Path) -> Result<(), PackError> {
    let read = |source| PackError::Read { path: path.to_path_buf(), source };
    let metadata = path.symlink_metadata().map_err(read)?;
    let kind = metadata.file_type();
    let mut header = Header::new_gnu();
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    if kind.is_symlink() {
        let link = std::fs::read_link(path).map_err(read)?;
        header.set_entry_type(EntryType::Symlink);
        header.set_mode(0o777);
        return tar.append_link(&mut header, name, link).map_err(PackError::Write);
    }
    header.set_mode(metadata.permissions().mode() & 0o7777);
    if kind.is_dir() {
        header.set_entry_type(EntryType::Directory);
        return tar.append_data(&mut header, name, io::empty()).map_err(PackError::Write);
    }
    if !kind.is_file() {
        return Err(PackError::Special { path: path.to_path_buf() });
    }
    let file = File::open(path).map_err(read)?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(metadata.len());
    let mut exact = Exact { inner: file.take(metadata.len()), left: metadata.len(), path, failed: None };
    let result = tar.append_data(&mut header, name, &mut exact);
    match exact.failed {
        Some(error) => Err(error),
        None => result.map_err(PackError::Write),
    }
}

/// Reads exactly as much as was announced, and keeps apart errors of reading from those of writing.
struct Exact<'a, R> {
    inner: R,
    left: u64,
    path: &'a Path,
    failed: Option<PackError>,
}

impl<R: Read> Read for Exact<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let path = || self.path.to_path_buf();
        match self.inner.read(buffer) {
            Ok(0) if self.left > 0 && !buffer.is_empty() => {
                self.failed = Some(PackError::Changed { path: path() });
                Err(io::Error::other("the file became shorter"))
            }
            Ok(count) => {
                self.left -= count as u64;
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.failed = Some(PackError::Read { path: path(), source: error });
                Err(io::Error::other("the file can't be read"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree(root: &Path, order: &[&str]) {
        fs::create_dir_all(root.join("sub/empty")).unwrap();
        for name in order {
            fs::write(root.join(name), name).unwrap();
        }
        fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(root.join("sub/b ä"), fs::Permissions::from_mode(0o640)).unwrap();
        symlink("../run.sh", root.join("sub/link")).unwrap();
    }

    #[test]
    fn the_same_content_gives_the_same_bytes() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tree(a.path(), &["run.sh", "sub/b ä", "a"]);
        tree(b.path(), &["a", "sub/b ä", "run.sh"]);
        for folder in [a.path(), b.path()] {
            fs::set_permissions(folder.join("a"), fs::Permissions::from_mode(0o600)).unwrap();
            fs::set_permissions(folder.join("sub"), fs::Permissions::from_mode(0o755)).unwrap();
            fs::set_permissions(folder.join("sub/empty"), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let packed = |folder: &Path| {
            let mut out = Vec::new();
            pack(folder, None, &mut out).unwrap();
            out
        };
        let bytes = packed(a.path());
        assert_eq!(bytes, packed(b.path()));
        let mut archive = tar::Archive::new(bytes.as_slice());
        let names: Vec<(String, u32)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                assert_eq!(entry.header().mtime().unwrap(), 0);
                (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap())
            })
            .collect();
        let expected = [
            ("a", 0o600),
            ("run.sh", 0o755),
            ("sub", 0o755),
            ("sub/b ä", 0o640),
            ("sub/empty", 0o755),
            ("sub/link", 0o777),
        ];
        assert_eq!(names, expected.map(|(name, mode)| (name.to_owned(), mode)));
    }

    #[test]
    fn the_store_is_left_out_and_sockets_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".launchway")).unwrap();
        fs::write(folder.path().join(".launchway/launchway.db"), "x").unwrap();
        let mut out = Vec::new();
        pack(folder.path(), Some(&folder.path().join(".launchway")), &mut out).unwrap();
        assert_eq!(tar::Archive::new(out.as_slice()).entries().unwrap().count(), 0);
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("s")).unwrap();
        let refused = pack(folder.path(), Some(&folder.path().join(".launchway")), io::sink());
        assert!(matches!(refused, Err(PackError::Special { .. })));
    }
}
