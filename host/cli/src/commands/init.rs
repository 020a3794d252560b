use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use launchway_model::ApplicationName;
use launchway_report::inline;
use serde_json::json;

use crate::args::{Global, InitArgs};
use crate::console::Console;
use crate::context::binary_plugins;
use crate::environment::FOLDER;
use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::planning::shown;
use crate::project::FILE;

const APPLICATION: &str = include_str!("../../templates/launchway.yaml");
const ENVIRONMENT: &str = include_str!("../../templates/local.yaml");

/// Writes a small project that deploys to a folder of its own.
pub(super) fn run(global: &Global, console: Console, args: &InitArgs) -> Result<Exit> {
    let given = global.directory.as_deref().unwrap_or(Path::new("."));
    fs::create_dir_all(given).map_err(|error| CliError::file("create", given, &error))?;
    let folder = given.canonicalize().map_err(|error| CliError::file("open", given, &error))?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_else(|| "app".to_owned()),
    };
    let name = ApplicationName::new(&name).map_err(|error| {
        CliError::usage("usage", format!("`{name}` can't name an application: {error}"))
            .hint("give a name: launchway init NAME")
    })?;
    let deployed = folder.join("deployed");
    let deployed = deployed
        .to_str()
        .ok_or_else(|| CliError::usage("usage", format!("{} is not UTF-8 text, which YAML needs", folder.display())))?;
    let application = folder.join(FILE);
    let environment = folder.join(FOLDER).join("local.yaml");
    if let Some(taken) = [&application, &environment].into_iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(CliError::usage("exists", format!("{} is there already", shown(taken).display()))
            .hint("init writes only into a folder without a project"));
    }
    fs::create_dir_all(folder.join(FOLDER)).map_err(|error| CliError::file("create", &folder.join(FOLDER), &error))?;
    write_new(&environment, &ENVIRONMENT.replace("@FOLDER@", &yaml_text(deployed)))?;
    write_new(&application, &APPLICATION.replace("@NAME@", &yaml_text(name.as_str())))?;
    let schemas = super::schema::write_into(&folder, &binary_plugins()?)?;
    if console.json {
        let files: Vec<_> = [application, environment].into_iter().chain(schemas).collect();
        let files = json!({ "files": files });
        console.data(&launchway_report::document(&files))?;
    } else {
        console.say(&format!(
            "Wrote {} and {} for the application {}, with their schemas for editors.\nNext: launchway plan, then launchway deploy\n",
            shown(&application).display(),
            shown(&environment).display(),
            inline(name.as_str())
        ));
    }
    Ok(Exit::Done)
}

/// Writes a file that must not be there yet.
fn write_new(path: &Path, text: &str) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| CliError::file("write", path, &error))
}

/// Returns a text as a quoted YAML scalar in which nothing is a placeholder.
fn yaml_text(text: &str) -> String {
    // A JSON text is a YAML text.
    let quoted = serde_json::to_string(text).expect("a text is always JSON");
    quoted.replace("${", "$${")
}
