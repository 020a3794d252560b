//! The schemas of the project's files, from the types themselves.

use std::sync::OnceLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::PropertySchema;
use crate::config::{Application, Environment, InventoryAnswer};

/// A file's schema, compiled once per process.
pub(in crate::config) struct ConfigSchema {
    /// What the file is, for messages.
    pub(in crate::config) what: &'static str,
    pub(in crate::config) properties: PropertySchema,
}

impl ConfigSchema {
    pub(in crate::config) fn application() -> &'static Self {
        static SCHEMA: OnceLock<ConfigSchema> = OnceLock::new();
        SCHEMA.get_or_init(|| Self::new("application", &application_schema()))
    }

    pub(in crate::config) fn environment() -> &'static Self {
        static SCHEMA: OnceLock<ConfigSchema> = OnceLock::new();
        SCHEMA.get_or_init(|| Self::new("environment", &environment_schema()))
    }

    pub(in crate::config) fn inventory() -> &'static Self {
        static SCHEMA: OnceLock<ConfigSchema> = OnceLock::new();
        SCHEMA.get_or_init(|| Self::new("inventory", &inventory_schema()))
    }

    pub(in crate::config) fn dictionary() -> &'static Self {
        static SCHEMA: OnceLock<ConfigSchema> = OnceLock::new();
        SCHEMA.get_or_init(|| Self::new("dictionary", &json!({ "type": "object" })))
    }

    fn new(what: &'static str, schema: &Value) -> Self {
        let properties = PropertySchema::new(schema).expect("the types' own schemas are valid: a test builds them all");
        Self { what, properties }
    }
}

/// Returns the JSON Schema of `launchway.yaml`, whatever the types of its components.
pub fn application_schema() -> Value {
    generate::<Application>()
}

/// Returns the JSON Schema of an environment's file.
pub fn environment_schema() -> Value {
    generate::<Environment>()
}

/// Returns the JSON Schema of what an inventory answers.
pub fn inventory_schema() -> Value {
    generate::<InventoryAnswer>()
}

fn generate<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}
