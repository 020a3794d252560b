//! The script that runs a command on a target and tells what became of it.
//!
//! SSH alone can't tell an exit status of 255, a killed shell and a lost connection apart, kills nothing when a client
//! goes away, and keeps a channel open for as long as any process holds an end of it. So every command runs under a few
//! lines of POSIX shell, which say on the same streams, between marks that carry a random nonce: when the login's own
//! talk is over, which process group to kill, and how the command ended. What has to stay secret goes over standard input
//! only, line by line before the command's own input; a command whose lines did not all come is not started.

use std::fmt::Write as _;

use launchway_model::EscalationMethod;
use zeroize::Zeroizing;

use super::shell::{escape_line, quote};

/// What to run.
pub(crate) enum Work {
    /// A program with arguments, in a process group of its own so that it can be killed with all its children.
    Program { argv: Vec<String>, env: Vec<(String, Value)>, cwd: Option<String> },
    /// A few lines of our own.
    Script(String),
}

/// The value of an environment variable.
pub(crate) enum Value {
    Plain(String),
    Secret(Zeroizing<Vec<u8>>),
}

/// How to become another user.
pub(crate) struct Become {
    pub(crate) user: String,
    pub(crate) method: EscalationMethod,
    pub(crate) password: Option<Zeroizing<Vec<u8>>>,
}

/// A script ready to be sent, with what belongs on its standard input.
pub(crate) struct Prepared {
    pub(crate) script: String,
    /// Sent at once: what may be asked for before the wrapper runs.
    pub(crate) password_line: Option<Zeroizing<Vec<u8>>>,
    /// Sent once the wrapper runs, ahead of the command's input.
    pub(crate) header: Zeroizing<Vec<u8>>,
}

/// Writes the script for a piece of work.
pub(crate) fn prepare(nonce: &str, work: &Work, as_user: Option<&Become>) -> Prepared {
    let mut header = Zeroizing::new(Vec::new());
    let mut script = marks(nonce);
    if let Some(escalated) = as_user {
        script.push_str(RESTORE_LOCALE);
        script.push_str(BEGIN);
        // The password line is still there if nobody asked for it.
        writeln!(script, "l=; until [ \"$l\" = {nonce} ]; do {READ_LINE}; done").expect(TAKES_ALL);
        push_line(nonce, &mut header);
        push_work(nonce, work, &mut script, &mut header);
        script = escalate(nonce, escalated, &script);
    } else {
        script.push_str(BEGIN);
        push_work(nonce, work, &mut script, &mut header);
    }
    let password_line = as_user.map(|escalated| {
        let mut line = Zeroizing::new(escalated.password.as_deref().cloned().unwrap_or_default());
        line.push(b'\n');
        line
    });
    Prepared { script, password_line, header }
}

/// Writes the script that ends a running command: politely first, for good after two seconds.
pub(crate) fn kill(nonce: &str, group: bool, pid: u32, as_user: Option<&Become>) -> Prepared {
    let whom = if group { format!("-- -{pid}") } else { pid.to_string() };
    // A program such as `timeout` puts its children into a group of their own, but they stay in the session.
    let session = |signal: &str| match group {
        true => format!("command -v pkill >/dev/null 2>&1 && pkill -{signal} -s {pid} 2>/dev/null\n"),
        false => String::new(),
    };
    let script = format!(
        "kill -s TERM {whom} 2>/dev/null\n{}i=0\n\
         while [ $i -lt 20 ] && kill -s 0 {whom} 2>/dev/null; do\n\
         sleep 0.1 2>/dev/null || {{ sleep 1; i=$((i+9)); }}\ni=$((i+1))\ndone\n\
         kill -s KILL {whom} 2>/dev/null\n{}:",
        session("TERM"),
        session("KILL"),
    );
    prepare(nonce, &Work::Script(script), as_user)
}

const TAKES_ALL: &str = "a String takes all";

/// Says that the wrapper runs. Where nobody hears it any more, nothing may be started.
const BEGIN: &str = "m B && m B >&2 || exit 97\n";

/// Takes a line of the header. Where it does not come whole, whoever sent it is gone: nothing may be started then.
const READ_LINE: &str = "IFS= read -r l || exit 97";

/// Undoes the locale that was set for the sake of readable complaints.
const RESTORE_LOCALE: &str = "l=${1-${LAUNCHWAY_LOCALE-}}; unset LAUNCHWAY_LOCALE\n\
    if [ -n \"$l\" ]; then LC_ALL=$l; export LC_ALL; else unset LC_ALL; fi\n";

fn marks(nonce: &str) -> String {
    format!("m() {{ printf '\\036%s %s\\n' {nonce} \"$1\"; }}\n")
}

fn push_line(line: &str, header: &mut Zeroizing<Vec<u8>>) {
    header.extend_from_slice(line.as_bytes());
    header.push(b'\n');
}

fn push_work(nonce: &str, work: &Work, script: &mut String, header: &mut Zeroizing<Vec<u8>>) {
    match work {
        Work::Program { argv, env, cwd } => {
            let exports = push_variables(nonce, env, script, header);
            push_program(argv, &exports, cwd.as_deref(), script);
        }
        Work::Script(own) => {
            script.push_str("(\n");
            script.push_str(own);
            script.push_str("\n)\ns=$?; m \"E $s\"; m \"E $s\" >&2\n");
        }
    }
}

/// Writes what takes in the secrets, and returns what exports all variables.
fn push_variables(
    nonce: &str,
    env: &[(String, Value)],
    script: &mut String,
    header: &mut Zeroizing<Vec<u8>>,
) -> String {
    let mut exports = String::new();
    for (number, (name, value)) in env.iter().enumerate() {
        match value {
            Value::Plain(text) => writeln!(exports, "export {name}={}", quote(text)).expect(TAKES_ALL),
            Value::Secret(bytes) => {
                push_line(&Zeroizing::new(escape_line(bytes)), header);
                // The full stop keeps line ends at the value's end, which `$( )` takes away.
                writeln!(script, "{READ_LINE}; v{number}=$(printf '%b.' \"$l\"); v{number}=${{v{number}%.}}")
                    .expect(TAKES_ALL);
                writeln!(exports, "export {name}=\"$v{number}\"").expect(TAKES_ALL);
            }
        }
    }
    if env.iter().any(|(_, value)| matches!(value, Value::Secret(_))) {
        writeln!(script, "{READ_LINE}; [ \"$l\" = {nonce} ] || exit 97").expect(TAKES_ALL);
        push_line(nonce, header);
    }
    exports
}

fn push_program(argv: &[String], exports: &str, cwd: Option<&str>, script: &mut String) {
    if let Some(cwd) = cwd {
        // `cd -` would go elsewhere.
        let cwd = if cwd.starts_with('/') { cwd.to_owned() } else { format!("./{cwd}") };
        writeln!(script, "CDPATH= cd -- {} >/dev/null 2>&1 || {{ m 'E cwd'; m 'E cwd' >&2; exit 0; }}", quote(&cwd))
            .expect(TAKES_ALL);
    }
    script.push_str("set --");
    for word in argv {
        script.push(' ');
        script.push_str(&quote(word));
    }
    // Found by its full path: PATH may be one of the exports.
    script.push_str(
        "\nt=; for l in /usr/bin/setsid /bin/setsid; do if [ -x \"$l\" ]; then t=$l; break; fi; done\n\
         exec 3<&0\n(\nexec 0<&3 3<&-\n",
    );
    script.push_str(exports);
    // What nobody hears of could be killed by nobody later. It may not have its process group yet.
    script.push_str(
        "if [ -n \"$t\" ]; then exec \"$t\" -- \"$@\"; else exec \"$@\"; fi\n) &\n\
         p=$!; exec 3<&- </dev/null\n\
         trap '' PIPE; l=P; [ -z \"$t\" ] || l=G\n\
         m \"$l $p\" >&2 && m \"$l $p\" || kill -s KILL -- \"-$p\" 2>/dev/null || kill -s KILL \"$p\"\n\
         wait \"$p\" 2>/dev/null; s=$?; m \"E $s\"; m \"E $s\" >&2\n",
    );
}

fn escalate(nonce: &str, escalated: &Become, inner: &str) -> String {
    let (program, call) = match escalated.method {
        EscalationMethod::Sudo if escalated.password.is_some() => {
            ("sudo", "sudo -S -p '' -H -u \"$u\" -- /bin/sh -c \"$w\" lw \"$l\"")
        }
        EscalationMethod::Sudo => ("sudo", "sudo -n -H -u \"$u\" -- /bin/sh -c \"$w\" lw \"$l\""),
        EscalationMethod::Doas => ("doas", "doas -n -u \"$u\" /bin/sh -c \"$w\" lw \"$l\""),
        EscalationMethod::Su => ("su", "su -s /bin/sh -c \"$w\" -- \"$u\""),
    };
    format!(
        "{}u={}\nw={}\n\
         if [ \"$(id -un 2>/dev/null)\" = \"$u\" ]; then exec /bin/sh -c \"$w\" lw \"${{LC_ALL-}}\"; fi\n\
         command -v {program} >/dev/null 2>&1 || {{ m X >&2; exit 127; }}\n\
         l=${{LC_ALL-}}; LC_ALL=C; LAUNCHWAY_LOCALE=$l; export LC_ALL LAUNCHWAY_LOCALE\n\
         exec {call}\n",
        marks(nonce),
        quote(&escalated.user),
        quote(inner),
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// Runs a script with an input that ends early, or does not.
    fn run(shell: &[&str], script: &str, input: &[u8]) -> String {
        let mut child = Command::new(shell[0])
            .args(&shell[1..])
            .arg(script.replace("/bin/sh", &shell[..shell.len() - 1].join(" ")))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // A shell that has given up reads no more.
        let _ = child.stdin.take().unwrap().write_all(input);
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }

    #[test]
    fn nothing_starts_before_all_secrets_came() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        let secret = |text: &str| Value::Secret(Zeroizing::new(text.as_bytes().to_vec()));
        let work = Work::Program {
            argv: words(&["/usr/bin/env", "printf", "started\\n"]),
            env: vec![("A".to_owned(), secret("one")), ("B".to_owned(), secret("two\n"))],
            cwd: None,
        };
        let name = Command::new("id").arg("-un").output().unwrap().stdout;
        let user = String::from_utf8(name).unwrap().trim().to_owned();
        let me = Become { user, method: EscalationMethod::Sudo, password: None };
        for shell in [&["/bin/sh", "-c"][..], &["dash", "-c"], &["bash", "-c"], &["busybox", "sh", "-c"]] {
            if Command::new(shell[0]).args(&shell[1..]).arg(":").status().is_err() {
                println!("skipped: {} is not installed", shell[0]);
                continue;
            }
            for as_user in [None, Some(&me)] {
                let Prepared { script, header, .. } = prepare("n0nce", &work, as_user);
                for end in 0..header.len() {
                    let printed = run(shell, &script, &header[..end]);
                    assert!(!printed.contains("started"), "{shell:?}: {printed} after {end} bytes");
                }
                let printed = run(shell, &script, &header);
                assert!(printed.contains("started") && printed.contains("E 0"), "{shell:?}: {printed}");
            }
        }
    }
}
