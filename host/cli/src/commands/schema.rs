use std::fs;
use std::path::{Path, PathBuf};

use launchway_model::config::{environment_editor_schema, project_schema};
use launchway_model::{KindInfo, KindRef, Sources};
use launchway_runtime::PluginSet;
use serde_json::{Value, json};

use crate::args::{Global, SchemaArgs, SchemaOf};
use crate::console::Console;
use crate::context::{binary_plugins, plugins_of};
use crate::environment::FOLDER;
use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::project::{self, Project};

/// The schemas' files in the project's folder. They hold nothing of this machine.
const APPLICATION: &str = ".launchway.schema.json";
const ENVIRONMENT: &str = ".environment.schema.json";

/// Prints the JSON Schema of a project file. It is a schema as such, so nothing of ours stands before it.
pub(super) fn run(global: &Global, console: Console, args: &SchemaArgs) -> Result<Exit> {
    if args.write {
        return write(global, console);
    }
    let schema = match args.of {
        SchemaOf::Environment => environment_editor_schema(),
        SchemaOf::Application => application_schema(&plugins(global)?),
    };
    console.data(&text(&schema))?;
    Ok(Exit::Done)
}

fn text(schema: &Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(schema).expect("a schema is JSON"))
}

/// Writes the schemas into the project, and says how its files name them.
fn write(global: &Global, console: Console) -> Result<Exit> {
    let project = project::find(global.directory.as_deref())?;
    let files = write_into(&project, &plugins(global)?)?;
    if console.json {
        console.data(&launchway_report::document(&json!({ "files": files })))?;
    } else {
        console.say(&format!(
            "Wrote {APPLICATION} and {ENVIRONMENT}. Editors look for them in first lines:\n  \
             {}: # yaml-language-server: $schema={APPLICATION}\n  \
             {FOLDER}/NAME.yaml: # yaml-language-server: $schema=../{ENVIRONMENT}\n",
            project::FILE
        ));
    }
    Ok(Exit::Done)
}

/// Writes the schemas to where the first lines of a project's files name them.
pub(super) fn write_into(project: &Path, plugins: &PluginSet) -> Result<Vec<PathBuf>> {
    let schemas = [(APPLICATION, application_schema(plugins)), (ENVIRONMENT, environment_editor_schema())];
    let write = |(name, schema): (&str, Value)| {
        let path = project.join(name);
        fs::write(&path, text(&schema)).map_err(|error| CliError::file("write", &path, &error))?;
        Ok(path)
    };
    schemas.into_iter().map(write).collect()
}

/// Returns the plugins of the project, or those of the binary where there is no project.
pub(super) fn plugins(global: &Global) -> Result<PluginSet> {
    match project::find(global.directory.as_deref()) {
        Ok(folder) => {
            let project = Project::load(folder, &mut Sources::default())?;
            plugins_of(&project.application.value, &project.dir)
        }
        Err(_) if global.directory.is_none() => binary_plugins(),
        Err(error) => Err(error),
    }
}

fn application_schema(plugins: &PluginSet) -> Value {
    let names = plugins.names().filter_map(|name| plugins.info(name));
    let kinds: Vec<(KindRef, &KindInfo)> = names
        .flat_map(|info| {
            let kinds = info.kinds.iter();
            kinds.map(|kind| (KindRef { plugin: info.name.clone(), kind: kind.name.clone() }, kind))
        })
        .collect();
    project_schema(&kinds)
}
