//! Puts instances together: properties first, then files and templates (which may look at all properties), then the
//! actions that verify them.

use std::rc::Rc;
use std::sync::Arc;

use launchway_model::config::{ActionUse, AroundUse, pointer};
use launchway_model::{ActionSpec, Around, Diagnostic, InstanceId, InstanceSpec};

use super::edges::{config_edges, on_rollback, run_rule};
use super::files::Collector;
use super::findings::Findings;
use super::properties::{Maker, Ready, Wanted};
use super::resolve::{Resolver, Scope};
use super::world::{Layer, Placed, World, entry};
use crate::inputs::Files;
use crate::kinds::{Kind, Kinds};

/// Returns the instances of all components, sorted by id, and those of the actions that stand alone, in their order;
/// without those in which something is wrong, which is then reported.
pub(super) fn assemble(
    world: &World<'_>,
    kinds: &Kinds<'_>,
    files: &dyn Files,
    findings: &Findings,
) -> (Vec<InstanceSpec>, Vec<InstanceSpec>) {
    let resolver = Resolver::new(world, findings);
    let all: Vec<Vec<Option<Ready>>> =
        world.components.iter().map(|placed| properties(&resolver, kinds, placed)).collect();
    let mut collector = Collector::new(&resolver, files);
    let count = world.components.iter().map(|placed| placed.targets.len()).sum();
    let mut instances = Vec::with_capacity(count);
    for (number, placed) in world.components.iter().enumerate() {
        component(&resolver, kinds, &mut collector, placed, &all[number], &all, &mut instances);
    }
    let mut alone = Vec::new();
    for placed in &world.actions {
        let own = properties(&resolver, kinds, placed);
        component(&resolver, kinds, &mut collector, placed, &own, &all, &mut alone);
    }
    (instances, alone)
}

fn properties(resolver: &Resolver<'_>, kinds: &Kinds<'_>, placed: &Placed<'_>) -> Vec<Option<Ready>> {
    let Some(kind) = &placed.kind else { return vec![None; placed.targets.len()] };
    let wanted = placed.targets.iter().zip(&placed.variant_of).map(|(target, variant)| Wanted {
        variant: *variant,
        layer: &placed.variants[*variant],
        scope: Scope { target: *target, component: placed.name },
    });
    maker(resolver, kinds, placed, kind).make(wanted)
}

fn maker<'a>(
    resolver: &'a Resolver<'a>,
    kinds: &'a Kinds<'_>,
    placed: &'a Placed<'a>,
    kind: &'a Kind<'a>,
) -> Maker<'a> {
    let with = format!("{}/with", placed.base);
    let document = &resolver.world.application.document;
    Maker { resolver, plugins: kinds.plugins(), kind_ref: &placed.component.kind, kind, document, with }
}

fn component(
    resolver: &Resolver<'_>,
    kinds: &Kinds<'_>,
    collector: &mut Collector<'_>,
    placed: &Placed<'_>,
    own: &[Option<Ready>],
    all: &[Vec<Option<Ready>>],
    instances: &mut Vec<InstanceSpec>,
) {
    let Some(kind) = &placed.kind else { return };
    let edges = Arc::new(config_edges(resolver.world, placed));
    let places = maker(resolver, kinds, placed, kind);
    let written = WrittenActions::of(resolver.world, kinds, placed, resolver.findings);
    let actions = ActionMakers::new(&written, resolver, kinds, placed);
    for (at, target) in placed.targets.iter().enumerate() {
        let scope = Scope { target: *target, component: placed.name };
        let layer = &placed.variants[placed.variant_of[at]];
        let attached = own[at].as_ref().and_then(|ready| {
            let attached = collector.attach(kind.schema.sources(), ready, scope, all, |at| places.place(at, layer))?;
            Some((ready, attached))
        });
        let made = actions.make(at, resolver, collector, scope, all);
        let (Some((ready, attached)), Some((verify, around))) = (attached, made) else { continue };
        instances.push(InstanceSpec {
            id: InstanceId { component: placed.name.clone(), target: resolver.world.targets[*target].name.clone() },
            version: resolver.world.version.clone(),
            kind: placed.component.kind.clone(),
            properties: ready.properties.clone(),
            artifacts: attached.artifacts,
            secrets: attached.secrets.into_iter().collect(),
            verify,
            around,
            run: run_rule(placed),
            edges: edges.clone(),
            on_rollback: on_rollback(placed),
        });
    }
}

/// Makes one of a component's actions for one target after the other.
struct ActionMaker<'a> {
    maker: Maker<'a>,
    layer: Layer<'a>,
    /// For each of the component's targets.
    ready: Vec<Option<Ready>>,
}

impl<'a> ActionMaker<'a> {
    /// `base` is the JSON Pointer of where the action is written.
    fn new(
        resolver: &'a Resolver<'a>,
        kinds: &'a Kinds<'_>,
        base: &str,
        action: &'a ActionUse,
        kind: &'a Kind<'a>,
        placed: &Placed<'_>,
    ) -> Self {
        let with = format!("{base}/with");
        let document = &resolver.world.application.document;
        let mut layer = Layer::new();
        for (name, value) in action.with.as_object().into_iter().flatten() {
            layer.insert(name, entry(value, document, pointer::join(&with, name), resolver.findings));
        }
        let maker = Maker { resolver, plugins: kinds.plugins(), kind_ref: &action.kind, kind, document, with };
        let scope = |target: &usize| Scope { target: *target, component: placed.name };
        let wanted = placed.targets.iter().map(|target| Wanted { variant: 0, layer: &layer, scope: scope(target) });
        let ready = maker.make(wanted);
        Self { maker, layer, ready }
    }

    /// Makes it for the component's target with this number.
    fn make(
        &self,
        number: usize,
        collector: &mut Collector<'_>,
        scope: Scope<'_>,
        all: &[Vec<Option<Ready>>],
    ) -> Option<ActionSpec> {
        let Self { maker, layer, ready } = self;
        let ready = ready[number].as_ref()?;
        let attached = collector.attach(maker.kind.schema.sources(), ready, scope, all, |at| maker.place(at, layer))?;
        Some(ActionSpec {
            kind: maker.kind_ref.clone(),
            properties: ready.properties.clone(),
            artifacts: attached.artifacts,
            secrets: attached.secrets.into_iter().collect(),
        })
    }
}

/// An action as written, with its place and its kind; none if no plugin has that.
struct Written<'a, 'k> {
    base: String,
    action: &'a ActionUse,
    kind: Option<Rc<Kind<'k>>>,
}

impl<'a, 'k> Written<'a, 'k> {
    fn new(kinds: &Kinds<'k>, base: String, action: &'a ActionUse) -> Self {
        Self { base, action, kind: kinds.get(&action.kind).ok().flatten() }
    }

    /// Returns what makes it; none without a kind, which is reported already.
    fn maker<'b>(
        &'b self,
        resolver: &'b Resolver<'b>,
        kinds: &'b Kinds<'_>,
        placed: &Placed<'_>,
    ) -> Option<ActionMaker<'b>> {
        Some(ActionMaker::new(resolver, kinds, &self.base, self.action, self.kind.as_deref()?, placed))
    }
}

/// What is done around a component's instances, as written, and on which targets.
struct WrittenAround<'a, 'k> {
    used: &'a AroundUse,
    targets: Vec<usize>,
    before: Option<Written<'a, 'k>>,
    after: Option<Written<'a, 'k>>,
}

/// All actions of a component, as written.
struct WrittenActions<'a, 'k> {
    verify: Vec<Written<'a, 'k>>,
    around: Vec<WrittenAround<'a, 'k>>,
}

impl<'a, 'k> WrittenActions<'a, 'k> {
    fn of(world: &World<'_>, kinds: &Kinds<'k>, placed: &Placed<'a>, findings: &Findings) -> Self {
        let (base, component) = (&placed.base, placed.component);
        let verify = component.verify.iter().enumerate();
        let verify = verify.map(|(at, action)| Written::new(kinds, format!("{base}/verify/{at}"), action)).collect();
        let mut around = Vec::new();
        for (at, used) in component.around.iter().enumerate() {
            let base = format!("{base}/around/{at}");
            let targets = world.matching(Some(&used.at));
            if targets.is_empty() && !world.targets.is_empty() {
                let message = format!("the selector `{}` matches no target, so nothing is done around", used.at);
                let place = world.application.document.place(&format!("{base}/at"));
                findings.push(Diagnostic::warning("no-target", message).at(place, ""));
            }
            let written = |name: &str, action: Option<&'a ActionUse>| {
                action.map(|action| Written::new(kinds, format!("{base}/{name}"), action))
            };
            let (before, after) = (written("before", used.before.as_ref()), written("after", used.after.as_ref()));
            around.push(WrittenAround { used, targets, before, after });
        }
        Self { verify, around }
    }
}

/// What makes the actions around a component's instances. Outer none: there is no such action; inner none: it has no
/// kind, which is reported already.
struct AroundMakers<'a> {
    used: &'a AroundUse,
    targets: &'a [usize],
    before: Option<Option<ActionMaker<'a>>>,
    after: Option<Option<ActionMaker<'a>>>,
}

/// What makes a component's actions, one target after the other.
struct ActionMakers<'a> {
    verify: Vec<Option<ActionMaker<'a>>>,
    around: Vec<AroundMakers<'a>>,
}

impl<'a> ActionMakers<'a> {
    fn new(
        written: &'a WrittenActions<'a, '_>,
        resolver: &'a Resolver<'a>,
        kinds: &'a Kinds<'_>,
        placed: &Placed<'_>,
    ) -> Self {
        let maker = |written: &'a Written<'a, '_>| written.maker(resolver, kinds, placed);
        let verify = written.verify.iter().map(maker).collect();
        let around = written.around.iter().map(|WrittenAround { used, targets, before, after }| AroundMakers {
            used,
            targets,
            before: before.as_ref().map(maker),
            after: after.as_ref().map(maker),
        });
        Self { verify, around: around.collect() }
    }

    /// Returns the actions for the component's target with this number; none if something is wrong in one of them, which
    /// is then reported.
    fn make(
        &self,
        number: usize,
        resolver: &Resolver<'_>,
        collector: &mut Collector<'_>,
        scope: Scope<'_>,
        all: &[Vec<Option<Ready>>],
    ) -> Option<(Vec<ActionSpec>, Vec<Around>)> {
        let verify: Vec<Option<ActionSpec>> = self
            .verify
            .iter()
            .map(|maker| maker.as_ref().and_then(|maker| maker.make(number, collector, scope, all)))
            .collect();
        let mut complete = true;
        let mut around = Vec::new();
        for AroundMakers { used, targets, before, after } in &self.around {
            let mut make = |maker: &Option<Option<ActionMaker<'a>>>| {
                let made = maker.as_ref()?.as_ref().and_then(|maker| maker.make(number, collector, scope, all));
                complete &= made.is_some();
                made
            };
            let (before, after) = (make(before), make(after));
            let at: Vec<_> = targets.iter().map(|at| resolver.world.targets[*at].name.clone()).collect();
            if !at.is_empty() {
                around.push(Around { at, before, after, always: used.always });
            }
        }
        let verify: Option<Vec<ActionSpec>> = verify.into_iter().collect();
        complete.then_some(())?;
        Some((verify?, around))
    }
}
