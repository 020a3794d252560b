//! Environments on disk: which there are, and what one says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use launchway_model::config::{Environment, Parsed, parse_dictionary, parse_environment};
use launchway_model::{Diagnostic, Digest, EnvironmentName, Sources, TargetName};
use serde_json::Value;

use crate::encrypted::{self, is_encrypted};
use crate::error::{CliError, Result};
use crate::inventory::{self, Found};
use crate::project::read_text;

/// The folder of a project that holds its environments.
pub(crate) const FOLDER: &str = "environments";

/// An environment with the files it refers to.
pub(crate) struct LoadedEnvironment {
    pub environment: Parsed<Environment>,
    /// By the path that the environment's file gives.
    pub dictionaries: BTreeMap<PathBuf, Parsed<BTreeMap<String, Value>>>,
    /// Of the environment's file and all its dictionaries, and of what its inventories answered.
    pub digest: Digest,
    /// What its inventories answered; nothing before they are asked.
    pub found: BTreeMap<TargetName, Found>,
}

/// Returns the names of all environments, sorted.
///
/// Dictionaries lie in the same folder: a file without the key `environment` is none, unless no file has it.
pub(crate) fn names(project: &Path) -> Result<Vec<String>> {
    let files = yaml_files(project)?;
    let with_key = |(_, path): &&(String, PathBuf)| std::fs::read(path).is_ok_and(|text| has_key(&text));
    let mut names: Vec<String> = files.iter().filter(with_key).map(|(name, _)| name.clone()).collect();
    if names.is_empty() {
        names = files.into_iter().map(|(name, _)| name).collect();
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// Whether a YAML text has the key `environment` at its top, as far as that can be told without reading all of it as
/// YAML: with what is wrong in it, it is still the environment that is meant.
fn has_key(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    let flow = text.trim_start().starts_with('{');
    text.lines().any(|line| {
        let line = if flow { line.trim_start_matches([' ', '\t', '{']) } else { line };
        let rest = line.trim_start_matches(['"', '\'']).strip_prefix("environment");
        rest.is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
    })
}

/// Returns the YAML files of the folder with their names.
fn yaml_files(project: &Path) -> Result<Vec<(String, PathBuf)>> {
    let folder = project.join(FOLDER);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CliError::file("read", &folder, &error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| CliError::file("read", &folder, &error))?.path();
        let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned) else { continue };
        if is_yaml && path.is_file() && !stem.starts_with('.') {
            files.push((stem, path));
        }
    }
    Ok(files)
}

/// Returns the names of all environments that have a valid one, sorted.
pub(crate) fn all(project: &Path) -> Result<Vec<EnvironmentName>> {
    let named = names(project)?.into_iter().map(|name| {
        EnvironmentName::new(&name).map_err(|error| {
            CliError::usage("environment-name", format!("{FOLDER}/{name}.yaml has no valid name: {error}"))
        })
    });
    named.collect()
}

/// Returns the environment to use: the one asked for, or the only one there is.
pub(crate) fn choose(project: &Path, asked: Option<&str>) -> Result<EnvironmentName> {
    let all = names(project)?;
    let name = match (asked, all.as_slice()) {
        (Some(name), _) => name.to_owned(),
        (None, [only]) => only.clone(),
        (None, []) => {
            return Err(CliError::usage("no-environment", format!("the project has no environment in {FOLDER}/"))
                .hint(format!("write {FOLDER}/NAME.yaml; `launchway init` shows how one looks")));
        }
        (None, several) => {
            return Err(CliError::usage("no-environment", "there are several environments; say which with -e")
                .hint(format!("one of: {}", several.join(", "))));
        }
    };
    let unknown = || {
        let known = if all.is_empty() {
            format!("there are none in {FOLDER}/")
        } else {
            format!("there are: {}", all.join(", "))
        };
        CliError::usage("unknown-environment", format!("there is no environment `{name}`")).hint(known)
    };
    let valid = EnvironmentName::new(&name).map_err(|_| unknown())?;
    // The files in the folder are what is there: a name that would lead elsewhere is not among them.
    if yaml_files(project)?.iter().any(|(stem, _)| *stem == name) { Ok(valid) } else { Err(unknown()) }
}

/// Reads an environment and its dictionaries.
pub(crate) fn load(project: &Path, name: &EnvironmentName, sources: &mut Sources) -> Result<LoadedEnvironment> {
    let folder = project.join(FOLDER);
    let yaml = folder.join(format!("{name}.yaml"));
    let (path, file_name) = if yaml.is_file() {
        (yaml, format!("{name}.yaml"))
    } else {
        (folder.join(format!("{name}.yml")), format!("{name}.yml"))
    };
    let text = read_text(&path)?;
    let shown = format!("{FOLDER}/{file_name}");
    let mut environment =
        parse_environment(sources, &shown, &text).map_err(|findings| CliError::findings(sources, findings))?;
    let mut findings = inventory::check(&environment);
    if environment.value.environment != *name {
        findings.push(
            Diagnostic::error("environment-name", format!("the file is called `{name}`, the environment in it is not"))
                .at(environment.document.span("/environment"), "differs from the file's name")
                .hint(format!("write `environment: {name}`, or rename the file")),
        );
    }
    let mut parts = vec![text];
    let (mut dictionaries, mut secrets) = (BTreeMap::new(), BTreeMap::new());
    for (index, dictionary) in environment.value.dictionaries.iter().enumerate() {
        let Some((file, place)) = dictionary.file() else { continue };
        if dictionaries.contains_key(file) {
            continue;
        }
        let read = if is_encrypted(file) {
            let opened = encrypted::dictionary(&folder, file).map_err(|error| (error.message, Some(error.hint)));
            opened.map(|(text, more)| {
                secrets.extend(more);
                text
            })
        } else {
            read_text(&folder.join(file)).map_err(|error| (error.message, error.hint))
        };
        let text = match read {
            Ok(text) => text,
            Err((message, hint)) => {
                let span = environment.document.span(&format!("/dictionaries/{index}{place}"));
                let mut diagnostic = Diagnostic::error("file", message).at(span, "asked for here");
                diagnostic.hint = hint;
                findings.push(diagnostic);
                continue;
            }
        };
        match parse_dictionary(sources, &format!("{FOLDER}/{}", file.display()), &text) {
            Ok(parsed) => drop(dictionaries.insert(file.clone(), parsed)),
            Err(more) => findings.extend(more),
        }
        parts.push(text);
    }
    if findings.has_errors() {
        return Err(CliError::findings(sources, findings));
    }
    environment.value.secrets.extend(secrets);
    let digests: Vec<String> = parts.iter().map(|part| Digest::of(part.as_bytes()).hex()).collect();
    let digest = Digest::of(digests.join("\n").as_bytes());
    Ok(LoadedEnvironment { environment, dictionaries, digest, found: BTreeMap::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_are_no_environments() {
        let texts = [
            ("environment: a\n", true),
            ("# x\ntargets: {}\n\"environment\" : a\n", true),
            ("{ targets: {},\n  'environment': a }", true),
            ("{environment: a}", true),
            ("pool: 1\nnested:\n  environment: x\n", false),
            ("environments: 1\n# environment: x\n", false),
            ("", false),
        ];
        for (text, expected) in texts {
            assert_eq!(has_key(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn names_are_those_of_environments() {
        let project = tempfile::tempdir().unwrap();
        assert!(names(project.path()).unwrap().is_empty());
        let folder = project.path().join(FOLDER);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("values.yaml"), "a: 1\n").unwrap();
        assert_eq!(names(project.path()).unwrap(), ["values"], "better than saying that there is none");
        std::fs::write(folder.join("b.yml"), "environment: b\n").unwrap();
        std::fs::write(folder.join("a ä.yaml"), "environment: a ä\n").unwrap();
        std::fs::write(folder.join(".hidden.yaml"), "environment: h\n").unwrap();
        assert_eq!(names(project.path()).unwrap(), ["a ä", "b"]);
        assert!(choose(project.path(), Some("values")).is_ok(), "asked for, it is read, and said to be wrong");
        assert!(choose(project.path(), None).is_err());
    }
}
