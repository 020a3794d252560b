//! Where two values differ.

use launchway_model::config::pointer;
use serde_json::Value;

/// Returns the JSON Pointers of the leaves that differ, sorted.
///
/// What is only on one side is one leaf; so is a list whose length changed, and a secret that became another one.
pub(crate) fn differences(left: &Value, right: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if left != right {
        collect(left, right, &mut String::new(), &mut found);
        found.sort();
    }
    found
}

fn collect(left: &Value, right: &Value, at: &mut String, found: &mut Vec<String>) {
    if left == right {
        return;
    }
    match (left, right) {
        (Value::Object(a), Value::Object(b)) if !is_secret(left) && !is_secret(right) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                within(at, key, |at| match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => collect(a, b, at, found),
                    _ => found.push(at.clone()),
                });
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                within(at, &index.to_string(), |at| collect(a, b, at, found));
            }
        }
        _ => found.push(at.clone()),
    }
}

fn within(at: &mut String, token: &str, then: impl FnOnce(&mut String)) {
    let length = at.len();
    pointer::push(at, token);
    then(at);
    at.truncate(length);
}

fn is_secret(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.len() == 1 && (map.contains_key("$secret") || map.contains_key("$parts")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn each_leaf_is_named_once() {
        let left = json!({ "a": { "b": 1, "c": [1, 2] }, "gone": {}, "list": [1], "same": true, "x/y": 1 });
        let right = json!({ "a": { "b": 2, "c": [1, 3] }, "new": 1, "list": [1, 2], "same": true, "x/y": 2 });
        assert_eq!(differences(&left, &right), ["/a/b", "/a/c/1", "/gone", "/list", "/new", "/x~1y"]);
    }

    #[test]
    fn a_secret_is_a_leaf() {
        let left = json!({ "password": { "$secret": "a" } });
        let right = json!({ "password": { "$secret": "b" } });
        assert_eq!(differences(&left, &right), ["/password"]);
        assert_eq!(differences(&left, &json!({ "password": "text" })), ["/password"]);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![any::<bool>().prop_map(Value::from), (0..3).prop_map(Value::from)];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[ab/]", inner, 0..3).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn they_say_nothing_only_of_equals_and_point_to_what_differs(left in any_value(), right in any_value()) {
            let found = differences(&left, &right);
            prop_assert_eq!(found.is_empty(), left == right);
            for at in found {
                prop_assert_ne!(left.pointer(&at), right.pointer(&at));
            }
        }
    }
}
