//! Applications that require one another, in one store.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::{Place, Said};

/// Projects that deploy to the same folder and share a store.
struct Projects(Place);

impl Projects {
    fn new() -> Self {
        let place = Place::new();
        for application in ["shop", "payments"] {
            place.write(&format!("{application}/environments/local.yaml"), &place.environment("local"));
        }
        Self(place)
    }

    fn write(&self, application: &str, version: &str, more: &str) {
        let text = format!(
            "application: {application}\nversion: \"{version}\"\n{more}\ncomponents:\n  file: {{ type: ssh/file, with: {{ \
             path: \"${{folder}}/{application}\", content: \"${{version}}\", parents: true }} }}\n"
        );
        self.0.write(&format!("{application}/launchway.yaml"), &text);
    }

    fn store(&self) -> PathBuf {
        self.0.path("store")
    }

    fn run(&self, application: &str, arguments: &[&str]) -> Said {
        let mut command: Command = self.0.command_in(Path::new(&self.0.path(application)), arguments);
        command.env("LAUNCHWAY_STORE", self.store());
        Said::of(command.output().expect("the binary starts"))
    }
}

#[test]
fn an_application_that_is_required_must_be_there_and_stay() {
    let projects = Projects::new();
    if !projects.0.has_plugins() {
        return;
    }
    projects.write("shop", "1", "requires: { payments: \">=1.4, <2\" }");
    let refused = projects.run("shop", &["deploy", "--yes"]).exits(6);
    refused.tells("shop requires payments >=1.4, <2 on local; it is not deployed there").tells("--ignore-requires");
    projects.run("shop", &["plan"]).exits(0).gives("requires payments >=1.4, <2").tells("it is not deployed there");
    projects.write("payments", "1.4.2", "");
    projects.run("payments", &["deploy", "--yes"]).exits(0);
    projects.run("shop", &["deploy", "--yes"]).exits(0);
    projects.run("shop", &["status"]).exits(0).gives("requires: payments >=1.4, <2 (1.4.2 is there)");
    projects.run("payments", &["status"]).exits(0).gives("required by: shop (>=1.4, <2)");

    projects.run("payments", &["undeploy", "--yes"]).exits(6).tells("this would be removing it").tells("undeploy shop");
    projects.write("payments", "2.0.0", "");
    let refused = projects.run("payments", &["deploy", "--yes", "--json"]).exits(6).json();
    assert_eq!(refused["error"]["code"], "requires");
    projects.run("payments", &["deploy", "--yes", "--ignore-requires"]).exits(0).tells("warning");
    projects.run("payments", &["show", "3"]).exits(0).gives("ignored, as asked for: shop requires payments");
    let status = projects.run("shop", &["status", "--json"]).exits(0).json();
    assert_eq!(status["requires"][0]["application"], "payments");
    assert_eq!((&status["requires"][0]["version"], &status["requires"][0]["met"]), (&"2.0.0".into(), &false.into()));

    // The requirement alone is a change.
    projects.write("shop", "1", "requires: { payments: 2 }");
    projects.run("shop", &["deploy", "--yes"]).exits(0).tells("requires payments 2");
    projects.run("shop", &["deploy", "--yes"]).exits(0).tells("Nothing to do");
    projects.run("payments", &["rollback", "--yes"]).exits(6).tells("taking it to 1.4.2");
    projects.run("shop", &["undeploy", "--yes"]).exits(0);
    projects.run("payments", &["undeploy", "--yes"]).exits(0);
}

#[test]
fn a_range_that_is_none_is_shown_where_it_stands() {
    let projects = Projects::new();
    projects.write("shop", "1", "requires: { payments: latest, shop: \"*\" }");
    let said = projects.run("shop", &["validate"]).exits(2);
    said.tells("launchway.yaml:3:23").tells("no range of versions").tells(">=1.4, <2");
    projects.write("shop", "1", "requires: { shop: \"*\" }");
    projects.run("shop", &["validate"]).exits(2).tells("launchway.yaml:3:13").tells("can't require itself");
}
