//! How soon the tool answers: `validate` of a small project.

use std::fs;

use anyhow::Result;
use launchway_harness::Project;

use crate::measure::median;
use crate::peer;
use crate::table::{Table, memory, time};

const APPLICATION: &str = r#"
application: small
version: "1"
components:
  file: { type: ssh/file, with: { path: /srv/file, content: text } }
  command: { type: ssh/command, needs: [file], with: { run: "true" } }
  service:
    type: ssh/service
    subscribe: [{ file: restart }]
    with: { unit: small.service }
    verify: [{ type: health/tcp, with: { address: 127.0.0.1, port: 80 } }]
"#;

const TERRAFORM: &str = r#"{ "resource": { "terraform_data": { "a": { "input": "1" }, "b": { "input": "2" } } } }"#;

pub(crate) fn run() -> Result<()> {
    let project = Project::new()?;
    project.application(APPLICATION)?;
    project
        .environment(&serde_json::json!({ "environment": "test", "targets": { "one": { "transport": "local" } } }))?;
    let table = Table::new(&["", "time", "memory"]);
    for (name, arguments) in [("--version", &["--version"][..]), ("validate", &["validate"])] {
        let usage = median(21, || project.command(arguments))?;
        table.row(&[format!("launchway {name}"), time(usage.seconds), memory(usage.mib())]);
    }
    if let Some(terraform) = peer::find("terraform", "see terraform.io") {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("main.tf.json"), TERRAFORM)?;
        median(1, || peer::terraform(&terraform, folder.path(), &["init"]))?;
        let usage = median(5, || peer::terraform(&terraform, folder.path(), &["validate"]))?;
        table.row(&["terraform validate".to_owned(), time(usage.seconds), memory(usage.mib())]);
    }
    Ok(())
}
