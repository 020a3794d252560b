//! Compiling in a child process that can be limited and killed: a few hundred KiB can keep a compiler busy for minutes.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};

use super::code::TrustedCode;
use super::engine::{Sandbox, chain};
use super::text;

/// Of the child, in seconds of all its threads together.
const CPU_LIMIT: u64 = 120;
/// Of the child's address space, in bytes.
const ADDRESS_LIMIT: u64 = 4 << 30;
const THREADS: &str = "4";
/// For people who wait.
const TIME_LIMIT: Duration = Duration::from_secs(180);
/// The largest code that is taken, in bytes.
const OUTPUT_LIMIT: u64 = 512 << 20;
/// How much of what it says is kept, in bytes.
const STDERR_LIMIT: u64 = 4 << 10;

/// Compiles the component on standard input to standard output: the main function of the compiling child.
///
/// The caller has re-executed its own binary to get here, so that code and engine fit.
pub fn compile_child_main() -> ExitCode {
    match compile_stdin() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // Nobody to tell if this fails.
            let _ = writeln!(io::stderr(), "{reason}");
            ExitCode::FAILURE
        }
    }
}

fn compile_stdin() -> Result<(), String> {
    for (resource, limit) in [(Resource::Cpu, CPU_LIMIT), (Resource::As, ADDRESS_LIMIT), (Resource::Core, 0)] {
        // The soft limit on time has a signal of its own, the hard one has not.
        let grace = u64::from(matches!(resource, Resource::Cpu));
        let limit = Rlimit { current: Some(limit), maximum: Some(limit + grace) };
        setrlimit(resource, limit).map_err(|error| format!("can't limit the compiler: {error}"))?;
    }
    let mut component = Vec::new();
    io::stdin().read_to_end(&mut component).map_err(|error| format!("can't read the component: {error}"))?;
    let sandbox = Sandbox::plain().map_err(|error| error.to_string())?;
    let cwasm = sandbox.engine().precompile_component(&component).map_err(|error| chain(&error))?;
    io::stdout().write_all(&cwasm).map_err(|error| format!("can't hand over the code: {error}"))
}

/// Compiles in this process: for components that are our own.
pub(crate) fn compile_here(sandbox: &Sandbox, component: &[u8]) -> Result<TrustedCode, String> {
    sandbox.engine().precompile_component(component).map(TrustedCode::compiled).map_err(|error| chain(&error))
}

/// Compiles in a child; `command` is one that runs [`compile_child_main`].
pub(crate) fn compile_in_child(command: &[OsString], component: &[u8]) -> Result<TrustedCode, String> {
    let Some((program, args)) = command.split_first() else {
        return Err("this program has no compiler".to_owned());
    };
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        // Each thread takes address space, and a machine may have hundreds of cores.
        .env("RAYON_NUM_THREADS", THREADS)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("can't start the compiler {}: {error}", program.display()))?;
    let result = talk(&mut child, component);
    // Also after an error or a panic on the way, nothing is left running. Killing what ended is no error.
    let _ = child.kill();
    let status = child.wait().map_err(|error| format!("can't wait for the compiler: {error}"))?;
    let (cwasm, stderr) = result?;
    if cwasm.len() as u64 >= OUTPUT_LIMIT {
        return Err(format!("its code has more than {} MiB", OUTPUT_LIMIT >> 20));
    }
    if !status.success() {
        return Err(why(status, &stderr));
    }
    Ok(TrustedCode::compiled(cwasm))
}

/// Feeds the child and takes what it puts out, until both of its outputs are closed.
fn talk(child: &mut Child, component: &[u8]) -> Result<(Vec<u8>, String), String> {
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err("the compiler has no pipes".to_owned());
    };
    thread::scope(|scope| {
        // A child that ended early breaks the pipe, and says why elsewhere.
        scope.spawn(move || drop(stdin.write_all(component)));
        let errors = scope.spawn(move || read_errors(stderr));
        let (send, receive) = mpsc::channel();
        scope.spawn(move || {
            let mut cwasm = Vec::new();
            let read = stdout.take(OUTPUT_LIMIT).read_to_end(&mut cwasm).map(|_| cwasm);
            let _ = send.send(read);
        });
        let read = receive.recv_timeout(TIME_LIMIT);
        if !matches!(read, Ok(Ok(ref cwasm)) if (cwasm.len() as u64) < OUTPUT_LIMIT) {
            // Lets the threads end.
            let _ = child.kill();
        } else {
            // All is there; the exit status says whether it is good.
            let _ = child.wait();
        }
        let errors = errors.join().unwrap_or_default();
        match read {
            Ok(Ok(cwasm)) => Ok((cwasm, errors)),
            Ok(Err(error)) => Err(format!("can't read the code: {error}")),
            Err(_) => Err(format!("it takes more than {} s", TIME_LIMIT.as_secs())),
        }
    })
}

fn read_errors(stderr: ChildStderr) -> String {
    let mut bytes = Vec::new();
    let mut stderr = stderr.take(STDERR_LIMIT);
    let _ = stderr.read_to_end(&mut bytes);
    // Whatever else it says must not block it.
    let _ = io::copy(&mut stderr.into_inner(), &mut io::sink());
    text::line(String::from_utf8_lossy(&bytes).trim(), STDERR_LIMIT as usize)
}

/// Says why a child did not succeed.
fn why(status: ExitStatus, stderr: &str) -> String {
    let killed_by = |signal: rustix::process::Signal| status.signal() == Some(signal.as_raw());
    if killed_by(rustix::process::Signal::XCPU) {
        format!("it takes more than {CPU_LIMIT} s of processor time")
    } else if killed_by(rustix::process::Signal::KILL) {
        format!("its compiler was killed; it may take more than {CPU_LIMIT} s of processor time, or too much memory")
    } else if stderr.contains("memory allocation") || killed_by(rustix::process::Signal::ABORT) {
        format!("it takes more than {} GiB of memory", ADDRESS_LIMIT >> 30)
    } else if stderr.is_empty() {
        format!("the compiler ended without a word ({status})")
    } else {
        stderr.to_owned()
    }
}
