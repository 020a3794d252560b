//! Asking all inventories of an environment, and merging their answers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use launchway_model::config::{
    Document, Environment, InventoryAnswer, InventorySource, Parsed, Target, parse_inventory, pointer,
};
use launchway_model::{Diagnostic, Diagnostics, Digest, Sources, TargetName};
use serde_json::json;

use super::{script, ssh_config, terraform};
use crate::adapters::LazyRuntime;
use crate::environment::{FOLDER, LoadedEnvironment};
use crate::error::{CliError, Result};
use crate::project::read_text;

/// A target that an inventory answered.
pub(crate) struct Found {
    /// The inventory, as people know it.
    pub origin: String,
    /// As it was answered, with the inventory's labels, and without what the environment's file says.
    pub target: Target,
}

/// Whether programs are run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asking {
    All,
    /// Files are read, and no script is run.
    FilesOnly,
}

/// Says what is wrong with inventories without asking them.
pub(crate) fn check(environment: &Parsed<Environment>) -> Diagnostics {
    let mut findings = Diagnostics::default();
    for (index, inventory) in environment.value.inventory.iter().enumerate() {
        if Source::of(inventory).is_none() {
            let message = "an inventory has exactly one of `script`, `ssh_config` and `terraform`";
            findings.push(
                Diagnostic::error("inventory", message)
                    .at(environment.document.place(&format!("/inventory/{index}")), "")
                    .hint("several inventories are several items of the list"),
            );
        }
    }
    findings
}

/// Asks the inventories, which [`check`] has found well made; returns whether all were asked.
pub(crate) fn resolve(
    environment: &mut LoadedEnvironment,
    project: &Path,
    runtime: &LazyRuntime,
    sources: &mut Sources,
    asking: Asking,
) -> Result<bool> {
    let mut all = true;
    let mut findings = Diagnostics::default();
    let mut found: BTreeMap<TargetName, (Found, String)> = BTreeMap::new();
    let Parsed { value, document } = &environment.environment;
    for (index, inventory) in value.inventory.iter().enumerate() {
        let at = pointer::join("/inventory", &index.to_string());
        let Some(source) = Source::of(inventory) else { continue };
        if asking == Asking::FilesOnly && matches!(source, Source::Script(_)) {
            all = false;
            continue;
        }
        let at = pointer::join(&at, source.key());
        let asker = Asker { environment, project, runtime };
        let answer = match asker.ask(&source) {
            Ok(text) => parse_inventory(sources, &source.name(), &text).map(|parsed| parsed.value),
            Err(Failure { message, hint }) => {
                let mut finding = Diagnostic::error("inventory", message).at(document.place(&at), "asked for here");
                finding.hint = hint;
                Err(Diagnostics::from(finding))
            }
        };
        match answer {
            Ok(answer) if answer.targets.is_empty() && !inventory.allow_empty => {
                findings.push(
                    Diagnostic::error("empty-inventory", format!("{} has no targets", source.name()))
                        .at(document.place(&at), "this would remove all that is on its targets")
                        .hint("if that is what is wanted, write `allow_empty: true` beside it"),
                );
            }
            Ok(answer) => take(answer, inventory, &source.name(), &at, document, &mut found, &mut findings),
            Err(more) => findings.extend(more),
        }
    }
    if findings.has_errors() {
        return Err(CliError::findings(sources, findings));
    }
    add(environment, found);
    Ok(all)
}

/// Takes an inventory's targets; one that another inventory has too is an error.
fn take(
    answer: InventoryAnswer,
    inventory: &InventorySource,
    origin: &str,
    at: &str,
    document: &Document,
    found: &mut BTreeMap<TargetName, (Found, String)>,
    findings: &mut Diagnostics,
) {
    for (name, target) in answer.targets {
        let common = Target { labels: inventory.labels.clone(), ..Target::default() };
        let target = Found { origin: origin.to_owned(), target: Target::from(target).or(common) };
        if let Some((_, other)) = found.get(&name) {
            findings.push(
                Diagnostic::error("duplicate-target", format!("two inventories have a target `{name}`"))
                    .at(document.place(at), "again here")
                    .at(document.place(other), "first here")
                    .hint("leave it out of one of them; what `targets` says of a target is added to it"),
            );
        } else {
            found.insert(name, (target, at.to_owned()));
        }
    }
}

/// Adds the targets to the environment's own, whose keys win, and their answers to what its digest covers.
fn add(environment: &mut LoadedEnvironment, found: BTreeMap<TargetName, (Found, String)>) {
    if environment.environment.value.inventory.is_empty() {
        return;
    }
    for (name, (found, at)) in found {
        let Parsed { value, document } = &mut environment.environment;
        document.came_from(&pointer::join("/targets", name.as_str()), &at);
        let own = value.targets.remove(&name).unwrap_or_default();
        value.targets.insert(name.clone(), own.or(found.target.clone()));
        environment.found.insert(name, found);
    }
    let targets = environment.found.iter().map(|(name, found)| (name, &found.target)).collect::<BTreeMap<_, _>>();
    let text = serde_json::to_string(&targets).expect("plain data with text keys is always JSON");
    environment.digest = Digest::of(format!("{}\n{text}", environment.digest.hex()).as_bytes());
}

/// Why an inventory gave no answer.
pub(super) struct Failure {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Failure {
    pub(super) fn new(message: impl Into<String>, hint: &str) -> Self {
        Self { message: message.into(), hint: Some(hint.to_owned()) }
    }
}

impl From<CliError> for Failure {
    fn from(error: CliError) -> Self {
        Self { message: error.message, hint: error.hint }
    }
}

/// The one thing that an entry of `inventory` names.
enum Source<'a> {
    Script(&'a [String]),
    SshConfig(&'a [String]),
    Terraform(&'a Path, &'a str),
}

impl<'a> Source<'a> {
    fn of(inventory: &'a InventorySource) -> Option<Self> {
        let InventorySource { script, ssh_config, terraform, .. } = inventory;
        match (script, ssh_config, terraform) {
            (Some(words), None, None) => Some(Self::Script(words.as_slice())),
            (None, Some(patterns), None) => Some(Self::SshConfig(patterns.as_slice())),
            (None, None, Some(output)) => Some(Self::Terraform(&output.file, &output.output)),
            _ => None,
        }
    }

    fn key(&self) -> &'static str {
        match self {
            Self::Script(_) => "script",
            Self::SshConfig(_) => "ssh_config",
            Self::Terraform(..) => "terraform",
        }
    }

    /// Returns what people know it by.
    fn name(&self) -> String {
        match self {
            Self::Script(words) => format!("script {}", words.join(" ")),
            Self::SshConfig(patterns) => format!("ssh_config {}", patterns.join(" ")),
            Self::Terraform(file, output) => format!("output {output} of {}", file.display()),
        }
    }
}

struct Asker<'a> {
    environment: &'a LoadedEnvironment,
    project: &'a Path,
    runtime: &'a LazyRuntime,
}

impl Asker<'_> {
    /// Returns an inventory's answer as JSON text.
    fn ask(&self, source: &Source<'_>) -> Result<String, Failure> {
        let folder = self.project.join(FOLDER);
        match source {
            Source::Script(words) => {
                let name = &self.environment.environment.value.environment;
                let text = self.runtime.block_on(script::run(words, &folder, name, script::TIMEOUT))?;
                super::ansible::translated(text)
            }
            Source::SshConfig(patterns) => {
                let given = self.environment.environment.value.defaults.ssh.as_ref();
                let file = given.and_then(|ssh| ssh.config_file.as_deref()).unwrap_or(Path::new("~/.ssh/config"));
                let names = ssh_config::hosts(&self.home(file), &self.home(Path::new("~/.ssh")), patterns)?;
                let targets: BTreeMap<String, _> = names.into_iter().map(|name| (name, json!({}))).collect();
                Ok(format!("{:#}", json!({ "targets": targets })))
            }
            Source::Terraform(file, output) => terraform::targets(&read_text(&folder.join(file))?, output),
        }
    }

    /// Returns a path as the SSH transport understands it: relative to the project, `~` is the home folder.
    fn home(&self, path: &Path) -> PathBuf {
        match (path.strip_prefix("~"), std::env::home_dir()) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => self.project.join(path),
        }
    }
}
