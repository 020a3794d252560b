//! The `launchway` command: reads arguments and projects, wires the crates together, shows what comes of it.
//!
//! Owns the process: standard streams, signals, exit code. Not for: rules about plans or runs, which are the crates'
//! own.

mod adapters;
mod args;
mod commands;
mod confirm;
mod console;
mod context;
mod drift;
mod embedded;
mod encrypted;
mod environment;
mod error;
mod exit;
mod gates;
mod holder;
mod inspection;
mod interrupts;
mod inventory;
mod kept_plugins;
mod live_run;
mod markers;
mod next_steps;
mod planning;
mod preflight;
mod process;
mod project;
#[cfg(test)]
mod reference;
mod release;
mod reporter;
mod requirements;
mod saved_plan;

/// Plans are made of millions of small pieces: this takes a sixth off the time of the system's allocator, and far more off
/// that of a static build's.
#[global_allocator]
static HEAP: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    process::main()
}
