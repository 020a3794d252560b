//! What inventories answer.

use launchway_model::config::{InventoryAnswer, parse_inventory};
use launchway_model::{Sources, TargetName, Transport};

fn wrong(text: &str) -> Vec<(&'static str, String, usize)> {
    let findings = parse_inventory(&mut Sources::default(), "./hosts.py", text).expect_err(text);
    findings
        .iter()
        .map(|finding| {
            let line = finding.labels.first().map_or(0, |label| text[..label.span.start].matches('\n').count());
            (finding.code, finding.message.clone(), line)
        })
        .collect()
}

#[test]
fn an_answer_is_read() {
    let text = r#"{ "targets": { "web1": { "address": "198.18.0.1", "port": 2222, "user": "deploy", "transport": "ssh",
        "labels": { "role": "web", "rack": 3 }, "values": { "workers": 8, "peers": ["a", "b"] } }, "web2": {} } }"#;
    let answer = parse_inventory(&mut Sources::default(), "x", text).expect("it is valid").value;
    let web1 = &answer.targets[&TargetName::new("web1").unwrap()];
    assert_eq!((web1.port, web1.transport), (Some(2222), Some(Transport::Ssh)));
    assert_eq!(web1.labels["rack"], "3", "a label is a text");
    assert_eq!(answer.targets.len(), 2);
}

#[test]
fn what_could_do_harm_is_refused_at_its_place() {
    let cases = [
        ("{\"targets\": {\n\"-oProxyCommand=x\": {}}}", 1),
        ("{\"targets\": {\n\"a\\u001bb\": {}}}", 1),
        ("{\"targets\": {\n\"a b\": {}}}", 1),
        ("{\"targets\": {\"a\": {\n\"address\": \"-oProxyCommand=x\"}}}", 1),
        ("{\"targets\": {\"a\": {\n\"address\": \"u@host\"}}}", 1),
        ("{\"targets\": {\"a\": {\n\"user\": \"$(id)\"}}}", 1),
        ("{\"targets\": {\"a\": {\n\"port\": 0}}}", 1),
        ("{\"targets\": {\"a\": {\n\"port\": 70000}}}", 1),
        ("{\"targets\": {\"a\": {\n\"transport\": \"telnet\"}}}", 1),
        ("{\"targets\": {\"a\": {\n\"ssh\": {\"config_file\": \"/tmp/x\"}}}}", 1),
        ("{\"targets\": {\"a\": {\n\"escalation\": {\"method\": \"sudo\"}}}}", 1),
        ("{\"targets\": {\"a\": {},\n\"a\": {}}}", 1),
        ("{\"targets\": {\"a\": {\n\"labels\": {\"x\": [1]}}}}", 1),
        ("{\"targets\":\n[]}", 1),
        ("Traceback (most recent call last):\n  File", 0),
        ("", 0),
        ("{\"hosts\": {}}", 0),
        ("{\"targets\": {", 0),
    ];
    for (text, line) in cases {
        let found = wrong(text);
        assert!(found.iter().all(|(_, message, _)| !message.contains('\u{1b}')), "{found:?}");
        assert!(found.iter().any(|(.., at)| *at == line), "{text}: {found:?}");
    }
}

#[test]
fn an_answer_is_bounded() {
    let answer = |count: usize| {
        let targets: Vec<String> = (0..count).map(|n| format!("\"t{n}\":{{}}")).collect();
        format!("{{\"targets\":{{{}}}}}", targets.join(","))
    };
    assert!(parse_inventory(&mut Sources::default(), "x", &answer(InventoryAnswer::LIMIT)).is_ok());
    let found = wrong(&answer(InventoryAnswer::LIMIT + 1));
    assert!(found.iter().any(|(_, message, _)| message.contains("100000")), "{found:?}");
}
