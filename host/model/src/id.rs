//! Names, digests and numbers that cross crates.

use std::borrow::Borrow;
use std::fmt;
use std::io::{self, BufWriter};
use std::str::FromStr;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::{Pause, Size, VersionRange, login};

/// Why a text is not a valid id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("{what} can't be empty")]
    Empty { what: &'static str },
    #[error("{what} can't be longer than {limit} characters")]
    TooLong { what: &'static str, limit: usize },
    #[error("{what} can't contain {}", crate::diagnostic::show_char(*character))]
    Character { what: &'static str, character: char },
    #[error("{what} can't begin or end with a blank")]
    Blank { what: &'static str },
    #[error("{what} can't begin with `-`, or it would be read as an option")]
    Dash { what: &'static str },
    #[error("expected a jump host, as `[user@]host[:port]`")]
    Jump,
    #[error("expected `plugin/kind`, such as `ssh/file`")]
    Kind,
    #[error("expected `sha256:` and 64 hex digits")]
    Digest,
    #[error("{0}")]
    Other(String),
}

/// The longest name, in characters.
const NAME_LIMIT: usize = 128;

fn check_name(what: &'static str, text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { what });
    }
    if text.chars().count() > NAME_LIMIT {
        return Err(IdError::TooLong { what, limit: NAME_LIMIT });
    }
    if let Some(character) = text.chars().find(|c| c.is_control() || *c == '/' || is_invisible(*c)) {
        return Err(IdError::Character { what, character });
    }
    if text.trim() != text {
        return Err(IdError::Blank { what });
    }
    Ok(())
}

/// Whether a character could make a name look like another one: bidirectional controls and zero-width characters.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Says why a text is not of a format.
pub(crate) type FormatCheck = fn(&str) -> Result<(), IdError>;

/// The formats that schemas name, with what checks them.
pub(crate) const FORMATS: &[(&str, FormatCheck)] = &[
    (ApplicationName::FORMAT, |text| ApplicationName::check(text)),
    (ComponentName::FORMAT, |text| ComponentName::check(text)),
    (TargetName::FORMAT, |text| TargetName::check(text)),
    (EnvironmentName::FORMAT, |text| EnvironmentName::check(text)),
    (ArtifactName::FORMAT, |text| ArtifactName::check(text)),
    (SecretName::FORMAT, |text| SecretName::check(text)),
    (PluginName::FORMAT, |text| PluginName::check(text)),
    (Version::FORMAT, |text| Version::check(text)),
    (VersionRange::FORMAT, |text| {
        text.parse::<VersionRange>().map(drop).map_err(|error| IdError::Other(error.to_string()))
    }),
    (KindRef::FORMAT, |text| text.parse::<KindRef>().map(drop)),
    (Size::FORMAT, |text| text.parse::<Size>().map(drop).map_err(IdError::Other)),
    (Pause::FORMAT, |text| text.parse::<Pause>().map(drop).map_err(IdError::Other)),
    (login::ADDRESS, login::check_address),
    (login::USER, login::check_user),
    (login::JUMP, login::check_jump),
];

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $format:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Returns the name, or why the text is none.
            pub fn new(text: impl AsRef<str>) -> Result<Self, IdError> {
                let text = text.as_ref();
                Self::check(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// What schemas call it.
            const FORMAT: &str = $format;

            fn check(text: &str) -> Result<(), IdError> {
                check_name($what, text)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": NAME_LIMIT, "format": Self::FORMAT })
            }
        }
    };
}

name!(
    /// An application: a product made of components.
    ApplicationName, "an application name", "launchway-application-name"
);
name!(
    /// A component of an application.
    ComponentName, "a component name", "launchway-component-name"
);
name!(
    /// A target of an environment: a host or another endpoint.
    TargetName, "a target name", "launchway-target-name"
);
name!(
    /// An environment: a named set of targets, dictionaries, secrets and policy.
    EnvironmentName, "an environment name", "launchway-environment-name"
);
name!(
    /// An artifact of a release, as its manifest calls it.
    ArtifactName, "an artifact name", "launchway-artifact-name"
);
name!(
    /// A secret of an environment. The value is never in the model.
    SecretName, "a secret name", "launchway-secret-name"
);
name!(
    /// A plugin, as a component type's first half names it.
    PluginName, "a plugin name", "launchway-plugin-name"
);
name!(
    /// A release's version: free text, compared for equality only.
    Version, "a version", "launchway-version"
);

/// `plugin/kind`, such as `ssh/archive`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct KindRef {
    pub plugin: PluginName,
    pub kind: Arc<str>,
}

impl KindRef {
    /// What schemas call it.
    const FORMAT: &str = "launchway-kind";
}

impl FromStr for KindRef {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let (plugin, kind) = text.split_once('/').ok_or(IdError::Kind)?;
        check_name("a kind", kind)?;
        Ok(Self { plugin: PluginName::new(plugin)?, kind: Arc::from(kind) })
    }
}

impl TryFrom<String> for KindRef {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl Serialize for KindRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for KindRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.plugin, self.kind)
    }
}

impl JsonSchema for KindRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "KindRef".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": Self::FORMAT })
    }
}

/// A component on a target: the unit of state and of change.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct InstanceId {
    pub component: ComponentName,
    pub target: TargetName,
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.component, self.target)
    }
}

/// The SHA-256 of some bytes; as text `sha256:` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns the digest of a value's compact JSON, which is never in memory as a whole.
    ///
    /// # Errors
    /// The value can't be written as JSON, such as a map whose keys are no text.
    pub fn of_json(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        let mut out = BufWriter::with_capacity(HASHED_AT_ONCE, Hasher(Sha256::new()));
        serde_json::to_writer(&mut out, value)?;
        let hasher = out.into_inner().map_err(|error| serde_json::Error::io(error.into_error()))?;
        Ok(Self(hasher.0.finalize().into()))
    }

    /// Takes over a digest computed elsewhere, as over a stream.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 64 hex digits without the algorithm's name.
    pub fn hex(&self) -> String {
        hex_digits(&self.0)
    }

    /// Returns the first 8 hex digits, for people and for folder names.
    pub fn short(&self) -> String {
        hex_digits(&self.0[..4])
    }
}

/// How many bytes of JSON are gathered before they are hashed.
const HASHED_AT_ONCE: usize = 64 * 1024;

struct Hasher(Sha256);

impl io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Digests are written by the hundred thousand, so this takes no detour over `format!`.
fn hex_digits(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|nibble| char::from(DIGITS[usize::from(nibble)])).collect()
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let hex = text.strip_prefix("sha256:").ok_or(IdError::Digest)?;
        if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(IdError::Digest);
        }
        let mut bytes = [0; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).map_err(|_| IdError::Digest)?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A run's number, unique within its store and growing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Random text that tells one state from another that happens to bear the same names; made when a state is created.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lineage(pub Arc<str>);

/// A step's name for people, stable from plan to plan: `component@target/phase/name`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepKey(pub Arc<str>);

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The version of a file or record format. A reader refuses what is newer than it knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FormatVersion(pub u32);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_may_be_almost_anything() {
        for name in ["a", "app 1", "-x", "it's \"so\"", "ünï", "日本", "a.b:c", "$x`y`", "😀", &"x".repeat(NAME_LIMIT)]
        {
            assert_eq!(ComponentName::new(name).map(String::from).as_deref(), Ok(name));
        }
    }

    #[test]
    fn what_can_not_be_a_name_is_refused() {
        let error = |text: &str| ComponentName::new(text).unwrap_err().to_string();
        assert_eq!(error(""), "a component name can't be empty");
        assert_eq!(error("a/b"), "a component name can't contain `/`");
        assert_eq!(error(" a"), "a component name can't begin or end with a blank");
        assert_eq!(error("a\u{a0}"), "a component name can't begin or end with a blank");
        assert_eq!(error("a\nb"), "a component name can't contain a line break");
        assert_eq!(error("a\u{1b}[0m"), "a component name can't contain the character U+001B");
        assert_eq!(error("a\u{202e}b"), "a component name can't contain the character U+202E");
        assert_eq!(error("a\u{200b}b"), "a component name can't contain the character U+200B");
        assert_eq!(error(&"ü".repeat(NAME_LIMIT + 1)), "a component name can't be longer than 128 characters");
        assert_eq!(ArtifactName::new("").unwrap_err().to_string(), "an artifact name can't be empty");
    }

    #[test]
    fn kinds_have_two_halves() {
        let kind: KindRef = "ssh/file".parse().unwrap();
        assert_eq!((kind.plugin.as_str(), &*kind.kind), ("ssh", "file"));
        assert_eq!(kind.to_string(), "ssh/file");
        for bad in ["", "ssh", "ssh/", "/file", "a/b/c", "a / b", "a/\u{7}"] {
            assert!(bad.parse::<KindRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_are_of_the_bytes() {
        let digest = Digest::of(b"abc");
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        assert_eq!(digest.short(), "ba7816bf");
        assert_eq!(text.parse(), Ok(digest));
        for bad in [
            "",
            "sha256:",
            "md5:00",
            &text[..70],
            &text.replace("ba", "+1"),
            &text.replace("ba", "ü"),
            &format!("{text}0"),
        ] {
            assert_eq!(bad.parse::<Digest>(), Err(IdError::Digest), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_name_or_refused(text in any::<String>()) {
            if let Ok(name) = TargetName::new(&text) {
                prop_assert_eq!(name.as_str(), &text);
                let json = serde_json::to_string(&name).unwrap();
                prop_assert_eq!(serde_json::from_str::<TargetName>(&json).unwrap(), name);
                prop_assert!(!text.contains(char::is_control));
            } else {
                prop_assert!(serde_json::from_value::<TargetName>(text.into()).is_err());
            }
        }

        #[test]
        fn digests_come_back(bytes in any::<[u8; 32]>(), text in any::<String>()) {
            let digest = Digest::from_bytes(bytes);
            prop_assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert_eq!(digest.to_string(), text.to_lowercase());
            }
        }
    }
}
