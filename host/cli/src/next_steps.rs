//! What can be done after a run that did not end well.

use std::path::Path;

use clap::ValueEnum as _;
use launchway_model::{Operation, Plan, RunId, RunOutcome};
use launchway_report::shell_quote;
use serde::Serialize;

use crate::args::{Global, OthersArgs, PartArgs, ReleaseArgs};
use crate::reporter::Gathered;

/// A command that goes on from where a run ended.
#[derive(PartialEq, Eq, Debug, Serialize)]
pub(crate) struct NextStep {
    /// For a POSIX shell, as it stands; whoever shows it to people sanitises it.
    pub command: String,
    /// What it does, in words.
    pub effect: &'static str,
}

/// The options with which a command was given, to be given again; its environment is known from the plan.
#[derive(Clone, Default, Debug)]
pub(crate) struct Again {
    /// Where the project and its store are: every command needs them.
    place: String,
    /// What the command was asked to do.
    wishes: String,
}

impl Again {
    pub(crate) fn new(global: &Global) -> Self {
        let mut again = Self::default();
        let text = |path: &Path| path.to_string_lossy().into_owned();
        again.place.extend(global.directory.as_deref().map(|path| option("-C", &text(path))));
        again.place.extend(global.store.as_deref().map(|path| option("--store", &text(path))));
        again
    }

    pub(crate) fn release(mut self, release: &ReleaseArgs) -> Self {
        self.wishes.extend(release.version.as_deref().map(|version| option("--version", version)));
        self.set(&release.set)
    }

    pub(crate) fn set(mut self, values: &[String]) -> Self {
        self.wishes.extend(values.iter().map(|value| option("--set", value)));
        self
    }

    /// The components of a restart, which are no options.
    pub(crate) fn restart(mut self, part: &PartArgs) -> Self {
        self.wishes.extend(part.component.iter().map(|name| format!(" {}", shell_quote(name))));
        self.part(&PartArgs { component: Vec::new(), target: part.target.clone() })
    }

    /// Instances that are named, which are no options.
    pub(crate) fn instances(mut self, names: &[String]) -> Self {
        self.wishes.extend(names.iter().map(|name| format!(" {}", shell_quote(name))));
        self
    }

    pub(crate) fn force(mut self, components: &[String]) -> Self {
        self.wishes.extend(components.iter().map(|name| option("--force", name)));
        self
    }

    pub(crate) fn others(mut self, others: OthersArgs) -> Self {
        self.wishes.push_str(if others.ignore_requires { " --ignore-requires" } else { "" });
        let drift = others.drift.and_then(|drift| Some(drift.to_possible_value()?.get_name().to_owned()));
        self.wishes.extend(drift.map(|drift| option("--drift", &drift)));
        self
    }

    pub(crate) fn part(mut self, part: &PartArgs) -> Self {
        self.wishes.extend(part.component.iter().map(|name| option("--component", name)));
        self.wishes.extend(part.target.iter().map(|name| option("--target", name)));
        self
    }
}

/// Returns what can be done now, the most likely first; nothing after a run that ended well.
pub(crate) fn next_steps(
    plan: &Plan,
    again: &Again,
    run: RunId,
    outcome: RunOutcome,
    gathered: &Gathered,
) -> Vec<NextStep> {
    let step = gathered.failed.first().map(|step| &*step.key.0);
    steps(&plan.operation, plan.environment.as_str(), again, run, outcome, step)
}

fn steps(
    operation: &Operation,
    environment: &str,
    again: &Again,
    run: RunId,
    outcome: RunOutcome,
    failed: Option<&str>,
) -> Vec<NextStep> {
    let Again { place, wishes } = again;
    let there = format!("{}{place}", option("-e", environment));
    let mut next = Vec::new();
    let mut add = |command: String, effect| next.push(NextStep { command, effect });
    let effect = match outcome {
        RunOutcome::Done => return Vec::new(),
        RunOutcome::Stopped => "goes on",
        RunOutcome::Failed | RunOutcome::RolledBack => {
            let step = failed.map(|step| option("--step", step)).unwrap_or_default();
            add(format!("launchway show {run}{step} --log{place}"), "shows all of a step's output");
            "goes on after the fix"
        }
    };
    match operation {
        Operation::Deploy => add(format!("launchway deploy{there}{wishes}"), effect),
        Operation::Undeploy => add(format!("launchway undeploy{there}{wishes}"), effect),
        // Going back from going back is going on with what was not wanted.
        Operation::Rollback { run } => {
            add(format!("launchway rollback {run}{there}{wishes}"), effect);
            return next;
        }
        Operation::Forget => {
            add(format!("launchway forget{there}{wishes}"), effect);
            return next;
        }
        Operation::Adopt => {
            add(format!("launchway adopt{there}{wishes}"), effect);
            return next;
        }
        Operation::Restart => {
            add(format!("launchway restart{there}{wishes}"), effect);
            return next;
        }
        Operation::Task { name } => {
            add(format!("launchway task {}{there}{wishes}", shell_quote(name.as_str())), effect);
            return next;
        }
        Operation::RollbackTo { version } => {
            add(format!("launchway rollback{}{there}{wishes}", option("--to", version.as_str())), effect);
        }
    }
    if outcome != RunOutcome::RolledBack {
        add(format!("launchway rollback {run}{there}"), "restores what the run changed");
    }
    next
}

/// Returns an option with its value, and a blank before it.
fn option(name: &str, value: &str) -> String {
    // A value that looks like an option must stand in one word with its own.
    let between = if value.starts_with('-') { '=' } else { ' ' };
    format!(" {name}{between}{}", shell_quote(value))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn commands(operation: &Operation, again: &Again, outcome: RunOutcome, failed: Option<&str>) -> Vec<String> {
        let found = steps(operation, "blue sky", again, RunId(7), outcome, failed);
        found.into_iter().map(|next| next.command).collect()
    }

    #[test]
    fn each_operation_goes_on_in_its_own_way() {
        let again = Again::default();
        let show = "launchway show 7 --step 'a@b/start/x y' --log";
        let back = "launchway rollback 7 -e 'blue sky'";
        let failed = Some("a@b/start/x y");
        let deploy = commands(&Operation::Deploy, &again, RunOutcome::Failed, failed);
        assert_eq!(deploy, [show, "launchway deploy -e 'blue sky'", back]);
        let undeploy = commands(&Operation::Undeploy, &again, RunOutcome::Stopped, None);
        assert_eq!(undeploy, ["launchway undeploy -e 'blue sky'", back]);
        let rollback = commands(&Operation::Rollback { run: RunId(5) }, &again, RunOutcome::Failed, failed);
        assert_eq!(rollback, [show, "launchway rollback 5 -e 'blue sky'"], "not back to what was rolled back");
        assert!(commands(&Operation::Deploy, &again, RunOutcome::Done, None).is_empty());
    }

    fn parsed(words: &[&str]) -> Cli {
        Cli::try_parse_from(words).unwrap()
    }

    fn again(cli: &Cli) -> Again {
        let Command::Deploy(args) = &cli.command else { panic!("a deployment") };
        Again::new(&cli.global).release(&args.release).part(&args.part)
    }

    #[test]
    fn a_command_is_given_again_as_it_was() {
        let words = [
            "launchway",
            "deploy",
            "-C",
            "my shop",
            "--store=-s",
            "--version",
            "1.0-rc\n1",
            "--set",
            "a=it's $x",
            "--set=-b=2",
            "--component",
            "!web",
            "--component",
            "api*",
            "--target",
            "app1",
        ];
        let given = parsed(&words);
        let [on, back] =
            <[String; 2]>::try_from(commands(&Operation::Deploy, &again(&given), RunOutcome::Stopped, None)).unwrap();
        assert_eq!(back, "launchway rollback 7 -e 'blue sky' -C 'my shop' --store=-s");
        // A real shell takes it apart, and clap reads what comes of that.
        let script = format!("launchway() {{ printf '%s\\0' launchway \"$@\"; }}\n{on}");
        let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        let found: Vec<&str> = output.split_terminator('\0').collect();
        let read = parsed(&found);
        assert_eq!(read.global.environment.as_deref(), Some("blue sky"));
        assert_eq!((&read.global.directory, &read.global.store), (&given.global.directory, &given.global.store));
        let (Command::Deploy(read), Command::Deploy(given)) = (read.command, given.command) else {
            panic!("{found:?}")
        };
        assert_eq!(format!("{:?}{:?}", read.release, read.part), format!("{:?}{:?}", given.release, given.part));
    }
}
