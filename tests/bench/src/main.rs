//! The budgets of `docs/performance.md`, measured: each a ratio beside its peer in one run, or a count.
//!
//! Whole programs are measured from outside. Nothing here passes or fails; the figures are for people to read.

mod cold_start;
mod guest;
mod hosts;
mod makespan;
mod measure;
mod peer;
mod plugin_call;
mod scaling;
mod steps;
mod table;
mod trivial;
mod waiting;

use anyhow::{Result, bail};
use clap::Parser;

type Benchmark = (&'static str, &'static str, fn() -> Result<()>);

const BENCHMARKS: &[Benchmark] = &[
    ("cold-start", "`validate` of a small project, beside terraform", cold_start::run),
    ("plugin-call", "one call into a plugin: a fresh instance, limits on", plugin_call::run),
    ("scaling", "planning n, 2n, 4n, … instances", scaling::run),
    ("trivial", "2,000 resources that do nothing, beside terraform", trivial::run),
    ("steps", "steps that do nothing, journaled, on one core", steps::run),
    ("waiting", "processor time while steps wait", waiting::run),
    ("makespan", "four hosts with steps of two seconds, beside the critical path", makespan::run),
    ("hosts", "50 hosts over SSH, beside a shell loop and pyinfra", hosts::run),
];

/// Measure the budgets.
#[derive(Parser)]
struct Arguments {
    /// The benchmarks to run; all of them if none is named
    names: Vec<String>,
    /// Only list them
    #[arg(long)]
    list: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(name) = arguments.names.iter().find(|name| !BENCHMARKS.iter().any(|(known, ..)| known == name)) {
        bail!("there is no benchmark `{name}`; `--list` shows them");
    }
    for (name, what, run) in BENCHMARKS {
        if arguments.list {
            println!("{name:12} {what}");
        } else if arguments.names.is_empty() || arguments.names.iter().any(|wanted| wanted == name) {
            println!("\n## {name}: {what}\n");
            run()?;
        }
    }
    Ok(())
}
