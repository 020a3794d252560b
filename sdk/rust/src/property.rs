//! Types for properties that carry Launchway's schema keywords.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize};

use crate::Command;

macro_rules! string_type {
    ($(#[$doc:meta])* $name:ident, $($schema:tt)*) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        #[cfg(not(target_family = "wasm"))]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($($schema)*)
            }
        }
    };
}

// What names a file of the release is no trigger: the digest of its content is.
string_type!(
    /// A file of the project; the instance has an artifact with the property's name.
    ProjectFile, { "type": "string", "minLength": 1, "source": "file", "trigger": false }
);
string_type!(
    /// A template of the project, rendered by the host.
    Template, { "type": "string", "minLength": 1, "source": "template", "trigger": false }
);
string_type!(
    /// A folder of the project, packed by the host as a tar.
    Directory, { "type": "string", "minLength": 1, "source": "directory", "trigger": false }
);
string_type!(
    /// An artifact of the release.
    ArtifactName, { "type": "string", "minLength": 1, "source": "artifact", "trigger": false }
);
string_type!(
    /// A path on the target that the instance owns.
    OwnedPath, { "type": "string", "pattern": "^/", "writes": true }
);
string_type!(
    /// A file's permission bits, in octal.
    FileMode, { "type": "string", "pattern": "^(0o?)?[0-7]{3,4}$" }
);

impl FileMode {
    /// Returns the bits; none where the text is no octal number.
    pub fn bits(&self) -> Option<u32> {
        let digits = self.0.strip_prefix("0o").unwrap_or(&self.0);
        u32::from_str_radix(digits, 8).ok().filter(|bits| *bits <= 0o7777)
    }
}

/// A property whose change alone is no reason to redeploy, such as a timeout.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Setting<T>(pub T);

impl<T> Deref for Setting<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

#[cfg(not(target_family = "wasm"))]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Setting<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Setting_{}", T::schema_name()).into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = T::json_schema(generator);
        schema.insert("trigger".into(), false.into());
        schema
    }
}

/// Something to run: a shell script, or a program with its arguments.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
pub enum Run {
    /// Run by `/bin/sh -eu`.
    Script(String),
    Program(Vec<String>),
}

impl Run {
    /// Returns the command that runs it.
    ///
    /// A script is an argument of the shell, so that standard input is left for what the script runs.
    pub fn command(&self) -> Command {
        match self {
            Self::Script(script) => Command::script(script),
            Self::Program(words) => Command::new(words),
        }
    }

    /// Returns what is wrong with it, for the property at `at`.
    pub fn problems(&self, at: &str) -> Vec<crate::Problem> {
        // The kernel takes no longer argument than 128 KiB.
        const SCRIPT_LIMIT: usize = 120 * 1024;
        let problem = |message: &str| vec![crate::Problem::new(at, message)];
        match self {
            Self::Script(script) if script.trim().is_empty() => problem("there is nothing to run"),
            Self::Script(script) if script.contains('\0') => problem("a script can't contain a NUL character"),
            Self::Script(script) if script.len() > SCRIPT_LIMIT => {
                vec![
                    crate::Problem::new(at, "a script can't be longer than 120 KiB")
                        .hint("put it in place with `ssh/file`, and run it from there"),
                ]
            }
            Self::Program(words) if words.first().is_none_or(String::is_empty) => problem("there is nothing to run"),
            Self::Program(words) if words.iter().any(|word| word.contains('\0')) => {
                problem("an argument can't contain a NUL character")
            }
            _ => Vec::new(),
        }
    }
}

/// For people, shortened.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LIMIT: usize = 60;
        let text = match self {
            Self::Script(script) => script.clone(),
            // Not `join`, whose code is most of a kilobyte of a component.
            Self::Program(words) => words.iter().fold(String::new(), |text, word| match text.as_str() {
                "" => word.clone(),
                _ => text + " " + word,
            }),
        };
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let first = lines.next().unwrap_or_default();
        if first.chars().count() > LIMIT || lines.next().is_some() {
            write!(f, "{} …", first.chars().take(LIMIT).collect::<String>().trim_end())
        } else {
            f.write_str(first)
        }
    }
}

impl<'de> Deserialize<'de> for Run {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Run;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a script, or a list of a program and its arguments")
            }
            fn visit_str<E: serde::de::Error>(self, script: &str) -> Result<Run, E> {
                Ok(Run::Script(script.to_owned()))
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut words: A) -> Result<Run, A::Error> {
                let mut all = Vec::new();
                while let Some(word) = words.next_element()? {
                    all.push(word);
                }
                Ok(Run::Program(all))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(not(target_family = "wasm"))]
impl schemars::JsonSchema for Run {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Run".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "anyOf": [
                { "type": "string", "minLength": 1 },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 },
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal() {
        for (text, bits) in [("640", Some(0o640)), ("0640", Some(0o640)), ("0o4755", Some(0o4755)), ("9", None)] {
            assert_eq!(FileMode(text.into()).bits(), bits, "{text}");
        }
    }

    #[test]
    fn runs_are_shown_shortened() {
        assert_eq!(Run::Script("# why\n\n./migrate --to 14\n".into()).to_string(), "./migrate --to 14");
        assert_eq!(Run::Script("one\ntwo".into()).to_string(), "one …");
        assert_eq!(Run::Program(vec!["a".into(), "b c".into()]).to_string(), "a b c");
        assert_eq!(Run::Script("ä".repeat(80)).to_string(), format!("{} …", "ä".repeat(60)));
    }

    #[test]
    fn an_empty_run_is_a_problem() {
        for run in [Run::Script(" \n".into()), Run::Program(vec![]), Run::Program(vec!["".into()])] {
            assert_eq!(run.problems("/run").len(), 1, "{run:?}");
        }
        assert_eq!(Run::Program(vec!["true".into(), "".into()]).problems("/run"), []);
    }
}
