//! What every plugin has to keep.

use std::path::Path;

use launchway_sdk::{Plugin, Usage};
use serde_json::Value;

use crate::{case, run};

/// Makes the tests that every plugin has to pass, its cases among them.
#[macro_export]
macro_rules! plugin_contract {
    ($plugin:expr) => {
        #[test]
        fn it_describes_itself() {
            $crate::check_description(&$plugin);
        }

        #[test]
        fn its_schemas_are_valid() {
            $crate::check_schemas_are_valid(&$plugin);
        }

        /// `cargo xtask schemas` writes them.
        #[test]
        fn its_schemas_are_current() {
            $crate::check_schemas_are_current(&$plugin);
        }

        #[test]
        fn its_cases_hold() {
            $crate::check_cases(&$plugin, ::std::path::Path::new(env!("CARGO_MANIFEST_DIR")));
        }
    };
}

/// Checks what the plugin says of itself.
///
/// # Panics
/// If it does not hold.
pub fn check_description(plugin: &Plugin) {
    let info = plugin.describe();
    let plain =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    assert!(plain(&info.name), "the plugin's name is not plain: {:?}", info.name);
    assert!(info.summary.ends_with('.'), "the plugin's summary is no sentence: {:?}", info.summary);
    assert!(!info.kinds.is_empty(), "the plugin has no kinds");
    let mut names: Vec<_> = info.kinds.iter().map(|kind| kind.name.as_str()).collect();
    assert!(names.is_sorted(), "the kinds are not in order: {names:?}");
    names.dedup();
    assert_eq!(names.len(), info.kinds.len(), "two kinds have one name");
    for kind in &info.kinds {
        assert!(plain(&kind.name), "a kind's name is not plain: {:?}", kind.name);
        assert!(kind.summary.ends_with('.'), "{}: the summary is no sentence: {:?}", kind.name, kind.summary);
        assert!(matches!(kind.usage, Usage::Component | Usage::Action | Usage::Both));
    }
    let known = ["target", "http", "net", "secrets"];
    for capability in &info.capabilities {
        assert!(known.contains(&capability.name.as_str()), "unknown capability: {}", capability.name);
        assert!(!capability.reason.is_empty(), "no reason for {}", capability.name);
    }
}

/// Checks that each schema is one, is closed, and says of each property what it is.
///
/// # Panics
/// If it does not hold.
pub fn check_schemas_are_valid(plugin: &Plugin) {
    for kind in plugin.kinds {
        let schema: Value = serde_json::from_str(kind.schema).expect("the schema is JSON");
        if let Err(error) = jsonschema::draft202012::meta::validate(&schema) {
            panic!("{}: the schema is none: {error}", kind.name);
        }
        assert_eq!(schema["type"], "object", "{}: properties are an object", kind.name);
        assert_eq!(schema["additionalProperties"], false, "{}: other properties are errors", kind.name);
        let properties = schema["properties"].as_object().expect("there are properties");
        for (name, property) in properties {
            let described = property["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(described, "{}: `{name}` is not described", kind.name);
        }
    }
}

/// Checks that the committed schemas are those of the types.
///
/// # Panics
/// If they are not.
pub fn check_schemas_are_current(plugin: &Plugin) {
    for kind in plugin.kinds {
        assert!(
            kind.schema == launchway_sdk::schema::text(kind),
            "schema/{}.json is not what the types say: run `cargo xtask schemas`",
            kind.name
        );
    }
}

/// Runs all cases of a plugin; each kind has one at least.
///
/// # Panics
/// If one fails; the message tells all that did.
pub fn check_cases(plugin: &Plugin, folder: &Path) {
    let cases = case::load_cases(&folder.join("cases")).expect("the cases can be read");
    for kind in plugin.kinds {
        assert!(cases.iter().any(|case| case.kind == kind.name), "`{}` has no case", kind.name);
    }
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| run::run(plugin, case).err().map(|why| format!("{}/{}: {why}", case.kind, case.name)))
        .collect();
    assert!(failures.is_empty(), "{} of {} cases fail:\n\n{}", failures.len(), cases.len(), failures.join("\n\n"));
}
