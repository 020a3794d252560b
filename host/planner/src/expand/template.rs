//! Templates: files of the project that are filled in for each target.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use launchway_model::{ComponentName, SecretName};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value as Jinja};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use serde_json::Value;

use super::properties::Ready;
use super::resolve::{Resolver, Scope, Trouble};
use super::secrets;
use super::world::World;

/// Bounds what a template may compute: about a second.
const FUEL: u64 = 50_000_000;

/// All templates of a release.
pub(super) struct Templates<'a> {
    resolver: &'a Resolver<'a>,
    engine: Environment<'static>,
    /// By reference: what each template looks at.
    looks: HashMap<String, Rc<Look>>,
    /// What templates see of each component; made when the first of them looks.
    components: HashMap<String, Jinja>,
    secrets: Jinja,
}

/// A text made of a template.
pub(super) struct Rendered {
    pub(super) text: String,
    pub(super) secrets: BTreeSet<SecretName>,
    /// The same for every target and component.
    pub(super) shared: bool,
}

/// A template that can't be filled in.
pub(super) struct TemplateProblem {
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// What a template looks at, as far as its text tells.
struct Look {
    /// None: it may look at any.
    values: Option<Vec<String>>,
    components: Option<Vec<String>>,
    instance: bool,
}

impl<'a> Templates<'a> {
    pub(super) fn new(resolver: &'a Resolver<'a>) -> Self {
        let mut engine = Environment::new();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.set_auto_escape_callback(|_| AutoEscape::None);
        let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
        engine.set_syntax(syntax.expect("the default delimiters are valid"));
        engine.set_fuel(Some(FUEL));
        let secrets = resolver.world.secret_names().map(|name| (name.to_owned(), Jinja::from(secrets::marker(name))));
        let secrets = Jinja::from_pairs(secrets);
        Self { resolver, engine, looks: HashMap::new(), components: HashMap::new(), secrets }
    }

    /// Takes a template in; `text` is asked for its source if it is new.
    pub(super) fn load(
        &mut self,
        reference: &str,
        text: impl FnOnce() -> Result<String, TemplateProblem>,
    ) -> Result<(), TemplateProblem> {
        if self.looks.contains_key(reference) {
            return Ok(());
        }
        let text = text()?;
        if let Some(line) = text.lines().position(|line| line.contains(secrets::MARK)) {
            return Err(TemplateProblem {
                message: format!("{reference}:{}: a template can't contain the character U+0002", line + 1),
                hint: Some("secrets are named as `{{ secret.NAME }}`".to_owned()),
            });
        }
        let added = self.engine.add_template_owned(reference.to_owned(), text.clone());
        added.map_err(|error| explain(&error, reference, &text))?;
        let template = self.engine.get_template(reference).map_err(|error| explain(&error, reference, &text))?;
        let look = Look::of(&template.undeclared_variables(true));
        self.looks.insert(reference.to_owned(), Rc::new(look));
        Ok(())
    }

    /// Fills in a template that was loaded. `all` are the properties of every instance, as components are in the world.
    pub(super) fn render(
        &mut self,
        reference: &str,
        scope: Scope<'_>,
        all: &[Vec<Option<Ready>>],
    ) -> Result<Rendered, TemplateProblem> {
        let look = self.looks.get(reference).cloned().expect("templates are loaded before they are filled in");
        let context = self.context(&look, scope, all);
        let differs = self.resolver.target_matters.get() || self.resolver.component_matters.get();
        let shared = !look.instance && !differs;
        let source = |engine: &Environment<'_>| {
            engine.get_template(reference).map(|template| template.source().to_owned()).unwrap_or_default()
        };
        let template = self.engine.get_template(reference);
        let text = template
            .and_then(|template| template.render(context))
            .map_err(|error| explain(&error, reference, &source(&self.engine)))?;
        let secrets = secrets::in_text(&text, |name| self.resolver.world.declares_secret(name));
        let secrets = secrets.ok_or_else(|| TemplateProblem {
            message: format!("{reference}: the template changes a secret, which only its target ever sees"),
            hint: Some("use `{{ secret.NAME }}` without filters".to_owned()),
        })?;
        Ok(Rendered { text, secrets, shared })
    }

    fn context(&mut self, look: &Look, scope: Scope<'_>, all: &[Vec<Option<Ready>>]) -> Jinja {
        let world = self.resolver.world;
        let target = scope.target;
        let names: Vec<String> = match &look.components {
            Some(names) => names.clone(),
            None => world.components.iter().map(|placed| placed.name.to_string()).collect(),
        };
        for name in &names {
            if !self.components.contains_key(name)
                && let Some(seen) = see_component(self.resolver, name, all)
            {
                self.components.insert(name.clone(), seen);
            }
        }
        // What components look like is the same for everybody who looks at them.
        self.resolver.target_matters.set(false);
        self.resolver.component_matters.set(false);
        let components: Jinja =
            Jinja::from_pairs(names.iter().filter_map(|name| Some((name.clone(), self.components.get(name)?.clone()))));
        let instance = scope.component;
        let entries = [
            ("version", Jinja::from(world.version.as_str())),
            ("application", Jinja::from(world.application.value.application.as_str())),
            ("environment", Jinja::from(world.environment.value.environment.as_str())),
            ("values", see_values(self.resolver, look.values.as_deref(), scope)),
            (
                "target",
                if look.instance { see_target(self.resolver, target, instance, None) } else { Jinja::UNDEFINED },
            ),
            ("instance", see_instance(world, scope)),
            ("components", components),
            ("secret", self.secrets.clone()),
        ];
        Jinja::from_pairs(entries)
    }
}

impl Look {
    /// Reads it off the names a template uses, such as `values.port` or `target.name`.
    fn of(names: &HashSet<String>) -> Self {
        Self {
            values: below(names, "values"),
            components: below(names, "components"),
            instance: names.iter().any(|name| matches!(name.split('.').next(), Some("target" | "instance"))),
        }
    }
}

/// Returns the members of `root` that are used, sorted; none if `root` is used as a whole.
fn below(names: &HashSet<String>, root: &str) -> Option<Vec<String>> {
    let mut members = BTreeSet::new();
    for name in names {
        let mut keys = name.split('.');
        if keys.next() == Some(root) {
            members.insert(keys.next()?.to_owned());
        }
    }
    Some(members.into_iter().collect())
}

fn see_instance(world: &World<'_>, scope: Scope<'_>) -> Jinja {
    let target = world.targets[scope.target].name;
    let id = format!("{}@{target}", scope.component);
    Jinja::from_pairs([("component", scope.component.to_string()), ("target", target.to_string()), ("id", id)])
}

/// The values a template may use, merged: a dictionary's first hit wins.
fn see_values(resolver: &Resolver<'_>, names: Option<&[String]>, scope: Scope<'_>) -> Jinja {
    let world = resolver.world;
    let every: Vec<String>;
    let names = match names {
        Some(names) => names,
        None => {
            let keys: BTreeSet<&str> = world.layers(scope.target).flat_map(|layer| layer.keys().copied()).collect();
            if !world.target_value_names.is_empty() {
                resolver.target_matters.set(true);
            }
            every = keys.into_iter().map(str::to_owned).collect();
            &every
        }
    };
    let exists = |name: &str| world.layers(scope.target).any(|l| l.contains_key(name));
    let mut seen = Vec::new();
    for name in names {
        if world.target_value_names.contains(name.as_str()) {
            resolver.target_matters.set(true);
        }
        if exists(name) {
            let value = match resolver.named(std::slice::from_ref(name), scope) {
                Ok(value) => see(&value),
                // Matters only if the template uses it.
                Err(trouble) => broken(match trouble {
                    Trouble::Here { message, .. } => message,
                    Trouble::There(diagnostic) => diagnostic.message,
                }),
            };
            seen.push((name.clone(), value));
        }
    }
    Jinja::from_pairs(seen)
}

fn see_component(resolver: &Resolver<'_>, name: &str, all: &[Vec<Option<Ready>>]) -> Option<Jinja> {
    let world = resolver.world;
    let number = world.components.iter().position(|placed| placed.name.as_str() == name)?;
    let placed = &world.components[number];
    let targets: Jinja = placed
        .targets
        .iter()
        .zip(&all[number])
        .map(|(target, ready)| see_target(resolver, *target, placed.name, Some(ready.as_ref())))
        .collect();
    Some(Jinja::from_pairs([("targets", targets)]))
}

fn see_target(
    resolver: &Resolver<'_>,
    target: usize,
    component: &ComponentName,
    with: Option<Option<&Ready>>,
) -> Jinja {
    let entry = &resolver.world.targets[target];
    let spec = &entry.spec;
    let labels = Jinja::from_pairs(spec.labels.iter().map(|(key, value)| (key.clone(), value.clone())));
    let values = entry.values.keys().map(|name| {
        let value = resolver.named(&[(*name).to_owned()], Scope { target, component });
        ((*name).to_owned(), value.map_or_else(|_| broken(format!("`{name}` can't be filled in")), |value| see(&value)))
    });
    let mut fields = vec![
        ("name", Jinja::from(spec.name.as_str())),
        ("address", Jinja::from(spec.address.as_str())),
        ("labels", labels),
        ("values", Jinja::from_pairs(values)),
        ("port", Jinja::from(spec.port.unwrap_or(22))),
    ];
    if let Some(user) = &spec.user {
        fields.push(("user", Jinja::from(user.as_str())));
    }
    match with {
        Some(Some(ready)) => fields.push(("with", see(&ready.properties))),
        Some(None) => fields.push(("with", broken("its properties are wrong".to_owned()))),
        None => {}
    }
    Jinja::from_pairs(fields)
}

fn see(value: &Value) -> Jinja {
    match secrets::with_markers(value) {
        Some(value) => Jinja::from(Serde(value)),
        None => broken("a value contains the character U+0002".to_owned()),
    }
}

/// A value whose use is an error.
fn broken(message: String) -> Jinja {
    Jinja::from(Error::new(ErrorKind::InvalidOperation, message))
}

/// Says what is wrong with a template, and on which of its lines.
fn explain(error: &Error, reference: &str, source: &str) -> TemplateProblem {
    let line = error.line().map(|line| format!(":{line}")).unwrap_or_default();
    let expression = error.range().and_then(|range| source.get(range)).map(str::trim).filter(|text| is_short(text));
    let undefined = error.kind() == ErrorKind::UndefinedError;
    let message = match (undefined, expression, innermost(error).detail()) {
        (true, Some(expression), _) => format!("`{expression}` is not defined"),
        (_, _, Some(detail)) => detail.to_owned(),
        _ => innermost(error).kind().to_string(),
    };
    let hint = match error.kind() {
        ErrorKind::UndefinedError => Some(
            "templates see `version`, `application`, `environment`, `values`, `target`, `instance`, \
             `components.NAME.targets` and `secret`"
                .to_owned(),
        ),
        ErrorKind::OutOfFuel => Some("the template computes too much; is a loop larger than meant?".to_owned()),
        ErrorKind::TemplateNotFound => Some("a template can't include other files".to_owned()),
        _ => None,
    };
    TemplateProblem { message: format!("{reference}{line}: {message}"), hint }
}

fn is_short(text: &str) -> bool {
    !text.is_empty() && text.len() <= 80 && !text.contains('\n')
}

fn innermost(error: &Error) -> &Error {
    let mut innermost = error;
    while let Some(source) = std::error::Error::source(innermost).and_then(|source| source.downcast_ref::<Error>()) {
        innermost = source;
    }
    innermost
}
