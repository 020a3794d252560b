//! What a component must be before a byte of it is compiled: valid, modest, and importing only what it may.

use std::collections::BTreeMap;
use std::path::Path;

use launchway_model::PluginName;
use wasmparser::component_types::ComponentEntityType;
use wasmparser::{CanonicalFunction, CanonicalOption, Encoding, Parser, Payload, Validator, WasmFeatures};

use super::LoadError;

/// The contract's package and version, as imports and exports name it.
pub(crate) const PACKAGE: &str = "launchway:plugin/";
pub(crate) const VERSION: &str = "@0.1.0";

/// The interfaces that stand for a capability, named alike.
pub(crate) const CAPABILITIES: [&str; 4] = ["target", "secrets", "http", "net"];
/// The interfaces that are there for every plugin; `types` has no functions.
const FREE: [&str; 3] = ["log", "clock", "types"];
const EXPORTS: [&str; 3] = ["description", "planning", "deployment"];

/// The largest component, in bytes. A Python interpreter takes 18 MB.
const SIZE_LIMIT: usize = 50 << 20;
/// The largest function, in bytes: compiling takes more than linear time in it.
const BODY_LIMIT: usize = 512 << 10;

/// The functions of each capability that a component imports.
pub(crate) type Uses = BTreeMap<String, Vec<String>>;

/// Checks a component by itself: returns what it uses.
pub(crate) fn inspect(plugin: &PluginName, path: &Path, bytes: &[u8]) -> Result<Uses, LoadError> {
    let refused = |why: String| LoadError::Refused { plugin: plugin.clone(), path: path.to_owned(), why };
    if let Some(found) = not_a_component(bytes) {
        return Err(LoadError::NotAComponent { plugin: plugin.clone(), path: path.to_owned(), found });
    }
    if bytes.len() > SIZE_LIMIT {
        return Err(refused(format!("it has {} MiB, and {} are allowed", bytes.len() >> 20, SIZE_LIMIT >> 20)));
    }
    let imports = lint(bytes).map_err(&refused)?;
    let types = Validator::new_with_features(features())
        .validate_all(bytes)
        .map_err(|error| refused(format!("it is not valid: {}", first_line(&error.to_string()))))?;

    let missing: Vec<_> = EXPORTS
        .iter()
        .map(|export| format!("{PACKAGE}{export}{VERSION}"))
        .filter(|export| types.component_item_for_export(export).is_none())
        .collect();
    let mut uses = Uses::new();
    let mut unknown = Vec::new();
    for import in imports {
        let known = import.strip_prefix(PACKAGE).and_then(|rest| rest.strip_suffix(VERSION));
        let functions = match types.component_item_for_import(&import).map(|item| item.ty) {
            Some(ComponentEntityType::Instance(id)) => {
                let exports = types.as_ref().get(id).map(|instance| &instance.exports);
                exports
                    .into_iter()
                    .flatten()
                    .filter(|(_, item)| matches!(item.ty, ComponentEntityType::Func(_)))
                    .map(|(name, _)| name.clone())
                    .collect()
            }
            _ => Vec::new(),
        };
        match known {
            Some(interface) if CAPABILITIES.contains(&interface) => {
                if !functions.is_empty() {
                    uses.insert(interface.to_owned(), functions);
                }
            }
            Some(interface) if FREE.contains(&interface) => {}
            _ => unknown.push(import),
        }
    }
    if !unknown.is_empty() {
        return Err(LoadError::UnknownImports { plugin: plugin.clone(), imports: unknown });
    }
    if !missing.is_empty() {
        return Err(LoadError::MissingExports { plugin: plugin.clone(), exports: missing });
    }
    Ok(uses)
}

/// Compares what a component uses with what its operator allowed.
pub(crate) fn check_grant(plugin: &PluginName, uses: &Uses, grant: &[String]) -> Result<(), LoadError> {
    if let Some(capability) = grant.iter().find(|capability| !CAPABILITIES.contains(&capability.as_str())) {
        return Err(LoadError::UnknownGrant { plugin: plugin.clone(), capability: capability.clone() });
    }
    let missing: Uses =
        uses.iter().filter(|(name, _)| !grant.contains(name)).map(|(k, v)| (k.clone(), v.clone())).collect();
    if missing.is_empty() { Ok(()) } else { Err(LoadError::NotGranted { plugin: plugin.clone(), missing }) }
}

/// Compares what a component uses with what it says it does.
pub(crate) fn check_declared(plugin: &PluginName, uses: &Uses, declared: &[&str]) -> Result<(), LoadError> {
    match uses.iter().find(|(capability, _)| !declared.contains(&capability.as_str())) {
        Some((capability, functions)) => Err(LoadError::Undeclared {
            plugin: plugin.clone(),
            capability: capability.clone(),
            functions: functions.clone(),
        }),
        None => Ok(()),
    }
}

/// Says what the bytes are if they don't even open like a component.
fn not_a_component(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return Some("empty".to_owned());
    }
    if Parser::is_component(bytes) {
        return None;
    }
    Some(
        if Parser::is_core_wasm(bytes) {
            "a core module"
        } else if bytes.starts_with(b"\0asm") {
            "WebAssembly of an unknown version, or cut off"
        } else if bytes.starts_with(b"\x7fELF") {
            "a native program"
        } else if std::str::from_utf8(&bytes[..bytes.len().min(512)]).is_ok() {
            "a text file"
        } else {
            "something else"
        }
        .to_owned(),
    )
}

/// What plugins may be made of: the engine's own choice, see `engine::codegen_config`.
fn features() -> WasmFeatures {
    WasmFeatures::WASM2 | WasmFeatures::EXTENDED_CONST | WasmFeatures::COMPONENT_MODEL
}

/// Walks through the sections; returns the names of the imports.
fn lint(bytes: &[u8]) -> Result<Vec<String>, String> {
    let damaged = |error: wasmparser::BinaryReaderError| format!("it is damaged: {}", first_line(&error.to_string()));
    let mut imports = Vec::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(damaged)? {
            Payload::Version { encoding, num, .. } => {
                depth += 1;
                if depth == 1 && encoding != Encoding::Component {
                    return Err(format!("it has the unknown encoding {num}"));
                }
            }
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    imports.push(import.map_err(damaged)?.name.name.to_owned());
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section {
                    check_strings(&function.map_err(damaged)?)?;
                }
            }
            Payload::CodeSectionEntry(body) => {
                let size = body.range().len();
                if size > BODY_LIMIT {
                    return Err(format!("one of its functions has {size} bytes, and {BODY_LIMIT} are allowed"));
                }
            }
            _ => {}
        }
    }
    Ok(imports)
}

/// Transcoding between string encodings had holes more than once, and no plugin needs it.
fn check_strings(function: &CanonicalFunction) -> Result<(), String> {
    let options = match function {
        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => options,
        _ => return Ok(()),
    };
    if options.iter().any(|option| matches!(option, CanonicalOption::UTF16 | CanonicalOption::CompactUTF16)) {
        return Err("it uses another string encoding than UTF-8".to_owned());
    }
    Ok(())
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}
