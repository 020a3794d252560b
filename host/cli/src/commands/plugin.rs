use launchway_model::{KindInfo, PluginInfo, Usage};
use launchway_report::inline;
use launchway_runtime::PluginSet;
use launchway_store::{KeptPlugin, Store};
use serde_json::{Value, json};

use super::schema::plugins;
use crate::args::{Global, PluginCommand};
use crate::console::Console;
use crate::context::{store_error, store_folder};
use crate::embedded::EMBEDDED;
use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::project;

/// Lists plugins, or describes one.
pub(super) fn run(global: &Global, console: Console, command: &PluginCommand) -> Result<Exit> {
    let plugins = plugins(global)?;
    match command {
        PluginCommand::List => list(console, &plugins, &kept(global, &plugins)?)?,
        PluginCommand::Info { name } => {
            let found = plugins.names().find(|plugin| plugin.as_str() == name).and_then(|name| plugins.info(name));
            let info = found.ok_or_else(|| {
                let names: Vec<&str> = plugins.names().map(|name| name.as_str()).collect();
                let error = CliError::usage("unknown-plugin", format!("there is no plugin `{name}`"));
                if names.is_empty() { error.hint(NONE) } else { error.hint(format!("there are: {}", names.join(", "))) }
            })?;
            if console.json {
                let digest = plugins.digest(&info.name).map(|digest| digest.to_string());
                let mut document = serde_json::to_value(info).expect("plain data with text keys is always JSON");
                document["digest"] = Value::from(digest);
                document["source"] = Value::from(source(info));
                console.data(&launchway_report::document(&document))?;
            } else {
                console.data(&describe(info, &plugins))?;
            }
        }
    }
    Ok(Exit::Done)
}

const NONE: &str = "this binary was built without plugins; build with `cargo xtask build`";

fn source(info: &PluginInfo) -> &'static str {
    if EMBEDDED.iter().any(|plugin| plugin.name == info.name.as_str()) { "built in" } else { "project" }
}

/// Returns the plugins that the project has no more, and that its store keeps for what they deployed.
fn kept(global: &Global, plugins: &PluginSet) -> Result<Vec<KeptPlugin>> {
    let Ok(folder) = project::find(global.directory.as_deref()) else { return Ok(Vec::new()) };
    let store = Store::open_to_read(store_folder(global, &folder)).map_err(|error| store_error(&error))?;
    let mut kept = match store {
        Some(store) => store.plugins().map_err(|error| store_error(&error))?,
        None => Vec::new(),
    };
    kept.retain(|kept| plugins.info(&kept.name).is_none());
    kept.dedup_by(|other, first| other.name == first.name);
    Ok(kept)
}

fn list(console: Console, plugins: &PluginSet, kept: &[KeptPlugin]) -> Result<()> {
    let infos = plugins.names().filter_map(|name| plugins.info(name));
    if console.json {
        let kept = kept.iter().map(|kept| {
            json!({
                "name": kept.name, "source": "kept", "digest": kept.digest, "grant": kept.grant, "run": kept.run,
            })
        });
        let list: Vec<Value> = infos
            .map(|info| {
                json!({
                    "name": info.name,
                    "version": info.version,
                    "summary": info.summary,
                    "source": source(info),
                    "digest": plugins.digest(&info.name),
                    "types": info.kinds.iter().map(|kind| format!("{}/{}", info.name, kind.name)).collect::<Vec<_>>(),
                })
            })
            .chain(kept)
            .collect();
        return console.data(&launchway_report::document(&json!({ "plugins": list })));
    }
    let mut out = String::new();
    for info in infos {
        let name = console.paint.bold(inline(info.name.as_str()));
        out.push_str(&format!("{name} {} ({}): {}\n", inline(&info.version), source(info), inline(&info.summary)));
        for kind in &info.kinds {
            let full = inline(&format!("{}/{}", info.name, kind.name));
            out.push_str(&format!("  {full}  {}\n", console.paint.dim(inline(&kind.summary))));
        }
    }
    for kept in kept {
        let name = console.paint.bold(inline(kept.name.as_str()));
        let run = kept.run;
        out.push_str(&format!("{name} (kept): the project has it no more; run {run} was the last one to use it\n"));
        out.push_str(&format!("  {}\n", console.paint.dim(kept.digest.to_string())));
    }
    if out.is_empty() {
        console.say(&format!("{NONE}\n"));
    }
    console.data(&out)
}

fn describe(info: &PluginInfo, plugins: &PluginSet) -> String {
    let digest = plugins.digest(&info.name).map(|digest| digest.to_string()).unwrap_or_default();
    let name = inline(info.name.as_str());
    let mut out = format!("{name} {} ({})\n{}\n{digest}\n", inline(&info.version), source(info), inline(&info.summary));
    if !info.capabilities.is_empty() {
        out.push_str("\nWhat it does through the host:\n");
        for capability in &info.capabilities {
            out.push_str(&format!("  {}: {}\n", inline(&capability.name), inline(&capability.reason)));
        }
    }
    for kind in &info.kinds {
        describe_kind(&name, kind, &mut out);
    }
    out
}

fn describe_kind(plugin: &str, kind: &KindInfo, out: &mut String) {
    let usage = match kind.usage {
        Usage::Component => "component",
        Usage::Action => "action",
        Usage::Both => "component and action",
    };
    out.push_str(&format!("\n{plugin}/{} ({usage})\n  {}\n", inline(&kind.name), inline(&kind.summary)));
    let empty = serde_json::Map::new();
    let properties = kind.schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let required: Vec<&str> =
        kind.schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, schema) in properties {
        let needed = if required.contains(&name.as_str()) { " (required)" } else { "" };
        let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        out.push_str(&format!("    {}{needed}  {}\n", inline(name), inline(text)));
    }
}
