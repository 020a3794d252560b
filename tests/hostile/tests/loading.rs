//! What is refused before a byte of it runs, and what a plugin may say of itself.

use std::fs;
use std::path::Path;

use launchway_hostile::{Guest, Subject, compiler, first_party, shared_cache};
use launchway_model::{ApplicationName, PluginName};
use launchway_runtime::{EngineError, LoadError, PluginFault, PluginFile, PluginOptions, PluginSet};

const COMPILER: &str = env!("CARGO_BIN_EXE_hostile-compiler");

fn load(name: &str, bytes: &[u8], grant: &[&str]) -> Result<PluginSet, LoadError> {
    let folder = tempfile::tempdir().expect("room");
    let path = folder.path().join("plugin.wasm");
    fs::write(&path, bytes).expect("room");
    load_file(name, &path, grant)
}

fn load_file(name: &str, path: &Path, grant: &[&str]) -> Result<PluginSet, LoadError> {
    let grant = grant.iter().map(|&word| word.to_owned()).collect();
    let file = PluginFile { name: PluginName::new(name).expect("a name"), path: path.to_owned(), grant };
    let options =
        PluginOptions { compiler: compiler(COMPILER), cache: Some(shared_cache()), ..PluginOptions::default() };
    PluginSet::load(&[], &[file], options).map_err(|mut errors| errors.remove(0))
}

fn refused(bytes: &[u8]) -> LoadError {
    match load("acme", bytes, &[]) {
        Err(error) => error,
        Ok(_) => panic!("it was accepted"),
    }
}

#[test]
fn what_is_no_component() {
    for (bytes, what) in [
        (&b""[..], "empty"),
        (b"#!/bin/sh\necho hi\n", "a text file"),
        (b"\0asm\x01\0\0\0", "a core module"),
        (b"\0asm\x0d", "cut off"),
        (b"\x7fELF\x02\x01\x01\0\0\0", "a native program"),
        (b"\xff\xfe\xfd", "something else"),
    ] {
        let error = refused(bytes);
        let LoadError::NotAComponent { found, .. } = &error else { panic!("{what}: {error}") };
        assert!(found.contains(what), "{found}");
        assert!(error.hint().is_some_and(|hint| hint.contains("component")));
    }
}

#[test]
fn a_missing_file() {
    let Err(error) = load_file("acme", Path::new("/nowhere/acme.wasm"), &[]) else { panic!("it was accepted") };
    assert!(matches!(error, LoadError::Read { .. }));
    assert!(error.to_string().starts_with("plugin `acme`: can't read /nowhere/acme.wasm: "), "{error}");
}

#[test]
fn a_component_cut_off_anywhere() {
    let whole = Guest::default().component();
    for tenth in 1..10 {
        let error = refused(&whole[..whole.len() * tenth / 10]);
        assert!(matches!(error, LoadError::Refused { .. }), "{error}");
    }
}

#[test]
fn functions_that_keep_a_compiler_busy() {
    let body = "i32.const 1 drop ".repeat(250_000);
    let component = wat::parse_str(format!("(component (core module (func {body})))")).expect("valid");
    let error = refused(&component);
    assert!(error.to_string().contains("one of its functions has"), "{error}");
}

#[test]
fn other_string_encodings() {
    let component = wat::parse_str(
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
                (func (export "f") (param i32 i32)))
            (core instance $i (instantiate $m))
            (func (export "f") (param "s" string) (canon lift (core func $i "f")
                (memory (core memory $i "memory")) (realloc (core func $i "realloc")) string-encoding=utf16)))"#,
    )
    .expect("valid");
    assert!(refused(&component).to_string().contains("another string encoding"));
}

#[test]
fn foreign_imports() {
    let component = wat::parse_str(
        r#"(component
            (import "wasi:cli/stdout@0.2.0" (instance))
            (import "launchway:plugin/target@0.9.0" (instance))
            (import "launchway:plugin/log@0.1.0" (instance)))"#,
    )
    .expect("valid");
    let error = refused(&component);
    let LoadError::UnknownImports { imports, .. } = &error else { panic!("{error}") };
    assert_eq!(imports, &["wasi:cli/stdout@0.2.0", "launchway:plugin/target@0.9.0"]);
    assert!(error.hint().is_some_and(|hint| hint.contains("no WASI")));
}

#[test]
fn nothing_exported() {
    let error = refused(&wat::parse_str("(component)").expect("valid"));
    let LoadError::MissingExports { exports, .. } = error else { panic!("{error}") };
    assert_eq!(exports.len(), 3);
}

#[test]
fn only_what_is_granted() {
    let component = Guest::default().component();
    for capability in ["target", "secrets", "http", "net"] {
        let others: Vec<_> = ["target", "secrets", "http", "net"].into_iter().filter(|c| *c != capability).collect();
        let Err(error) = load("hostile", &component, &others) else { panic!("{capability} was not missed") };
        let LoadError::NotGranted { missing, .. } = &error else { panic!("{error}") };
        assert_eq!(missing.keys().collect::<Vec<_>>(), [capability]);
        assert!(!missing[capability].is_empty());
        assert!(error.hint().is_some_and(|hint| hint.contains(&format!("add `{capability}`"))));
    }
    let Err(error) = load("hostile", &component, &[]) else { panic!("nothing was missed") };
    assert!(error.to_string().contains("and `target`"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("add `http`, `net`, `secrets`, `target`")), "{error}");
    let Err(error) = load("hostile", &component, &["root"]) else { panic!("`root` is no capability") };
    assert!(matches!(error, LoadError::UnknownGrant { .. }), "{error}");
}

#[test]
fn only_what_is_declared() {
    let guest = Guest { describe: Some("modest"), ..Guest::default() };
    let Err(error) = Subject::load(guest, COMPILER) else { panic!("it was accepted") };
    assert!(matches!(error, LoadError::Undeclared { .. }), "{error}");
}

#[test]
fn bad_descriptions() {
    for (describe, said) in [
        ("name", "it calls itself `friendly`"),
        ("schema", "the schema of `any` is no JSON"),
        ("list", "the schema of `any` is no JSON object"),
        ("none", "it has 0 kinds"),
        ("twice", "two kinds `any`"),
        ("slash", "its kind `a/b` is misnamed"),
        ("power", "the unknown capability `power`"),
    ] {
        let guest = Guest { describe: Some(describe), ..Guest::default() };
        let Err(LoadError::Describe { fault, .. }) = Subject::load(guest, COMPILER) else { panic!("{describe}") };
        assert!(matches!(fault, PluginFault::BadAnswer { .. }), "{describe}: {fault}");
        assert!(fault.to_string().contains(said), "{describe}: {fault}");
    }
}

#[test]
fn a_compiler_that_fails() {
    let folder = tempfile::tempdir().expect("room");
    let path = folder.path().join("hostile.wasm");
    fs::write(&path, Guest::default().component()).expect("room");
    let grant = ["target", "secrets", "http", "net"].map(str::to_owned).into();
    let file = PluginFile { name: PluginName::new("hostile").expect("a name"), path, grant };
    let sh = |script: &str| ["/bin/sh", "-c", script].map(Into::into).to_vec();
    for (command, said) in [
        (Vec::new(), "this program has no compiler"),
        (compiler("/nowhere/compiler"), "can't start the compiler"),
        (sh("echo out of ideas >&2; exit 1"), "out of ideas"),
        (sh("exec >&-; kill -XCPU $$"), "processor time"),
        (sh("cat > /dev/null; exit 3"), "ended without a word"),
    ] {
        let options = PluginOptions { compiler: command, ..PluginOptions::default() };
        let Err(errors) = PluginSet::load(&[], std::slice::from_ref(&file), options) else { panic!("{said}") };
        assert!(matches!(errors[..], [LoadError::Compile { .. }]), "{errors:?}");
        assert!(errors[0].to_string().contains(said), "{}", errors[0]);
    }
}

#[tokio::test]
async fn embedded_plugins_need_no_file() {
    let embedded = first_party(&Guest::default().component()).expect("it is good enough");
    let plugins = PluginSet::load(&[embedded], &[], PluginOptions::default()).expect("it is embedded");
    let name = PluginName::new("hostile").expect("a name");
    assert_eq!(plugins.names().collect::<Vec<_>>(), [&name]);
    assert_eq!(plugins.kinds().map(|kind| kind.to_string()).collect::<Vec<_>>(), ["hostile/any"]);
    assert_eq!(plugins.digest(&name).map(|digest| digest.to_string()).as_deref(), Some(embedded.digest));
    let application = ApplicationName::new("mutiny").expect("a name");
    let answers = plugins.plan(&name, &application, &[launchway_hostile::proposal("nothing")]).await.expect("a plan");
    assert!(answers[0].is_ok());
}

#[test]
fn a_name_is_taken_once() {
    let component = Guest::default().component();
    let embedded = first_party(&component).expect("it is good enough");
    let file = PluginFile { name: PluginName::new("hostile").expect("a name"), path: "x".into(), grant: Vec::new() };
    let Err(errors) = PluginSet::load(&[embedded], &[file], PluginOptions::default()) else {
        panic!("it was accepted")
    };
    assert!(matches!(errors[..], [LoadError::Taken { .. }]));
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let file = |name: &str| PluginFile {
        name: PluginName::new(name).expect("a name"),
        path: format!("/nowhere/{name}").into(),
        grant: Vec::new(),
    };
    let Err(errors) = PluginSet::load(&[], &[file("a"), file("b")], PluginOptions::default()) else { panic!() };
    assert_eq!(errors.iter().map(LoadError::plugin).collect::<Vec<_>>(), [Some("a"), Some("b")]);
}

/// In a process of its own, since the limit can't be taken back.
#[test]
fn too_little_address_space_is_said_so() {
    let this = std::env::current_exe().expect("a test");
    let output = std::process::Command::new("/bin/sh")
        .args(["-c", "ulimit -v 33554432 && exec \"$0\" --exact with_little_address_space --ignored --nocapture"])
        .arg(this)
        .output()
        .expect("a shell");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && stdout.contains("1 passed"), "{output:?}");
}

#[tokio::test]
#[ignore = "too_little_address_space_is_said_so runs it where there is little"]
async fn with_little_address_space() {
    let embedded = first_party(&Guest::default().component()).expect("a single call needs less");
    let plugins = PluginSet::load(&[embedded], &[], PluginOptions::default()).expect("it is embedded");
    let kind = "hostile/any".parse().expect("a kind");
    let Err(PluginFault::Engine(error)) = plugins.validate(&kind, &[serde_json::json!({})]).await else {
        panic!("there is room for 256 guests")
    };
    assert!(matches!(error, EngineError::AddressSpace { .. }), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("ulimit -v")));
}
