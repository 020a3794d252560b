//! JSON Schemas: of the project's files, and of the properties that plugins publish.

mod adapt;
mod describe;
mod explain;
mod files;
mod project;
mod property;
mod shape;
mod walk;
mod writes;

pub(super) use explain::Finding;
pub(super) use files::ConfigSchema;
pub use files::{application_schema, environment_schema, inventory_schema};
pub use project::{environment_editor_schema, project_schema};
pub use property::{PropertySchema, SchemaError, SourceKind};
pub use writes::{Extent, Writes};
