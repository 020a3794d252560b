//! Everything placeholders can stand for, prepared once: targets, dictionaries, components with their overrides.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use launchway_model::config::{
    Application, Component, Dictionary, Document, Environment, EnvironmentOverride, EnvironmentOverrides, Parsed,
    Placement, ScopedFile, ScopedValues, Selector, Target, pointer,
};
use launchway_model::{ComponentName, Diagnostic, SecretName, TargetName, TargetSpec, Version};
use serde_json::Value;

use super::findings::{Findings, Origin};
use super::pass::ExpandInput;
use super::shape::Shape;
use crate::desired::target_specs;
use crate::kinds::{Kind, Kinds};

/// The document of what was in no file, such as `--set`.
static NOWHERE: LazyLock<Document> = LazyLock::new(Document::empty);

/// Where each component was last deployed, for those that go to one target only.
pub type LastTargets = BTreeMap<ComponentName, TargetName>;

/// Files of values, by the path under which the environment names them.
pub type DictionaryFiles = BTreeMap<PathBuf, Parsed<BTreeMap<String, Value>>>;

/// An action that stands alone, as if it were a component.
pub(super) struct Standalone {
    pub(super) name: ComponentName,
    pub(super) base: String,
    pub(super) component: Component,
}

/// What the resolver looks things up in.
pub(super) struct World<'a> {
    pub(super) application: &'a Parsed<Application>,
    pub(super) environment: &'a Parsed<Environment>,
    pub(super) version: &'a Version,
    /// Sorted by name.
    pub(super) targets: Vec<TargetEntry<'a>>,
    /// Sorted by name.
    pub(super) components: Vec<Placed<'a>>,
    /// Tasks and final actions: nothing refers to them.
    pub(super) actions: Vec<Placed<'a>>,
    component_index: HashMap<&'a str, usize>,
    pub(super) set: Layer<'a>,
    dictionaries: Vec<Layer<'a>>,
    /// The names whose values may differ from target to target.
    pub(super) target_value_names: HashSet<&'a str>,
}

pub(super) struct TargetEntry<'a> {
    pub(super) name: &'a TargetName,
    pub(super) spec: Arc<TargetSpec>,
    pub(super) values: Layer<'a>,
    /// The dictionaries that are for it, ascending.
    dictionaries: Vec<usize>,
}

pub(super) type Layer<'a> = BTreeMap<&'a str, Entry<'a>>;

/// A value with its place.
pub(super) struct Entry<'a> {
    pub(super) shape: Shape,
    pub(super) document: &'a Document,
    pub(super) base: String,
}

impl Entry<'_> {
    pub(super) fn origin(&self) -> Origin<'_> {
        Origin { document: self.document, base: &self.base }
    }
}

/// A component, the targets it goes to, and its properties there.
pub(super) struct Placed<'a> {
    pub(super) name: &'a ComponentName,
    /// The JSON Pointer of where it is written.
    pub(super) base: String,
    pub(super) component: &'a Component,
    /// None if no plugin has it; that is reported already.
    pub(super) kind: Option<Rc<Kind<'a>>>,
    /// Indices of targets, ascending.
    pub(super) targets: Vec<usize>,
    /// Which of the variants is for which of the targets.
    pub(super) variant_of: Vec<usize>,
    /// The properties for each combination of overrides that occurs.
    pub(super) variants: Vec<Layer<'a>>,
}

impl Placed<'_> {
    /// Returns the properties on a target, if the component goes there.
    pub(super) fn variant_on(&self, target: usize) -> Option<usize> {
        let at = self.targets.binary_search(&target).ok()?;
        Some(self.variant_of[at])
    }
}

impl<'a> World<'a> {
    pub(super) fn new(
        input: &ExpandInput<'a>,
        standalone: &'a [Standalone],
        kinds: &Kinds<'a>,
        findings: &Findings,
    ) -> Self {
        let ExpandInput { application, environment, dictionary_files, version, set, last_targets, .. } = *input;
        let mut specs = target_specs(&environment.value);
        let mut targets = Vec::new();
        for (name, target) in &environment.value.targets {
            let base = format!("{}/values", pointer::join("/targets", name.as_str()));
            let values = layer(&target.values, &environment.document, &base, findings);
            let spec = specs.remove(name).expect("a spec was made for each target");
            targets.push(TargetEntry { name, spec, values, dictionaries: Vec::new() });
        }
        let dictionaries = dictionaries(environment, dictionary_files, findings);
        let scoped = assign(&dictionaries, &mut targets, &environment.document, findings);
        let own = targets.iter().flat_map(|target| target.values.keys().copied());
        let target_value_names = own.chain(scoped).collect();
        let mut world = World {
            application,
            environment,
            version,
            targets,
            components: Vec::new(),
            actions: Vec::new(),
            component_index: HashMap::new(),
            set: layer(set, &NOWHERE, "", findings),
            dictionaries: dictionaries.into_iter().map(|dictionary| dictionary.values).collect(),
            target_value_names,
        };
        for (name, component) in &application.value.components {
            let base = pointer::join("/components", name.as_str());
            let targets = match environment.value.disable.contains(name) {
                true => Vec::new(),
                false => {
                    let found = select(&world, &base, component.on.as_ref(), findings);
                    if component.once { the_one(&world, name, component, found, last_targets) } else { found }
                }
            };
            let placed = place(&world, name, component, base, targets, kinds, findings);
            world.component_index.insert(name.as_str(), world.components.len());
            world.components.push(placed);
        }
        for Standalone { name, base, component } in standalone {
            let mut targets = select(&world, base, component.on.as_ref(), findings);
            if component.once {
                targets.truncate(1);
            }
            let placed = place(&world, name, component, base.clone(), targets, kinds, findings);
            world.actions.push(placed);
        }
        world
    }

    /// Returns where a target's values are looked up, the first hit winning: the command line, the target, the
    /// dictionaries that are for it.
    pub(super) fn layers(&self, target: usize) -> impl Iterator<Item = &Layer<'a>> + Clone {
        let target = &self.targets[target];
        let dictionaries = target.dictionaries.iter().map(|at| &self.dictionaries[*at]);
        [&self.set, &target.values].into_iter().chain(dictionaries)
    }

    /// Returns the targets that a selector matches, ascending; all without one.
    pub(super) fn matching(&self, selector: Option<&Selector>) -> Vec<usize> {
        let matches = |(_, target): &(usize, &TargetEntry<'_>)| {
            selector.is_none_or(|selector| selector.matches(target.name.as_str(), &target.spec.labels))
        };
        self.targets.iter().enumerate().filter(matches).map(|(index, _)| index).collect()
    }

    pub(super) fn component(&self, name: &str) -> Option<&Placed<'a>> {
        self.component_index.get(name).map(|at| &self.components[*at])
    }

    pub(super) fn declares_secret(&self, name: &str) -> bool {
        self.environment.value.secrets.contains_key(name)
    }

    pub(super) fn secret_names(&self) -> impl Iterator<Item = &str> + Clone {
        self.environment.value.secrets.keys().map(SecretName::as_str)
    }
}

fn layer<'a>(
    values: &'a BTreeMap<String, Value>,
    document: &'a Document,
    base: &str,
    findings: &Findings,
) -> Layer<'a> {
    values
        .iter()
        .map(|(name, value)| (name.as_str(), entry(value, document, pointer::join(base, name), findings)))
        .collect()
}

/// Parses a value's placeholders; reports those that can't be read.
pub(super) fn entry<'a>(value: &Value, document: &'a Document, base: String, findings: &Findings) -> Entry<'a> {
    let mut errors = Vec::new();
    let shape = Shape::of(value, &mut String::new(), &mut errors);
    let entry = Entry { shape, document, base };
    for error in &errors {
        findings.push(entry.origin().syntax(error));
    }
    entry
}

/// A dictionary, for all targets or for some.
struct Scoped<'a> {
    on: Option<&'a Selector>,
    /// The JSON Pointer of where it is written.
    at: String,
    values: Layer<'a>,
}

fn dictionaries<'a>(
    environment: &'a Parsed<Environment>,
    files: &'a DictionaryFiles,
    findings: &Findings,
) -> Vec<Scoped<'a>> {
    let mut found = Vec::new();
    for (index, dictionary) in environment.value.dictionaries.iter().enumerate() {
        let at = format!("/dictionaries/{index}");
        let values = match dictionary {
            Dictionary::Values(values) => layer(values, &environment.document, &at, findings),
            Dictionary::ScopedValues(ScopedValues { values, .. }) => {
                layer(values, &environment.document, &format!("{at}/values"), findings)
            }
            Dictionary::File(path) | Dictionary::ScopedFile(ScopedFile { file: path, .. }) => match files.get(path) {
                Some(file) => layer(&file.value, &file.document, "", findings),
                None => {
                    findings.push(
                        Diagnostic::error("no-file", format!("the dictionary `{}` was not read", path.display()))
                            .at(environment.document.place(&at), ""),
                    );
                    continue;
                }
            },
        };
        found.push(Scoped { on: dictionary.on(), at, values });
    }
    found
}

/// Tells targets which dictionaries are for them. Returns the names in those that are not for all.
fn assign<'a>(
    dictionaries: &[Scoped<'a>],
    targets: &mut [TargetEntry<'_>],
    document: &Document,
    findings: &Findings,
) -> Vec<&'a str> {
    let mut scoped = Vec::new();
    for (index, Scoped { on, at, values }) in dictionaries.iter().enumerate() {
        let mut count = 0;
        for target in &mut *targets {
            if on.is_none_or(|selector| selector.matches(target.name.as_str(), &target.spec.labels)) {
                target.dictionaries.push(index);
                count += 1;
            }
        }
        let Some(selector) = on else { continue };
        scoped.extend(values.keys().copied());
        if count == 0 && !targets.is_empty() {
            findings.push(
                Diagnostic::warning("no-target", format!("the selector `{selector}` matches no target"))
                    .at(document.place(&format!("{at}/on")), "")
                    .hint("the values of this dictionary are for no target"),
            );
        }
    }
    scoped
}

fn place<'a>(
    world: &World<'a>,
    name: &'a ComponentName,
    component: &'a Component,
    base: String,
    targets: Vec<usize>,
    kinds: &Kinds<'a>,
    findings: &Findings,
) -> Placed<'a> {
    let overrides = overrides(world, name, component, &base);
    let mut seen: HashMap<Vec<bool>, usize> = HashMap::new();
    let mut variants = Vec::new();
    let mut variant_of = Vec::with_capacity(targets.len());
    let with = format!("{base}/with");
    for target in &targets {
        let target = &world.targets[*target];
        let config = &world.environment.value.targets[target.name];
        let applying: Vec<bool> = overrides.iter().map(|over| over.applies(target.name, config)).collect();
        let variant = *seen.entry(applying).or_insert_with_key(|applying| {
            let mut properties = Layer::new();
            merge(&mut properties, &component.with, &world.application.document, &with, findings);
            for (over, _) in overrides.iter().zip(applying).filter(|(_, applies)| **applies) {
                merge(&mut properties, over.with, over.document, &over.base, findings);
            }
            variants.push(properties);
            variants.len() - 1
        });
        variant_of.push(variant);
    }
    // A plugin that can't be used is reported by the check of the application.
    let kind = kinds.get(&component.kind).ok().flatten();
    Placed { name, base, component, kind, targets, variant_of, variants }
}

/// Returns the targets a placement means; reports one that matches too few although there are targets.
fn select(world: &World<'_>, base: &str, on: Option<&Placement>, findings: &Findings) -> Vec<usize> {
    let targets = &world.environment.value.targets;
    let found = world.matching(on.map(Placement::selector));
    let Some(placement) = on.filter(|_| !targets.is_empty()) else { return found };
    let min = placement.min() as usize;
    if found.len() < min {
        let selector = placement.selector();
        let message = match found.len() {
            0 => format!("the selector `{selector}` matches no target"),
            count => format!("the selector `{selector}` matches {count} targets, and `min` is {min}"),
        };
        findings.push(
            Diagnostic::error("no-target", message)
                .at(world.application.document.place(&format!("{base}/on")), "")
                .hint(labels_hint(targets)),
        );
    }
    found
}

/// Returns the target of a component that goes to one only: the one it was on, else the first.
fn the_one(
    world: &World<'_>,
    name: &ComponentName,
    component: &Component,
    found: Vec<usize>,
    last_targets: &LastTargets,
) -> Vec<usize> {
    let last = last_targets.get(name).or_else(|| last_targets.get(component.renamed_from.as_ref()?));
    let known = last.and_then(|last| found.iter().find(|at| world.targets[**at].name == last));
    known.or(found.first()).copied().into_iter().collect()
}

fn labels_hint(targets: &BTreeMap<TargetName, Target>) -> String {
    const MANY: usize = 20;
    let labels: std::collections::BTreeSet<String> =
        targets.values().flat_map(|target| target.labels.iter().map(|(key, value)| format!("{key}={value}"))).collect();
    if labels.is_empty() {
        return "the environment's targets have no labels".to_owned();
    }
    let more = if labels.len() > MANY { ", …" } else { "" };
    let shown: Vec<String> = labels.into_iter().take(MANY).collect();
    format!("the environment's targets have the labels {}{more}", shown.join(", "))
}

/// One override: on which targets, and with what.
struct Over<'a> {
    on: Option<&'a Selector>,
    with: &'a Value,
    document: &'a Document,
    base: String,
}

impl Over<'_> {
    fn applies(&self, name: &TargetName, target: &Target) -> bool {
        self.on.is_none_or(|selector| selector.matches(name.as_str(), &target.labels))
    }
}

/// Returns the component's overrides, then the environment's: later ones win.
fn overrides<'a>(world: &World<'a>, name: &ComponentName, component: &'a Component, base: &str) -> Vec<Over<'a>> {
    let mut found = Vec::new();
    for (index, over) in component.overrides.iter().enumerate() {
        let base = format!("{base}/overrides/{index}/with");
        found.push(Over { on: Some(&over.on), with: &over.with, document: &world.application.document, base });
    }
    let base = pointer::join("/overrides", name.as_str());
    let mut add = |over: &'a EnvironmentOverride, base: String| {
        found.push(Over { on: over.on.as_ref(), with: &over.with, document: &world.environment.document, base });
    };
    match world.environment.value.overrides.get(name) {
        None => {}
        Some(EnvironmentOverrides::One(over)) => add(over, format!("{base}/with")),
        Some(EnvironmentOverrides::Several(several)) => {
            several.iter().enumerate().for_each(|(index, over)| add(over, format!("{base}/{index}/with")));
        }
    }
    found
}

/// Replaces whole top-level properties by those of `with`.
fn merge<'a>(properties: &mut Layer<'a>, with: &'a Value, document: &'a Document, base: &str, findings: &Findings) {
    match with {
        Value::Null => {}
        Value::Object(members) => {
            for (name, value) in members {
                properties.insert(name, entry(value, document, pointer::join(base, name), findings));
            }
        }
        _ => findings.push(
            Diagnostic::error("wrong-type", "properties must be a mapping of names to values")
                .at(document.place(base), ""),
        ),
    }
}
