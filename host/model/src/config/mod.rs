//! The project's files: what people write, as typed values that know where each of them was written.

mod application;
mod document;
mod environment;
mod inventory;
mod load;
pub mod placeholder;
pub mod pointer;
mod reference;
mod salvage;
mod scalar_text;
mod schema;
mod selector;
mod yaml;

pub use application::{
    ActionUse, Application, AroundUse, Component, EdgeDetail, EdgeUse, Group, Override, PlacedAction, Placement,
    PlacementDetail, PluginSource, PluginSourceDetail, SubscriptionDetail, SubscriptionUse,
};
pub use document::Document;
pub use environment::{
    AgeEntry, AgeSource, Defaults, Dictionary, Drift, Environment, EnvironmentOverride, EnvironmentOverrides,
    EscalationConfig, FailurePolicy, Markers, OnFailure, ScopedFile, ScopedValues, SecretSource, Target,
};
pub use inventory::{InventoryAnswer, InventorySource, InventoryTarget, TerraformOutput, Words};
pub use load::{
    Parsed, Salvaged, parse_application, parse_dictionary, parse_environment, parse_inventory, parse_scalar,
    salvage_application,
};
pub use reference::reference_markdown;
pub use schema::{
    Extent, PropertySchema, SchemaError, SourceKind, Writes, application_schema, environment_editor_schema,
    environment_schema, inventory_schema, project_schema,
};
pub use selector::{Selector, SelectorError};
