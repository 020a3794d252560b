//! What editors show of a project's files: the schemas, read by the language server that most editors use for YAML.

mod server;

use std::fs;
use std::path::Path;

use launchway_harness::Project;
use launchway_hostile::component_of;
use serde_json::Value;

use server::{Editor, find_server};

const APPLICATION: &str = "# yaml-language-server: $schema=.launchway.schema.json\n";
const ENVIRONMENT: &str = "# yaml-language-server: $schema=../.environment.schema.json\n";

/// A project whose schemas are written, in an editor; none where there is no language server or no plugin.
fn editor(application: &str) -> Option<(Project, Editor)> {
    let server = find_server()?;
    let project = Project::new().expect("the binary is there");
    project.application(application).expect("it can be written");
    let list = project.run(["plugin", "list"]).expect("it runs").exits(0);
    if !String::from_utf8_lossy(&list.stdout).contains("ssh") {
        assert!(std::env::var_os("LAUNCHWAY_REQUIRE_PLUGINS").is_none(), "the binary was built without plugins");
        println!("skipped: the binary was built without plugins (`cargo xtask build` builds one with them)");
        return None;
    }
    project.run(["schema", "--write"]).expect("it runs").exits(0);
    let editor = Editor::start(&server, &project.path(""));
    Some((project, editor))
}

fn example(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop/1.0").join(file);
    fs::read_to_string(path).expect("the example is there")
}

#[test]
fn the_example_is_as_it_should_be() {
    let Some((project, mut editor)) = editor(&example("launchway.yaml")) else { return };
    let application = format!("{APPLICATION}{}", example("launchway.yaml"));
    assert_eq!(editor.open(&project.path("launchway.yaml"), &application), [""; 0]);
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/shop/1.0/environments"))
        .expect("there are environments")
    {
        let name = entry.expect("it can be listed").file_name().into_string().expect("it is text");
        let text = format!("{ENVIRONMENT}{}", example(&format!("environments/{name}")));
        assert_eq!(editor.open(&project.path(format!("environments/{name}")), &text), [""; 0], "{name}");
    }
}

/// Everything that may hold the properties of a type, with `@` where the cursor is.
const PLACES: &[(&str, &str)] = &[
    ("components:\n  a:\n    type: ssh/file\n    with:\n      @", "template"),
    (
        "components:\n  a:\n    type: ssh/file\n    with: { path: /x }\n    overrides:\n      - on: x\n        with:\n          @",
        "template",
    ),
    (
        "components:\n  a:\n    type: ssh/file\n    with: { path: /x }\n    verify:\n      - type: health/http\n        with:\n          @",
        "url",
    ),
    (
        "components:\n  a:\n    type: ssh/file\n    with: { path: /x }\n    around:\n      - at: x\n        before:\n          type: health/tcp\n          with:\n            @",
        "port",
    ),
    (
        "components:\n  a:\n    type: ssh/file\n    with: { path: /x }\n    around:\n      - at: x\n        after:\n          type: health/tcp\n          with:\n            @",
        "port",
    ),
    ("tasks:\n  a:\n    type: ssh/command\n    with:\n      @", "run"),
    ("finally:\n  - type: ssh/command\n    with:\n      @", "run"),
];

#[test]
fn properties_are_offered_by_type_wherever_there_is_a_with() {
    let Some((project, mut editor)) = editor("application: a\n") else { return };
    for (number, (text, wanted)) in PLACES.iter().enumerate() {
        let text = format!("{APPLICATION}application: a\n{text}");
        let offered = editor.complete(&project.path(format!("{number}.yaml")), &text);
        assert!(offered.iter().any(|name| name == wanted), "{text}\n{offered:?}");
        assert!(!offered.iter().any(|name| name == "unit"), "{text}\n{offered:?}");
    }
    let types = format!("{APPLICATION}application: a\ncomponents:\n  a:\n    type: @");
    let offered = editor.complete(&project.path("types.yaml"), &types);
    assert!(["ssh/file", "ssh/service"].iter().all(|kind| offered.iter().any(|name| name == kind)), "{offered:?}");
}

#[test]
fn mistakes_are_marked_and_placeholders_are_none() {
    let Some((project, mut editor)) = editor("application: a\n") else { return };
    let mut said = |number: usize, component: &str| {
        let text = format!("{APPLICATION}application: a\nversion: 2\ncomponents:\n  a: {component}\n");
        editor.open(&project.path(format!("{number}.yaml")), &text)
    };
    let good = [
        "{ type: ssh/file, with: { path: '${folder}/x', parents: '${parents}', mode: 0640, content: 5, timeout: 30 } }",
        "{ type: ssh/file, with: { content: x }, overrides: [{ on: dc=eu, with: { path: /x } }] }",
        "{ type: ssh/archive, with: { artifact: x, path: /x, keep: '${keep}' } }",
        "{ type: ssh/service, with: { unit: x, provider: '${provider}' }, verify: [{ type: health/tcp, with: { address: x, port: '${port}' } }] }",
    ];
    for (number, component) in good.iter().enumerate() {
        assert_eq!(said(number, component), [""; 0], "{component}");
    }
    let bad = [
        ("{ type: ssh/file, with: { path: /x, templaet: y } }", "templaet"),
        ("{ type: ssh/file, with: { path: /x, parents: maybe } }", ""),
        ("{ type: ssh/file, with: { content: y } }", "path"),
        ("{ type: ssh/file }", "with"),
        ("{ type: ssh/flie, with: { path: /x } }", "ssh/file"),
        ("{ type: ssh/file, with: { path: /x }, verify: [{ type: health/tcp, with: { prot: 1 } }] }", "prot"),
        ("{ type: ssh/file, with: { path: /x }, overrides: [{ on: a, with: { pth: /y } }] }", "pth"),
    ];
    for (number, (component, word)) in bad.iter().enumerate() {
        let said = said(100 + number, component);
        assert!(said.iter().any(|message| message.contains(word)), "{component}\n{said:?}");
    }
}

#[test]
fn descriptions_are_shown() {
    let Some((project, mut editor)) = editor("application: a\n") else { return };
    let text = |middle: &str| format!("{APPLICATION}application: a\ncomponents:\n  a:\n    {middle}\n");
    for (number, (middle, wanted)) in [
        ("type: ssh/file\n    with: { pa@th: /x }", "Where the file goes"),
        ("type: ssh/file\n    with: { path: /x, par@ents: true }", "Create missing folders on the way"),
        ("ty@pe: ssh/file\n    with: { path: /x }", "Puts a file in place"),
        ("type: ssh/file\n    with: { path: /x }\n    veri@fy: []", "decide whether a change of it went well"),
    ]
    .into_iter()
    .enumerate()
    {
        let shown = editor.hover(&project.path(format!("{number}.yaml")), &text(middle));
        assert!(shown.contains(wanted), "{middle}: {shown}");
    }
}

#[test]
fn plugins_of_the_project_are_in_its_schema() {
    let project = Project::new().expect("the binary is there");
    project.write("acme.wasm", component_of("idle")).expect("it can be written");
    project.application("application: a\nplugins: { idle: ./acme.wasm }\n").expect("it can be written");
    let printed = project.run(["schema"]).expect("it runs").exits(0);
    project.run(["schema", "--write"]).expect("it runs").exits(0);
    let written = fs::read_to_string(project.path(".launchway.schema.json")).expect("it is there");
    assert_eq!(String::from_utf8_lossy(&printed.stdout), written);
    let schema: Value = serde_json::from_str(&written).expect("it is JSON");
    let known = schema["$defs"]["Component"]["properties"]["type"]["oneOf"].as_array().expect("there are types");
    assert!(known.iter().any(|kind| kind["const"] == "idle/nothing"), "{known:?}");
}
