//! Which of several values a target gets.

mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::Project;

const TARGETS: &str = "
    a: { labels: { role: app, dc: eu } }
    b: { labels: { role: app, dc: us } }
    c: { labels: { role: db } }";

/// Selectors, each with the targets it matches.
const SELECTORS: [(&str, &str); 6] =
    [("role=app", "ab"), ("dc=us", "b"), ("!dc", "c"), ("name=a", "a"), ("dc!=us", "ac"), ("role", "abc")];

const COMPONENT: &str = "web: { type: t/plain, with: { any: \"${x}\" } }";

fn value(project: &Project, target: &str) -> Value {
    let desired = project.desired();
    let spec = desired.instances.iter().find(|spec| spec.id.target.as_str() == target).unwrap();
    spec.properties["any"].clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_first_value_that_is_for_a_target_wins(
        dictionaries in proptest::collection::vec((proptest::option::of(0..SELECTORS.len()), any::<bool>(), any::<bool>()), 0..6),
        own in any::<[bool; 3]>(),
        set in any::<bool>(),
    ) {
        let names = ["a", "b", "c"];
        let targets: String = names.iter().zip(TARGETS.lines().skip(1)).zip(own).map(|((name, line), own)| {
            let values = if own { format!(", values: {{ x: own-{name} }} }}") } else { " }".to_owned() };
            format!("{}{values}\n", line.strip_suffix(" }").unwrap())
        }).collect();
        let mut project = Project::new(COMPONENT, &targets);
        let mut lines = String::from("dictionaries:\n");
        for (at, (on, has, is_file)) in dictionaries.iter().enumerate() {
            let values = if *has { format!("{{ x: {at} }}") } else { "{ y: 1 }".to_owned() };
            let file = format!("{at}.yaml");
            project.dictionaries.insert(file.clone().into(), values.clone());
            lines.push_str(&match (on.map(|on| SELECTORS[on].0), is_file) {
                (Some(on), true) => format!("  - {{ on: \"{on}\", file: {file} }}\n"),
                (Some(on), false) => format!("  - {{ on: \"{on}\", values: {values} }}\n"),
                (None, true) => format!("  - {file}\n"),
                (None, false) => format!("  - {values}\n"),
            });
        }
        // The last resort, so that each target has some value.
        lines.push_str("  - { x: last }\n");
        project.environment(&lines);
        if set {
            project.set.insert("x".to_owned(), json!("set"));
        }
        for (name, own) in names.iter().zip(own) {
            let is_for = |on: &Option<usize>| on.is_none_or(|on| SELECTORS[on].1.contains(name));
            let first = dictionaries.iter().position(|(on, has, _)| *has && is_for(on));
            let expected = match (set, own, first) {
                (true, ..) => json!("set"),
                (_, true, _) => json!(format!("own-{name}")),
                (_, _, Some(at)) => json!(at),
                (_, _, None) => json!("last"),
            };
            prop_assert_eq!(value(&project, name), expected, "{} of {}", name, &lines);
        }
    }
}

#[test]
fn a_value_of_some_targets_reaches_others_through_nothing() {
    let mut project = Project::new(COMPONENT, TARGETS);
    project.environment("dictionaries: [{ x: 'pool ${pool}' }, { on: dc=us, values: { pool: 40 } }, { pool: 20 }]\n");
    assert_eq!(["a", "b", "c"].map(|name| value(&project, name)), ["pool 20", "pool 40", "pool 20"]);
    project.environment = project.environment.replace(", { pool: 20 }", "");
    let problems = project.problems();
    assert!(problems.contains("there is no value `pool` for the target `a`"), "{problems}");
    assert!(problems.contains("put one for the others into a dictionary"), "{problems}");
}

#[test]
fn a_template_is_rendered_anew_where_a_dictionary_is_for_some_targets() {
    let mut project = Project::new("conf: { type: t/file, with: { path: /etc/x, template: x.j2 } }", TARGETS);
    project.environment("dictionaries: [{ on: dc=us, values: { pool: 40 } }, { pool: 20, same: 1 }]\n");
    project.files.add("x.j2", "{{ values.pool }}");
    project.desired();
    project.files.add("x.j2", "{{ values.same }}");
    project.desired();
    let rendered = project.files.rendered.borrow();
    let texts: Vec<&str> = rendered.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["20", "40", "20", "1"]);
}

#[test]
fn a_dictionary_for_no_target_is_odd() {
    let mut project = Project::new(COMPONENT, TARGETS);
    project.environment("dictionaries: [{ on: dc=uss, values: { x: 1 } }, { x: 2 }]\n");
    assert_eq!(project.warnings(), "the selector `dc=uss` matches no target\n");
}
