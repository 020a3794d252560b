//! The project's files: what people write, as typed values that know where each of them was written.

mod application;
mod environment;
mod selector;

pub use application::{
    ActionUse, Application, Component, EdgeDetail, EdgeUse, Override, PluginSource, PluginSourceDetail,
    SubscriptionDetail, SubscriptionUse,
};
pub use environment::{
    Defaults, Dictionary, Environment, EnvironmentOverride, EnvironmentOverrides, EscalationConfig, FailurePolicy,
    OnFailure, SecretSource, Target,
};
pub use selector::{Selector, SelectorError};
