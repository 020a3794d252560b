use std::collections::BTreeSet;
use std::path::Path;

use launchway_model::config::{Application, Salvaged, salvage_application};
use launchway_model::{
    ApplicationState, ComponentName, Diagnostic, Diagnostics, EnvironmentName, Lineage, Sources, Version,
};
use launchway_planner::{CheckInput, check};
use launchway_report::{diagnostics_json, inline};
use launchway_store::NEW_LINEAGE;
use serde_json::json;

use crate::adapters::{LazyRuntime, Origin, PlanningPlugins, ReleaseFiles};
use crate::args::{Global, ReleaseArgs};
use crate::console::Console;
use crate::context::{Context, plugins_of, set_values, version};
use crate::environment::{self, LoadedEnvironment};
use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::inventory::{self, Asking};
use crate::planning::{expanded, with_plugin_hint};
use crate::project;

/// Checks the project's files: the application and all environments; with `-e`, the release on that environment's
/// targets, too.
pub(super) fn run(global: &Global, console: Console, args: &ReleaseArgs) -> Result<Exit> {
    let set = set_values(&args.set)?;
    let mut context = Context::open(global, console).map_err(|error| all_findings(global, error))?;
    let plugins = context.plugins()?;
    let names = match &global.environment {
        Some(_) => vec![context.environment_name()?],
        None => environment::all(&context.project.dir)?,
    };
    let (mut environments, mut findings) = load_all(&context.project.dir, &names, &mut context.sources)?;
    let application = &context.project.application;
    let files = project_files(&context.project.dir, &application.value);
    findings.extend(check(CheckInput {
        application,
        plugins: &PlanningPlugins { set: &plugins, application: context.application(), runtime: &context.runtime },
        files: &files,
        overridden: &overridden(&environments, names.len(), &application.value),
        absent: &BTreeSet::new(),
    }));
    for loaded in environments.iter_mut().filter(|_| global.environment.is_some()) {
        if findings.has_errors() {
            break;
        }
        match inventory::resolve(
            loaded,
            &context.project.dir,
            &context.runtime,
            &mut context.sources,
            Asking::FilesOnly,
        ) {
            Ok(true) => {}
            Ok(false) => {
                let message = "the release is not checked on targets: scripts of inventories are not run";
                let at = loaded.environment.document.key_place("/inventory");
                findings.push(Diagnostic::warning("inventory", message).at(at, "").hint("`launchway plan` runs them"));
                continue;
            }
            Err(error) => {
                findings.extend(findings_of(error)?);
                continue;
            }
        }
        let release = match (&args.version, &application.value.version) {
            (Some(text), _) => version(text)?,
            (None, Some(version)) => version.clone(),
            // What the version is does not matter here.
            (None, None) => Version::new("0").expect("a digit is a version"),
        };
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

/// Reads environments; returns those that can be used, and what is wrong with the others.
fn load_all(
    folder: &Path,
    names: &[EnvironmentName],
    sources: &mut Sources,
) -> Result<(Vec<LoadedEnvironment>, Diagnostics)> {
    let (mut environments, mut findings) = (Vec::new(), Diagnostics::default());
    for name in names {
        match environment::load(folder, name, sources) {
            Ok(loaded) => environments.push(loaded),
            Err(error) => findings.extend(findings_of(error)?),
        }
    }
    Ok((environments, findings))
}

/// Returns the files of a project, to be looked at.
fn project_files<'a>(folder: &Path, application: &'a Application) -> ReleaseFiles<'a> {
    ReleaseFiles::new(Origin::Project(folder.to_path_buf()), &application.artifacts, None, false)
}

/// Returns the components that environments override: all of them, if there is an environment that can't be read.
fn overridden(environments: &[LoadedEnvironment], count: usize, application: &Application) -> BTreeSet<ComponentName> {
    if environments.len() < count {
        return application.components.keys().cloned().collect();
    }
    environments.iter().flat_map(|loaded| loaded.environment.value.overrides.keys()).cloned().collect()
}

/// Adds to what is wrong in the application's file what is wrong in what can be read of it, and in environments: all of
/// it at once.
fn all_findings(global: &Global, error: CliError) -> CliError {
    if error.findings.is_none() {
        return error;
    }
    let text = project::find(global.directory.as_deref())
        .and_then(|folder| Ok((project::read_text(&folder.join(project::FILE))?, folder)));
    let Ok((text, folder)) = text else { return error };
    let mut sources = Sources::default();
    let (mut diagnostics, salvaged) = salvage_application(&mut sources, project::FILE, &text);
    let names = environment::all(&folder).unwrap_or_default();
    let Ok((environments, more)) = load_all(&folder, &names, &mut sources) else { return error };
    diagnostics.extend(more);
    if let Some(Salvaged { application, absent }) = salvaged {
        // What is wrong with plugins is told once the rest is right.
        if let Ok(plugins) = plugins_of(&application.value, &folder) {
            let runtime = LazyRuntime::default();
            diagnostics.extend(check(CheckInput {
                application: &application,
                plugins: &PlanningPlugins {
                    set: &plugins,
                    application: &application.value.application,
                    runtime: &runtime,
                },
                files: &project_files(&folder, &application.value),
                overridden: &overridden(&environments, names.len(), &application.value),
                absent: &absent,
            }));
            diagnostics.sort();
            return with_plugin_hint(CliError::findings(&sources, diagnostics), &application, &plugins);
        }
    }
    CliError::findings(&sources, diagnostics)
}
