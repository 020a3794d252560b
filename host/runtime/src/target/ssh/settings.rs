//! What the SSH client is told about a target.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use launchway_model::{Failure, Fault, HostKeyChecking, TargetSpec};

use crate::target::failure::{FailureExt as _, failure};

/// Seconds until a connection attempt is given up.
const CONNECT_TIMEOUT: u32 = 10;

/// All that tells one connection from another. Two targets with the same settings share one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Settings {
    pub(super) address: String,
    pub(super) port: Option<u16>,
    pub(super) user: Option<String>,
    pub(super) identity_file: Option<PathBuf>,
    pub(super) jump: Vec<String>,
    config_file: Option<PathBuf>,
    pub(super) known_hosts: Option<PathBuf>,
    host_keys: HostKeys,
    pub(super) connect_timeout: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum HostKeys {
    Strict,
    AcceptNew,
    Off,
}

impl Settings {
    /// Reads a target's settings; refuses what the client could mistake for something else.
    pub(crate) fn new(target: &TargetSpec, project_dir: &Path) -> Result<Self, Failure> {
        let address = target.address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let address = address.unwrap_or(&target.address);
        check_word("address", address, &['@', '/'], target)?;
        if let Some(user) = &target.user {
            check_word("user", user, &[], target)?;
        }
        for jump in &target.ssh.jump {
            check_jump(jump, target)?;
        }
        let path = |path: &Option<PathBuf>| path.as_deref().map(|path| expand(project_dir, path));
        Ok(Self {
            address: address.to_owned(),
            port: target.port,
            user: target.user.clone(),
            identity_file: path(&target.ssh.identity_file),
            jump: target.ssh.jump.clone(),
            config_file: path(&target.ssh.config_file),
            known_hosts: path(&target.ssh.known_hosts),
            host_keys: match target.ssh.host_key_checking {
                HostKeyChecking::Strict => HostKeys::Strict,
                HostKeyChecking::AcceptNew => HostKeys::AcceptNew,
                HostKeyChecking::Off => HostKeys::Off,
            },
            connect_timeout: target.ssh.connect_timeout.unwrap_or(CONNECT_TIMEOUT).max(1),
        })
    }

    /// Refuses a key that is not there or not private: the client would go on without it and fail for another reason.
    pub(super) fn check_identity(&self) -> Result<(), Failure> {
        let Some(file) = &self.identity_file else { return Ok(()) };
        let shown = file.display();
        let unreadable = |error: std::io::Error| {
            failure(Fault::Configuration, format!("can't read identity file {shown}: {error}"))
                .hint("`identity_file` names a private key; relative paths start at the project's folder")
        };
        let opened = std::fs::File::open(file).map_err(unreadable)?;
        let about = opened.metadata().map_err(unreadable)?;
        use std::os::unix::fs::MetadataExt as _;
        // The client ignores such a key, and then all that is left to see is a refused login.
        if about.mode() & 0o077 != 0 && about.uid() == rustix::process::getuid().as_raw() {
            let message = format!("identity file {shown} may be read by others, so the SSH client refuses it");
            return Err(failure(Fault::Configuration, message).hint(format!("chmod 600 {shown}")));
        }
        Ok(())
    }

    /// Writes a client configuration. It goes before the user's own, and jump hosts get it too.
    pub(super) fn client_configuration(&self) -> Result<Vec<u8>, Failure> {
        let mut text = String::from("# Written by launchway for one run.\n");
        // None of these may ask a question, leave something running, or hide why a login fails.
        text.push_str(
            "BatchMode yes\nLogLevel INFO\nControlMaster no\nControlPath none\nControlPersist no\n\
             ServerAliveInterval 5\nServerAliveCountMax 3\nUpdateHostKeys no\nVisualHostKey no\n\
             PermitLocalCommand no\nForkAfterAuthentication no\nConnectionAttempts 1\n",
        );
        let mut say = |line: std::fmt::Arguments<'_>| writeln!(text, "{line}").expect("a String takes all");
        say(format_args!("ConnectTimeout {}", self.connect_timeout));
        match self.host_keys {
            HostKeys::Strict => say(format_args!("StrictHostKeyChecking yes")),
            HostKeys::AcceptNew => say(format_args!("StrictHostKeyChecking accept-new")),
            HostKeys::Off => say(format_args!(
                "StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nGlobalKnownHostsFile /dev/null"
            )),
        }
        if let Some(file) = &self.known_hosts {
            say(format_args!("UserKnownHostsFile {}", quoted(file)));
        }
        if let Some(file) = &self.identity_file {
            say(format_args!("IdentityFile {}\nIdentitiesOnly yes", quoted(file)));
        }
        let Some(file) = &self.config_file else {
            say(format_args!("Include ~/.ssh/config\nInclude /etc/ssh/ssh_config"));
            return Ok(text.into_bytes());
        };
        // The client wants an included file to be writable by nobody else, which one in a shared project may not be.
        let own = std::fs::read(file).map_err(|error| {
            failure(Fault::Configuration, format!("can't read the SSH configuration {}: {error}", file.display()))
                .hint("`config_file` names an SSH client configuration; relative paths start at the project's folder")
        })?;
        let mut text = text.into_bytes();
        text.extend_from_slice(&own);
        Ok(text)
    }

    /// For people: how the login is called.
    pub(super) fn login(&self) -> String {
        match &self.user {
            Some(user) => format!("{user}@{}", self.address),
            None => self.address.clone(),
        }
    }

    /// The command that fetches the host's key.
    pub(super) fn keyscan(&self) -> String {
        let port = self.port.map_or_else(String::new, |port| format!("-p {port} "));
        let file = self.known_hosts.as_deref().unwrap_or(Path::new("~/.ssh/known_hosts"));
        format!("ssh-keyscan {port}{} >> {}", self.address, file.display())
    }
}

/// Finds a file that is given as a user would: `~` is the home folder, relative paths start at `base`.
pub(crate) fn expand(base: &Path, path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => base.join(path),
    }
}

/// Quotes a path, in which the client would expand `%`.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('\\', r"\\").replace('"', "\\\"").replace('%', "%%"))
}

/// Refuses a word that could be read as an option or as several words.
fn check_word(what: &str, word: &str, forbidden: &[char], target: &TargetSpec) -> Result<(), Failure> {
    let why = if word.is_empty() {
        "is empty".to_owned()
    } else if word.starts_with('-') {
        "begins with `-`".to_owned()
    } else if let Some(bad) =
        word.chars().find(|&c| c.is_whitespace() || c.is_control() || c == '\'' || c == '"' || forbidden.contains(&c))
    {
        format!("contains {bad:?}")
    } else {
        return Ok(());
    };
    let message = format!("the {what} of target `{}` can't be used with SSH: it {why}", target.name);
    Err(failure(Fault::Configuration, message)
        .hint(format!("correct `{what}:` of the target in the environment's file")))
}

fn check_jump(jump: &str, target: &TargetSpec) -> Result<(), Failure> {
    let plain = |c: char| c.is_alphanumeric() || "._:@[]%-+".contains(c);
    let (user, host) = jump.rsplit_once('@').unwrap_or(("user", jump));
    if jump.chars().all(plain)
        && !host.is_empty()
        && !host.starts_with('-')
        && !user.is_empty()
        && !user.starts_with('-')
    {
        return Ok(());
    }
    let message = format!("`{}` is no jump host for target `{}`", jump.escape_default(), target.name);
    Err(failure(Fault::Configuration, message).hint("write it as `[user@]host[:port]`"))
}

#[cfg(test)]
mod tests {
    use launchway_model::{Escalation, SshOptions, TargetName, Transport};

    use super::*;

    fn target(address: &str, user: Option<&str>, jump: &[&str]) -> TargetSpec {
        TargetSpec {
            name: TargetName::new("t").unwrap(),
            address: address.to_owned(),
            transport: Transport::Ssh,
            user: user.map(str::to_owned),
            port: None,
            ssh: SshOptions { jump: jump.iter().map(|&j| j.to_owned()).collect(), ..SshOptions::default() },
            escalation: Escalation::default(),
            labels: Default::default(),
            max_steps: None,
        }
    }

    #[test]
    fn nothing_can_become_an_option_or_a_second_word() {
        for address in ["-oProxyCommand=x", "", "a b", "a\nb", "user@host", "a'b", "ssh://x"] {
            let failure = Settings::new(&target(address, None, &[]), Path::new("/")).unwrap_err();
            assert_eq!(failure.fault, Fault::Configuration, "{address}");
        }
        for user in ["-l", "", "a b", "a\u{7}b"] {
            assert!(Settings::new(&target("h", Some(user), &[]), Path::new("/")).is_err(), "{user}");
        }
        for jump in ["-x", "u@-x", "a b", "$(x)", "a,b", "@h", ""] {
            assert!(Settings::new(&target("h", None, &[jump]), Path::new("/")).is_err(), "{jump}");
        }
        for address in ["host.example.org", "::1", "[::1]", "fe80::1%eth0", "127.0.0.1", "bücher.example"] {
            assert!(Settings::new(&target(address, Some("me"), &["u@[::1]:22", "bastion"]), Path::new("/")).is_ok());
        }
    }

    #[test]
    fn paths_are_found_and_quoted() {
        let home = std::env::home_dir().unwrap();
        assert_eq!(expand(Path::new("/p"), Path::new("~/.ssh/id")), home.join(".ssh/id"));
        assert_eq!(expand(Path::new("/p"), Path::new("keys/id")), Path::new("/p/keys/id"));
        assert_eq!(quoted(Path::new("/a b/c%\"d\\")), r#""/a b/c%%\"d\\""#);
    }
}
