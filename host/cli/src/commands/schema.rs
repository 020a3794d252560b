use launchway_model::config::{environment_schema, project_schema};
use launchway_model::{KindInfo, KindRef, Sources};
use launchway_runtime::PluginSet;
use serde_json::Value;

use crate::args::{Global, SchemaArgs, SchemaOf};
use crate::console::Console;
use crate::context::{binary_plugins, plugins_of};
use crate::error::Result;
use crate::exit::Exit;
use crate::project::{self, Project};

/// Prints the JSON Schema of a project file. It is a schema as such, so nothing of ours stands before it.
pub(super) fn run(global: &Global, console: Console, args: &SchemaArgs) -> Result<Exit> {
    let schema = match args.of {
        SchemaOf::Environment => environment_schema(),
        SchemaOf::Application => application_schema(&plugins(global)?),
    };
    let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    console.data(&format!("{text}\n"))?;
    Ok(Exit::Done)
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
