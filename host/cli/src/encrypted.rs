//! Encrypted dictionaries: each of their values is a secret.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use launchway_model::SecretName;
use launchway_model::config::{AgeEntry, AgeSource, SecretSource, placeholder};
use launchway_runtime::{Sealed, SealedError};
use serde_json::Value;

/// Whether a dictionary's file is encrypted.
pub(crate) fn is_encrypted(file: &Path) -> bool {
    file.extension() == Some(OsStr::new("age"))
}

/// Opens an encrypted dictionary. Returns it as text in which a reference to a secret stands for each value, and these
/// secrets.
pub(crate) fn dictionary(
    folder: &Path,
    file: &Path,
) -> Result<(String, BTreeMap<SecretName, SecretSource>), SealedError> {
    let sealed = Sealed::open(&folder.join(file))?;
    let (mut shape, mut secrets) = (sealed.shape().clone(), BTreeMap::new());
    refer(&mut shape, file, &mut secrets)?;
    Ok((shape.to_string(), secrets))
}

/// Puts a reference for each place.
fn refer(shape: &mut Value, file: &Path, secrets: &mut BTreeMap<SecretName, SecretSource>) -> Result<(), SealedError> {
    match shape {
        Value::Object(members) => members.values_mut().try_for_each(|value| refer(value, file, secrets)),
        Value::Array(items) => items.iter_mut().try_for_each(|value| refer(value, file, secrets)),
        Value::String(place) => {
            // Two dictionaries may have one name: the file tells them apart. A name has no slash.
            let text = format!("{}:{}", file.display(), place.trim_start_matches('/')).replace('/', ".");
            let name = SecretName::new(&text).map_err(|error| SealedError {
                message: format!("`{place}` in {} can't be a secret: {error}", file.display()),
                hint: "give it a shorter name".to_owned(),
            })?;
            let reference = format!("${{secret.{}}}", placeholder::quote_key(name.as_str()));
            let entry = AgeEntry { file: file.to_owned(), key: std::mem::take(place) };
            secrets.insert(name, SecretSource::Age(AgeSource::Entry(entry)));
            *shape = Value::from(reference);
            Ok(())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}
