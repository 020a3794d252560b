//! The project's files: what is wrong in them, and where.

use std::fs;

use crate::place::Place;

const COMPONENT: &str = "file: { type: ssh/file, with: { path: \"${folder}/a\", content: x } }\n";

#[test]
fn everything_wrong_in_all_files_is_told_at_once_with_its_place() {
    let place = Place::new();
    place.write("launchway.yaml", "application: shop\nversoin: 1\ncomponents:\n  a: { type: nonsense }\n");
    place.write("environments/local.yaml", "environment: local\ntargets: [a]\n");
    let said = place.run(&["validate"]).exits(2);
    for text in
        ["launchway.yaml:2:1", "versoin", "did you mean `version`", "launchway.yaml:4", "environments/local.yaml:2:10"]
    {
        assert!(said.stderr.contains(text), "no {text:?} in:\n{}", said.stderr);
    }
    assert!(!said.stderr.contains('\u{1b}'), "no colours without a terminal");
    let error = &place.run(&["validate", "--json"]).exits(2).json()["error"];
    assert_eq!(error["code"], "configuration");
    let first = &error["diagnostics"][0];
    assert_eq!((&first["labels"][0]["file"], &first["labels"][0]["line"]), (&"launchway.yaml".into(), &2.into()));
}

#[test]
fn one_mistake_hides_no_other() {
    let place = Place::with("");
    if !place.has_plugins() {
        return;
    }
    let components = [
        "a: { type: ssh/file, needs: [nowhere], colour: red, with: { path: /a, content: x } }",
        "b: { type: ssh/fiel, with: { path: /b } }",
        "c: { type: ssh/command, needs: [d], with: { run: \"true\" } }",
        "d: { type: ssh/command, after: [c, e], with: { run: \"true\" } }",
        "e: { needs: [a] }",
        "f: { type: ssh/file, on: \"=x\", with: { path: /f, file: missing } }",
        "g: { type: ssh/file, with: { path: g, content: x } }",
        "h: { type: ssh/file, with: { path: /h } }",
        "i: { type: ssh/file, with: { path: /i, file: ../outside } }",
    ];
    place.application("1", &components.join("\n"));
    let error = &place.run(&["validate", "--json"]).exits(2).json()["error"];
    let found = error["diagnostics"].as_array().expect("a list");
    let found: Vec<(&str, u64)> = found
        .iter()
        .map(|one| (one["code"].as_str().expect("text"), one["labels"][0]["line"].as_u64().expect("a number")))
        .collect();
    let expected = [
        ("unknown-component", 4),
        ("unknown-key", 4),
        ("unknown-type", 5),
        ("cycle", 6),
        ("missing-key", 8),
        ("invalid", 9),
        ("file", 9),
        ("property", 10),
        ("property", 11),
        ("file", 12),
    ];
    assert_eq!(found, expected, "{error:#}");
}

#[test]
fn what_is_the_same_everywhere_is_found_without_an_environment() {
    let place = Place::with("");
    if !place.has_plugins() {
        return;
    }
    for (component, why) in [
        ("{ type: ssh/file, with: { path: /a } }", "content"),
        ("{ type: ssh/file, with: { path: /a, content: x, file: launchway.yaml } }", "content"),
        ("{ type: ssh/service, with: { provider: command, stop: \"true\" } }", "start"),
        ("{ type: ssh/file, with: { path: \"${folder}/a\", file: nowhere } }", "no such file: nowhere"),
        ("{ type: ssh/file, with: { path: /a, template: nowhere.j2 } }", "no such file: nowhere.j2"),
        ("{ type: ssh/directory, with: { path: /a, directory: nowhere } }", "no such file: nowhere"),
        ("{ type: ssh/file, with: { path: /a, file: ../a } }", "../a"),
        ("{ type: ssh/archive, with: { path: /a, artifact: nowhere } }", "no artifact `nowhere`"),
    ] {
        place.application("1", &format!("a: {component}"));
        for command in [&["validate"][..], &["validate", "-e", "local"]] {
            let said = place.run(command).exits(2).tells(why).tells("launchway.yaml:4");
            assert_eq!(said.stderr.matches("error[").count(), 1, "{}", said.stderr);
        }
    }
    place.application("1", "a: { type: ssh/file, with: { path: /a, content: x } }");
    place.run(&["validate"]).exits(0);
}

#[test]
fn what_is_no_yaml_or_no_text_is_told() {
    let place = Place::with(COMPONENT);
    place.write("launchway.yaml", "application: [\n");
    place.run(&["validate"]).exits(2).tells("launchway.yaml");
    place.write("launchway.yaml", "");
    place.run(&["plan"]).exits(2);
    fs::write(place.path("launchway.yaml"), b"application: a\nversion: \xff\n").expect("a file");
    place.run(&["plan"]).exits(2).tells("not UTF-8").tells("line 2");
}

#[test]
fn the_environment_must_be_one_that_is_there() {
    let place = Place::with(COMPONENT);
    place.run(&["plan", "-e", "lokal"]).exits(2).tells("there is no environment `lokal`").tells("local");
    place.run(&["plan", "-e", "../local"]).exits(2).tells("there is no environment");
    place.write("environments/other.yaml", &place.environment("other"));
    let said = place.run(&["plan"]).exits(2).tells("several").tells("local, other");
    assert_eq!(said.stdout, "");
    place.write("environments/other.yaml", &place.environment("another"));
    place.run(&["plan", "-e", "other"]).exits(2).tells("environments/other.yaml:1").tells("environment: other");
    fs::remove_dir_all(place.path("environments")).expect("a folder");
    place.run(&["plan"]).exits(2).tells("no environment");
}

#[test]
fn a_missing_dictionary_is_told_where_it_is_asked_for() {
    let place = Place::with(COMPONENT);
    let text = place.environment("local").replace("dictionaries: [", "dictionaries: [ nowhere.yaml, ");
    place.write("environments/local.yaml", &text);
    place.run(&["plan"]).exits(2).tells("nowhere.yaml").tells("environments/local.yaml:4");
}

#[test]
fn a_dictionary_that_never_ends_is_refused() {
    let place = Place::with(COMPONENT);
    let text = place.environment("local").replace("dictionaries: [", "dictionaries: [ pipe.yaml, ");
    place.write("environments/local.yaml", &text);
    let pipe = place.path("environments/pipe.yaml");
    assert!(std::process::Command::new("mkfifo").arg(pipe).status().expect("mkfifo runs").success());
    place.run(&["plan"]).exits(2).tells("no regular file").tells("environments/local.yaml:4");
}

#[test]
fn what_was_never_deployed_is_not_gone_back_from() {
    let place = Place::with("");
    place.write("launchway.yaml", "application: shop\nversion: 1\n");
    for command in [&["rollback", "--yes"][..], &["rollback", "3", "--yes"], &["rollback", "--to", "1", "--yes"]] {
        place.run(command).exits(2).tells("nothing of shop ever ran on local");
    }
    place.run(&["undeploy", "--yes"]).exits(0).tells("Nothing to do");
    let lines = place.run(&["undeploy", "--json"]).exits(0).lines();
    assert_eq!(lines.last().expect("there is one")["outcome"], "unchanged");
    assert!(!place.path(".launchway").exists(), "no store is made for that");
}

#[test]
fn looking_leaves_no_traces() {
    let place = Place::with("");
    place.write("launchway.yaml", "application: shop\nversion: 1\n");
    for command in [&["validate"][..], &["plan"], &["status"], &["runs"], &["graph"], &["status", "--json"]] {
        place.run(command).exits(0);
    }
    place.run(&["show", "1"]).exits(2).tells("no run 1");
    assert!(!place.path(".launchway").exists());
}

#[test]
fn the_project_is_found_from_below() {
    let place = Place::with("");
    place.write("launchway.yaml", "application: shop\nversion: 1\n");
    fs::create_dir_all(place.path("deep/er")).expect("a folder");
    let said = place.command_in(&place.path("deep/er"), &["status"]).output().expect("the binary starts");
    crate::place::Said::of(said).exits(0).gives("shop is not deployed on local");
}

#[test]
fn a_store_that_is_none_is_told() {
    let place = Place::with("");
    place.write("launchway.yaml", "application: shop\nversion: 1\n");
    place.write(
        "store/launchway.db",
        "this is no database, whatever its name says, and long enough to be looked at twice",
    );
    place.run(&["status", "--store", "store"]).exits(2).tells("not a launchway store");
    place.write("file", "");
    place.run(&["deploy", "--store", "file/store"]).exits(2).tells("can't create");
}

#[test]
fn init_writes_a_valid_project_and_never_overwrites_one() {
    let place = Place::new();
    place.run(&["init", "my \"shop\" ${x} ä"]).exits(0).tells("launchway plan");
    let text = fs::read_to_string(place.path("launchway.yaml")).expect("it was written");
    assert!(text.contains(r#"application: "my \"shop\" $${x} ä""#), "{text}");
    for (file, up) in [("launchway.yaml", ""), ("environments/local.yaml", "../")] {
        let text = std::fs::read_to_string(place.path(file)).expect("it was written");
        let line = text.lines().next().unwrap_or_default();
        let schema = line.strip_prefix("# yaml-language-server: $schema=").expect("it names its schema");
        let schema = schema.strip_prefix(up).expect("it is in the project's folder");
        assert!(place.path(schema).is_file(), "{schema}");
    }
    place.run(&["init"]).exits(2).tells("is there already");
    assert_eq!(fs::read_to_string(place.path("launchway.yaml")).expect("it is there"), text);
    place.run(&["init", "-C", "sub/folder", "a/b"]).exits(2).tells("can't name an application");
    place.run(&["init", "-C", "sub/folder"]).exits(0);
    assert!(
        fs::read_to_string(place.path("sub/folder/launchway.yaml")).expect("it was written").contains("\"folder\"")
    );
    if place.has_plugins() {
        place.run(&["validate"]).exits(0);
        place.run(&["validate", "-e", "local"]).exits(0);
    } else {
        place.run(&["validate"]).exits(2).tells("cargo xtask build");
    }
}

#[test]
fn a_dictionary_for_some_targets_may_be_a_file() {
    let place = Place::with("file: { type: ssh/file, with: { path: \"${folder}/file\", content: \"${pool}\" } }\n");
    if !place.has_plugins() {
        return;
    }
    let environment = place.environment("local");
    let with = |file: &str| {
        environment.replace("dictionaries: [", &format!("dictionaries: [{{ on: \"!x\", file: {file} }}, "))
    };
    place.write("environments/local.yaml", &with("none.yaml"));
    place.run(&["plan"]).exits(2).tells("environments/local.yaml:4:34").tells("none.yaml");
    place.write("environments/local.yaml", &with("some.yaml"));
    place.write("environments/some.yaml", "pool: forty\n");
    place.run(&["plan", "-v"]).exits(0).gives("forty");
}
