//! Scripts that were written for Ansible: what `--list` makes them print.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::resolve::Failure;

/// How often groups may be looked at, with all that is in them: a few lines can nest them billions of times.
const MAX_VISITS: usize = 2_000_000;

/// Returns an answer in our own form: a text that is not in Ansible's stays as it is.
pub(super) fn translated(text: String) -> Result<String, Failure> {
    let Ok(document) = serde_json::from_str::<Map<String, Value>>(&text) else { return Ok(text) };
    // JSON may write a character as two escapes, which YAML does not know.
    let text = if text.contains("\\ud") || text.contains("\\uD") {
        format!("{:#}", Value::Object(document.clone()))
    } else {
        text
    };
    let is_group = |(name, value): (&String, &Value)| {
        let known = |key| value.get(key).is_some();
        name == "_meta" || value.is_array() || known("hosts") || known("vars") || known("children")
    };
    if document.contains_key("targets") || document.is_empty() || !document.iter().all(is_group) {
        return Ok(text);
    }
    let mut inventory = Inventory { groups: &document, hosts: BTreeMap::new(), visits: 0 };
    for name in document.keys().filter(|name| *name != "_meta") {
        inventory.visit(name, &mut Vec::new())?;
    }
    let meta = document.get("_meta").and_then(|meta| meta.get("hostvars")).and_then(Value::as_object);
    for (name, variables) in meta.into_iter().flatten() {
        inventory.hosts.entry(name.clone()).or_default().set(variables);
    }
    let targets: Map<String, Value> = inventory.hosts.into_iter().map(|(name, host)| (name, host.target())).collect();
    Ok(format!("{:#}", json!({ "targets": targets })))
}

struct Inventory<'a> {
    groups: &'a Map<String, Value>,
    hosts: BTreeMap<String, Host>,
    visits: usize,
}

#[derive(Default)]
struct Host {
    groups: BTreeSet<String>,
    variables: BTreeMap<String, Value>,
}

impl Inventory<'_> {
    /// Gives a group's hosts, those of its children too, its name and its variables. `above` leads to the group.
    fn visit(&mut self, name: &str, above: &mut Vec<String>) -> Result<(), Failure> {
        let inside_itself = above.iter().any(|known| known == name);
        if inside_itself || self.visits > MAX_VISITS {
            let what = if inside_itself { "inside itself" } else { "in too many others" };
            let message = format!("the group `{name}` is {what}");
            return Err(Failure::new(message, "run the script by hand to see what it prints"));
        }
        let Some(group) = self.groups.get(name) else { return Ok(()) };
        self.visits += 1;
        above.push(name.to_owned());
        let texts = |value: Option<&Value>| -> Vec<String> {
            let items = value.and_then(Value::as_array).into_iter().flatten();
            items.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        // A group without variables may be the bare list of its hosts.
        for host in texts(group.get("hosts").or(Some(group))) {
            self.visits += above.len();
            let host = self.hosts.entry(host).or_default();
            // Those nearer to the host come last, and win.
            for name in above.iter() {
                host.groups.insert(name.clone());
                if let Some(variables) = self.groups.get(name).and_then(|group| group.get("vars")) {
                    host.set(variables);
                }
            }
        }
        for child in texts(group.get("children")) {
            self.visit(&child, above)?;
        }
        above.pop();
        Ok(())
    }
}

impl Host {
    fn set(&mut self, variables: &Value) {
        let variables = variables.as_object().into_iter().flatten();
        self.variables.extend(variables.map(|(name, value)| (name.clone(), value.clone())));
    }

    fn target(self) -> Value {
        let mut target = Map::new();
        let mut values = Map::new();
        for (name, value) in self.variables {
            match name.as_str() {
                "ansible_host" => drop(target.insert("address".to_owned(), value)),
                "ansible_port" => drop(target.insert("port".to_owned(), value)),
                "ansible_user" => drop(target.insert("user".to_owned(), value)),
                "ansible_connection" if value == "local" => drop(target.insert("transport".to_owned(), value)),
                // The others say how Ansible works.
                name if name.starts_with("ansible_") => {}
                name => drop(values.insert(name.to_owned(), value)),
            }
        }
        // Every host is in these two, which says nothing.
        let groups = self.groups.into_iter().filter(|group| group != "all" && group != "ungrouped");
        let labels: Map<String, Value> = groups.map(|group| (group, json!("true"))).collect();
        target.insert("labels".to_owned(), Value::Object(labels));
        target.insert("values".to_owned(), Value::Object(values));
        Value::Object(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(document: &Value) -> Value {
        let answer = translated(document.to_string()).unwrap_or_else(|failure| panic!("{}", failure.message));
        serde_json::from_str(&answer).unwrap()
    }

    #[test]
    fn groups_become_labels_and_variables_values() {
        let found = read(&json!({
            "_meta": { "hostvars": { "a": { "ansible_host": "198.18.0.1", "ansible_port": 2222, "workers": 8 } } },
            "all": { "children": ["web", "ungrouped"] },
            "web": { "hosts": ["a", "b"], "vars": { "workers": 4, "ansible_become": true } },
            "db": ["c"],
            "eu": { "children": ["web"], "vars": { "workers": 2, "region": "eu" } },
        }));
        let web = json!({ "web": "true", "eu": "true" });
        let a =
            json!({ "address": "198.18.0.1", "port": 2222, "labels": web, "values": { "workers": 8, "region": "eu" } });
        let b = json!({ "labels": web, "values": { "workers": 4, "region": "eu" } });
        let c = json!({ "labels": { "db": "true" }, "values": {} });
        assert_eq!(found, json!({ "targets": { "a": a, "b": b, "c": c } }));
    }

    #[test]
    fn what_is_not_ansibles_stays() {
        for text in ["{\"targets\": {}}", "{}", "no JSON", "{\"web1\": {\"address\": \"x\"}}", "[1]"] {
            assert_eq!(translated(text.to_owned()).ok().as_deref(), Some(text));
        }
    }

    #[test]
    fn characters_in_two_escapes_are_read() {
        let text = r#"{"targets": {"a": {"labels": {"x": "\ud83d\ude80"}}}}"#.to_owned();
        assert!(translated(text).is_ok_and(|text| text.contains('🚀')));
    }

    #[test]
    fn groups_that_are_everywhere_are_an_error() {
        let groups =
            (0..64).map(|n| (format!("g{n}"), json!({ "children": [format!("g{}", n + 1), format!("h{}", n + 1)] })));
        let others = (1..64).map(|n| (format!("h{n}"), json!({ "children": [format!("g{}", n + 1)] })));
        let all: Map<String, Value> = groups.chain(others).collect();
        let text = Value::Object(all).to_string();
        assert!(translated(text).is_err_and(|failure| failure.message.contains("in too many others")));
    }

    #[test]
    fn groups_in_a_circle_are_an_error() {
        let text = json!({ "a": { "children": ["b"] }, "b": { "children": ["a"] } }).to_string();
        assert!(translated(text).is_err_and(|failure| failure.message.contains("inside itself")));
    }
}
