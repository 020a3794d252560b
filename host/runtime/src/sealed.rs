//! Files encrypted with age (age-encryption.org/v1): opened in memory, and forgotten with whoever asked.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use age::armor::ArmoredReader;
use age::{DecryptError, Decryptor, Identity, IdentityFile};
use launchway_model::config::{parse_dictionary, pointer};
use launchway_model::{Sources, closest};
use serde_json::Value;
use zeroize::Zeroizing;

/// What is larger, once opened, is no file of secrets: in bytes.
const SIZE_LIMIT: u64 = 1024 * 1024;

/// Holds identities, as text: what `age-keygen` writes.
const IDENTITY: &str = "LAUNCHWAY_AGE_IDENTITY";
/// Names a file of identities.
const IDENTITY_FILE: &str = "LAUNCHWAY_AGE_IDENTITY_FILE";
/// Where identities are looked for otherwise, in the user's folder for configuration.
const DEFAULT_FILE: &str = "launchway/age.key";

/// What was in an encrypted file: texts by their places.
pub struct Sealed {
    path: PathBuf,
    /// By JSON Pointer.
    texts: BTreeMap<String, Zeroizing<String>>,
    /// The places where the texts were.
    shape: Value,
}

/// Why an encrypted file can't be used. Says nothing of what is in it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct SealedError {
    /// A lowercase fragment that names the file.
    pub message: String,
    pub hint: String,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.texts.keys()).finish()
    }
}

impl Sealed {
    /// Opens a file with the identities of this process's user.
    pub fn open(path: &Path) -> Result<Self, SealedError> {
        Self::open_with(path, |name| env::var_os(name).filter(|value| !value.is_empty()))
    }

    fn open_with(path: &Path, variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, SealedError> {
        let shown = path.display();
        let unreadable =
            |error: &io::Error| failed(format!("file {shown}: {error}"), "check the path and its permissions");
        let file = File::open(path).map_err(|error| unreadable(&error))?;
        // A cap on what is read: armour and padding take less than as much again.
        let reader = BufReader::new(file.take(3 * SIZE_LIMIT));
        let sealed = Decryptor::new_buffered(ArmoredReader::new(reader)).map_err(|error| match error {
            DecryptError::Io(error) => match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                    refused(path, &DecryptError::InvalidHeader)
                }
                _ => unreadable(&error),
            },
            error => refused(path, &error),
        })?;
        let identities = identities(path, variable)?;
        let opened =
            sealed.decrypt(identities.iter().map(|identity| &**identity)).map_err(|error| refused(path, &error))?;
        let mut text = Zeroizing::new(String::new());
        opened.take(SIZE_LIMIT + 1).read_to_string(&mut text).map_err(|_| damaged(path))?;
        if text.len() as u64 > SIZE_LIMIT {
            return Err(failed(format!("there is more than 1 MiB in {shown}"), "such a file holds passwords and keys"));
        }
        let (texts, shape) = texts(path, &text)?;
        Ok(Self { path: path.to_owned(), texts, shape })
    }

    /// Returns a text by its name, or by its JSON Pointer.
    pub fn get(&self, key: &str) -> Result<&Zeroizing<String>, SealedError> {
        let place = if key.starts_with('/') { key.to_owned() } else { pointer::join("", key) };
        self.texts.get(&place).ok_or_else(|| {
            let message = format!("there is no text `{key}` in {}", self.path.display());
            match closest(&place, self.texts.keys().map(String::as_str)) {
                Some(known) => failed(message, format!("did you mean `{}`?", known.trim_start_matches('/'))),
                None => failed(message, "`key` is a name in it, or a JSON Pointer such as `/db/password`"),
            }
        })
    }

    /// Returns the mapping that was in it, with the JSON Pointer of each text instead of the text.
    pub fn shape(&self) -> &Value {
        &self.shape
    }
}

fn identities(path: &Path, variable: impl Fn(&str) -> Option<OsString>) -> Result<Vec<Box<dyn Identity>>, SealedError> {
    let mut found = Vec::new();
    let mut add = |file: Result<IdentityFile<age::NoCallbacks>, String>, whence: &str| {
        let identities = file.and_then(|file| file.into_identities().map_err(|error| error.to_string()));
        found.extend(identities.map_err(|why| {
            failed(format!("the age identities of {whence} can't be used: {why}"), "`age-keygen` makes one")
        })?);
        Ok(())
    };
    let text = variable(IDENTITY).map(|text| Zeroizing::new(text.to_string_lossy().into_owned()));
    let named = variable(IDENTITY_FILE).map(PathBuf::from);
    if let Some(text) = &text {
        add(IdentityFile::from_buffer(text.as_bytes()).map_err(|error| error.to_string()), IDENTITY)?;
    }
    let default = || {
        let folder = variable("XDG_CONFIG_HOME").map(PathBuf::from);
        let folder = folder.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config")))?;
        Some(folder.join(DEFAULT_FILE)).filter(|file| file.exists())
    };
    if let Some(file) = named.or_else(|| if text.is_none() { default() } else { None }) {
        let opened = File::open(&file).map_err(|error| error.to_string());
        let read =
            opened.and_then(|file| IdentityFile::from_buffer(BufReader::new(file)).map_err(|error| error.to_string()));
        add(read, &file.display().to_string())?;
    }
    if found.is_empty() {
        return Err(failed(
            format!("{} is encrypted, and there is no age identity to open it with", path.display()),
            format!("set {IDENTITY} or {IDENTITY_FILE}, or put one into ~/.config/{DEFAULT_FILE}"),
        ));
    }
    Ok(found)
}

/// Reads the texts out of YAML, with their places.
fn texts(path: &Path, text: &str) -> Result<(BTreeMap<String, Zeroizing<String>>, Value), SealedError> {
    // What is wrong is not shown: it would be shown with the secrets around it.
    let parsed = parse_dictionary(&mut Sources::default(), "", text).map_err(|_| {
        failed(
            format!("what is in {} is no mapping of names to texts", path.display()),
            "it is YAML or JSON; `age --decrypt` shows it",
        )
    })?;
    let (mut texts, mut shape) = (BTreeMap::new(), Value::Object(parsed.value.into_iter().collect()));
    collect("", &mut shape, &mut texts).map_err(|place| {
        failed(
            format!("`{place}` in {} is no text", path.display()),
            "put numbers and the like in quotes: what a password looks like matters",
        )
    })?;
    Ok((texts, shape))
}

/// Takes the texts out of a value and puts their places there; returns the place of what is no text.
fn collect(place: &str, value: &mut Value, texts: &mut BTreeMap<String, Zeroizing<String>>) -> Result<(), String> {
    match value {
        Value::String(text) => drop(texts.insert(place.to_owned(), Zeroizing::new(std::mem::take(text)))),
        Value::Object(members) => {
            for (name, value) in members {
                collect(&pointer::join(place, name), value, texts)?;
            }
            return Ok(());
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                collect(&pointer::join(place, &index.to_string()), item, texts)?;
            }
            return Ok(());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => return Err(place.to_owned()),
    }
    *value = Value::from(place);
    Ok(())
}

fn refused(path: &Path, error: &DecryptError) -> SealedError {
    let shown = path.display();
    match error {
        DecryptError::NoMatchingKeys => failed(
            format!("{shown} is encrypted for others: none of the age identities here opens it"),
            "encrypt it for this one, too (`age -r RECIPIENT`), or use another identity",
        ),
        DecryptError::InvalidHeader => failed(
            format!("{shown} is no file encrypted with age"),
            "`age -r RECIPIENT -o FILE.age FILE` makes one; sops makes other ones",
        ),
        DecryptError::UnknownFormat => {
            failed(format!("{shown} was encrypted by a newer age"), "encrypt it in the format age-encryption.org/v1")
        }
        DecryptError::ExcessiveWork { .. } | DecryptError::KeyDecryptionFailed => failed(
            format!("{shown} is encrypted with a passphrase, and nobody is asked for one"),
            "encrypt it for an identity: `age -r RECIPIENT`",
        ),
        DecryptError::DecryptionFailed | DecryptError::InvalidMac | DecryptError::Io(_) => damaged(path),
    }
}

fn damaged(path: &Path) -> SealedError {
    failed(format!("{} is damaged: it can't be decrypted", path.display()), "restore it, or encrypt it again")
}

fn failed(message: impl Into<String>, hint: impl Into<String>) -> SealedError {
    SealedError { message: message.into(), hint: hint.into() }
}

#[cfg(test)]
mod tests {
    use age::armor::{ArmoredWriter, Format};
    use age::secrecy::ExposeSecret as _;
    use age::x25519;
    use std::io::Write as _;

    use super::*;

    struct Place {
        folder: tempfile::TempDir,
        identity: x25519::Identity,
    }

    impl Place {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), identity: x25519::Identity::generate() }
        }

        fn seal(&self, text: &str, format: Format) -> PathBuf {
            let path = self.folder.path().join("secrets.yaml.age");
            let recipient = self.identity.to_public();
            let encryptor =
                age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient)).unwrap();
            let armoured = ArmoredWriter::wrap_output(File::create(&path).unwrap(), format).unwrap();
            let mut out = encryptor.wrap_output(armoured).unwrap();
            out.write_all(text.as_bytes()).unwrap();
            out.finish().unwrap().finish().unwrap();
            path
        }

        fn open(&self, path: &Path) -> Result<Sealed, SealedError> {
            let key = self.identity.to_string();
            Sealed::open_with(path, |name| (name == IDENTITY).then(|| key.expose_secret().into()))
        }
    }

    const TEXT: &str = "password: \"007\"\ndb: { user: app, hosts: [a, b] }\n";

    #[test]
    fn what_is_in_it_is_found_by_name_and_place() {
        let place = Place::new();
        for format in [Format::Binary, Format::AsciiArmor] {
            let sealed = place.open(&place.seal(TEXT, format)).unwrap();
            assert_eq!(**sealed.get("password").unwrap(), "007");
            assert_eq!(**sealed.get("/db/hosts/1").unwrap(), "b");
            let shape = r#"{"db":{"hosts":["/db/hosts/0","/db/hosts/1"],"user":"/db/user"},"password":"/password"}"#;
            assert_eq!(sealed.shape().to_string(), shape);
            assert!(!format!("{sealed:?}").contains("007"));
            assert_eq!(sealed.get("pasword").unwrap_err().hint, "did you mean `password`?");
        }
    }

    #[test]
    fn identities_come_from_the_environment_or_the_users_folder() {
        let place = Place::new();
        let path = place.seal(TEXT, Format::Binary);
        let folder = place.folder.path().join("config/launchway");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("age.key");
        let key = place.identity.to_string();
        std::fs::write(&file, format!("# mine\n{}\n", key.expose_secret())).unwrap();
        let with = |name: &'static str, value: &Path| {
            let value = value.as_os_str().to_owned();
            Sealed::open_with(&path, move |asked| (asked == name).then(|| value.clone()))
        };
        assert!(with(IDENTITY_FILE, &file).is_ok());
        assert!(with("XDG_CONFIG_HOME", &place.folder.path().join("config")).is_ok());
        let none = with("XDG_CONFIG_HOME", place.folder.path()).unwrap_err();
        assert!(none.message.contains("no age identity") && none.hint.contains(IDENTITY_FILE), "{none:?}");
        let absent = with(IDENTITY_FILE, Path::new("/no/such/key")).unwrap_err();
        assert!(absent.message.contains("/no/such/key"), "{absent:?}");
        std::fs::write(&file, "hunter2\n").unwrap();
        let wrong = with(IDENTITY_FILE, &file).unwrap_err();
        assert!(wrong.message.contains("line 1") && !wrong.message.contains("hunter2"), "{wrong:?}");
    }

    #[test]
    fn what_can_not_be_used_is_told_without_showing_it() {
        let place = Place::new();
        let refused = |path: &Path| {
            let error = place.open(path).unwrap_err();
            assert!(!error.to_string().contains("hunter2") && !error.hint.contains("hunter2"), "{error:?}");
            error.message
        };
        for (text, expected) in [
            ("- hunter2\n", "no mapping of names to texts"),
            ("a: [hunter2\n", "no mapping of names to texts"),
            ("a: hunter2\nb: { pin: 123 }\n", "`/b/pin` in"),
        ] {
            assert!(refused(&place.seal(text, Format::Binary)).contains(expected), "{text}");
        }
        let large = format!("a: {}\n", "x".repeat(SIZE_LIMIT as usize));
        assert!(refused(&place.seal(&large, Format::AsciiArmor)).contains("more than 1 MiB"));

        let path = place.seal(TEXT, Format::Binary);
        let other = Place::new();
        assert!(other.open(&path).unwrap_err().message.contains("encrypted for others"));
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(refused(&path).contains("damaged"));
        std::fs::write(&path, "password: hunter2\n").unwrap();
        assert!(refused(&path).contains("no file encrypted with age"));
        std::fs::write(&path, "").unwrap();
        assert!(place.open(&path).is_err());
        assert!(refused(Path::new("/no/such.age")).contains("/no/such.age"));
    }
}
