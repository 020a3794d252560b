//! Drawings of plans that were really made, and parts of them.

mod support;

use launchway_model::Plan;
use launchway_report::{GraphPart, UnknownName, dot, mermaid};
use support::{Project, empty_state, run_all};

/// An upgrade of a group in two batches with a gate between them, and something done around each instance.
fn plan() -> Plan {
    let components = |text: &str| {
        format!(
            "
            base: {{ type: t/file, on: role=db, with: {{ path: /x, content: {text} }} }}
            service:
              type: t/service
              on: role=app
              needs: [base]
              with: {{ text: {text} }}
              rollout: [{{ rolling: 1, gate: approve }}]
              around: [{{ at: role=db, before: {{ type: t/check }}, after: {{ type: t/check }}, always: true }}]
            last: {{ type: t/service, on: role=db, needs: [service], with: {{ text: {text} }} }}"
        )
    };
    let targets = "
        a1: { labels: { role: app } }
        a2: { labels: { role: app } }
        d1: { labels: { role: db } }";
    let mut project = Project::new(&components("one"), targets);
    let mut state = empty_state();
    let first = project.deploy(&state);
    run_all(&mut state, &first, 1);
    project.components(&components("two"));
    project.deploy(&state)
}

fn part(plan: &Plan, from: Option<&str>, to: Option<&str>) -> Result<Vec<String>, UnknownName> {
    let drawing = dot(plan, &GraphPart::between(plan, from, to)?);
    let label = |line: &str| Some(line.split_once("[label=\"")?.1.split_once('"')?.0.replace("\\n", " "));
    let nodes = drawing.lines().filter(|line| !line.contains("->"));
    Ok(nodes.filter_map(label).map(|text| text.split(':').next().unwrap_or_default().to_owned()).collect())
}

#[test]
fn gates_batches_and_what_runs_anyway_can_be_told_apart() {
    let plan = plan();
    insta::assert_snapshot!(dot(&plan, &GraphPart::ALL));
    insta::assert_snapshot!(mermaid(&plan, &GraphPart::ALL));
}

#[test]
fn a_part_is_what_lies_on_the_ways() {
    let plan = plan();
    let whole = part(&plan, None, None).unwrap();
    let after = part(&plan, Some("service@a2"), None).unwrap();
    let before = part(&plan, None, Some("service@a2")).unwrap();
    let between = part(&plan, Some("base"), Some("last")).unwrap();
    assert!(after.len() < whole.len() && before.len() < whole.len());
    assert!(after.contains(&"last@d1 start".to_owned()) && !after.contains(&"base@d1 install".to_owned()));
    assert!(before.contains(&"base@d1 install".to_owned()) && !before.contains(&"last@d1 start".to_owned()));
    assert!(between.contains(&"approve".to_owned()) && between.contains(&"service@a1 stop".to_owned()), "{between:?}");
}

#[test]
fn a_name_that_matches_nothing_leads_to_one_that_does() {
    let plan = plan();
    let error = |from, to| part(&plan, from, to).unwrap_err();
    assert_eq!(error(Some("servcie"), None).hint.as_deref(), Some("did you mean `service`?"));
    assert_eq!(error(None, Some("service@a3")).message, "the plan has no `service` on a target `a3`");
    let step = error(None, Some("service@a1/stop/stopp"));
    assert_eq!(step.message, "the plan has no step `service@a1/stop/stopp`");
    assert_eq!(step.hint.as_deref(), Some("did you mean `service@a1/stop/stop`?"));
    let back = error(Some("last@d1/start/start"), Some("base"));
    assert_eq!(back.message, "nothing leads from `last@d1/start/start` to `base`");
    assert_eq!(back.hint.as_deref(), Some("it is the other way round: exchange --from and --to"));
}
