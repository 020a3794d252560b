//! The kinds that plugins offer, with their schemas ready for use.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use launchway_model::config::PropertySchema;
use launchway_model::{KindInfo, KindRef};

use crate::inputs::{PluginError, Plugins};

/// The kinds met so far; each schema is prepared once.
pub(crate) struct Kinds<'a> {
    plugins: &'a dyn Plugins,
    met: RefCell<HashMap<KindRef, Option<Rc<Kind<'a>>>>>,
}

/// A kind and its schema.
pub(crate) struct Kind<'a> {
    pub(crate) info: &'a KindInfo,
    pub(crate) schema: PropertySchema,
    triggers: RefCell<HashMap<String, bool>>,
}

impl Kind<'_> {
    /// Whether a difference at a place is a reason to deploy again. Asked for the same few places again and again.
    pub(crate) fn is_trigger(&self, at: &str) -> bool {
        if let Some(known) = self.triggers.borrow().get(at) {
            return *known;
        }
        let trigger = self.schema.is_trigger(at);
        self.triggers.borrow_mut().insert(at.to_owned(), trigger);
        trigger
    }
}

impl<'a> Kinds<'a> {
    pub(crate) fn new(plugins: &'a dyn Plugins) -> Self {
        Self { plugins, met: RefCell::default() }
    }

    pub(crate) fn plugins(&self) -> &'a dyn Plugins {
        self.plugins
    }

    /// Returns a kind; none if no plugin has it.
    pub(crate) fn get(&self, kind: &KindRef) -> Result<Option<Rc<Kind<'a>>>, PluginError> {
        if let Some(known) = self.met.borrow().get(kind) {
            return Ok(known.clone());
        }
        let found = match self.plugins.kind(kind) {
            None => None,
            Some(info) => {
                let schema = PropertySchema::new(&info.schema).map_err(|error| PluginError {
                    plugin: kind.plugin.clone(),
                    message: format!("the schema of `{}` can't be used: {error}", kind.kind),
                })?;
                Some(Rc::new(Kind { info, schema, triggers: RefCell::default() }))
            }
        };
        self.met.borrow_mut().insert(kind.clone(), found.clone());
        Ok(found)
    }
}
