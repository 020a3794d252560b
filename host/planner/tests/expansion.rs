//! From files to what is wanted: placeholders, overrides, secrets, templates, and everything that can be wrong there.

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;

use launchway_model::{Diagnostics, SecretName};
use launchway_planner::{CheckInput, check};
use serde_json::{Value, json};
use support::{Project, text};

const TARGETS: &str = "
    a1: { address: 198.18.0.1, labels: { role: app, dc: eu, \"rack no\": \"7\" }, values: { workers: 8 } }
    a2: { address: 198.18.0.2, labels: { role: app, dc: us }, values: { workers: 4 }, user: web, port: 2222 }
    d1: { labels: { role: db } }";

fn properties(project: &Project, component: &str, target: &str) -> Value {
    let desired = project.desired();
    let spec = desired
        .instances
        .iter()
        .find(|spec| spec.id.component.as_str() == component && spec.id.target.as_str() == target);
    Value::clone(&spec.unwrap().properties)
}

fn rendered(project: &Project) -> Vec<String> {
    project.files.rendered.borrow_mut().clear();
    project.desired();
    let mut texts: Vec<String> = project.files.rendered.borrow().iter().map(|(_, text)| text.clone()).collect();
    texts.sort();
    texts
}

#[test]
fn placeholders_stand_for_what_they_name() {
    let mut project = Project::new(
        r#"
        web:
          type: t/plain
          on: role=app
          with:
            text: "${application} ${version} in ${environment}: ${target.name} ${target.address}:${target.port}"
            number: ${workers}
            list: ["${instance.id}", "${instance.component}", "${instance.target}", '${target.labels."dc"}', "$${kept}"]
            any:
              all: ${component.web.addresses}
              joined: "[${component.web.targets}]"
              whole: ${hosts}
              part: "${value.hosts.main.name}/${hosts.ports.0}"
              own: "${target.values.workers}"
              twice: "${url}"
              dotted: "${a.b}"
        "#,
        TARGETS,
    );
    project.environment(
        "dictionaries:\n  - { url: 'http://${target.address}/${path}', path: p }\n  - more.yaml\n  - { path: hidden }\n",
    );
    project
        .dictionaries
        .insert(PathBuf::from("more.yaml"), "hosts: { main: { name: n }, ports: [1, 2] }\nworkers: 1\n".to_owned());
    project.set.insert("a.b".to_owned(), json!("set"));
    insta::assert_json_snapshot!(properties(&project, "web", "a1"));
    assert_eq!(properties(&project, "web", "a2")["number"], json!(4));
    assert_eq!(properties(&project, "web", "a2")["text"], json!("shop 1.0 in test: a2 198.18.0.2:2222"));
}

#[test]
fn the_command_line_wins_over_targets_and_targets_over_dictionaries() {
    let mut project = Project::new("web: { type: t/plain, with: { number: \"${workers}\" } }", TARGETS);
    project.environment("dictionaries: [{ workers: 1 }]\n");
    assert_eq!(properties(&project, "web", "a1")["number"], json!(8));
    assert_eq!(properties(&project, "web", "d1")["number"], json!(1));
    project.set.insert("workers".to_owned(), json!(3));
    assert_eq!(properties(&project, "web", "a1")["number"], json!(3));
}

#[test]
fn overrides_replace_whole_properties_the_environments_last() {
    let mut project = Project::new(
        "
        web:
          type: t/plain
          with: { text: base, any: { a: 1, b: 2 }, number: 1 }
          overrides:
            - { on: role=app, with: { text: app, any: { a: 3 } } }
            - { on: dc=us, with: { text: us } }",
        TARGETS,
    );
    let of = |project: &Project, target: &str| {
        let found = properties(project, "web", target);
        (found["text"].clone(), found["any"].clone(), found["number"].clone())
    };
    assert_eq!(of(&project, "d1"), (json!("base"), json!({ "a": 1, "b": 2 }), json!(1)));
    assert_eq!(of(&project, "a1"), (json!("app"), json!({ "a": 3 }), json!(1)));
    assert_eq!(of(&project, "a2"), (json!("us"), json!({ "a": 3 }), json!(1)));
    project
        .environment("overrides:\n  web:\n    - { with: { number: 2 } }\n    - { on: dc=us, with: { text: env } }\n");
    assert_eq!(of(&project, "a1"), (json!("app"), json!({ "a": 3 }), json!(2)));
    assert_eq!(of(&project, "a2"), (json!("env"), json!({ "a": 3 }), json!(2)));
}

#[test]
fn another_components_properties_are_its_instances_on_the_same_target() {
    let project = Project::new(
        r#"
        app: { type: t/plain, on: role=app, with: { text: "app on ${target.name}", number: 80 } }
        side: { type: t/plain, on: role=app, with: { text: "${component.app.with.text}" } }
        db: { type: t/plain, on: role=db, with: { number: "${component.app.with.number}", any: "${component.app.with.timeout}" } }
        "#,
        TARGETS,
    );
    assert_eq!(properties(&project, "side", "a2")["text"], json!("app on a2"));
    assert_eq!(properties(&project, "db", "d1")["number"], json!(80));
    // A default of the schema counts too.
    assert_eq!(properties(&project, "db", "d1")["any"], json!(30));
}

#[test]
fn secrets_stay_references_and_are_listed() {
    let mut project = Project::new(
        r#"
        web: { type: t/plain, with: { env: { P: "${secret.db}", URL: "${dsn}", N: 5 } } }
        conf: { type: t/file, with: { path: /etc/x, template: x.j2 } }
        "#,
        "t1: {}",
    );
    project.environment("secrets: { db: { env: DB }, other: { env: O } }\n");
    project.environment("dictionaries: [{ dsn: 'pg://u:${secret.db}@h/${secret.other}' }]\n");
    project.files.add("x.j2", "p={{ secret.db }}\nd={{ values.dsn }}\n");
    let desired = project.desired();
    insta::assert_json_snapshot!(*desired.instances[1].properties);
    let names = |at: usize| desired.instances[at].secrets.iter().map(SecretName::as_str).collect::<Vec<_>>();
    assert_eq!(names(0), ["db", "other"]);
    assert_eq!(names(1), ["db", "other"]);
    assert!(desired.instances[0].artifacts[0].has_secrets);
    let text = project.files.rendered.borrow()[0].1.clone();
    assert_eq!(text, "p=\u{2}secret:db\u{3}\nd=pg://u:\u{2}secret:db\u{3}@h/\u{2}secret:other\u{3}\n");
}

#[test]
fn templates_see_targets_and_other_components() {
    let mut project = Project::new(
        r#"
        app: { type: t/plain, on: role=app, with: { text: "x-${target.name}" } }
        proxy: { type: t/file, on: role=db, with: { path: /etc/p, template: conf/proxy.conf.j2 } }
        "#,
        TARGETS,
    );
    project.environment("dictionaries: [{ workers: 1 }]\n");
    project.files.add(
        "conf/proxy.conf.j2",
        "{{ application }} {{ version }} {{ environment }} {{ instance.id }} {{ values.workers }}\n\
         {% for t in components.app.targets -%}\n\
         {{ t.name }} {{ t.address }} {{ t.labels.dc }} {{ t.values.workers }} {{ t.port }} {{ t.with.text }}\n\
         {% endfor -%}\n",
    );
    insta::assert_snapshot!(rendered(&project).concat());
    assert_eq!(&*project.desired().instances[2].artifacts[0].file_name, "proxy.conf");
}

#[test]
fn the_template_in_the_reference_gives_what_it_says() {
    let page = include_str!("../../model/src/config/reference_intro.md");
    let (_, rest) = page.split_once("```jinja\n").expect("there is an example");
    let mut project = Project::new(
        r#"
        api-service: { type: t/plain, on: role=app }
        proxy: { type: t/file, on: role=proxy, with: { path: /etc/p, template: proxy.conf.j2 } }
        "#,
        r#"
        app1: { address: 198.18.0.2, labels: { role: app }, values: { workers: 8 } }
        app2: { address: 198.18.0.3, labels: { role: app } }
        edge: { address: 198.18.0.4, labels: { role: proxy } }
        "#,
    );
    project.environment("secrets: { db_password: { env: X } }\n");
    project.files.add("proxy.conf.j2", rest.split("```").next().expect("it ends"));
    if let Err((found, sources)) = project.expand() {
        panic!("{}", text::diagnostics(&found, &sources));
    }
    let rendered = project.files.rendered.borrow();
    let lines: Vec<&str> = rendered[0].1.lines().filter(|line| !line.is_empty()).collect();
    let expected = [
        "# shop 1.0 on edge",
        "server app1 198.18.0.2:8080 weight 8;",
        "server app2 198.18.0.3:8080 weight 4;",
        "password \u{2}secret:db_password\u{3};",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_template_is_rendered_once_where_nothing_in_it_differs() {
    let mut project = Project::new("conf: { type: t/file, with: { path: /etc/x, template: x.j2 } }", TARGETS);
    project.environment("dictionaries: [{ same: 1, workers: 1 }]\n");
    project.files.add("x.j2", "{{ values.same }} {% for t in components.conf.targets %}{{ t.name }} {% endfor %}");
    assert_eq!(rendered(&project), ["1 a1 a2 d1 "]);
    project.files.add("x.j2", "{{ values.workers }}");
    assert_eq!(rendered(&project), ["1", "4", "8"]);
    project.files.add("x.j2", "{{ target.name }}");
    assert_eq!(rendered(&project), ["a1", "a2", "d1"]);
}

#[test]
fn a_template_is_rendered_for_each_component_where_a_value_names_it() {
    let conf = "{ type: t/file, with: { path: '/etc/${instance.component}', template: x.j2 } }";
    let mut project = Project::new(&format!("one: {conf}\ntwo: {conf}"), "t1: {}\nt2: {}");
    project.environment("dictionaries: [{ me: '${instance.component}' }]\n");
    project.files.add("x.j2", "{{ values.me }}");
    let digests = |project: &Project| {
        let desired = project.desired();
        desired.instances.iter().map(|spec| spec.artifacts[0].digest.to_string()).collect::<Vec<_>>()
    };
    let found = digests(&project);
    assert!(found[0] == found[1] && found[2] == found[3] && found[0] != found[2], "{found:?}");
}

#[test]
fn equal_properties_are_checked_once_and_shared() {
    let targets: String = (0..50).map(|at| format!("t{at}: {{ values: {{ v: {} }} }}\n", at % 2)).collect();
    let project = Project::new(
        "
        same: { type: t/plain, with: { text: x } }
        two: { type: t/plain, with: { number: \"${v}\" } }",
        &targets,
    );
    let desired = project.desired();
    assert_eq!(desired.instances.len(), 100);
    assert_eq!(project.plugins.validated.get(), 3);
    let distinct: std::collections::BTreeSet<*const Value> =
        desired.instances.iter().map(|spec| std::sync::Arc::as_ptr(&spec.properties)).collect();
    assert_eq!(distinct.len(), 3);
}

#[test]
fn all_that_is_wrong_is_reported_at_once_where_it_is_written() {
    let mut project = Project::new(
        r#"
        a: { type: t/plain, on: role=ap, needs: [bb] }
        b: { type: t/plian, with: { text: "${versoin}" } }
        c: { type: t/check }
        d: { type: t/plain, verify: [{ type: t/plain }], with: { text: "in the ${middle} of it", txet: 1 } }
        e: { type: t/plain, with: { number: "${word}", text: "${secret.db}", env: { A: "${secret.bd}" } } }
        f: { type: t/file, with: { path: /x, template: no.j2, artifact: nothing } }
        g: { type: t/plain, with: { text: forbidden } }
        h: { type: t/plain, with: { text: "${target.labels.dc}", any: "${", number: "${component.i.targets}" } }
        "#,
        TARGETS,
    );
    project.environment(
        "dictionaries: [{ word: text, loop1: '${loop2}', loop2: 'x ${loop1}', bad: '${gone}' }]\n\
         secrets: { db: { env: DB } }\n\
         overrides: { z: { with: { text: 1 } } }\n",
    );
    insta::assert_snapshot!(project.problems());
}

#[test]
fn values_that_lead_nowhere_are_found_where_they_are_written() {
    let mut project = Project::new(
        r#"
        a: { type: t/plain, with: { text: "${loop1}" } }
        b: { type: t/plain, with: { text: "${bad}" } }
        c: { type: t/plain, with: { text: "${component.d.with.text}" } }
        d: { type: t/plain, with: { text: "${component.c.with.text}" } }
        e: { type: t/plain, with: { text: "x${map}" } }
        f: { type: t/plain, with: { text: "${workers}" } }
        g: { type: t/plain, on: role=db, with: { text: "${component.h.with.text}" } }
        h: { type: t/plain, on: role=app, with: { text: "${target.name}" } }
        "#,
        TARGETS,
    );
    project
        .environment("dictionaries: [{ loop1: '${loop2}', loop2: 'x ${loop1}', bad: 'is ${gone}', map: { a: 1 } }]\n");
    insta::assert_snapshot!(project.problems());
}

#[test]
fn a_chain_of_values_too_long_for_the_stack_is_an_error() {
    let mut project = Project::new("a: { type: t/plain, with: { text: \"${v0}\" } }", "t1: {}");
    let values: String = (0..100_000).map(|at| format!("v{at}: '${{v{}}}'\n", at + 1)).collect();
    project.environment("dictionaries: [long.yaml]\n");
    project.dictionaries.insert(PathBuf::from("long.yaml"), values);
    let (found, _) = project.expand().unwrap_err();
    assert!(found.iter().any(|found| found.message == "values refer to each other too deeply"));
}

#[test]
fn bad_templates_say_where() {
    let cases = [
        ("undefined", "one\n{{ values.nothing }}\n"),
        ("syntax", "one\ntwo {% if %}\n"),
        ("marker", "one\n\u{2}secret:db\u{3}\n"),
        ("changed secret", "{{ secret.db | upper }}"),
        ("unknown secret", "{{ secret.bd }}"),
        ("unresolved value", "{{ values.bad }}"),
        ("forged", "{{ values.forged }}"),
        ("loop", "{% for a in range(9999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"),
        ("include", "{% include 'other' %}"),
    ];
    let mut shown = String::new();
    for (name, template) in cases {
        let mut project = Project::new("f: { type: t/file, with: { path: /x, template: f.j2 } }", "t1: {}");
        project.environment("secrets: { db: { env: DB } }\n");
        project.environment("dictionaries: [{ bad: '${gone}', forged: \"\\u0002secret:db\\u0003\" }]\n");
        project.files.add("f.j2", template);
        shown.push_str(&format!("--- {name}\n{}", project.problems()));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn an_environment_without_targets_is_no_error() {
    let project = Project::new("a: { type: t/plain, on: role=app, with: { text: \"${target.name}\" } }", "");
    let mut project = project;
    project.environment = "environment: test\n".to_owned();
    assert!(project.desired().instances.is_empty());
    assert_eq!(project.warnings(), "the environment `test` has no targets, so there is nothing to deploy to\n");
}

#[test]
fn a_version_that_would_repeat_a_command_is_pointed_out() {
    let project = Project::new(
        "
        migrate: { type: t/command, with: { text: \"to ${version}\" } }
        files: { type: t/plain, with: { text: \"to ${version}\" } }",
        "t1: {}",
    );
    assert_eq!(project.warnings(), "`migrate` will run again with every version, whatever else changes\n");
}

#[test]
fn odd_names_pass_through() {
    let mut project = Project::new(
        r#"
        "a b":
          type: t/plain
          with: { text: '${target.name} ${target.labels."rack no"} ${component."ü \"q\"".targets}' }
        'ü "q"': { type: t/plain, needs: ["a b"] }
        "#,
        r#""host one": { labels: { "rack no": "7" } }"#,
    );
    project.version("1.0 ß");
    assert_eq!(properties(&project, "a b", "host one")["text"], json!("host one 7 host one"));
}

fn checked(components: &str) -> String {
    let project = Project::new(components, "t1: {}");
    let (application, sources) = project.parsed_application();
    let none = BTreeSet::new();
    let found: Diagnostics = check(CheckInput {
        application: &application,
        plugins: &project.plugins,
        files: &project.files,
        overridden: &none,
        absent: &none,
    });
    text::diagnostics(&found, &sources)
}

#[test]
fn an_application_can_be_checked_alone() {
    insta::assert_snapshot!(checked(
        r#"
        a: { type: t/plain, needs: [b], with: { text: 7, nubmer: 1, any: "${" } }
        b: { type: t/plain, after: [{ component: c }], with: { number: many, text: "${anything}" } }
        c: { type: t/plain, subscribe: [{ a: reload }] }
        d: { type: t/plain, needs: [d, e], with: { number: "${value.of.some.environment}" } }
        f: { type: t/file }
        g: { type: t/plain, with: { text: "${target.adress} ${component.z.targets} ${instance.x}" } }
        h: { type: t/command, verify: [{ type: t/command }, { type: t/chekc, with: { url: "x" } }] }
        "#
    ));
}

#[test]
fn a_good_application_has_nothing_to_check() {
    assert_eq!(
        checked(
            r#"
            a: { type: t/plain, needs: [b], with: { number: "${n}", env: { A: "${secret.x}" } } }
            b: { type: t/file, with: { path: "/x/${version}" }, overrides: [{ on: x=y, with: { content: a } }] }
            "#
        ),
        ""
    );
}
