//! What a plan says of why something is touched, and why in this order: on plans that were really made.

mod support;

use jiff::tz::TimeZone;
use launchway_model::{InstanceId, Plan, RunId, Timestamp};
use launchway_report::{LastChange, Paint, UnknownName, why, why_json, why_text};
use support::{Project, empty_state, run_all};

const TWO: &str = "
    a1: { labels: { role: app } }
    a2: { labels: { role: app } }
    d1: { labels: { role: db } }";

fn last(_: &InstanceId) -> Option<LastChange> {
    Some(LastChange { run: RunId(1), operation: Some("deploy".to_owned()), finished: Some(Timestamp(0)) })
}

fn said(plan: &Plan, asked: &str) -> String {
    why_text(&why(plan, asked, &last).expect("it is in the plan"), Paint::default(), &TimeZone::UTC)
}

fn unknown(plan: &Plan, asked: &str) -> UnknownName {
    why(plan, asked, &last).map(|_| ()).expect_err("it is not in the plan")
}

/// The plan from some components, deployed, to others.
fn between(project: &mut Project, after: &str, also: &str) -> Plan {
    let mut state = empty_state();
    let first = project.deploy(&state);
    run_all(&mut state, &first, 1);
    project.version("2.0").components(after).also(also);
    project.deploy(&state)
}

#[test]
fn causes_lead_back_to_where_they_begin() {
    let components = |text: &str| {
        format!(
            "
            settings: {{ type: t/file, on: role=app, with: {{ path: /etc/x, content: {text} }} }}
            still: {{ type: t/service, on: role=db }}
            web: {{ type: t/service, on: role=app, subscribe: [{{ settings: reload }}] }}
            warm: {{ type: t/command, on: role=db, needs: [web], run: with-needs, with: {{ text: warm }} }}
            report: {{ type: t/command, on: role=db, after: [warm], run: with-needs, with: {{ text: report }} }}"
        )
    };
    let plan = between(&mut Project::new(&components("one"), TWO), &components("two"), "");
    insta::assert_snapshot!(["report", "web@a1", "settings", "still"].map(|asked| said(&plan, asked)).join("\n"));
}

#[test]
fn batches_gates_and_what_is_around_have_their_names() {
    let components = |number: u8| {
        format!(
            "
            base: {{ type: t/full, on: role=app, with: {{ number: {number} }} }}
            code: {{ type: t/full, on: role=app, needs: [base], with: {{ number: {number} }} }}
            service:
              type: t/service
              on: role=app
              with: {{ number: {number} }}
              subscribe: [{{ code: restart }}]
              verify: [{{ type: t/check }}]
              around: [{{ at: role=db, before: {{ type: t/check }}, after: {{ type: t/check }}, always: true }}]"
        )
    };
    let group =
        |gate: &str| format!("groups: {{ api: {{ members: [code, service], rollout: [{{ rolling: 1{gate} }}] }} }}\n");
    let mut project = Project::new(&components(1), TWO);
    project.also(&group(""));
    let plan = between(&mut project, &components(2), &group(""));
    insta::assert_snapshot!(["code@a2", "service@a1"].map(|asked| said(&plan, asked)).join("\n"));
    let mut project = Project::new(&components(1), TWO);
    project.also(&group(""));
    let plan = between(&mut project, &components(2), &group(", gate: approve"));
    assert!(said(&plan, "service@a2").contains("a gate: approval: go on with the next batch?"));
}

#[test]
fn what_goes_and_what_takes_its_place_are_told_apart() {
    let before = "
        old: { type: t/file, on: role=app, with: { path: /etc/x } }
        kind: { type: t/service, on: role=app }
        user: { type: t/service, on: role=app, needs: [old], with: { text: one } }
        gone: { type: t/service, on: role=db }
        left: { type: t/service, on: role=db, needs: [gone] }";
    let after = "
        new: { type: t/file, on: role=app, with: { path: /etc/x }, replace: delete-first }
        kind: { type: t/full, on: role=app }
        user: { type: t/service, on: role=app, needs: [new], with: { text: two } }
        left: { type: t/service, on: role=db, with: { text: two } }";
    let plan = between(&mut Project::new(before, TWO), after, "");
    let asked = ["old@a1", "new@a1", "kind@a1", "user@a1", "gone", "left"];
    insta::assert_snapshot!(asked.map(|asked| said(&plan, asked)).join("\n"));
}

#[test]
fn order_that_passes_through_what_stays_says_so() {
    let components = |text: &str| {
        format!(
            "
            a: {{ type: t/service, needs: [b], with: {{ text: {text} }} }}
            b: {{ type: t/service, needs: [c] }}
            c: {{ type: t/service, with: {{ text: {text} }} }}"
        )
    };
    let plan = between(&mut Project::new(&components("one"), "t1: {}"), &components("two"), "");
    let text = said(&plan, "a");
    assert!(text.contains("c, by way of what stands between them: c@t1 start: Do start"), "{text}");
}

#[test]
fn unknown_names_lead_to_known_ones() {
    let plan = Project::new("web: { type: t/service }\ndb: { type: t/service }", "app1: {}\napp2: {}");
    let plan = plan.deploy(&empty_state());
    assert_eq!(unknown(&plan, "wbe").message, "the plan has no component `wbe`");
    assert_eq!(unknown(&plan, "wbe").hint.as_deref(), Some("did you mean `web`?"));
    assert_eq!(unknown(&plan, "web@app3").hint.as_deref(), Some("did you mean `app1`?"));
    assert_eq!(unknown(&plan, "nothing").hint.as_deref(), Some("components: `db`, `web`"));
    assert_eq!(unknown(&plan, "app1").hint.as_deref(), Some("`app1` is a target; write `db@app1`"));
    assert!(why(&plan, "web", &last).is_ok() && why(&plan, "web@app2", &last).is_ok());
}

#[test]
fn machines_get_the_same() {
    let components = |text: &str| {
        format!("a: {{ type: t/file, with: {{ path: /x, content: {text} }} }}\nb: {{ type: t/service, needs: [a] }}")
    };
    let plan = between(&mut Project::new(&components("one"), "t1: {}"), &components("two"), "");
    let json: serde_json::Value = serde_json::from_str(&why_json(&why(&plan, "a", &last).unwrap())).unwrap();
    let change = &json["changes"][0];
    assert_eq!((&change["component"], &change["change"]), (&"a".into(), &"update".into()));
    let differs = serde_json::json!([{ "path": "/content", "old": "one", "new": "two" }]);
    assert_eq!(change["causes"][0]["differences"], differs);
    assert_eq!(change["longest_way"].as_array().map(Vec::len), Some(1));
    let json: serde_json::Value = serde_json::from_str(&why_json(&why(&plan, "b@t1", &last).unwrap())).unwrap();
    assert_eq!(json["unchanged"][0]["last"]["run"], 1);
}

#[test]
fn what_is_asked_of_a_large_plan_is_bounded() {
    let targets: String = (0..3000).map(|at| format!("t{at:04}: {{}}\n")).collect();
    let components = "
        a: { type: t/full, with: { text: one } }
        b: { type: t/full, needs: [a], with: { text: one } }
        c: { type: t/full, after: [b], with: { text: \"${target.name}\" } }";
    let plan = Project::new(components, &targets).deploy(&empty_state());
    for asked in ["a", "b", "c", "c@t2999"] {
        let text = said(&plan, asked);
        assert!(text.lines().count() < 60, "{text}");
    }
    assert!(said(&plan, "c").contains("for the same causes: c@t0001"));
}
