//! The examples in the documentation are taken as they stand.

use std::fs;
use std::path::Path;

use launchway_harness::Project;
use serde_json::json;

/// Returns the examples of one kind on a page.
fn examples(page: &str, kind: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
    let text = fs::read_to_string(path).expect("the page is there");
    let begin = format!("```yaml {kind}\n");
    text.split(&begin)
        .skip(1)
        .map(|part| part.split("```").next().expect("a split has a first part").to_owned())
        .collect()
}

#[test]
fn what_the_page_about_rollouts_shows_can_be_planned() {
    let project = Project::new().expect("the binary is there");
    let target = |role: &str, dc: &str| json!({ "labels": { "role": role, "dc": dc } });
    let environment = json!({
        "environment": "test",
        "targets": {
            "app1": target("app", "eu"), "app2": target("app", "us"), "app3": target("app", "us"),
            "db1": target("db", "eu"), "db2": target("db", "us"), "web1": target("web", "eu"), "lb1": target("lb", "eu"),
        },
    });
    project.environment(&environment).expect("it can be written");
    let applications = examples("rollouts.md", "application");
    assert!(applications.len() > 5, "{applications:?}");
    for application in &applications {
        project.application(application).expect("it can be written");
        project.run(["validate", "--version", "1"]).expect("it runs").exits(0);
        let plan = project.run(["plan", "--version", "1", "--exit-code"]).expect("it runs").exits(10);
        assert!(!plan.text().contains("warning"), "{application}{}", plan.text());
    }
    project.application(&applications[0]).expect("it can be written");
    for environment in examples("rollouts.md", "environment") {
        project.write("environments/test.yaml", environment).expect("it can be written");
        project.run(["validate", "--version", "1"]).expect("it runs").exits(0);
    }
}
