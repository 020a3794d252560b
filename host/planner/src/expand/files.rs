//! Artifacts: the files that properties name.

use std::collections::{BTreeSet, HashMap};

use launchway_model::config::{SourceKind, pointer};
use launchway_model::{Artifact, ArtifactName, Diagnostic, SecretName, Span};
use serde_json::Value;

use super::properties::Ready;
use super::resolve::{Resolver, Scope};
use super::template::{TemplateProblem, Templates};
use crate::inputs::{FileProblem, FileSource, Files};
use crate::suggest;

/// Takes the files that properties name into the release.
pub(super) struct Collector<'a> {
    resolver: &'a Resolver<'a>,
    files: &'a dyn Files,
    templates: Templates<'a>,
    /// By where from, reference and name.
    taken: HashMap<(FileSource, String, String), Result<Artifact, FileProblem>>,
    /// Templates that are the same everywhere, by reference and name; none of those that are wrong.
    rendered: HashMap<(String, String), (Artifact, BTreeSet<SecretName>)>,
}

/// The artifacts of one instance or action, and the secrets in them.
#[derive(Default)]
pub(super) struct Attached {
    pub(super) artifacts: Vec<Artifact>,
    pub(super) secrets: BTreeSet<SecretName>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(resolver: &'a Resolver<'a>, files: &'a dyn Files) -> Self {
        let templates = Templates::new(resolver);
        Self { resolver, files, templates, taken: HashMap::new(), rendered: HashMap::new() }
    }

    /// Returns the artifacts that properties name; reports those that can't be had, and then returns none.
    pub(super) fn attach(
        &mut self,
        sources: &[(String, SourceKind)],
        ready: &Ready,
        scope: Scope<'_>,
        all: &[Vec<Option<Ready>>],
        place: impl Fn(&str) -> Option<Span>,
    ) -> Option<Attached> {
        let mut attached = Attached { artifacts: Vec::new(), secrets: ready.secrets.clone() };
        let mut complete = true;
        for (name, kind) in sources {
            let reference = match ready.properties.get(name) {
                None | Some(Value::Null) => continue,
                Some(Value::String(reference)) => reference,
                Some(_) => {
                    self.report(file_problem(format!("`{name}` must be a plain text: it names a file")), name, &place);
                    complete = false;
                    continue;
                }
            };
            let found = match kind {
                SourceKind::File => self.take(FileSource::File, reference, name),
                SourceKind::Directory => self.take(FileSource::Directory, reference, name),
                SourceKind::Artifact => self.artifact(reference, name),
                SourceKind::Template => self.template(reference, name, scope, all).map(|(artifact, secrets)| {
                    attached.secrets.extend(secrets);
                    artifact
                }),
            };
            match found {
                Ok(artifact) => attached.artifacts.push(artifact),
                Err(problem) => {
                    self.report(problem, name, &place);
                    complete = false;
                }
            }
        }
        complete.then_some(attached)
    }

    fn report(&self, problem: FileProblem, name: &str, place: &impl Fn(&str) -> Option<Span>) {
        let span = place(&pointer::join("", name));
        let mut diagnostic = Diagnostic::error("file", problem.message).at(span, "");
        diagnostic.hint = problem.hint;
        self.resolver.findings.push(diagnostic);
    }

    fn take(&mut self, source: FileSource, reference: &str, name: &str) -> Result<Artifact, FileProblem> {
        let key = (source, reference.to_owned(), name.to_owned());
        let files = self.files;
        self.taken.entry(key).or_insert_with(|| files.artifact(source, reference, name)).clone()
    }

    fn artifact(&mut self, reference: &str, name: &str) -> Result<Artifact, FileProblem> {
        let declared = &self.resolver.world.application.value.artifacts;
        if !declared.contains_key(reference) {
            let hint = suggest::hint("artifacts", reference, declared.keys().map(ArtifactName::as_str));
            let hint = hint.or_else(|| Some("name the file under `artifacts:`".to_owned()));
            return Err(FileProblem { message: format!("there is no artifact `{reference}`"), hint });
        }
        self.take(FileSource::Artifact, reference, name)
    }

    fn template(
        &mut self,
        reference: &str,
        name: &str,
        scope: Scope<'_>,
        all: &[Vec<Option<Ready>>],
    ) -> Result<(Artifact, BTreeSet<SecretName>), FileProblem> {
        let key = (reference.to_owned(), name.to_owned());
        if let Some(known) = self.rendered.get(&key) {
            return Ok(known.clone());
        }
        let files = self.files;
        let text = || files.text(reference).map_err(|FileProblem { message, hint }| TemplateProblem { message, hint });
        let loaded = self.templates.load(reference, text);
        let rendered = loaded.and_then(|()| self.templates.render(reference, scope, all));
        let rendered = rendered.map_err(|TemplateProblem { message, hint }| FileProblem { message, hint })?;
        let has_secrets = !rendered.secrets.is_empty();
        let artifact = files.rendered(name, output_name(reference), rendered.text.into_bytes(), has_secrets)?;
        let found = (artifact, rendered.secrets);
        if rendered.shared {
            self.rendered.insert(key, found.clone());
        }
        Ok(found)
    }
}

fn file_problem(message: String) -> FileProblem {
    FileProblem { message, hint: None }
}

/// Returns the name of the file that a template makes.
fn output_name(reference: &str) -> &str {
    let name = reference.rsplit('/').next().unwrap_or(reference);
    let suffixes = [".j2", ".jinja", ".jinja2", ".tmpl"];
    suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).filter(|name| !name.is_empty()).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rendered_file_loses_its_template_suffix() {
        assert_eq!(output_name("conf/api.conf.j2"), "api.conf");
        assert_eq!(output_name("api.conf"), "api.conf");
        assert_eq!(output_name("x/.j2"), ".j2");
    }
}
