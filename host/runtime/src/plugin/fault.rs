//! What goes wrong inside a plugin, and on the way to having one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use launchway_model::{Failure, Fault, PluginName};

/// A plugin called an import that is absent in the instance it ran in.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it called `{interface}.{function}`, which is absent while {activity}")]
pub struct CannotAct {
    /// The interface's own name, such as `target`.
    pub interface: String,
    pub function: String,
    pub activity: Activity,
}

/// What a plugin was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Activity {
    Describing,
    Validating,
    Planning,
    Applying,
    Probing,
    Inspecting,
}

impl std::fmt::Display for Activity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Describing => "describing itself",
            Self::Validating => "validating",
            Self::Planning => "planning",
            Self::Applying => "applying",
            Self::Probing => "probing",
            Self::Inspecting => "inspecting",
        })
    }
}

/// Where in a call a plugin was when it trapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Where {
    /// In its initialisers, before the call itself.
    Starting(Activity),
    In(Activity),
}

impl std::fmt::Display for Where {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Starting(activity) => write!(f, "starting up for {activity}"),
            Self::In(activity) => activity.fmt(f),
        }
    }
}

/// A plugin misbehaved: it is contained, and its instance is gone.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PluginFault {
    #[error(transparent)]
    CannotAct(#[from] CannotAct),
    /// The message holds what the plugin logged last as an error, which for a panic is its text.
    #[error("it crashed while {at}: {message}")]
    Trap { at: Where, message: String },
    #[error("it did not answer within {} s while {at}", .limit.as_secs_f32())]
    OutOfTime { at: Activity, limit: Duration },
    #[error("it needs more than {} MiB of memory", .limit >> 20)]
    OutOfMemory { limit: usize },
    /// `what` is a plural, such as `host calls`.
    #[error("it made more than {limit} {what}")]
    TooMany { what: &'static str, limit: u64 },
    #[error("it handed the host more than {} MiB in one call", .limit >> 20)]
    TooBig { limit: usize },
    #[error("it gave a bad answer while {at}: {why}")]
    BadAnswer { at: Activity, why: String },
    /// The host could not give it a place to run.
    #[error("it can't be run here: {0}")]
    Engine(#[from] EngineError),
    #[error("it is not known")]
    Unknown,
}

impl PluginFault {
    /// Turns the fault into the failure of a step.
    pub fn into_failure(self, plugin: &PluginName) -> Failure {
        let hint = match &self {
            Self::CannotAct(_) | Self::Trap { .. } | Self::TooBig { .. } | Self::BadAnswer { .. } => {
                Some("this is a defect of the plugin: report it to whoever made it".to_owned())
            }
            Self::Engine(error) => error.hint().map(str::to_owned),
            Self::OutOfTime { .. } | Self::OutOfMemory { .. } | Self::TooMany { .. } | Self::Unknown => None,
        };
        Failure {
            fault: Fault::Plugin,
            message: format!("plugin `{plugin}`: {self}"),
            detail: None,
            hint,
            retryable: false,
        }
    }
}

/// The sandbox can't be had on this machine.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the sandbox needs {gib} GiB of address space (not memory), and can't get it: {reason}")]
    AddressSpace { gib: u64, reason: String },
    /// Compiled code that this build can't load.
    #[error("its compiled code can't be loaded: {0}")]
    Code(String),
    #[error("the sandbox can't be made: {0}")]
    Host(String),
}

impl EngineError {
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::AddressSpace { .. } => Some("raise or remove the limit that `ulimit -v` shows"),
            Self::Code(_) | Self::Host(_) => None,
        }
    }
}

/// A plugin can't be had.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LoadError {
    #[error("plugin `{plugin}`: can't read {}: {reason}", .path.display())]
    Read { plugin: PluginName, path: PathBuf, reason: String },
    #[error("plugin `{plugin}`: {} is {found}, not a WebAssembly component", .path.display())]
    NotAComponent { plugin: PluginName, path: PathBuf, found: String },
    #[error("plugin `{plugin}`: {} is not acceptable: {why}", .path.display())]
    Refused { plugin: PluginName, path: PathBuf, why: String },
    #[error("plugin `{plugin}` imports {}, which Launchway does not offer", list(.imports))]
    UnknownImports { plugin: PluginName, imports: Vec<String> },
    /// Capabilities, each with the functions it uses of it.
    #[error("plugin `{plugin}` uses {}, which is not granted", uses(.missing))]
    NotGranted { plugin: PluginName, missing: BTreeMap<String, Vec<String>> },
    #[error("plugin `{plugin}` uses `{capability}` ({}), which its description does not mention", list(.functions))]
    Undeclared { plugin: PluginName, capability: String, functions: Vec<String> },
    #[error("plugin `{plugin}`: `{capability}` is no capability")]
    UnknownGrant { plugin: PluginName, capability: String },
    #[error("plugin `{plugin}` does not export {}", list(.exports))]
    MissingExports { plugin: PluginName, exports: Vec<String> },
    #[error("plugin `{plugin}` can't be compiled: {reason}")]
    Compile { plugin: PluginName, reason: String },
    #[error("plugin `{plugin}`: {fault}")]
    Describe { plugin: PluginName, fault: PluginFault },
    #[error("plugin `{plugin}` comes with Launchway already")]
    Taken { plugin: PluginName },
    /// No plugin's fault.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Something embedded in this binary is broken.
    #[error("the embedded plugin `{name}` is broken: {reason}")]
    Embedded { name: String, reason: String },
}

impl LoadError {
    /// Returns what the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotAComponent { .. } => Some(
                "build it as a component of the world `launchway:plugin/deployer`; a core module becomes one with \
                 `wasm-tools component new`"
                    .to_owned(),
            ),
            Self::UnknownImports { imports, .. } if imports.iter().any(|import| import.starts_with("wasi:")) => {
                Some("plugins have no WASI: build for the target wasm32-unknown-unknown, or stub WASI out".to_owned())
            }
            Self::UnknownImports { .. } => Some("it may be made for another version of Launchway".to_owned()),
            Self::NotGranted { plugin, missing } => {
                let names: Vec<String> = missing.keys().cloned().collect();
                let names = list(&names);
                Some(format!("if you trust it with that, add {names} to `grant` of `{plugin}` under `plugins`"))
            }
            Self::UnknownGrant { .. } => Some("the capabilities are `target`, `secrets`, `http` and `net`".to_owned()),
            Self::Taken { .. } => Some("give it another name".to_owned()),
            Self::Engine(error) | Self::Describe { fault: PluginFault::Engine(error), .. } => {
                error.hint().map(str::to_owned)
            }
            Self::Embedded { .. } => Some("build Launchway anew with `cargo xtask build`".to_owned()),
            _ => None,
        }
    }

    /// Returns the plugin's name; none if it is no plugin's fault.
    pub fn plugin(&self) -> Option<&str> {
        match self {
            Self::Read { plugin, .. }
            | Self::NotAComponent { plugin, .. }
            | Self::Refused { plugin, .. }
            | Self::UnknownImports { plugin, .. }
            | Self::NotGranted { plugin, .. }
            | Self::Undeclared { plugin, .. }
            | Self::UnknownGrant { plugin, .. }
            | Self::MissingExports { plugin, .. }
            | Self::Compile { plugin, .. }
            | Self::Describe { plugin, .. }
            | Self::Taken { plugin } => Some(plugin.as_str()),
            Self::Embedded { name, .. } => Some(name),
            Self::Engine(_) => None,
        }
    }
}

/// Returns capabilities, each with the functions that are used of it.
fn uses(uses: &BTreeMap<String, Vec<String>>) -> String {
    let all = uses.iter().map(|(capability, functions)| format!("`{capability}` ({})", list(functions)));
    all.collect::<Vec<_>>().join(" and ")
}

fn list(items: &[String]) -> String {
    items.iter().map(|item| format!("`{item}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_sandbox_is_no_plugins_fault() {
        let reason = "no memory".to_owned();
        let error = LoadError::from(EngineError::AddressSpace { gib: 4, reason });
        assert_eq!(error.plugin(), None);
        assert!(error.to_string().starts_with("the sandbox needs 4 GiB"), "{error}");
        assert!(error.hint().is_some());
    }
}
