//! Files that are fine, and what comes of them.

use launchway_model::config::{
    Dictionary, EdgeUse, EnvironmentOverrides, SecretSource, SubscriptionUse, application_schema,
    environment_editor_schema, environment_schema, inventory_schema, parse_application, parse_dictionary,
    parse_environment, parse_scalar, project_schema,
};
use launchway_model::{
    HostKeyChecking, KindInfo, KindRef, OnRollback, RunRule, Scope, SecretName, Sources, TargetName, Transport, Usage,
};
use serde_json::{Value, json};

const APPLICATION: &str = r#"
application: shop
version: 1.10
artifacts: { api: build/api.tar.gz }
plugins: { acme: ./acme.wasm, other: { file: o.wasm, grant: [http] } }
components:
  schema:
    type: ssh/command
    on: role=db
    with: { run: "/opt/shop/migrate --to 14", env: { PGPASSWORD: "${secret.db}" }, retries: 3, mode: 0640, on: no }
  "blank 'n quote \"ü\"":
    type: ssh/archive
    needs: [schema, { component: schema, scope: same-target }]
  service:
    type: ssh/service
    subscribe: [{ schema: reload, "blank 'n quote \"ü\"": restart }, { component: schema, word: 5, scope: all }]
    after: []
    with:
    overrides: [{ on: "dc!=us,!old", with: { mode: 1 } }]
    verify: [{ type: health/http, with: { url: "http://${target.address}" } }]
    on_rollback: refuse
"#;

#[test]
fn an_application_is_read() {
    let mut sources = Sources::default();
    let parsed = parse_application(&mut sources, "launchway.yaml", APPLICATION).unwrap();
    let application = parsed.value;
    assert_eq!(application.version.as_ref().map(|version| version.as_str()), Some("1.10"));
    assert_eq!(application.plugins.len(), 2);
    let names: Vec<&str> = application.components.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["blank 'n quote \"ü\"", "schema", "service"]);
    let [archive, schema, service] = application.components.values().collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(
        schema.with,
        json!({
            "run": "/opt/shop/migrate --to 14", "env": {"PGPASSWORD": "${secret.db}"},
            "retries": 3, "mode": "0640", "on": "no",
        })
    );
    assert_eq!(archive.needs.iter().map(EdgeUse::scope).collect::<Vec<_>>(), [Scope::All, Scope::SameTarget]);
    assert!(matches!(&service.subscribe[0], SubscriptionUse::Short(several) if several.len() == 2));
    assert!(matches!(&service.subscribe[1], SubscriptionUse::Detail(detail) if detail.word == "5"));
    assert_eq!(service.with, Value::Null);
    assert_eq!(service.on_rollback, Some(OnRollback::Refuse));
    assert_eq!(parsed.document.span("/application").map(|span| (span.start, span.end)), Some((14, 18)));
}

#[test]
fn an_environment_is_read() {
    let text = r#"
environment: staging
defaults: { user: deploy, ssh: { identity_file: keys/id, host_key_checking: accept-new } }
x: &x { role: app, dc: 1, old: false, rate: 0.5 }
"#
    .replace("x: &x { role: app, dc: 1, old: false, rate: 0.5 }", "")
        + r#"
targets:
  app1: &app { address: 198.18.0.2, labels: { role: app, dc: 1, old: false, rate: 0.5 }, values: { workers: 8 } }
  app2: { <<: *app, address: 198.18.0.3, transport: local, port: 2222 }
  bare:
dictionaries: [{ pool_size: 20, v: 1.0 }, common.yaml, { on: dc=us, values: { file: x } }, { on: "!dc", file: db.yaml }]
secrets: { a: { env: A }, b: { file: 5 }, c: { command: [pass, show, 1] } }
overrides: { web: { with: { mode: "0600" } }, db: [{ on: dc=1, with: { a: 1 } }] }
failures: { on_failure: continue }
max_steps: 10
"#;
    let parsed = parse_environment(&mut Sources::default(), "staging.yaml", &text).unwrap();
    let environment = parsed.value;
    let target = |name: &str| &environment.targets[&TargetName::new(name).unwrap()];
    let labels: Vec<(&str, &str)> = target("app2").labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(labels, [("dc", "1"), ("old", "false"), ("rate", "0.5"), ("role", "app")]);
    assert_eq!(target("app2").address.as_deref(), Some("198.18.0.3"));
    assert_eq!(target("app2").transport, Some(Transport::Local));
    assert_eq!(target("app2").values["workers"], json!(8));
    assert_eq!(target("bare").address, None);
    assert!(matches!(&environment.dictionaries[0], Dictionary::Values(values) if values["v"] == json!(1.0)));
    assert!(matches!(&environment.dictionaries[1], Dictionary::File(file) if file.as_os_str() == "common.yaml"));
    assert!(
        matches!(&environment.dictionaries[2], Dictionary::ScopedValues(scoped) if scoped.values["file"] == json!("x"))
    );
    assert!(
        matches!(&environment.dictionaries[3], Dictionary::ScopedFile(scoped) if scoped.file.as_os_str() == "db.yaml")
    );
    assert_eq!(environment.dictionaries[3].on(), Some(&"!dc".parse().unwrap()));
    assert!(
        matches!(&environment.secrets[&SecretName::new("c").unwrap()], SecretSource::Command(argv) if argv[2] == "1")
    );
    assert!(
        matches!(environment.overrides.values().next(), Some(EnvironmentOverrides::Several(all)) if all.len() == 1)
    );
    let ssh = environment.defaults.ssh.as_ref().unwrap();
    assert_eq!(ssh.host_key_checking, HostKeyChecking::AcceptNew);
    // What a merge brings in stands where it was written.
    let span = parsed.document.span("/targets/app2/labels/role").unwrap();
    assert_eq!(&text[span.start..span.end], "app");
    assert!(span.start < text.find("app2").unwrap());
}

#[test]
fn small_and_odd_files_are_read() {
    let mut sources = Sources::default();
    let environment = parse_environment(&mut sources, "e", "environment: empty\ntargets:\n").unwrap();
    assert!(environment.value.targets.is_empty());
    let crlf = "\u{feff}application: \"sh\\u00fcp\"\r\nversion: 2\r\ncomponents:\r\n  a: {type: x/y}\r\n";
    let application = parse_application(&mut sources, "a", crlf).unwrap();
    assert_eq!(application.value.application.as_str(), "shüp");
    assert_eq!(application.value.version.unwrap().as_str(), "2");
    let span = application.document.span("/components/a/type").unwrap();
    assert_eq!(&crlf[span.start..span.end], "x/y");
    assert!(parse_dictionary(&mut sources, "d", "").unwrap().value.is_empty());
    let values = parse_dictionary(&mut sources, "d", "---\na: [1, 1.10, ~]\nb: |\n  x\n  y\n...\n").unwrap().value;
    assert_eq!(values["a"], json!([1, "1.10", null]));
    assert_eq!(values["b"], json!("x\ny\n"));
    assert_eq!(parse_scalar("1.10"), json!("1.10"));
    assert_eq!(parse_scalar("12"), json!(12));
}

#[test]
fn ten_thousand_targets_are_read() {
    let mut text = "environment: big\ntargets:\n".to_owned();
    for index in 0..10_000 {
        text +=
            &format!("  app{index}: {{ address: 198.18.{}.{}, labels: {{ role: app }} }}\n", index / 250, index % 250);
    }
    let parsed = parse_environment(&mut Sources::default(), "big.yaml", &text).unwrap();
    assert_eq!(parsed.value.targets.len(), 10_000);
    assert!(parsed.document.span("/targets/app9999/labels/role").is_some());
}

/// What editors check with must accept what Launchway accepts, and know each type's properties.
#[test]
fn the_project_schema_knows_the_types() {
    let kind = |name: &str, usage, schema| {
        let info = KindInfo {
            name: name.split_once('/').unwrap().1.into(),
            usage,
            summary: format!("Does {name}"),
            schema,
            run: RunRule::Changed,
            on_rollback: OnRollback::Run,
        };
        (name.parse::<KindRef>().unwrap(), info)
    };
    let infos = [
        kind(
            "ssh/file",
            Usage::Component,
            json!({
                "type": "object", "additionalProperties": false, "required": ["path"],
                "properties": {
                    "path": { "$ref": "#/$defs/Path" },
                    "mode": { "type": "string" },
                    "keep": { "type": "integer" },
                },
                "$defs": { "Path": { "type": "string", "pattern": "^/" } },
            }),
        ),
        kind("health/tcp", Usage::Action, json!({ "type": "object", "properties": { "port": { "type": "integer" } } })),
    ];
    let schema = project_schema(&infos.iter().map(|(kind, info)| (kind.clone(), info)).collect::<Vec<_>>());
    let validator = jsonschema::validator_for(&schema).unwrap();
    let component =
        |with: Value| json!({ "application": "a", "components": { "c": { "type": "ssh/file", "with": with } } });
    for good in [json!({ "path": "/a", "mode": 640, "keep": 3 }), json!({ "path": "${value.p}", "keep": "${value.k}" })]
    {
        assert!(validator.is_valid(&component(good.clone())), "{good}");
    }
    for bad in
        [json!({}), json!({ "path": "a" }), json!({ "path": "/a", "pth": 1 }), json!({ "path": "/a", "keep": "x" })]
    {
        assert!(!validator.is_valid(&component(bad.clone())), "{bad}");
    }
    let verified = |kind: &str| {
        json!({ "application": "a", "components": { "c": {
            "type": "ssh/file", "with": { "path": "/a" }, "verify": [{ "type": kind, "with": { "port": 1 } }],
        } } })
    };
    let overridden = |with: Value, other: Value| {
        json!({ "application": "a", "version": 2, "components": { "c": {
            "type": "ssh/file", "with": with, "overrides": [{ "on": "dc=eu", "with": other }],
        } } })
    };
    assert!(validator.is_valid(&overridden(json!({ "mode": "0640" }), json!({ "path": "/a" }))));
    assert!(!validator.is_valid(&overridden(json!({ "pth": "/a" }), json!({ "path": "/a" }))));
    assert!(!validator.is_valid(&overridden(json!({ "path": "/a" }), json!({ "pth": "/b" }))));
    assert!(!validator.is_valid(&json!({ "application": "a", "components": { "c": { "type": "ssh/file" } } })));
    for place in ["tasks", "finally"] {
        let acting = |port: Value| {
            let action = json!({ "type": "health/tcp", "with": { "port": port } });
            let all = if place == "tasks" { json!({ "t": action }) } else { json!([action]) };
            json!({ "application": "a", place: all })
        };
        assert!(validator.is_valid(&acting(json!("${port}"))), "{place}");
        assert!(!validator.is_valid(&acting(json!("x"))), "{place}");
    }
    assert!(validator.is_valid(&verified("health/tcp")));
    assert!(!validator.is_valid(&verified("ssh/file")));
    assert!(!validator.is_valid(&verified("health/udp")));
}

#[test]
fn the_files_schemas_are_valid_schemas_and_describe_everything() {
    let files = [application_schema(), environment_schema(), inventory_schema()];
    for schema in files.into_iter().chain([environment_editor_schema(), project_schema(&[])]) {
        jsonschema::meta::validate(&schema).unwrap();
        let definitions = schema["$defs"].as_object().unwrap();
        for (name, definition) in definitions.iter().map(|(name, definition)| (name.as_str(), definition)) {
            assert!(definition["description"].is_string(), "{name} has no description");
            for (property, inner) in definition["properties"].as_object().into_iter().flatten() {
                assert!(inner["description"].is_string(), "{name}.{property} has no description");
            }
        }
    }
}
