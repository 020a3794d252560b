//! The script that runs a command on a target and tells what became of it.
//!
//! SSH alone can't tell an exit status of 255, a killed shell and a lost connection apart, kills nothing when a client
//! goes away, and keeps a channel open for as long as any process holds an end of it. So every command runs under a few
//! lines of POSIX shell, which say on the same streams, between marks that carry a random nonce: when the login's own
//! talk is over, which process group to kill, and how the command ended. What has to stay secret goes over standard input
//! only, line by line before the command's own input.

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
        script.push_str("m B; m B >&2\n");
        // The password line is still there if nobody asked for it.
        writeln!(script, "while IFS= read -r l; do [ \"$l\" = {nonce} ] && break; done").expect(TAKES_ALL);
        header.extend_from_slice(nonce.as_bytes());
        header.push(b'\n');
        push_work(work, &mut script, &mut header);
        script = escalate(nonce, escalated, &script);
    } else {
        script.push_str("m B; m B >&2\n");
        push_work(work, &mut script, &mut header);
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

/// Undoes the locale that was set for the sake of readable complaints.
const RESTORE_LOCALE: &str = "l=${1-${LAUNCHWAY_LOCALE-}}; unset LAUNCHWAY_LOCALE\n\
    if [ -n \"$l\" ]; then LC_ALL=$l; export LC_ALL; else unset LC_ALL; fi\n";

fn marks(nonce: &str) -> String {
    format!("m() {{ printf '\\036%s %s\\n' {nonce} \"$1\"; }}\n")
}

fn push_work(work: &Work, script: &mut String, header: &mut Zeroizing<Vec<u8>>) {
    match work {
        Work::Program { argv, env, cwd } => push_program(argv, env, cwd.as_deref(), script, header),
        Work::Script(own) => {
            script.push_str("(\n");
            script.push_str(own);
            script.push_str("\n)\ns=$?; m \"E $s\"; m \"E $s\" >&2\n");
        }
    }
}

fn push_program(
    argv: &[String],
    env: &[(String, Value)],
    cwd: Option<&str>,
    script: &mut String,
    header: &mut Zeroizing<Vec<u8>>,
) {
    let mut exports = String::new();
    for (number, (name, value)) in env.iter().enumerate() {
        match value {
            Value::Plain(text) => writeln!(exports, "export {name}={}", quote(text)).expect(TAKES_ALL),
            Value::Secret(bytes) => {
                header.extend_from_slice(Zeroizing::new(escape_line(bytes)).as_bytes());
                header.push(b'\n');
                // The full stop keeps line ends at the value's end, which `$( )` takes away.
                writeln!(script, "IFS= read -r l; v{number}=$(printf '%b.' \"$l\"); v{number}=${{v{number}%.}}")
                    .expect(TAKES_ALL);
                writeln!(exports, "export {name}=\"$v{number}\"").expect(TAKES_ALL);
            }
        }
    }
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
    script.push_str(&exports);
    script.push_str(
        "if [ -n \"$t\" ]; then exec \"$t\" -- \"$@\"; else exec \"$@\"; fi\n) &\n\
         p=$!; exec 3<&- </dev/null\n\
         if [ -n \"$t\" ]; then m \"G $p\" >&2; else m \"P $p\" >&2; fi\n\
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
