//! Outputs of Terraform, from its state file or from what `terraform output -json` printed.

use serde_json::{Map, Value, json};

use super::resolve::Failure;

/// The form of state files that is known.
const STATE_VERSION: u64 = 4;

/// Returns the targets that an output describes, as an inventory's answer.
pub(super) fn targets(text: &str, output: &str) -> Result<String, Failure> {
    let no_json = |error: serde_json::Error| Failure::new(format!("it is no JSON: {error}"), EXPECTED);
    let document: Map<String, Value> = serde_json::from_str(text).map_err(no_json)?;
    let outputs = outputs(&document)?;
    let found = outputs.get(output).and_then(Value::as_object).ok_or_else(|| {
        let names: Vec<&str> = outputs.keys().map(String::as_str).collect();
        let known = if names.is_empty() { "there are none".to_owned() } else { names.join(", ") };
        Failure::new(
            format!("there is no output `{output}`; outputs: {known}"),
            "write `output \"NAME\" { value = … }` in the root module, and run `terraform apply`",
        )
    })?;
    if found.get("sensitive") == Some(&Value::Bool(true)) {
        let message = format!("the output `{output}` is sensitive");
        return Err(Failure::new(message, "targets are shown to people; make an output without what is secret"));
    }
    let value =
        found.get("value").ok_or_else(|| Failure::new(format!("the output `{output}` has no value"), EXPECTED))?;
    Ok(format!("{:#}", json!({ "targets": by_name(value)? })))
}

const EXPECTED: &str = "name a state file, or what `terraform output -json` printed; remote state is reached that way";

/// Returns the outputs, each with its `value`.
fn outputs(document: &Map<String, Value>) -> Result<&Map<String, Value>, Failure> {
    // A name that is no output's: those are mappings.
    match document.get("version") {
        Some(Value::Number(version)) if version.as_u64() == Some(STATE_VERSION) => {
            let outputs = document.get("outputs").and_then(Value::as_object);
            outputs.ok_or_else(|| Failure::new("the state has no `outputs`", EXPECTED))
        }
        Some(Value::Number(version)) => {
            let message = format!("the state has version {version}, and {STATE_VERSION} is known");
            Err(Failure::new(message, "`terraform output -json > FILE` gives a file that can be read"))
        }
        _ => Ok(document),
    }
}

/// Returns targets by name, of a mapping or a list.
fn by_name(value: &Value) -> Result<Map<String, Value>, Failure> {
    match value {
        Value::Object(targets) => Ok(targets.iter().map(|(name, value)| (name.clone(), target(value))).collect()),
        Value::Array(items) => {
            let mut targets = Map::new();
            for item in items {
                let (name, value) = match item {
                    Value::String(name) => (name.clone(), json!({})),
                    Value::Object(members) => {
                        let mut members = members.clone();
                        let Some(Value::String(name)) = members.remove("name") else {
                            return Err(Failure::new("a target of the list has no `name`", SHAPE));
                        };
                        (name, Value::Object(members))
                    }
                    _ => return Err(Failure::new("a target of the list is neither a name nor a mapping", SHAPE)),
                };
                if targets.insert(name.clone(), target(&value)).is_some() {
                    return Err(Failure::new(format!("the list has two targets `{name}`"), SHAPE));
                }
            }
            Ok(targets)
        }
        _ => Err(Failure::new("the output is neither a mapping nor a list", SHAPE)),
    }
}

const SHAPE: &str = "it is a mapping of names to targets or addresses, or a list of targets or names";

/// Returns a target: a text is its address. Terraform writes what was not given as `null`.
fn target(value: &Value) -> Value {
    match value {
        Value::String(address) => json!({ "address": address }),
        Value::Object(members) => {
            members.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())).collect()
        }
        Value::Null => json!({}),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(document: &Value) -> Result<Value, String> {
        let answer = targets(&document.to_string(), "hosts").map_err(|failure| failure.message)?;
        Ok(serde_json::from_str::<Value>(&answer).unwrap()["targets"].clone())
    }

    fn state(value: Value) -> Value {
        json!({ "version": 4, "terraform_version": "1.11.0", "resources": [], "outputs": { "hosts": { "value": value } } })
    }

    #[test]
    fn outputs_of_several_forms_are_read() {
        let expected = json!({ "a": { "address": "198.18.0.1" }, "b": {} });
        for value in [
            json!({ "a": "198.18.0.1", "b": null }),
            json!({ "a": { "address": "198.18.0.1", "port": null }, "b": {} }),
            json!([{ "name": "a", "address": "198.18.0.1" }, "b"]),
        ] {
            assert_eq!(read(&state(value.clone())).unwrap(), expected, "{value}");
            let printed =
                json!({ "hosts": { "sensitive": false, "type": "any", "value": value }, "version": { "value": "4" } });
            assert_eq!(read(&printed).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn what_can_not_be_used_is_told() {
        let cases = [
            (state(json!("x")), "the output is neither a mapping nor a list"),
            (state(json!([{ "address": "x" }])), "a target of the list has no `name`"),
            (state(json!([1])), "a target of the list is neither a name nor a mapping"),
            (state(json!(["a", "a"])), "the list has two targets `a`"),
            (json!({ "version": 3 }), "the state has version 3, and 4 is known"),
            (json!({ "version": 4 }), "the state has no `outputs`"),
            (json!({ "other": {} }), "there is no output `hosts`; outputs: other"),
            (json!({ "hosts": {} }), "the output `hosts` has no value"),
            (json!({ "hosts": { "value": {}, "sensitive": true } }), "the output `hosts` is sensitive"),
        ];
        for (document, expected) in cases {
            assert_eq!(read(&document).unwrap_err(), expected, "{document}");
        }
        assert!(targets("[]", "x").is_err() && targets("{", "x").is_err());
    }
}
