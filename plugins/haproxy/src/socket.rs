//! HAProxy's runtime socket, asked by what the target has.

use std::time::Duration;

use launchway_sdk::{Command, Context, Exit, Failure, Problem, user_problems};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const ASK: &str = include_str!("scripts/ask.sh");

/// Where HAProxy listens, and who asks: properties that all kinds have, flattened into their own.
#[derive(Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
pub(crate) struct Socket {
    /// HAProxy's runtime socket on the target: the path of a `stats socket` in its configuration.
    #[serde(default = "default_path")]
    socket: String,
    /// Ask as this user.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    as_user: Option<String>,
}

fn default_path() -> String {
    "/run/haproxy/admin.sock".to_owned()
}

impl Socket {
    /// Returns what is wrong with it beyond the schema.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        // Others mean something to a program that connects.
        let is_plain = |c: char| c.is_alphanumeric() || "/._-+@".contains(c);
        if !self.socket.starts_with('/') {
            problems.push(Problem::new("/socket", "the path must be absolute"));
        } else if !self.socket.chars().all(is_plain) {
            let problem = Problem::new("/socket", "the path holds a character that can't be passed on");
            problems.push(problem.hint("letters, digits, `/`, `.`, `_`, `-`, `+` and `@` can"));
        }
        problems.extend(user_problems("/as", self.as_user.as_deref()));
        problems
    }

    /// Returns HAProxy's answer to a line of commands; of its tables, only the rows of a backend.
    pub(crate) fn ask(
        &self,
        context: &Context<'_>,
        line: &str,
        backend: &str,
        timeout: Duration,
    ) -> Result<String, Failure> {
        let command = Command::script(ASK).args([self.socket.as_str(), line, backend]).as_user(self.as_user.as_deref());
        let output = context.exec_plain(&command.timeout(Some(timeout)).quiet())?;
        let path = &self.socket;
        Err(match output.exit {
            Exit::Code(0) => return self.understood(output.stdout),
            Exit::Code(91) => Failure::target(format!("there is no socket {path}, or it is in a closed folder"))
                .detail(format!(
                    "HAProxy makes it while it runs, if `global` has `stats socket {path} mode 660 level admin`"
                )),
            Exit::Code(92) => Failure::target(format!("{path} is no socket"))
                .detail("name the one of `stats socket` in haproxy.cfg as `socket`"),
            Exit::Code(93) => Failure::target(format!("no permission to use the socket {path}"))
                .detail("say with `as` who has it, such as root, or let `stats socket` give it by `mode` and `group`"),
            Exit::Code(94) => Failure::target("there is no program on this target that connects to a socket")
                .detail("install one of socat, netcat-openbsd, python3 and perl"),
            Exit::Code(95) => {
                Failure::target(format!("nobody answers at {path}; is HAProxy running?")).detail(output.said())
            }
            Exit::TimedOut => Failure::target(format!("no answer at {path} in time")).detail(output.said()),
            Exit::Code(_) | Exit::Signal(_) => return output.check("the target's shell").map(|output| output.stdout),
        })
    }

    /// Returns an answer, unless it is a refusal.
    fn understood(&self, answer: String) -> Result<String, Failure> {
        let path = &self.socket;
        if answer.lines().any(|line| line.starts_with("Permission denied")) {
            return Err(Failure::target(format!("HAProxy lets nobody change servers through {path}"))
                .detail(format!("give it the level in haproxy.cfg: `stats socket {path} level admin`")));
        }
        if answer.lines().any(|line| line.starts_with("Unknown command")) {
            return Err(Failure::target(format!(
                "{path} is not the socket of a HAProxy that serves, or of an old one"
            ))
            .detail("a master process (`-S`) has a socket of its own; name the one of `stats socket` as `socket`"));
        }
        Ok(answer)
    }

    /// Returns the failure for an answer that is none of HAProxy's.
    pub(crate) fn foreign(&self, answer: &str) -> Failure {
        Failure::target(format!("what answers at {} does not answer like HAProxy", self.socket)).detail(answer)
    }
}

/// Returns what is wrong with a backend's or a server's name: it becomes a part of a command.
pub(crate) fn name_problems(at: &str, name: &str) -> Vec<Problem> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if !name.is_empty() && name.chars().all(is_allowed) {
        return Vec::new();
    }
    let problem = Problem::new(at, "this is no name that HAProxy knows");
    vec![problem.hint("its names consist of letters, digits, `-`, `_`, `.` and `:`")]
}

#[cfg(test)]
mod tests {
    use super::name_problems;

    #[test]
    fn names_that_could_be_commands_are_refused() {
        for name in ["", "a b", "a;disable server api/b", "a\nb", "a/b", "a,b", "$(x)", "#1", "ä", "a\\;b"] {
            assert_eq!(name_problems("/server", name).len(), 1, "{name:?}");
        }
        for name in ["app1", "app-1.example.org:8080", "_x"] {
            assert_eq!(name_problems("/server", name), [], "{name:?}");
        }
    }
}
