//! Planning cannot act: not by any import, not from any place.

use launchway_hostile::{Guest, Subject, proposal};
use launchway_model::{ApplicationName, PluginName};
use launchway_runtime::{Activity, CannotAct, Limits, LoadError, PluginFault, Where};

const COMPILER: &str = env!("CARGO_BIN_EXE_hostile-compiler");

/// Every function that acts or tells something of the world: the guest's word, interface and function.
const EFFECTS: [(&str, &str, &str); 9] = [
    ("clock", "clock", "elapsed-ms"),
    ("open", "secrets", "open"),
    ("exec", "target", "exec"),
    ("put", "target", "put"),
    ("read", "target", "read"),
    ("stat", "target", "stat"),
    ("send", "http", "send"),
    ("download", "http", "download"),
    ("connect", "net", "connect"),
];

fn subject() -> Subject {
    Subject::load(Guest::default(), COMPILER).expect("it behaves while it is loaded")
}

fn cannot_act(interface: &str, function: &str, activity: Activity) -> PluginFault {
    CannotAct { interface: interface.to_owned(), function: function.to_owned(), activity }.into()
}

#[tokio::test]
async fn no_effect_while_planning() {
    let subject = subject();
    for (deed, interface, function) in EFFECTS {
        let expected = cannot_act(interface, function, Activity::Planning);
        assert_eq!(subject.plan(deed).await, Err(expected), "{deed}");
    }
    assert_eq!(subject.plan("log").await.expect("logging is no act").expect("a plan").len(), 1);
}

#[tokio::test]
async fn no_effect_while_validating() {
    let subject = subject();
    for (deed, interface, function) in EFFECTS {
        let expected = cannot_act(interface, function, Activity::Validating);
        assert_eq!(subject.validate(deed).await, Err(expected), "{deed}");
    }
    assert_eq!(subject.validate("log").await, Ok(Vec::new()));
}

#[test]
fn no_effect_while_describing() {
    for (deed, interface, function) in EFFECTS {
        let expected = cannot_act(interface, function, Activity::Describing);
        let guest = Guest { describe: Some(deed), ..Guest::default() };
        let Err(LoadError::Describe { fault, .. }) = Subject::load(guest, COMPILER) else { panic!("{deed} went well") };
        assert_eq!(fault, expected, "{deed}");
    }
}

#[test]
fn no_effect_from_the_initialiser() {
    for (deed, interface, function) in EFFECTS {
        let expected = cannot_act(interface, function, Activity::Describing);
        let guest = Guest { start: Some(deed), ..Guest::default() };
        let Err(LoadError::Describe { fault, .. }) = Subject::load(guest, COMPILER) else { panic!("{deed} went well") };
        assert_eq!(fault, expected, "{deed}");
    }
}

#[test]
fn the_start_section_is_contained() {
    for (deed, _, _) in EFFECTS {
        let guest = Guest { start: Some(deed), start_section: true, ..Guest::default() };
        let Err(LoadError::Describe { fault, .. }) = Subject::load(guest, COMPILER) else { panic!("{deed} went well") };
        if deed == "clock" {
            // The only one that needs no memory to pass arguments through, and so is in place already.
            assert_eq!(fault, cannot_act("clock", "elapsed-ms", Activity::Describing));
            continue;
        }
        let PluginFault::Trap { at, .. } = fault else { panic!("{deed}: {fault}") };
        assert_eq!(at, Where::Starting(Activity::Describing), "{deed}");
    }
}

#[tokio::test]
async fn lowering_arguments_is_contained() {
    let guest = Guest { alloc: true, ..Guest::default() };
    let subject = Subject::load(guest, COMPILER).expect("`describe` has no arguments");
    let Err(PluginFault::Trap { at, message }) = subject.validate("nothing").await else { panic!("it went well") };
    assert_eq!(at, Where::In(Activity::Validating));
    assert!(message.contains("cannot leave component instance"), "{message}");
    let Err(PluginFault::Trap { at, .. }) = subject.plan("nothing").await else { panic!("it went well") };
    assert_eq!(at, Where::In(Activity::Planning));
    assert!(subject.world.acts().is_empty());
}

#[tokio::test]
async fn looking_cannot_write() {
    let subject = subject();
    for (deed, interface, function) in EFFECTS {
        let writes = function == "put" || function == "download";
        for (activity, result) in [
            (Activity::Probing, subject.probe(deed).await.map(drop)),
            (Activity::Inspecting, subject.inspect(deed).await.map(drop)),
        ] {
            match result {
                Ok(()) => assert!(!writes, "{deed} while {activity}"),
                Err(launchway_runtime::CallError::Fault { fault, .. }) => {
                    assert!(writes, "{deed} while {activity}: {fault}");
                    assert_eq!(fault, cannot_act(interface, function, activity));
                }
                Err(other) => panic!("{deed} while {activity}: {other:?}"),
            }
        }
    }
    assert!(!subject.world.acts().iter().any(|act| act == "put" || act == "download"));
}

#[tokio::test]
async fn what_crashes_is_a_fault() {
    let subject = subject();
    for (deed, said) in [
        ("panic", "deliberate misfortune"),
        ("recurse", "call stack exhausted"),
        ("recurse-wide", "out of bounds memory access"),
        ("abort", "without a word"),
    ] {
        let Err(PluginFault::Trap { at, message }) = subject.plan(deed).await else { panic!("{deed} went well") };
        assert_eq!(at, Where::In(Activity::Planning));
        assert!(message.contains(said), "{deed}: {message}");
    }
    assert!(subject.plan("nothing").await.is_ok(), "the host is unharmed");
}

#[tokio::test]
async fn memory_is_bounded() {
    let limit = 16 << 20;
    let limits = Limits { memory: limit, ..Limits::default() };
    let subject = Subject::with_limits(Guest::default(), COMPILER, limits).expect("it behaves while it is loaded");
    assert_eq!(subject.plan("memory").await, Err(PluginFault::OutOfMemory { limit }));
    assert!(subject.plan("nothing").await.is_ok());
}

#[tokio::test]
async fn time_is_bounded() {
    let limit = std::time::Duration::from_millis(250);
    let limits = Limits { planning_time: limit, ..Limits::default() };
    let subject = Subject::with_limits(Guest::default(), COMPILER, limits).expect("it behaves while it is loaded");
    assert_eq!(subject.plan("loop").await, Err(PluginFault::OutOfTime { at: Activity::Planning, limit }));
    assert_eq!(subject.validate("loop").await, Err(PluginFault::OutOfTime { at: Activity::Validating, limit }));
}

#[test]
fn time_is_bounded_while_loading() {
    let limit = std::time::Duration::from_millis(250);
    for guest in [
        Guest { describe: Some("loop"), ..Guest::default() },
        Guest { start: Some("loop"), ..Guest::default() },
        Guest { start: Some("loop"), start_section: true, ..Guest::default() },
    ] {
        let limits = Limits { planning_time: limit, ..Limits::default() };
        let Err(LoadError::Describe { fault, .. }) = Subject::with_limits(guest, COMPILER, limits) else {
            panic!("it went well")
        };
        assert_eq!(fault, PluginFault::OutOfTime { at: Activity::Describing, limit });
    }
}

#[tokio::test]
async fn host_calls_are_bounded() {
    let limits = Limits { host_calls: 1_000, ..Limits::default() };
    let subject = Subject::with_limits(Guest::default(), COMPILER, limits).expect("it behaves while it is loaded");
    assert_eq!(subject.plan("calls").await, Err(PluginFault::TooMany { what: "host calls", limit: 1_000 }));
}

#[tokio::test]
async fn bad_answers_are_refused() {
    let subject = subject();
    for (deed, said) in [
        ("bad-json", "the payload of step `one` is no JSON"),
        ("twice", "two steps `one`"),
        ("slash", "the step name `a/b`"),
        ("empty-name", "the step name ``"),
        ("escape-name", "the step name `\u{fffd}[31m`"),
        ("many", "10000 steps"),
        ("huge", "bytes, and 1048576 are allowed"),
        ("silent", "refuses without saying why"),
        ("fewer", "0 answers to 1 proposals"),
        ("more", "2 answers to 1 proposals"),
    ] {
        let Err(PluginFault::BadAnswer { at, why }) = subject.plan(deed).await else { panic!("{deed} went well") };
        assert_eq!(at, Activity::Planning);
        assert!(why.contains(said), "{deed}: {why}");
    }
    // More than a guest has memory for.
    assert!(matches!(subject.plan("huger").await, Err(PluginFault::OutOfMemory { .. } | PluginFault::TooBig { .. })));
}

#[tokio::test]
async fn problems_are_cleaned_and_bounded() {
    let subject = subject();
    let problems = subject.validate("problem").await.expect("a problem is an answer");
    assert_eq!(problems.len(), 1);
    assert_eq!((problems[0].at.as_str(), problems[0].message.as_str()), ("/do", "\u{fffd}[31mno"));
    assert!(subject.validate("problems").await.expect("an answer").len() <= 1_000);
    assert_eq!(subject.plan("refuse").await.expect("an answer").expect_err("a refusal").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_keep_the_order() {
    let subject = subject();
    // Answers differ by what is asked, and there are more than fit one call.
    let proposals: Vec<_> = (0..2_000).map(|i| proposal(if i % 7 == 3 { "refuse" } else { "nothing" })).collect();
    let plugin = PluginName::new("hostile").expect("a name");
    let application = ApplicationName::new("mutiny").expect("a name");
    let answers = subject.plugins.plan(&plugin, &application, &proposals).await.expect("answers");
    assert_eq!(answers.len(), proposals.len());
    for (i, answer) in answers.iter().enumerate() {
        assert_eq!(answer.is_err(), i % 7 == 3, "{i}");
    }
    assert!(subject.plugins.plan(&plugin, &application, &[]).await.expect("nothing").is_empty());
}

#[tokio::test]
async fn payloads_come_through() {
    let steps = subject().plan("nothing").await.expect("an answer").expect("a plan");
    assert_eq!(*steps[0].payload, serde_json::json!({ "kept": [1, 2] }));
}

#[tokio::test]
async fn unknown_plugins_are_said_so() {
    let kind = "nobody/nothing".parse().expect("a kind");
    let answer = subject().plugins.validate(&kind, &[serde_json::json!({})]).await;
    assert_eq!(answer, Err(PluginFault::Unknown));
}
