//! Two thousand resources that do nothing, half of them depending on the other half: what the machinery itself costs.

use std::fs;
use std::path::Path;

use anyhow::Result;
use launchway_harness::Project;
use serde_json::{Map, Value, json};

use crate::measure::{Usage, measure};
use crate::table::{Table, memory, ratio, time};
use crate::{guest, peer};

const PAIRS: usize = 1000;

struct Figures {
    plan: Usage,
    apply: Usage,
    again: Usage,
}

impl Figures {
    fn seconds(&self) -> f64 {
        self.plan.seconds + self.apply.seconds
    }

    fn mib(&self) -> f64 {
        self.plan.mib().max(self.apply.mib())
    }

    fn row(&self, name: &str) -> Vec<String> {
        let usages = [self.plan, self.apply, self.again].map(|usage| time(usage.seconds));
        [name.to_owned()].into_iter().chain(usages).chain([memory(self.mib())]).collect()
    }
}

/// Runs it beside terraform.
pub(crate) fn run() -> Result<()> {
    let ours = launchway()?;
    let table = Table::new(&["", "plan", "apply", "plan again", "memory"]);
    table.row(&ours.row("launchway"));
    if let Some(program) = peer::find("terraform", "see terraform.io") {
        let theirs = terraform(&program)?;
        table.row(&theirs.row("terraform"));
        let (faster, smaller) = (ratio(ours.seconds(), theirs.seconds()), ratio(ours.mib(), theirs.mib()));
        println!("\nplan and apply: {faster} faster, {smaller} less memory");
    }
    Ok(())
}

fn launchway() -> Result<Figures> {
    let project = Project::new()?;
    guest::idle(&project.path(""))?;
    let mut components = Map::new();
    for n in 0..PAIRS {
        let number = json!({ "input": n.to_string() });
        components.insert(format!("a{n}"), json!({ "type": "idle/nothing", "with": number }));
        let needs = [format!("a{n}")];
        components.insert(format!("b{n}"), json!({ "type": "idle/nothing", "needs": needs, "with": number }));
    }
    let plugins = json!({ "idle": { "file": "idle.wasm" } });
    let application = json!({ "application": "trivial", "version": "1", "plugins": plugins, "components": components });
    project.application(&serde_json::to_string(&application)?)?;
    let target = json!({ "transport": "local", "max_steps": 64 });
    project.environment(&json!({ "environment": "test", "targets": { "here": target } }))?;
    // The first command compiles the plugin, as `terraform init` fetches providers.
    measure(&project.command(["validate"]))?;
    Ok(Figures {
        plan: measure(&project.command(["plan", "-o", "trivial.plan", "--quiet"]))?,
        apply: measure(&project.command(["deploy", "trivial.plan", "--yes", "--quiet"]))?,
        again: measure(&project.command(["plan", "--exit-code", "--quiet"]))?,
    })
}

fn terraform(program: &Path) -> Result<Figures> {
    let folder = tempfile::tempdir()?;
    let mut resources = Map::new();
    for n in 0..PAIRS {
        resources.insert(format!("a{n}"), json!({ "input": n.to_string() }));
        let depends: Value = json!([format!("terraform_data.a{n}")]);
        resources.insert(format!("b{n}"), json!({ "input": n.to_string(), "depends_on": depends }));
    }
    let text = serde_json::to_string(&json!({ "resource": { "terraform_data": resources } }))?;
    fs::write(folder.path().join("main.tf.json"), text)?;
    let run = |arguments: &[&str]| measure(&peer::terraform(program, folder.path(), arguments));
    run(&["init"])?;
    Ok(Figures { plan: run(&["plan", "-out=plan"])?, apply: run(&["apply", "plan"])?, again: run(&["plan"])? })
}
