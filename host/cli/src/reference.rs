//! `docs/cli.md`, made from the arguments themselves.

use std::path::Path;

use clap::{Arg, Command, CommandFactory};

use crate::args::Cli;

const HEAD: &str = "# Commands

<!-- Made from the arguments' own descriptions. UPDATE_DOCS=1 cargo nextest run -p launchway-cli reference -->

Data goes to standard output, narration to standard error. With `--json` every command prints one document whose first
key is `schema`, its format's version; `deploy`, `undeploy`, `rollback` and the other commands that make a run
print a stream instead, a JSON object per line, of which the first carries the version and the last is a `summary`. Steps'
output that comes faster than it is read is left out of the stream, whole lines at a time: `output-dropped` tells of how
many, and `show --log` has them. `schema` prints a JSON Schema, and so nothing
of ours before it. Exit codes are in [exit-codes.md](exit-codes.md).

Colours and drawings are left out where standard error is no terminal, with `--no-color`, and when `NO_COLOR` is set.
";

fn markdown() -> String {
    let mut root = Cli::command();
    root.build();
    let mut out = HEAD.to_owned();
    out.push_str("\n## For every command\n\n");
    out.push_str(&arguments(root.get_arguments().filter(|argument| argument.is_global_set())));
    for command in root.get_subcommands().filter(|command| command.get_name() != "help") {
        describe(command, "launchway", &mut out);
    }
    out
}

fn describe(command: &Command, parent: &str, out: &mut String) {
    let name = format!("{parent} {}", command.get_name());
    let subcommands: Vec<&Command> = command.get_subcommands().filter(|command| command.get_name() != "help").collect();
    if !subcommands.is_empty() {
        subcommands.into_iter().for_each(|command| describe(command, &name, out));
        return;
    }
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let positional: String = command
        .get_positionals()
        .map(|argument| {
            let name = value_name(argument);
            if argument.is_required_set() { format!(" {name}") } else { format!(" [{name}]") }
        })
        .collect();
    out.push_str(&format!("\n## `{name}{positional}`\n\n{about}.\n"));
    let own = arguments(command.get_arguments().filter(|argument| !argument.is_global_set()));
    if !own.is_empty() {
        out.push_str(&format!("\n{own}"));
    }
}

fn arguments<'a>(arguments: impl Iterator<Item = &'a Arg>) -> String {
    let shown = arguments.filter(|argument| !matches!(argument.get_id().as_str(), "help" | "tool-version"));
    shown.filter(|argument| argument.get_long() != Some("help")).map(row).collect()
}

fn row(argument: &Arg) -> String {
    let mut names: Vec<String> = argument.get_short().map(|short| format!("-{short}")).into_iter().collect();
    names.extend(argument.get_long().map(|long| format!("--{long}")));
    let takes_value = argument.get_action().takes_values();
    let name = match (names.is_empty(), takes_value) {
        (true, _) => value_name(argument),
        (false, true) => format!("{} {}", names.join(", "), value_name(argument)),
        (false, false) => names.join(", "),
    };
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<String> =
        argument.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    let values = if takes_value && !values.is_empty() { format!(": {}", values.join(", ")) } else { String::new() };
    let variable = argument.get_env().map(|name| format!(" (or `{}`)", name.to_string_lossy())).unwrap_or_default();
    format!("- `{name}` – {help}{values}{variable}.\n")
}

fn value_name(argument: &Arg) -> String {
    argument
        .get_value_names()
        .and_then(|names| names.first())
        .map_or_else(|| argument.get_id().as_str().to_uppercase(), ToString::to_string)
}

#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let expected = markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &expected).expect("docs/cli.md can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "run it with UPDATE_DOCS=1");
}

#[test]
fn everything_has_a_help_text() {
    fn look(command: &Command, name: &str) {
        assert!(command.get_about().is_some(), "`{name}` has no description");
        for argument in command.get_arguments() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.trim().is_empty(), "`{}` of `{name}` has no help", argument.get_id());
        }
        for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
            look(command, &format!("{name} {}", command.get_name()));
        }
    }
    let mut root = Cli::command();
    root.build();
    look(&root, "launchway");
}

#[test]
fn the_arguments_make_sense() {
    Cli::command().debug_assert();
}
