//! The command line, as clap reads it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use launchway_model::config::Drift;

/// Deploy applications: plan from the difference, run in parallel through sandboxed plugins.
#[derive(Parser, Debug)]
#[command(name = "launchway", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands.
#[derive(Args, Debug, Clone)]
pub(crate) struct Global {
    /// Work in this folder, or in the nearest one above it that holds a launchway.yaml
    #[arg(short = 'C', long = "directory", global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub directory: Option<PathBuf>,
    /// Use this environment; needed only if there are several in environments/
    #[arg(short, long, global = true, value_name = "NAME")]
    pub environment: Option<String>,
    /// Print JSON on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Say only what went wrong
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more; tools' output too
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Use no colours and draw nothing
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Keep state, journal and artifacts in this folder [default: .launchway in the project]
    #[arg(long, global = true, env = "LAUNCHWAY_STORE", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub store: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Write a small project that deploys to this machine
    Init(InitArgs),
    /// Check the project's files
    Validate(ReleaseArgs),
    /// Show what a deployment would change, and why
    Plan(PlanArgs),
    /// List the environment's targets, those of its inventories too
    Targets,
    /// Deploy: plan, ask, run
    Deploy(DeployArgs),
    /// Show what is deployed where
    Status(StatusArgs),
    /// Restore what a run changed, or deploy an earlier release again
    Rollback(RollbackArgs),
    /// Remove the application from the environment
    Undeploy(UndeployArgs),
    /// Take over what is on the targets already and not recorded; nothing is touched
    Adopt(AdoptArgs),
    /// Drop instances, or all of a target, from the records; nothing is touched
    Forget(ForgetArgs),
    /// Restart what runs, in its order, and check it
    Restart(RestartArgs),
    /// Run a task of the application
    Task(TaskArgs),
    /// List runs, the newest first
    Runs(RunsArgs),
    /// Show a run with its steps and how long they took
    Show(ShowArgs),
    /// Draw the plan's graph
    Graph(GraphArgs),
    /// Print the JSON Schema of a project file, for editors
    Schema(SchemaArgs),
    /// Print a completion script
    Completions(CompletionsArgs),
    /// Look at plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
}

#[derive(Args, Debug)]
pub(crate) struct InitArgs {
    /// The application's name [default: the folder's]
    pub name: Option<String>,
}

/// Which release, with which values.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct ReleaseArgs {
    /// The release's version, in place of the one in launchway.yaml
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
    /// A value for placeholders, before all dictionaries
    #[arg(long, value_name = "KEY=VALUE", action = clap::ArgAction::Append)]
    pub set: Vec<String>,
}

/// Which part of the application.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct PartArgs {
    /// Only this component (`*` and `?` match); `!NAME` leaves it out; may be repeated
    #[arg(long, value_name = "NAME", action = clap::ArgAction::Append)]
    pub component: Vec<String>,
    /// Only this target (`*` and `?` match); `!NAME` leaves it out; may be repeated
    #[arg(long, value_name = "NAME", action = clap::ArgAction::Append)]
    pub target: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub release: ReleaseArgs,
    #[command(flatten)]
    pub part: PartArgs,
    /// Save the plan for `launchway deploy FILE`
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Exit with 10 if there are changes
    #[arg(long)]
    pub exit_code: bool,
    /// Explain why this component is touched or not, and why its steps come when they do
    #[arg(long, value_name = "COMPONENT[@TARGET]", conflicts_with = "output")]
    pub why: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct DeployArgs {
    /// Run this saved plan as it is
    #[arg(value_name = "PLANFILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["version", "set", "component", "target", "force"])]
    pub plan: Option<PathBuf>,
    #[command(flatten)]
    pub release: ReleaseArgs,
    #[command(flatten)]
    pub part: PartArgs,
    /// Deploy this component again although nothing differs (`*` and `?` match); may be repeated
    #[arg(long, value_name = "NAME", action = clap::ArgAction::Append)]
    pub force: Vec<String>,
    #[command(flatten)]
    pub others: OthersArgs,
    #[command(flatten)]
    pub asking: AskingArgs,
}

/// What others have to say, and what they did.
#[derive(Args, Debug, Clone, Copy, Default)]
pub(crate) struct OthersArgs {
    /// What to do where others changed files that are replaced or taken away, instead of what the environment says
    #[arg(long, value_name = "POLICY")]
    pub drift: Option<DriftArg>,
    /// Go on although what applications require of one another is not met; the run records it
    #[arg(long)]
    pub ignore_requires: bool,
}

/// What to do where what is there was changed by others.
#[derive(ValueEnum, Debug, Clone, Copy)]
pub(crate) enum DriftArg {
    /// Don't look
    Overwrite,
    /// Say so and go on
    Warn,
    /// Refuse the run before it touches anything
    Fail,
}

impl From<DriftArg> for Drift {
    fn from(arg: DriftArg) -> Self {
        match arg {
            DriftArg::Overwrite => Self::Overwrite,
            DriftArg::Warn => Self::Warn,
            DriftArg::Fail => Self::Fail,
        }
    }
}

/// Who answers questions.
#[derive(Args, Debug, Clone, Copy, Default)]
pub(crate) struct AskingArgs {
    /// Don't ask
    #[arg(short, long)]
    pub yes: bool,
    /// Open all gates that wait for approval
    #[arg(long)]
    pub approve: bool,
}

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    /// Look at the targets, and say what is no longer as it was deployed; exit with 10 if anything is
    #[arg(long)]
    pub refresh: bool,
}

#[derive(Args, Debug)]
pub(crate) struct RestartArgs {
    /// Only these components (`*` and `?` match) [default: all that can be restarted]
    #[arg(value_name = "COMPONENT")]
    pub component: Vec<String>,
    /// Only this target (`*` and `?` match); `!NAME` leaves it out; may be repeated
    #[arg(long, value_name = "NAME", action = clap::ArgAction::Append)]
    pub target: Vec<String>,
    #[command(flatten)]
    pub asking: AskingArgs,
}

#[derive(Args, Debug)]
pub(crate) struct TaskArgs {
    /// The task's name under `tasks:`
    #[arg(value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub release: ReleaseArgs,
    /// Only this target (`*` and `?` match); `!NAME` leaves it out; may be repeated
    #[arg(long, value_name = "NAME", action = clap::ArgAction::Append)]
    pub target: Vec<String>,
    #[command(flatten)]
    pub asking: AskingArgs,
}

#[derive(Args, Debug)]
pub(crate) struct RollbackArgs {
    /// The run whose changes are undone [default: the last one]
    #[arg(value_name = "RUN", conflicts_with = "to", value_parser = run_number)]
    pub run: Option<u64>,
    /// Deploy this earlier release again
    #[arg(long, value_name = "VERSION")]
    pub to: Option<String>,
    /// A value for placeholders, before all dictionaries; only with --to
    #[arg(long, value_name = "KEY=VALUE", requires = "to", action = clap::ArgAction::Append)]
    pub set: Vec<String>,
    #[command(flatten)]
    pub part: PartArgs,
    #[command(flatten)]
    pub others: OthersArgs,
    #[command(flatten)]
    pub asking: AskingArgs,
}

#[derive(Args, Debug)]
pub(crate) struct UndeployArgs {
    #[command(flatten)]
    pub part: PartArgs,
    #[command(flatten)]
    pub others: OthersArgs,
    #[command(flatten)]
    pub asking: AskingArgs,
}

#[derive(Args, Debug)]
pub(crate) struct AdoptArgs {
    #[command(flatten)]
    pub release: ReleaseArgs,
    #[command(flatten)]
    pub part: PartArgs,
    /// Don't ask
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Args, Debug)]
#[group(id = "what", required = true, multiple = true, args = ["instance", "component", "target"])]
pub(crate) struct ForgetArgs {
    /// These instances, as `status` and `plan` name them: COMPONENT@TARGET
    #[arg(value_name = "INSTANCE", conflicts_with_all = ["component", "target"])]
    pub instance: Vec<String>,
    #[command(flatten)]
    pub part: PartArgs,
    /// Don't ask
    #[arg(short, long)]
    pub yes: bool,
}

#[derive(Args, Debug)]
pub(crate) struct RunsArgs {
    /// How many
    #[arg(short = 'n', long, default_value_t = 20, value_name = "COUNT", value_parser = count)]
    pub limit: usize,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// The run's number
    #[arg(value_name = "RUN", value_parser = run_number)]
    pub run: u64,
    /// Only steps whose key contains this
    #[arg(long, value_name = "STEP")]
    pub step: Option<String>,
    /// Print the steps' logs
    #[arg(long)]
    pub log: bool,
}

#[derive(Args, Debug)]
pub(crate) struct GraphArgs {
    #[command(flatten)]
    pub release: ReleaseArgs,
    #[command(flatten)]
    pub part: PartArgs,
    /// Only what waits for this step or component
    #[arg(long, value_name = "STEP|COMPONENT[@TARGET]")]
    pub from: Option<String>,
    /// Only what this step or component waits for; with --from only what is between the two
    #[arg(long, value_name = "STEP|COMPONENT[@TARGET]")]
    pub to: Option<String>,
    /// The drawing language
    #[arg(long, value_enum, default_value_t = GraphFormat::Dot)]
    pub format: GraphFormat,
    /// As if nothing were deployed yet
    #[arg(long)]
    pub all: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GraphFormat {
    Dot,
    Mermaid,
}

#[derive(Args, Debug)]
pub(crate) struct SchemaArgs {
    /// Of which file
    #[arg(value_enum, default_value_t = SchemaOf::Application)]
    pub of: SchemaOf,
    /// Write the schemas of both kinds of files into the project's folder, and say how to use them
    #[arg(long, conflicts_with = "of")]
    pub write: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SchemaOf {
    Application,
    Environment,
}

#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Subcommand, Debug)]
pub(crate) enum PluginCommand {
    /// List the plugins the project can use
    List,
    /// Describe a plugin: its types and their properties
    Info {
        /// The plugin's name, such as `ssh`
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// Reads a run's number.
fn run_number(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "a run has a number; `launchway runs` lists them")
}

fn count(text: &str) -> Result<usize, &'static str> {
    text.parse().map_err(|_| "it must be a whole number")
}
