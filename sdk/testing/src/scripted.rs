//! A host that answers from a list, and says when it is asked for something else.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use launchway_sdk::wire;
use launchway_sdk::{
    Artifact, Command, Exit, Failure, Fault, FileOptions, FileStatus, FileType, Host, Level, Output, Request, Response,
    Source, Text, Vantage, Written,
};
use serde::Deserialize;

/// A call that is expected, and its answer. What a call does not mention is not compared.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Call {
    Exec {
        argv: Option<Vec<String>>,
        /// A text in the script.
        script: Option<String>,
        /// What follows a script as its parameters.
        words: Option<Vec<String>>,
        #[serde(default)]
        env: Vec<(String, Text)>,
        #[serde(default)]
        stdin: Text,
        cwd: Option<String>,
        #[serde(rename = "as")]
        as_user: Option<String>,
        #[serde(default)]
        exit: i32,
        signal: Option<String>,
        #[serde(default)]
        timed_out: bool,
        #[serde(default)]
        stdout: String,
        #[serde(default)]
        stderr: String,
    },
    Put {
        artifact: Option<String>,
        text: Option<Text>,
        path: String,
        mode: Option<String>,
        owner: Option<String>,
        group: Option<String>,
        #[serde(rename = "as")]
        as_user: Option<String>,
        changed: bool,
    },
    Read {
        path: String,
        text: Option<String>,
    },
    Stat {
        path: String,
        found: Option<FileData>,
    },
    Send {
        method: Option<String>,
        url: String,
        #[serde(default)]
        headers: Vec<(String, Text)>,
        from: Option<String>,
        #[serde(default = "default_status")]
        status: u16,
        #[serde(default)]
        answer_headers: Vec<(String, String)>,
        #[serde(default)]
        body: String,
        failed: Option<String>,
    },
    Connect {
        address: String,
        port: u16,
        from: Option<String>,
        failed: Option<String>,
    },
}

fn default_status() -> u16 {
    200
}

/// A file as `stat` answers it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileData {
    #[serde(rename = "type")]
    file_type: String,
    digest: Option<String>,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    mode: String,
    #[serde(default)]
    owner: String,
    #[serde(default)]
    group: String,
    link: Option<String>,
}

/// The host of a script.
pub(crate) struct ScriptedHost {
    calls: RefCell<VecDeque<Call>>,
    /// Milliseconds; waiting moves it.
    pub(crate) clock: RefCell<u64>,
    complaint: RefCell<Option<String>>,
}

impl ScriptedHost {
    pub(crate) fn new(calls: &[Call]) -> Self {
        Self {
            calls: RefCell::new(calls.iter().cloned().collect()),
            clock: RefCell::new(0),
            complaint: RefCell::new(None),
        }
    }

    /// Returns what went another way than the script says.
    pub(crate) fn complaint(&self) -> Option<String> {
        let left = self.calls.borrow().len();
        let unused = || (left > 0).then(|| format!("{left} of the calls were not made"));
        self.complaint.borrow().clone().or_else(unused)
    }

    fn next(&self, made: &str) -> Result<Call, Failure> {
        self.calls.borrow_mut().pop_front().ok_or_else(|| self.complain(format!("one call more than expected: {made}")))
    }

    fn complain(&self, why: String) -> Failure {
        self.complaint.borrow_mut().get_or_insert(why);
        Failure::plugin("the script does not go on")
    }

    fn compare<T: PartialEq + std::fmt::Debug>(&self, what: &str, expected: T, made: T) -> Result<(), Failure> {
        if expected == made {
            return Ok(());
        }
        Err(self.complain(format!("{what}: expected {expected:?}, but it is {made:?}")))
    }

    fn unexpected<T>(&self, made: &str) -> Result<T, Failure> {
        Err(self.complain(format!("another call than expected: {made}")))
    }
}

impl Host for ScriptedHost {
    fn log(&self, _: Level, _: &str) {}
    fn progress(&self, _: Option<f32>, _: &str) {}

    fn elapsed(&self) -> Duration {
        Duration::from_millis(*self.clock.borrow())
    }

    fn exec(&self, command: &Command) -> Result<Output, Failure> {
        let made = format!("exec {:?}", command.argv);
        let call = self.next(&made)?;
        let Call::Exec { argv, script, words, env, stdin, cwd, as_user, exit, signal, timed_out, stdout, stderr } =
            call
        else {
            return self.unexpected(&made);
        };
        if let Some(argv) = argv {
            self.compare("argv", argv, command.argv.clone())?;
        }
        let is_script = command.argv.get(..3).is_some_and(|argv| argv == ["/bin/sh", "-eu", "-c"]);
        if let Some(script) = script {
            let found = command.argv.get(3).is_some_and(|text| is_script && text.contains(&script));
            if !found {
                return Err(self.complain(format!("no script with {script:?}: {made}")));
            }
        }
        if let Some(words) = words {
            self.compare("words", words, command.argv.iter().skip(5).cloned().collect())?;
        }
        self.compare("env", env, command.env.clone())?;
        self.compare("stdin", stdin, command.stdin.clone())?;
        self.compare("cwd", cwd, command.cwd.clone())?;
        self.compare("as", as_user, command.as_user.clone())?;
        let exit = match signal {
            Some(signal) => Exit::Signal(signal),
            None if timed_out => Exit::TimedOut,
            None => Exit::Code(exit),
        };
        Ok(Output { exit, stdout, stderr })
    }

    fn put(&self, source: &Source, path: &str, options: &FileOptions) -> Result<Written, Failure> {
        let made = format!("put {path}");
        let Call::Put { artifact, text, path: goal, mode, owner, group, as_user, changed } = self.next(&made)? else {
            return self.unexpected(&made);
        };
        self.compare("path", goal.as_str(), path)?;
        let expected = match (artifact, text) {
            (Some(name), _) => Source::Artifact(name),
            (None, text) => Source::Text(text.unwrap_or_default()),
        };
        self.compare("source", &expected, source)?;
        self.compare("mode", mode, options.mode.map(|mode| format!("{mode:04o}")))?;
        self.compare("owner", owner, options.owner.clone())?;
        self.compare("group", group, options.group.clone())?;
        self.compare("as", as_user, options.as_user.clone())?;
        Ok(Written { changed, digest: format!("sha256:{}", "0".repeat(64)) })
    }

    fn read(&self, path: &str, _: u64, _: Option<&str>) -> Result<Option<Vec<u8>>, Failure> {
        let made = format!("read {path}");
        let Call::Read { path: expected, text } = self.next(&made)? else { return self.unexpected(&made) };
        self.compare("path", expected.as_str(), path)?;
        Ok(text.map(String::into_bytes))
    }

    fn stat(&self, path: &str, _: Option<&str>) -> Result<Option<FileStatus>, Failure> {
        let made = format!("stat {path}");
        let Call::Stat { path: expected, found } = self.next(&made)? else { return self.unexpected(&made) };
        self.compare("path", expected.as_str(), path)?;
        let status = |found: FileData| wire::Status {
            file_type: match found.file_type.as_str() {
                "file" => FileType::File,
                "directory" => FileType::Directory,
                "link" => FileType::Link,
                _ => FileType::Other,
            },
            digest: found.digest,
            size: found.size,
            mode: u32::from_str_radix(&found.mode, 8).unwrap_or(0o644),
            owner: found.owner,
            group: found.group,
            link: found.link,
        };
        Ok(found.map(status))
    }

    fn send(&self, request: &Request) -> Result<Response, Failure> {
        let made = format!("send {} {}", request.method, request.url);
        let Call::Send { method, url, headers, from, status, answer_headers, body, failed } = self.next(&made)? else {
            return self.unexpected(&made);
        };
        self.compare("url", &url, &request.url)?;
        self.compare("method", method.as_deref().unwrap_or("GET"), &request.method)?;
        self.compare("headers", &headers, &request.headers)?;
        self.compare("from", from.as_deref().unwrap_or("host"), vantage(request.from))?;
        match failed {
            Some(text) => Err(failure(&text)),
            None => Ok(Response { status, headers: answer_headers, body: body.into_bytes(), truncated: false }),
        }
    }

    fn download(&self, request: &Request, _: &str) -> Result<Artifact, Failure> {
        self.unexpected(&format!("download {}", request.url))
    }

    fn connect(&self, address: &str, port: u16, _: Duration, from: Vantage) -> Result<(), Failure> {
        let made = format!("connect {address}:{port}");
        let Call::Connect { address: host, port: number, from: side, failed } = self.next(&made)? else {
            return self.unexpected(&made);
        };
        self.compare("address", (host.as_str(), number), (address, port))?;
        self.compare("from", side.as_deref().unwrap_or("host"), vantage(from))?;
        failed.map_or(Ok(()), |text| Err(failure(&text)))
    }
}

fn vantage(vantage: Vantage) -> &'static str {
    match vantage {
        Vantage::Host => "host",
        Vantage::Target => "target",
    }
}

/// Reads a failure: `network: connection refused`.
fn failure(text: &str) -> Failure {
    let (fault, message) = text.split_once(": ").unwrap_or(("plugin", text));
    let fault = match fault {
        "configuration" => Fault::Configuration,
        "target" => Fault::Target,
        "tool" => Fault::Tool,
        "network" => Fault::Network,
        _ => Fault::Plugin,
    };
    Failure { fault, message: message.to_owned(), detail: None, retryable: false }
}
