//! Takes out of a file what is wrong in it, so that the rest can be looked at.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::pointer;
use super::schema::{ConfigSchema, Finding};
use crate::ComponentName;

/// What stands in for a name that is missing.
const UNNAMED: &str = "unnamed";

/// Removes what the schema finds wrong until it finds nothing, or nothing more can be done. Components that go with it
/// are added to `absent`.
pub(super) fn prune(value: &mut Value, schema: &ConfigSchema, absent: &mut BTreeSet<ComponentName>) {
    loop {
        let findings = schema.properties.findings(value);
        let mut changed = false;
        // Later places first: what is in a list goes with the whole list, so that no other item changes its place.
        for finding in findings.iter().rev() {
            changed |= remove(value, finding, absent);
        }
        if findings.is_empty() || !changed {
            return;
        }
    }
}

/// Removes what a finding is about; says whether that changed anything.
fn remove(value: &mut Value, finding: &Finding, absent: &mut BTreeSet<ComponentName>) -> bool {
    let mut at = finding.at.as_str();
    loop {
        let Some(parent) = pointer::parent(at) else { return complete(value) };
        let Some(name) = pointer::last(at) else { return false };
        match value.pointer_mut(parent) {
            Some(Value::Object(members)) => {
                if parent == "/components"
                    && let Ok(name) = ComponentName::new(&*name)
                {
                    absent.insert(name);
                }
                return members.remove(&*name).is_some();
            }
            Some(Value::Array(_)) => at = parent,
            _ => return false,
        }
    }
}

/// Gives the file what it can't be without.
fn complete(value: &mut Value) -> bool {
    let Value::Object(members) = value else {
        *value = Value::Object(Map::new());
        return true;
    };
    let absent = !members.contains_key("application");
    members.entry("application").or_insert_with(|| Value::from(UNNAMED));
    absent
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wrong_goes_and_the_rest_stays() {
        let mut value = json!({
            "versoin": 1,
            "components": {
                "a": { "type": "t/a", "nedes": ["b"], "needs": ["b"], "on": "=x" },
                "b": { "with": {} },
                "c": { "type": "t/c", "after": ["a", 7] },
            },
        });
        let mut absent = BTreeSet::new();
        prune(&mut value, ConfigSchema::application(), &mut absent);
        let left = json!({
            "application": UNNAMED,
            "components": { "a": { "type": "t/a", "needs": ["b"] }, "c": { "type": "t/c" } },
        });
        assert_eq!(value, left);
        assert_eq!(absent.iter().map(ComponentName::as_str).collect::<Vec<_>>(), ["b"]);
        for mut odd in [json!(null), json!([1]), json!("x"), json!({ "components": 7 })] {
            prune(&mut odd, ConfigSchema::application(), &mut BTreeSet::new());
            assert_eq!(odd, json!({ "application": UNNAMED }));
        }
    }
}
