use launchway_model::{ApplicationState, Diagnostics, Lineage, Sources, Version};
use launchway_planner::check;
use launchway_report::{diagnostics_json, inline};
use launchway_store::NEW_LINEAGE;
use serde_json::json;

use crate::adapters::{Origin, PlanningPlugins, ReleaseFiles};
use crate::args::{Global, ReleaseArgs};
use crate::console::Console;
use crate::context::{Context, set_values, version};
use crate::environment;
use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::planning::{expanded, with_plugin_hint};

/// Checks the project's files: the application and all environments; with `-e`, the release on that environment's
/// targets, too.
pub(super) fn run(global: &Global, console: Console, args: &ReleaseArgs) -> Result<Exit> {
    let set = set_values(&args.set)?;
    let mut context = Context::open(global, console).map_err(|error| with_environments(global, error))?;
    let plugins = context.plugins()?;
    let names = match &global.environment {
        Some(_) => vec![context.environment_name()?],
        None => environment::all(&context.project.dir)?,
    };
    let mut findings = Diagnostics::default();
    let mut environments = Vec::new();
    for name in &names {
        match environment::load(&context.project.dir, name, &mut context.sources) {
            Ok(loaded) => environments.push(loaded),
            Err(error) => findings.extend(findings_of(error)?),
        }
    }
    let planning = PlanningPlugins { set: &plugins, application: context.application(), runtime: &context.runtime };
    let overrides = environments.iter().flat_map(|loaded| loaded.environment.value.overrides.keys());
    findings.extend(check(&context.project.application, &planning, &overrides.cloned().collect()));
    for loaded in environments.iter().filter(|_| global.environment.is_some()) {
        if findings.has_errors() {
            break;
        }
        let release = match (&args.version, &context.project.application.value.version) {
            (Some(text), _) => version(text)?,
            (None, Some(version)) => version.clone(),
            // What the version is does not matter here.
            (None, None) => Version::new("0").expect("a digit is a version"),
        };
        let origin = Origin::Project(context.project.dir.clone());
        let application = &context.project.application;
        let files = ReleaseFiles::new(origin, &application.value.artifacts, None, false);
        let name = loaded.environment.value.environment.clone();
        let lineage = Lineage(NEW_LINEAGE.into());
        // What is deployed makes no difference to what is valid.
        let state = ApplicationState::empty(name, application.value.application.clone(), lineage);
        let result = expanded(&context, loaded, application, &release, &set, &state, &plugins, &files);
        findings.extend(match result {
            Ok((_, warnings)) => warnings,
            Err(error) => findings_of(error)?,
        });
    }
    if findings.has_errors() {
        let error = CliError::findings(&context.sources, findings);
        return Err(with_plugin_hint(error, &context.project.application, &plugins));
    }
    if console.json {
        let diagnostics = diagnostics_json(&context.sources, &findings);
        console.data(&launchway_report::document(&json!({ "valid": true, "diagnostics": diagnostics })))?;
    } else {
        console.warnings(&context.sources, &findings);
        let components = context.project.application.value.components.len();
        let names: Vec<String> = names.iter().map(|name| inline(name.as_str())).collect();
        let environments = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let application = inline(context.application().as_str());
        console.say(&format!("{application} is valid: {components} components; environments: {environments}\n"));
    }
    Ok(Exit::Done)
}

/// Returns what is wrong in files; any other error goes on.
fn findings_of(error: CliError) -> Result<Diagnostics> {
    match error.findings {
        Some(findings) => Ok(findings.1),
        None => Err(error),
    }
}

/// Adds what is wrong in environments to what is wrong in the application: all of it at once.
fn with_environments(global: &Global, error: CliError) -> CliError {
    let Some(findings) = error.findings else { return error };
    let (mut sources, mut diagnostics): (Sources, Diagnostics) = *findings;
    let folder = crate::project::find(global.directory.as_deref());
    let names = folder.as_ref().map(|folder| environment::all(folder).unwrap_or_default());
    if let (Ok(folder), Ok(names)) = (&folder, names) {
        for name in &names {
            if let Err(CliError { findings: Some(more), .. }) = environment::load(folder, name, &mut sources) {
                diagnostics.extend(more.1);
            }
        }
    }
    CliError::findings(&sources, diagnostics)
}
