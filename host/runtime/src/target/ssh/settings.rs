//! What the SSH client is told about a target.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use launchway_model::{Failure, Fault, HostKeyChecking, TargetSpec};

use crate::target::failure::{FailureExt as _, failure};
use crate::target::shell::{quote, quote_if_needed};

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
        let path = |what: &str, path: &Option<PathBuf>| match path.as_deref().map(|path| expand(project_dir, path)) {
            Some(path) => check_path(what, &path, target).map(|()| Some(path)),
            None => Ok(None),
        };
        Ok(Self {
            address: address.to_owned(),
            port: target.port,
            user: target.user.clone(),
            identity_file: path("identity_file", &target.ssh.identity_file)?,
            jump: target.ssh.jump.clone(),
            config_file: path("config_file", &target.ssh.config_file)?,
            known_hosts: path("known_hosts", &target.ssh.known_hosts)?,
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
        let shown = quote_if_needed(&file.display().to_string());
        let unreadable = |error: std::io::Error| {
            failure(Fault::Configuration, format!("can't read identity file {}: {error}", file.display()))
                .hint("`identity_file` names a private key; relative paths start at the project's folder")
        };
        let opened = std::fs::File::open(file).map_err(unreadable)?;
        let about = opened.metadata().map_err(unreadable)?;
        use std::os::unix::fs::MetadataExt as _;
        // The client ignores such a key, and then all that is left to see is a refused login.
        if about.mode() & 0o077 != 0 && about.uid() == rustix::process::getuid().as_raw() {
            let message =
                format!("identity file {} may be read by others, so the SSH client refuses it", file.display());
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
        let scan = format!("ssh-keyscan {port}{}", quote_if_needed(&self.address));
        let file = self.known_hosts.as_deref();
        let file = file.map_or("~/.ssh/known_hosts".to_owned(), |file| quote_if_needed(&file.display().to_string()));
        // It goes through no jump host, so it has to run on the last one.
        let scan = match self.jump.split_last() {
            None => scan,
            Some((last, [])) => format!("ssh {} {}", quote_if_needed(&format!("ssh://{last}")), quote_if_needed(&scan)),
            Some((last, before)) => {
                let (before, last) = (quote_if_needed(&before.join(",")), quote_if_needed(&format!("ssh://{last}")));
                format!("ssh -J {before} {last} {}", quote_if_needed(&scan))
            }
        };
        format!("{scan} >> {file}")
    }

    /// The command that forgets the host's old key.
    pub(super) fn forget_key(&self) -> String {
        let host = match self.port {
            Some(port) if port != 22 => format!("[{}]:{port}", self.address),
            _ => self.address.clone(),
        };
        let file =
            self.known_hosts.as_deref().map(|file| format!(" -f {}", quote_if_needed(&file.display().to_string())));
        format!("ssh-keygen -R {}{}", quote(&host), file.unwrap_or_default())
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

/// Refuses a path that can't be written into the client's configuration: it knows no escape for a line end, and none
/// for `${`, behind which it puts a variable's value in.
fn check_path(what: &str, path: &Path, target: &TargetSpec) -> Result<(), Failure> {
    let text = path.display().to_string();
    let why = match text.chars().find(|c| c.is_control()) {
        Some(bad) => format!("it contains {bad:?}"),
        None if text.contains("${") => "it contains `${`, which the SSH client takes for a variable".to_owned(),
        None => return Ok(()),
    };
    let message = format!("the {what} of target `{}` can't be used with SSH: {why}", target.name);
    Err(failure(Fault::Configuration, message)
        .hint(format!("`{what}:` in the environment's file names `{}`", text.escape_debug())))
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
    fn paths_that_the_client_would_read_otherwise_are_refused() {
        for bad in ["a\nProxyCommand x", "a\tb", "${HOME}/id", "a\u{7f}"] {
            let set: [fn(&mut SshOptions, PathBuf); 3] = [
                |ssh, path| ssh.identity_file = Some(path),
                |ssh, path| ssh.known_hosts = Some(path),
                |ssh, path| ssh.config_file = Some(path),
            ];
            for set in set {
                let mut target = target("h", None, &[]);
                set(&mut target.ssh, bad.into());
                let failure = Settings::new(&target, Path::new("/p")).unwrap_err();
                assert_eq!(failure.fault, Fault::Configuration, "{bad:?}");
                assert!(!failure.message.contains('\n') && !failure.hint.unwrap().contains('\n'));
            }
        }
        let mut target = target("h", None, &[]);
        target.ssh.identity_file = Some("a $b %h {c}".into());
        assert!(Settings::new(&target, Path::new("/p")).is_ok());
    }

    #[test]
    fn commands_in_hints_can_be_run_as_they_are() {
        let commands = |port, jump: &[&str], known_hosts: Option<&str>| {
            let mut target = target("h", None, jump);
            (target.port, target.ssh.known_hosts) = (port, known_hosts.map(PathBuf::from));
            let settings = Settings::new(&target, Path::new("/p")).unwrap();
            [settings.keyscan(), settings.forget_key()]
        };
        let direct = ["ssh-keyscan h >> ~/.ssh/known_hosts", "ssh-keygen -R 'h'"];
        assert_eq!(commands(None, &[], None), direct);
        let quoted = ["ssh-keyscan -p 2222 h >> '/p/it'\\''s here'", "ssh-keygen -R '[h]:2222' -f '/p/it'\\''s here'"];
        assert_eq!(commands(Some(2222), &[], Some("it's here")), quoted);
        let one = "ssh ssh://me@bastion:2200 'ssh-keyscan h' >> ~/.ssh/known_hosts";
        assert_eq!(commands(None, &["me@bastion:2200"], None)[0], one);
        let two = "ssh -J a,b ssh://c 'ssh-keyscan h' >> ~/.ssh/known_hosts";
        assert_eq!(commands(None, &["a", "b", "c"], None)[0], two);
    }

    #[test]
    fn paths_are_found_and_quoted() {
        let home = std::env::home_dir().unwrap();
        assert_eq!(expand(Path::new("/p"), Path::new("~/.ssh/id")), home.join(".ssh/id"));
        assert_eq!(expand(Path::new("/p"), Path::new("keys/id")), Path::new("/p/keys/id"));
        assert_eq!(quoted(Path::new("/a b/c%\"d\\")), r#""/a b/c%%\"d\\""#);
    }
}
