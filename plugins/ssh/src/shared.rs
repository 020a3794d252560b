//! What several kinds have in common.

use std::collections::BTreeMap;

use launchway_sdk::{Command, Context, Exit, Failure, FileMode, FileOptions, FileType, Output, Problem, Text};

/// As whom a path is written, and whose it is then.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Ownership {
    pub(crate) owner: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) as_user: Option<String>,
}

impl Ownership {
    pub(crate) fn file_options(&self, mode: Option<&FileMode>) -> FileOptions {
        FileOptions {
            mode: mode.and_then(FileMode::bits),
            owner: self.owner.clone(),
            group: self.group.clone(),
            as_user: self.as_user.clone(),
        }
    }

    /// Returns what `chown` takes: `owner`, `owner:group`, `:group`, or an empty text.
    pub(crate) fn chown_argument(&self) -> String {
        match (&self.owner, &self.group) {
            (None, None) => String::new(),
            (Some(owner), None) => owner.clone(),
            (owner, Some(group)) => format!("{}:{group}", owner.as_deref().unwrap_or_default()),
        }
    }

    pub(crate) fn problems(&self) -> Vec<Problem> {
        let names = [("/owner", &self.owner), ("/group", &self.group), ("/as", &self.as_user)];
        names.into_iter().filter_map(|(at, name)| user_problem(at, name.as_deref()?)).collect()
    }

    /// Runs a script of ours, quietly, as the user who writes; fails if it does.
    pub(crate) fn script(&self, context: &Context<'_>, script: &str, words: &[&str]) -> Result<Output, Failure> {
        let command = Command::script(script).args(words.iter().copied()).as_user(self.as_user.as_deref()).quiet();
        let output = context.exec(&command)?;
        match said_by_script(&output) {
            Some(message) => Err(Failure::target(message)),
            None => output.check("the target's shell"),
        }
    }
}

/// The text of a script of ours, from `scripts/`.
macro_rules! script {
    ($name:literal) => {
        concat!(include_str!("scripts/lib.sh"), include_str!(concat!("scripts/", $name, ".sh")))
    };
}
pub(crate) use script;

/// Returns what a script of ours gave up with.
fn said_by_script(output: &Output) -> Option<&str> {
    const GAVE_UP: i32 = 90;
    let lines = output.stderr.lines().filter(|line| !line.trim().is_empty());
    lines.last().filter(|_| output.exit == Exit::Code(GAVE_UP))
}

/// Returns what is wrong with a user's or group's name.
pub(crate) fn user_problem(at: &str, name: &str) -> Option<Problem> {
    let message = if name.is_empty() {
        "a name can't be empty"
    } else if name.starts_with('-') {
        "a name can't begin with `-`"
    } else if name.chars().any(|c| c.is_control() || c.is_whitespace() || c == ':' || c == '/') {
        "a name can't contain blanks, `:` or `/`"
    } else {
        return None;
    };
    Some(Problem::new(at, message))
}

/// Returns what is wrong with the names of environment variables.
pub(crate) fn env_problems(env: &BTreeMap<String, Text>) -> Vec<Problem> {
    let good = |name: &str| {
        let mut characters = name.chars();
        characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    env.keys()
        .filter(|name| !good(name))
        .map(|name| {
            Problem::new(pointer("/env", name), format!("`{name}` is no name of an environment variable"))
                .hint("letters, digits and `_`, not beginning with a digit")
        })
        .collect()
}

/// Returns the JSON Pointer of a key below another.
pub(crate) fn pointer(parent: &str, key: &str) -> String {
    format!("{parent}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Returns what is wrong with a folder to work in.
pub(crate) fn cwd_problem(cwd: Option<&str>) -> Option<Problem> {
    cwd.filter(|cwd| !cwd.starts_with('/') || cwd.contains('\0'))
        .map(|_| Problem::new("/cwd", "the folder must be an absolute path"))
}

/// Returns the answer of a script of ours that prints `changed` or `unchanged` as its last line.
pub(crate) fn has_changed(output: &Output) -> Result<bool, Failure> {
    match output.stdout.lines().next_back() {
        Some("changed") => Ok(true),
        Some("unchanged") => Ok(false),
        _ => Err(Failure::tool("the target's shell gave no answer").detail(&output.stdout)),
    }
}

/// Removes a file or a link; says whether it was there.
pub(crate) fn remove_file(context: &Context<'_>, path: &str, as_user: Option<&str>) -> Result<bool, Failure> {
    match context.stat(path, as_user)? {
        None => Ok(false),
        Some(status) if status.file_type == FileType::Directory => {
            Err(Failure::target(format!("{path} is a directory, not a file")))
        }
        Some(_) => {
            context.exec(&Command::new(&["rm", "-f", "--", path]).as_user(as_user))?.check("rm")?;
            Ok(true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_options_are_refused() {
        for name in ["", "-R", "a b", "a:b", "a\nb", "a/b"] {
            assert!(user_problem("/owner", name).is_some(), "{name:?}");
        }
        assert_eq!(user_problem("/owner", "www-data"), None);
    }

    #[test]
    fn chown_takes_what_is_given() {
        let ownership = |owner: Option<&str>, group: Option<&str>| {
            Ownership { owner: owner.map(Into::into), group: group.map(Into::into), as_user: None }.chown_argument()
        };
        assert_eq!(ownership(None, None), "");
        assert_eq!(ownership(Some("a"), None), "a");
        assert_eq!(ownership(Some("a"), Some("b")), "a:b");
        assert_eq!(ownership(None, Some("b")), ":b");
    }

    #[test]
    fn only_portable_variables_pass() {
        let env = |name: &str| BTreeMap::from([(name.to_owned(), Text::from("x"))]);
        for name in ["", "1A", "A-B", "A B", "LD=X", "Ä"] {
            assert_eq!(env_problems(&env(name)).len(), 1, "{name:?}");
        }
        assert_eq!(env_problems(&env("_A1")), []);
    }
}
