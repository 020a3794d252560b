//! Which imports a plugin finds: all of them while it acts, fewer while it looks, nearly none while it plans.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker, ResourceType};
use wasmtime::{Engine, Result, StoreContextMut};

use super::CannotAct;
use super::admission::{PACKAGE, VERSION};
use super::bindings::{Deployer, DeployerPre, log};
use super::state::{CallState, SecretHandle};

/// A plugin made ready, once for each set of imports.
pub(crate) struct Linked {
    pub(crate) planning: DeployerPre<CallState>,
    pub(crate) acting: DeployerPre<CallState>,
    pub(crate) inspecting: DeployerPre<CallState>,
}

impl Linked {
    pub(crate) fn new(component: &Component) -> Result<Self> {
        let engine = component.engine();
        Ok(Self {
            planning: planning(engine, component)?,
            acting: DeployerPre::new(acting(engine)?.instantiate_pre(component)?)?,
            inspecting: DeployerPre::new(inspecting(engine)?.instantiate_pre(component)?)?,
        })
    }
}

/// Links a plugin for planning alone.
pub(crate) fn planning(engine: &Engine, component: &Component) -> Result<DeployerPre<CallState>> {
    DeployerPre::new(pre_for_planning(engine, component)?)
}

/// Only `log` is there; every other function that the component imports is a typed error.
fn pre_for_planning(engine: &Engine, component: &Component) -> Result<InstancePre<CallState>> {
    let mut linker = Linker::new(engine);
    log::add_to_linker::<CallState, HasSelf<CallState>>(&mut linker, |state| state)?;
    for (import, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(interface) = &item.ty else { continue };
        let name = short_name(import);
        if name == "log" {
            continue;
        }
        let mut instance = linker.instance(import)?;
        for (export, item) in interface.exports(engine) {
            match &item.ty {
                ComponentItem::ComponentFunc(_) => instance.func_new(export, cannot_act(name, export))?,
                ComponentItem::Resource(_) => {
                    instance.resource(export, ResourceType::host::<SecretHandle>(), |_, _| Ok(()))?;
                }
                _ => {}
            }
        }
    }
    linker.instantiate_pre(component)
}

fn acting(engine: &Engine) -> Result<Linker<CallState>> {
    let mut linker = Linker::new(engine);
    Deployer::add_to_linker::<CallState, HasSelf<CallState>>(&mut linker, |state| state)?;
    Ok(linker)
}

/// As for acting, without what writes.
fn inspecting(engine: &Engine) -> Result<Linker<CallState>> {
    let mut linker = acting(engine)?;
    linker.allow_shadowing(true);
    for (interface, function) in [("target", "put"), ("http", "download")] {
        let mut instance = linker.instance(&format!("{PACKAGE}{interface}{VERSION}"))?;
        instance.func_new(function, cannot_act(interface, function))?;
    }
    Ok(linker)
}

/// Returns the import that only says that it is absent.
fn cannot_act(
    interface: &str,
    function: &str,
) -> impl Fn(
    StoreContextMut<'_, CallState>,
    wasmtime::component::types::ComponentFunc,
    &[wasmtime::component::Val],
    &mut [wasmtime::component::Val],
) -> Result<()>
+ Send
+ Sync
+ 'static
+ use<> {
    let (interface, function) = (interface.to_owned(), function.to_owned());
    move |store, _, _, _| {
        let activity = store.data().activity;
        Err(CannotAct { interface: interface.clone(), function: function.clone(), activity }.into())
    }
}

/// Returns `target` of `launchway:plugin/target@0.1.0`.
fn short_name(import: &str) -> &str {
    let name = import.strip_prefix(PACKAGE).unwrap_or(import);
    name.strip_suffix(VERSION).unwrap_or(name)
}
