//! The files of a release, from the project's folder or from an earlier release's record.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use launchway_model::{Artifact, ArtifactName, Digest, closest};
use launchway_planner::inputs::{FileProblem, FileSource, Files};
use launchway_store::{Store, StoreError};
use sha2::{Digest as _, Sha256};

use super::pack::{PackError, pack};
use crate::error::{chain, io_text};
use crate::release::{FileRole, ReleaseFile};

/// Where the files are.
pub(crate) enum Origin {
    /// In the project's folder, which is canonical.
    Project(PathBuf),
    /// In the store, as an earlier release recorded them.
    Release(Vec<ReleaseFile>),
}

/// Takes files into a release, each of them once.
pub(crate) struct ReleaseFiles<'a> {
    origin: Origin,
    /// The application's `artifacts:`.
    artifacts: &'a BTreeMap<ArtifactName, PathBuf>,
    store: Option<&'a Store>,
    /// Whether bytes go into the store; if not, only digests are worked out.
    keep: bool,
    taken: RefCell<BTreeMap<(FileRole, String), ReleaseFile>>,
    /// What was rendered but not kept, for diffs.
    rendered: RefCell<HashMap<Digest, Arc<[u8]>>>,
    /// Why the store took something not in: no fault of the files.
    refused: RefCell<Option<StoreError>>,
}

impl<'a> ReleaseFiles<'a> {
    /// Takes files to work out digests; with `keep` their bytes go into the store.
    pub(crate) fn new(
        origin: Origin,
        artifacts: &'a BTreeMap<ArtifactName, PathBuf>,
        store: Option<&'a Store>,
        keep: bool,
    ) -> Self {
        Self {
            origin,
            artifacts,
            store,
            keep,
            taken: RefCell::default(),
            rendered: RefCell::default(),
            refused: RefCell::default(),
        }
    }

    /// Returns the files taken so far, sorted.
    pub(crate) fn taken(&self) -> Vec<ReleaseFile> {
        self.taken.borrow().values().cloned().collect()
    }

    /// Returns the bytes of something that was rendered and not kept.
    pub(crate) fn rendered_bytes(&self, digest: &Digest) -> Option<Vec<u8>> {
        self.rendered.borrow().get(digest).map(|bytes| bytes.to_vec())
    }

    /// Returns why the store took something not in, if it did not.
    pub(crate) fn refused(&self) -> Option<StoreError> {
        self.refused.take()
    }

    /// Keeps the store's error for whoever asks; what is returned only ends the work.
    fn refuse(&self, error: StoreError) -> FileProblem {
        let message = chain(&error);
        self.refused.borrow_mut().get_or_insert(error);
        problem(message)
    }

    /// Tells a file that can't be read from a store that can't be written.
    fn not_kept(&self, error: StoreError) -> FileProblem {
        match error {
            StoreError::Io { action: "copy" | "read", .. } => problem(chain(&error)),
            error => self.refuse(error),
        }
    }

    fn take(&self, role: FileRole, reference: &str) -> Result<ReleaseFile, FileProblem> {
        let key = (role, reference.to_owned());
        if let Some(known) = self.taken.borrow().get(&key) {
            return Ok(known.clone());
        }
        let file = match &self.origin {
            Origin::Release(files) => {
                let recorded = files.iter().find(|file| file.role == role && file.reference == reference);
                recorded.cloned().ok_or_else(|| problem(format!("the release has no file `{reference}`")))?
            }
            Origin::Project(folder) => self.take_from(folder, role, reference)?,
        };
        self.taken.borrow_mut().insert(key, file.clone());
        Ok(file)
    }

    fn take_from(&self, folder: &Path, role: FileRole, reference: &str) -> Result<ReleaseFile, FileProblem> {
        let relative = match role {
            FileRole::Artifact => self.artifact_path(reference)?,
            _ => PathBuf::from(reference),
        };
        let path = resolve(folder, &relative)?;
        let shown = relative.display();
        let is_folder = path.is_dir();
        match role {
            FileRole::File | FileRole::Template if is_folder => {
                return Err(problem(format!("{shown} is a folder, a file is needed")));
            }
            FileRole::Directory if !is_folder => {
                return Err(problem(format!("{shown} is a file, a folder is needed")));
            }
            // Reading a pipe or a device could go on for ever.
            _ if !is_folder && !path.is_file() => {
                return Err(problem(format!("{shown} is neither a file nor a folder")));
            }
            _ => {}
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let (file_name, (digest, size)) = if is_folder {
            (format!("{name}.tar"), self.keep_folder(&path)?)
        } else {
            (name, self.keep_file(&path, &shown.to_string())?)
        };
        Ok(ReleaseFile { role, reference: reference.to_owned(), file_name, digest, size })
    }

    fn artifact_path(&self, name: &str) -> Result<PathBuf, FileProblem> {
        if let Some(path) = self.artifacts.get(name) {
            return Ok(path.clone());
        }
        let names = self.artifacts.keys().map(ArtifactName::as_str);
        Err(FileProblem {
            message: format!("there is no artifact `{name}`"),
            hint: Some(closest(name, names).map_or_else(
                || "name it under `artifacts:` of launchway.yaml, with its path".to_owned(),
                |near| format!("did you mean `{near}`?"),
            )),
        })
    }

    fn keep_file(&self, path: &Path, shown: &str) -> Result<(Digest, u64), FileProblem> {
        let mut hash = Hashing::new(io::sink());
        let read = File::open(path).and_then(|mut file| io::copy(&mut file, &mut hash));
        read.map_err(|error| problem(format!("can't read {shown}: {}", io_text(&error))))?;
        let found = hash.finish();
        match self.kept() {
            // What has not changed is read, but not written again.
            Some(store) if !store.contains(&found.0) => store.put_file(path).map_err(|error| self.not_kept(error)),
            _ => Ok(found),
        }
    }

    fn keep_folder(&self, path: &Path) -> Result<(Digest, u64), FileProblem> {
        let skip =
            self.store.map(|store| store.folder().canonicalize().unwrap_or_else(|_| store.folder().to_path_buf()));
        let skip = skip.as_deref();
        match self.kept() {
            Some(store) => {
                let fail =
                    |source| self.refuse(StoreError::Io { action: "write", path: store.folder().into(), source });
                let file = tempfile::NamedTempFile::new_in(store.folder()).map_err(fail)?;
                pack(path, skip, io::BufWriter::new(file.as_file())).map_err(|error| match error {
                    PackError::Write(source) => fail(source),
                    error => problem(chain(&error)),
                })?;
                store.put_file(file.path()).map_err(|error| self.not_kept(error))
            }
            None => {
                let mut hash = Hashing::new(io::sink());
                pack(path, skip, &mut hash).map_err(|error| problem(chain(&error)))?;
                Ok(hash.finish())
            }
        }
    }

    fn keep_bytes(&self, bytes: Vec<u8>) -> Result<Digest, FileProblem> {
        match self.kept() {
            Some(store) => store.put_bytes(&bytes).map_err(|error| self.refuse(error)),
            None => {
                let digest = Digest::of(&bytes);
                self.rendered.borrow_mut().insert(digest, bytes.into());
                Ok(digest)
            }
        }
    }

    fn kept(&self) -> Option<&'a Store> {
        self.store.filter(|_| self.keep)
    }

    /// Reads a template from the project.
    fn project_text(&self, folder: &Path, reference: &str) -> Result<String, FileProblem> {
        let path = resolve(folder, Path::new(reference))?;
        if !path.is_file() {
            return Err(problem(format!("{reference} is not a file")));
        }
        crate::project::read_text(&path).map_err(|error| problem(error.message))
    }

    fn release_text(&self, files: &[ReleaseFile], reference: &str) -> Result<String, FileProblem> {
        let recorded = files.iter().find(|file| file.role == FileRole::Template && file.reference == reference);
        let recorded = recorded.ok_or_else(|| problem(format!("the release has no template `{reference}`")))?;
        let store = self.store.ok_or_else(|| problem("the release is in no store".to_owned()))?;
        let bytes = store.read_blob(&recorded.digest).map_err(|error| problem(chain(&error)))?;
        String::from_utf8(bytes).map_err(|_| problem(format!("the template `{reference}` is not UTF-8 text")))
    }
}

impl Files for ReleaseFiles<'_> {
    fn artifact(&self, source: FileSource, reference: &str, name: &str) -> Result<Artifact, FileProblem> {
        let role = match source {
            FileSource::File => FileRole::File,
            FileSource::Directory => FileRole::Directory,
            FileSource::Artifact => FileRole::Artifact,
        };
        let file = self.take(role, reference)?;
        Ok(Artifact {
            name: Arc::from(name),
            file_name: Arc::from(file.file_name),
            digest: file.digest,
            size: file.size,
            has_secrets: false,
        })
    }

    fn text(&self, reference: &str) -> Result<String, FileProblem> {
        let text = match &self.origin {
            Origin::Project(folder) => self.project_text(folder, reference)?,
            Origin::Release(files) => self.release_text(files, reference)?,
        };
        let key = (FileRole::Template, reference.to_owned());
        if !self.taken.borrow().contains_key(&key) {
            let size = text.len() as u64;
            let digest = self.keep_bytes(text.clone().into_bytes())?;
            let file_name = reference.rsplit('/').next().unwrap_or(reference).to_owned();
            let file = ReleaseFile { role: FileRole::Template, reference: key.1.clone(), file_name, digest, size };
            self.taken.borrow_mut().insert(key, file);
        }
        Ok(text)
    }

    fn rendered(
        &self,
        name: &str,
        file_name: &str,
        bytes: Vec<u8>,
        has_secrets: bool,
    ) -> Result<Artifact, FileProblem> {
        let size = bytes.len() as u64;
        let digest = self.keep_bytes(bytes)?;
        Ok(Artifact { name: Arc::from(name), file_name: Arc::from(file_name), digest, size, has_secrets })
    }
}

/// Returns the path of something inside the project; what leads out of it is refused.
fn resolve(folder: &Path, relative: &Path) -> Result<PathBuf, FileProblem> {
    let shown = relative.display();
    if relative.as_os_str().is_empty() {
        return Err(problem("the path is empty".to_owned()));
    }
    if relative.is_absolute() {
        return Err(FileProblem {
            message: format!("{shown} is an absolute path"),
            hint: Some("paths of a release are relative to the project's folder".to_owned()),
        });
    }
    let joined = folder.join(relative);
    let real = joined.canonicalize().map_err(|error| missing(folder, relative, &error))?;
    if !real.starts_with(folder) {
        return Err(FileProblem {
            message: format!("{shown} leads out of the project"),
            hint: Some("a release holds only what is inside the project's folder".to_owned()),
        });
    }
    Ok(real)
}

fn missing(folder: &Path, relative: &Path, error: &io::Error) -> FileProblem {
    if error.kind() != io::ErrorKind::NotFound {
        return problem(format!("can't read {}: {}", relative.display(), io_text(error)));
    }
    // Only names inside the project are suggested.
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let near = plain.then(|| similar_file(folder, relative)).flatten();
    FileProblem {
        message: format!("no such file: {}", relative.display()),
        hint: near.map(|near| format!("did you mean `{}`?", near.display())),
    }
}

fn similar_file(folder: &Path, relative: &Path) -> Option<PathBuf> {
    let parent = relative.parent().unwrap_or(Path::new(""));
    let wanted = relative.file_name()?.to_str()?;
    let entries = std::fs::read_dir(folder.join(parent)).ok()?;
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    closest(wanted, names.iter().map(String::as_str)).map(|name| parent.join(name))
}

fn problem(message: String) -> FileProblem {
    FileProblem { message, hint: None }
}

/// Works out the digest and the size of what is written through it.
struct Hashing<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Hashing<W> {
    fn new(inner: W) -> Self {
        Self { inner, hash: Sha256::new(), size: 0 }
    }

    fn finish(self) -> (Digest, u64) {
        (Digest::from_bytes(self.hash.finalize().into()), self.size)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("project");
        std::fs::create_dir_all(path.join("tree")).unwrap();
        std::fs::write(path.join("file"), "content").unwrap();
        std::fs::write(path.join("tree/a"), "a").unwrap();
        std::fs::write(path.join("../outside"), "secret").unwrap();
        std::os::unix::fs::symlink("../outside", path.join("out")).unwrap();
        std::os::unix::fs::symlink("file", path.join("in")).unwrap();
        (folder, path)
    }

    #[test]
    fn digests_are_the_same_kept_or_not() {
        let (folder, path) = project();
        let artifacts = BTreeMap::from([(ArtifactName::new("app").unwrap(), PathBuf::from("tree"))]);
        let store = Store::open(folder.path().join("store")).unwrap();
        let looking = ReleaseFiles::new(Origin::Project(path.clone()), &artifacts, None, false);
        let keeping = ReleaseFiles::new(Origin::Project(path), &artifacts, Some(&store), true);
        for (source, reference) in [
            (FileSource::File, "file"),
            (FileSource::File, "in"),
            (FileSource::Directory, "tree"),
            (FileSource::Artifact, "app"),
        ] {
            let looked = looking.artifact(source, reference, "p").unwrap();
            assert_eq!(keeping.artifact(source, reference, "p").unwrap(), looked);
            assert!(store.contains(&looked.digest));
        }
        assert_eq!(looking.text("file").unwrap(), keeping.text("file").unwrap());
        let rendered = |files: &ReleaseFiles<'_>| files.rendered("p", "f", b"x".to_vec(), true).unwrap();
        assert_eq!(rendered(&looking), rendered(&keeping));
        assert_eq!(looking.rendered_bytes(&Digest::of(b"x")).as_deref(), Some(&b"x"[..]));
        assert_eq!(looking.taken(), keeping.taken());
        assert_eq!(looking.taken().len(), 5);
    }

    #[test]
    fn an_earlier_release_needs_no_project() {
        let (folder, path) = project();
        let none = BTreeMap::new();
        let store = Store::open(folder.path().join("store")).unwrap();
        let first = ReleaseFiles::new(Origin::Project(path.clone()), &none, Some(&store), true);
        let file = first.artifact(FileSource::File, "file", "p").unwrap();
        let text = first.text("in").unwrap();
        std::fs::remove_dir_all(&path).unwrap();
        let later = ReleaseFiles::new(Origin::Release(first.taken()), &none, Some(&store), true);
        assert_eq!(later.artifact(FileSource::File, "file", "p").unwrap(), file);
        assert_eq!(later.text("in").unwrap(), text);
        assert!(later.artifact(FileSource::File, "other", "p").is_err());
        assert_eq!(later.taken(), first.taken());
    }

    #[test]
    fn only_what_is_inside_can_be_taken() {
        let (_folder, path) = project();
        let none = BTreeMap::new();
        let files = ReleaseFiles::new(Origin::Project(path), &none, None, false);
        let refused = |source, reference: &str| files.artifact(source, reference, "p").unwrap_err();
        assert!(refused(FileSource::File, "../outside").message.contains("leads out"));
        assert!(refused(FileSource::File, "out").message.contains("leads out"));
        assert!(refused(FileSource::File, "/etc/passwd").message.contains("absolute"));
        assert!(refused(FileSource::File, "").message.contains("empty"));
        assert!(refused(FileSource::File, "tree").message.contains("is a folder"));
        assert!(refused(FileSource::Directory, "file").message.contains("is a file"));
        assert_eq!(refused(FileSource::File, "flie").hint.as_deref(), Some("did you mean `file`?"));
        assert_eq!(refused(FileSource::File, "../outsid").hint, None, "nothing outside is told");
        assert!(refused(FileSource::Artifact, "app").message.contains("no artifact `app`"));
        assert!(files.text("out").unwrap_err().message.contains("leads out"));
    }

    #[test]
    fn a_store_that_takes_nothing_in_is_no_fault_of_the_files() {
        let (folder, path) = project();
        let artifacts = BTreeMap::new();
        let store = Store::open(folder.path().join("store")).unwrap();
        std::fs::remove_dir_all(folder.path().join("store/blobs/tmp")).unwrap();
        let files = ReleaseFiles::new(Origin::Project(path), &artifacts, Some(&store), true);
        assert!(files.artifact(FileSource::File, "nowhere", "p").is_err());
        assert!(files.refused().is_none());
        for (source, reference) in [(FileSource::File, "file"), (FileSource::Directory, "tree")] {
            assert!(files.artifact(source, reference, "p").is_err());
            assert!(matches!(files.refused(), Some(StoreError::Io { .. })), "{reference}");
        }
        assert!(files.text("file").is_err());
        assert!(files.refused().is_some());
    }
}
