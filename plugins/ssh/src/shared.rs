//! What several kinds have in common.

use launchway_sdk::{
    Artifact, Command, Context, Exit, Failure, FileMode, FileOptions, FileStatus, FileType, Output, Pairs, Problem,
    Report, ResourceResult, ResourceStatus, Run, Setting, Span, Step, Text, user_problems,
};

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

    /// Adds what is wrong with it.
    pub(crate) fn check(&self, problems: &mut Vec<Problem>) {
        for (at, name) in [("/owner", &self.owner), ("/group", &self.group), ("/as", &self.as_user)] {
            problems.extend(user_problems(at, name.as_deref()));
        }
    }

    /// Runs a script of ours, quietly, as the user who writes; fails if it does.
    pub(crate) fn script(&self, context: &Context<'_>, script: &str, words: &[&str]) -> Result<Output, Failure> {
        let script = String::from(include_str!("scripts/lib.sh")) + script;
        let command = Command::script(&script).args(words.iter().copied()).as_user(self.as_user.as_deref()).quiet();
        let output = context.exec(&command)?;
        match said_by_script(&output) {
            Some(message) => Err(Failure::target(message)),
            None => output.check("the target's shell"),
        }
    }
}

/// Bounds each step; without a limit of its own the host's holds.
pub(crate) fn within(timeout: Option<Setting<Span>>, steps: Vec<Step>) -> Vec<Step> {
    let timeout = timeout.map(|timeout| timeout.duration());
    steps.into_iter().map(|step| step.timeout(timeout)).collect()
}

/// The text of a script of ours, from `scripts/`.
macro_rules! script {
    ($name:literal) => {
        include_str!(concat!("scripts/", $name, ".sh"))
    };
}
pub(crate) use script;

/// Returns what a script of ours gave up with.
fn said_by_script(output: &Output) -> Option<&str> {
    const GAVE_UP: i32 = 90;
    let mut lines = output.stderr.lines().filter(|line| !line.trim().is_empty());
    lines.next_back().filter(|_| output.exit == Exit::Code(GAVE_UP))
}

/// Adds what is wrong with a command.
pub(crate) fn check_run(problems: &mut Vec<Problem>, at: &str, run: Option<&Run>) {
    if let Some(run) = run {
        problems.append(&mut run.problems(at));
    }
}

/// Adds what is wrong with the names of environment variables.
pub(crate) fn check_env(problems: &mut Vec<Problem>, env: &Pairs<Text>) {
    for name in env.names() {
        let usable = |c: u8| c.is_ascii_alphanumeric() || c == b'_';
        if name.is_empty() || !name.bytes().all(usable) || name.as_bytes()[0].is_ascii_digit() {
            let message = format!("`{name}` is no name of an environment variable");
            let hint = "letters, digits and `_`, not beginning with a digit";
            problems.push(Problem::new(pointer("/env", name), message).hint(hint));
        }
    }
}

/// Returns the JSON Pointer of a key below another.
pub(crate) fn pointer(parent: &str, key: &str) -> String {
    format!("{parent}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Adds what is wrong with a folder to work in.
pub(crate) fn check_cwd(problems: &mut Vec<Problem>, cwd: Option<&str>) {
    if cwd.is_some_and(|cwd| !cwd.starts_with('/') || cwd.contains('\0')) {
        problems.push(Problem::new("/cwd", "the folder must be an absolute path"));
    }
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

/// What a look at one resource found: what differs, and what can't be compared.
#[derive(Default)]
pub(crate) struct Look {
    message: String,
    differs: bool,
}

impl Look {
    /// Takes note of a difference.
    pub(crate) fn differs(&mut self, how: &str) {
        self.differs = true;
        self.cannot_tell(how);
    }

    /// Takes note of what can't be compared, and why.
    #[inline(never)]
    pub(crate) fn cannot_tell(&mut self, why: &str) {
        if !self.message.is_empty() {
            self.message.push_str(", ");
        }
        self.message.push_str(why);
    }

    #[inline(never)]
    fn instead(&mut self, what: &str, found: &str, wanted: &str) {
        self.differs(&format!("{what} {found} instead of {wanted}"));
    }

    /// Compares mode and ownership.
    #[inline(never)]
    pub(crate) fn traits(&mut self, status: &FileStatus, mode: Option<&FileMode>, ownership: &Ownership) {
        if let Some(bits) = mode.and_then(FileMode::bits)
            && bits != status.mode & 0o7777
        {
            self.instead("its mode is", &format!("{:04o}", status.mode & 0o7777), &format!("{bits:04o}"));
        }
        for (what, wanted, found) in
            [("its owner is", &ownership.owner, &status.owner), ("its group is", &ownership.group, &status.group)]
        {
            // A number may be that of the name.
            if let Some(wanted) = wanted
                && wanted != found
                && !wanted.as_bytes().first().is_some_and(u8::is_ascii_digit)
            {
                self.instead(what, found, wanted);
            }
        }
    }

    /// Compares where a link leads.
    pub(crate) fn link(&mut self, status: &FileStatus, wanted: &str) {
        match &status.link {
            Some(found) if found == wanted => {}
            Some(found) => self.instead("it points to", found, wanted),
            None => self.differs("it is no link"),
        }
    }

    /// Compares a file's content with an artifact.
    #[inline(never)]
    pub(crate) fn content(&mut self, status: &FileStatus, expected: Option<&Artifact>) {
        match (expected, &status.digest) {
            (Some(expected), Some(found)) if expected.digest != *found => self.differs("its content differs"),
            (Some(_), Some(_)) => {}
            _ => self.cannot_tell("its content can't be compared"),
        }
    }

    #[inline(never)]
    pub(crate) fn result(self, name: String) -> ResourceResult {
        let status = match (self.differs, self.message.is_empty()) {
            (true, _) => ResourceStatus::Changed,
            (false, false) => ResourceStatus::Skipped,
            (false, true) => return ResourceResult { name, status: ResourceStatus::Unchanged, message: None },
        };
        ResourceResult { name, status, message: Some(self.message) }
    }
}

/// Returns the result of a look at what is not there.
#[inline(never)]
pub(crate) fn missing(name: String) -> ResourceResult {
    ResourceResult { name, status: ResourceStatus::Failed, message: Some("it is missing".to_owned()) }
}

/// Returns what was found as a report.
#[inline(never)]
pub(crate) fn findings(resources: Vec<ResourceResult>) -> Report {
    let summary = resources.iter().find_map(|resource| resource.message.clone());
    Report { summary: summary.unwrap_or_else(|| "as it should be".to_owned()), resources }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(check: impl FnOnce(&mut Vec<Problem>)) -> usize {
        let mut all = Vec::new();
        check(&mut all);
        all.len()
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
        let env = |name: &str| Pairs::from_iter([(name.to_owned(), Text::from("x"))]);
        for name in ["", "1A", "A-B", "A B", "LD=X", "Ä"] {
            assert_eq!(problems(|all| check_env(all, &env(name))), 1, "{name:?}");
        }
        assert_eq!(problems(|all| check_env(all, &env("_A1"))), 0);
    }
}
