//! Puts instances together: properties first, then files and templates (which may look at all properties), then the
//! actions that verify them.

use std::sync::Arc;

use launchway_model::config::{ActionUse, pointer};
use launchway_model::{ActionSpec, InstanceId, InstanceSpec};

use super::files::Collector;
use super::findings::Findings;
use super::pass::{config_edges, on_rollback};
use super::properties::{Maker, Ready};
use super::resolve::{Resolver, Scope};
use super::world::{Layer, Placed, World, entry};
use crate::inputs::Files;
use crate::kinds::{Kind, Kinds};

/// Returns all instances, sorted by id; without those in which something is wrong, which is then reported.
pub(super) fn assemble(
    world: &World<'_>,
    kinds: &Kinds<'_>,
    files: &dyn Files,
    findings: &Findings,
) -> Vec<InstanceSpec> {
    let resolver = Resolver::new(world, findings);
    let all: Vec<Vec<Option<Ready>>> =
        world.components.iter().map(|placed| properties(&resolver, kinds, placed)).collect();
    let mut collector = Collector::new(&resolver, files);
    let count = world.components.iter().map(|placed| placed.targets.len()).sum();
    let mut instances = Vec::with_capacity(count);
    for (number, placed) in world.components.iter().enumerate() {
        component(&resolver, kinds, &mut collector, placed, number, &all, &mut instances);
    }
    instances
}

fn properties(resolver: &Resolver<'_>, kinds: &Kinds<'_>, placed: &Placed<'_>) -> Vec<Option<Ready>> {
    let Some(kind) = &placed.kind else { return vec![None; placed.targets.len()] };
    let mut maker = maker(resolver, kinds, placed, kind);
    placed
        .targets
        .iter()
        .zip(&placed.variant_of)
        .map(|(target, variant)| {
            maker.make(*variant, &placed.variants[*variant], Scope { target: *target, component: placed.name })
        })
        .collect()
}

fn maker<'a>(
    resolver: &'a Resolver<'a>,
    kinds: &'a Kinds<'_>,
    placed: &'a Placed<'a>,
    kind: &'a Kind<'a>,
) -> Maker<'a> {
    let with = pointer::join("/components", placed.name.as_str()) + "/with";
    let document = &resolver.world.application.document;
    Maker::new(resolver, kinds.plugins(), (&placed.component.kind, kind), document, with)
}

fn component(
    resolver: &Resolver<'_>,
    kinds: &Kinds<'_>,
    collector: &mut Collector<'_>,
    placed: &Placed<'_>,
    number: usize,
    all: &[Vec<Option<Ready>>],
    instances: &mut Vec<InstanceSpec>,
) {
    let Some(kind) = &placed.kind else { return };
    let edges = Arc::new(config_edges(placed.component));
    let places = maker(resolver, kinds, placed, kind);
    let mut verifiers: Vec<Option<Verifier<'_>>> = Vec::new();
    let uses = placed.component.verify.iter().enumerate();
    let known: Vec<_> = uses.map(|(index, action)| (index, action, kinds.get(&action.kind).ok().flatten())).collect();
    for (index, action, kind) in &known {
        verifiers.push(kind.as_ref().map(|kind| Verifier::new(resolver, kinds, placed, (*index, *action), kind)));
    }
    for (at, target) in placed.targets.iter().enumerate() {
        let scope = Scope { target: *target, component: placed.name };
        let layer = &placed.variants[placed.variant_of[at]];
        let attached = all[number][at].as_ref().and_then(|ready| {
            let attached = collector.attach(kind.schema.sources(), ready, scope, all, |at| places.place(at, layer))?;
            Some((ready, attached))
        });
        let verify: Vec<Option<ActionSpec>> = verifiers
            .iter_mut()
            .map(|verifier| verifier.as_mut().and_then(|verifier| verifier.make(collector, scope, all)))
            .collect();
        let verify: Option<Vec<ActionSpec>> = verify.into_iter().collect();
        let (Some((ready, attached)), Some(verify)) = (attached, verify) else { continue };
        instances.push(InstanceSpec {
            id: InstanceId { component: placed.name.clone(), target: resolver.world.targets[*target].name.clone() },
            version: resolver.world.version.clone(),
            kind: placed.component.kind.clone(),
            properties: ready.properties.clone(),
            artifacts: attached.artifacts,
            secrets: attached.secrets.into_iter().collect(),
            verify,
            edges: edges.clone(),
            on_rollback: on_rollback(placed),
        });
    }
}

/// Makes one of a component's actions for one target after the other.
struct Verifier<'a> {
    maker: Maker<'a>,
    layer: Layer<'a>,
}

impl<'a> Verifier<'a> {
    fn new(
        resolver: &'a Resolver<'a>,
        kinds: &'a Kinds<'_>,
        placed: &Placed<'a>,
        (index, action): (usize, &'a ActionUse),
        kind: &'a Kind<'a>,
    ) -> Self {
        let with = format!("{}/verify/{index}/with", pointer::join("/components", placed.name.as_str()));
        let document = &resolver.world.application.document;
        let mut layer = Layer::new();
        for (name, value) in action.with.as_object().into_iter().flatten() {
            layer.insert(name, entry(value, document, pointer::join(&with, name), resolver.findings));
        }
        let maker = Maker::new(resolver, kinds.plugins(), (&action.kind, kind), document, with);
        Self { maker, layer }
    }

    fn make(
        &mut self,
        collector: &mut Collector<'_>,
        scope: Scope<'_>,
        all: &[Vec<Option<Ready>>],
    ) -> Option<ActionSpec> {
        let ready = self.maker.make(0, &self.layer, scope)?;
        let Self { maker, layer } = self;
        let attached =
            collector.attach(maker.kind.schema.sources(), &ready, scope, all, |at| maker.place(at, layer))?;
        Some(ActionSpec {
            kind: maker.kind_ref.clone(),
            properties: ready.properties,
            artifacts: attached.artifacts,
            secrets: attached.secrets.into_iter().collect(),
        })
    }
}
