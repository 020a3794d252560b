//! The misdeeds that can be done anywhere.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::failed;
use crate::launchway::plugin::target::{Command, Exit, FileOptions, Source};
use crate::launchway::plugin::types::{Failure, Vantage};
use crate::launchway::plugin::{clock, http, log, net, secrets, target};

/// Does what the word says; a word that is none is harmless.
pub fn run(deed: &str) {
    match deed {
        "clock" => drop(black_box(clock::elapsed_ms())),
        "open" => drop(black_box(secrets::open("known"))),
        "exec" => drop(black_box(target::exec(&command(&["true"])))),
        "put" => drop(black_box(put(&Source::Bytes(b"x".to_vec())))),
        "read" => drop(black_box(target::read("/etc/passwd", 10, None))),
        "stat" => drop(black_box(target::stat("/etc/passwd", None))),
        "send" => drop(black_box(http::send(&request()))),
        "download" => drop(black_box(http::download(&request(), "file"))),
        "connect" => drop(black_box(net::connect("127.0.0.1", 1, 10, Vantage::Host))),
        "log" => log::emit(log::Level::Info, "just saying"),
        "loop" => loop {
            black_box(0);
        },
        "recurse" => drop(black_box(recurse())),
        "recurse-wide" => drop(black_box(recurse_wide(1))),
        "panic" => panic!("deliberate misfortune"),
        "abort" => std::process::abort(),
        "memory" => allocate(),
        "calls" => loop {
            log::progress(None, "");
        },
        "flood" => (0..80_000).for_each(|_| log::emit(log::Level::Info, &"flood ".repeat(20))),
        "escapes" => {
            log::emit(log::Level::Info, "\u{1b}[2J\u{1b}]0;owned\u{7}cleared\r\n::set-env name=A::b\n##vso[task.x]");
            log::progress(Some(f32::NAN), "\u{1b}[31mred");
            log::progress(Some(7.0), "over");
        }
        "handles" => {
            let handles: Vec<_> = (0..100_000).map(|_| secrets::open("known")).collect();
            drop(black_box(handles));
        }
        "big" => drop(black_box(put(&Source::Bytes(vec![1; 8 << 20])))),
        "bytes" => loop {
            drop(black_box(put(&Source::Bytes(vec![1; 1 << 20]))));
        },
        "greedy" => drop(black_box(target::read("/dev/zero", u64::MAX, None))),
        "hang" => drop(black_box(target::exec(&command(&["hang"])))),
        _ => {}
    }
}

pub fn try_exec() -> Result<(), Failure> {
    match target::exec(&command(&["fail"]))?.exit {
        Exit::Code(0) => Ok(()),
        _ => Err(failed("it did not work")),
    }
}

pub fn exec_nothing() -> Result<(), Failure> {
    target::exec(&command(&[])).map(drop)
}

pub fn open(name: &str) -> Result<(), Failure> {
    secrets::open(name).map(drop)
}

pub fn put_artifact(name: &str) -> Result<(), Failure> {
    put(&Source::Artifact(name.to_owned())).map(drop)
}

fn put(source: &Source) -> Result<target::Written, Failure> {
    let options = FileOptions { mode: None, owner: None, group: None, as_user: None };
    target::put(source, "/tmp/hostile", &options)
}

fn command(argv: &[&str]) -> Command<'static> {
    Command {
        argv: argv.iter().map(|&word| word.to_owned()).collect(),
        env: Vec::new(),
        cwd: None,
        stdin: Vec::new(),
        as_user: None,
        timeout_ms: None,
        quiet: false,
    }
}

fn request() -> http::Request<'static> {
    http::Request {
        method: "GET".to_owned(),
        url: "http://127.0.0.1:1/".to_owned(),
        headers: Vec::new(),
        body: None,
        timeout_ms: None,
        redirects: 0,
        tls: http::Tls { authorities: None, insecure: false },
        from: Vantage::Host,
    }
}

/// Takes the host's stack for guests: a frame without anything whose address is taken.
fn recurse() -> u32 {
    static DEPTH: AtomicU32 = AtomicU32::new(0);
    match DEPTH.fetch_add(1, Ordering::Relaxed) {
        u32::MAX => 0,
        // Nothing that the compiler could turn into a loop.
        depth => recurse().rotate_left(depth),
    }
}

/// Takes the guest's own stack in its memory.
#[expect(unconditional_recursion, reason = "that is the misdeed")]
fn recurse_wide(depth: u64) -> u64 {
    let frame = black_box([depth; 16]);
    recurse_wide(depth + 1) + frame[0]
}

fn allocate() {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 1 << 20]));
    }
}
