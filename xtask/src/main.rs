//! Contributor commands: `cargo xtask help` lists them. Each prints what it runs.

mod bench;
mod check;
mod demo;
mod packages;
mod plugins;
mod process;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Contributor commands of Launchway.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what the other commands need: the WebAssembly target and, as root on Debian, a few packages
    Setup,
    /// Build the plugins and the `launchway` binary with the plugins embedded
    Build {
        /// Build with the release profile
        #[arg(long)]
        release: bool,
    },
    /// Write the plugins' schemas, as their types say
    Schemas,
    /// Run every test
    Test {
        /// Passed on to the test runner of the main workspace, such as a test's name
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Check formatting and run clippy, in all workspaces
    Lint,
    /// Deploy, upgrade, break, roll back and undeploy `examples/shop` on three test hosts
    Demo {
        /// Use the `local` transport even where test hosts could be started
        #[arg(long)]
        local: bool,
        /// Use this binary instead of building one
        #[arg(long, value_name = "FILE")]
        binary: Option<PathBuf>,
    },
    /// Measure the budgets of docs/performance.md
    Bench {
        /// Passed on to the benchmarks, such as a benchmark's name
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    match Arguments::parse().command {
        Command::Setup => packages::setup(),
        Command::Build { release } => {
            let binary = plugins::build(release)?;
            println!("{}", binary.display());
            Ok(())
        }
        Command::Schemas => plugins::write_schemas(),
        Command::Test { arguments } => check::test(&arguments),
        Command::Lint => check::lint(),
        Command::Demo { local, binary } => demo::run(local, binary),
        Command::Bench { arguments } => bench::run(&arguments),
    }
}
