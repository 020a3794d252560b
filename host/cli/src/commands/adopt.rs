use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use launchway_model::{InstanceId, Lineage, TargetName, TargetSpec, Timestamp};
use launchway_planner::{Adoptable, RecordsInput, adopt, adoptable, plan_digest, target_specs};
use launchway_report::{Finding, Found, inline, line};
use launchway_runtime::Marker;
use launchway_store::Store;
use serde_json::json;
use tokio::task::JoinSet;

use super::deploy::{execute, unchanged};
use crate::adapters::{Origin, PlanningPlugins, PlanningSecrets, ReleaseFiles};
use crate::args::{AdoptArgs, AskingArgs, Global, OthersArgs};
use crate::console::Console;
use crate::context::{Context, set_values, store_error};
use crate::environment::LoadedEnvironment;
use crate::error::Result;
use crate::exit::Exit;
use crate::inspection::{Look, look, open_targets};
use crate::markers::{Kept, strange};
use crate::next_steps::Again;
use crate::planning::{Ready, expanded, plan_error, restriction, secret_store, with_values};
use crate::release::Manifest;

/// Takes over what is wanted, not recorded, and there.
pub(super) fn run(global: &Global, console: Console, args: &AdoptArgs) -> Result<Exit> {
    let set = set_values(&args.release.set)?;
    let mut context = Context::open(global, console)?;
    let store = context.store()?;
    let mut environment = context.load_environment()?;
    let name = environment.environment.value.environment.clone();
    let state = context.state(Some(&store), &name)?;
    let plugins = context.plugins()?;
    let version = context.version(args.release.version.as_deref())?;
    let application = context.project.application.clone();
    let origin = Origin::Project(context.project.dir.clone());
    // Kept: what is taken over may have to be put there again.
    let files = ReleaseFiles::new(origin, &application.value.artifacts, Some(&store), true);
    let (mut desired, warnings) =
        expanded(&context, &environment, &application, &version, &set, &state, &plugins, &files)?;
    let manifest = Manifest {
        format: Manifest::FORMAT,
        application: context.application().clone(),
        version,
        text: context.project.text.clone(),
        files: files.taken(),
    };
    desired.release = Some(manifest.digest());
    environment.digest = with_values(environment.digest, &set);

    let planning = PlanningPlugins { set: &plugins, application: context.application(), runtime: &context.runtime };
    let open = adoptable(&desired, &state, &restriction(&args.part), &planning);
    let Adoptable { specs, held } = open.map_err(|error| plan_error(&context.sources, &error))?;
    let targets = target_specs(&environment.environment.value);
    let looks = specs.iter().filter_map(|spec| {
        let target = targets.get(&spec.id.target).or_else(|| desired.targets.get(&spec.id.target))?;
        Some(Look { spec: (*spec).clone(), target: target.clone() })
    });
    let looks: Vec<Look> = looks.collect();
    if !looks.is_empty() {
        let hosts: BTreeSet<_> = looks.iter().map(|look| &look.target.name).collect();
        let (count, hosts) = (looks.len(), hosts.len());
        console.say(&format!("Looking at what is there: instances not recorded {count}, targets {hosts}\n"));
    }
    let mut found = look(&context, &store, &environment, plugins.clone(), looks)?;
    found.extend(held.into_iter().map(|(taker, giver)| {
        let why = format!("{giver} is recorded to write there and wanted no more; a deployment hands it over");
        (taker, Finding::cannot_tell(why))
    }));
    let taken: BTreeMap<InstanceId, Option<String>> =
        found.iter().filter_map(|(id, finding)| Some((id.clone(), taken(finding)?))).collect();

    let ids = desired.instances.iter().map(|spec| &spec.id).chain(state.instances.keys());
    let restrict = restriction(&args.part);
    let mine: BTreeSet<&TargetName> = ids.filter(|id| restrict.includes(id)).map(|id| &id.target).collect();
    let mine = mine.into_iter().filter_map(|name| targets.get(name)).cloned().collect();
    let reclaimed = strangers(&context, &store, &environment, mine)?;

    let own = Arc::new(secret_store(&environment, &context.project.dir));
    let key = store.secret_key(&name).map_err(|error| store_error(&error))?;
    let secrets = PlanningSecrets::new(&own, key, &context.runtime);
    let input = RecordsInput { state: &state, targets: &targets, environment_digest: environment.digest };
    let plan = adopt(&input, &desired, &taken, &reclaimed, &planning, &secrets);
    let plan = plan.map_err(|error| plan_error(&context.sources, &error))?;
    let left: Vec<(&InstanceId, &Finding)> = found.iter().filter(|(id, _)| !taken.contains_key(*id)).collect();
    if !console.json {
        left.iter().for_each(|(id, finding)| console.say(&left_text(id, finding)));
    }
    let complete = plan.basis.release.is_some();
    let ready = Ready {
        digest: plan_digest(&plan),
        plan,
        warnings,
        plugins: plugins.clone(),
        secrets: own.clone(),
        release: Some(manifest).filter(|_| complete),
        rendered: BTreeMap::new(),
        preface: found.iter().map(|(id, finding)| found_json(id, finding)).collect(),
        environment,
    };
    if !ready.plan.is_of_records() {
        return unchanged(&context, &ready);
    }
    let again = Again::new(global).release(&args.release).part(&args.part);
    let asking = AskingArgs { yes: args.yes, approve: false };
    execute(&context, &store, ready, OthersArgs::default(), asking, false, again)
}

/// Returns the targets that another state has marked, or a newer one, and says so.
fn strangers(
    context: &Context,
    store: &Store,
    environment: &LoadedEnvironment,
    targets: Vec<Arc<TargetSpec>>,
) -> Result<BTreeMap<TargetName, Arc<TargetSpec>>> {
    let kept = Kept::of(&environment.environment.value);
    let (name, application) = (&environment.environment.value.environment, context.application());
    let lineage = store.lineage(name, application).map_err(|error| store_error(&error))?;
    let fences = store.last_fences(name, application).map_err(|error| store_error(&error))?;
    let own = lineage.map(|(lineage, _)| (lineage, fences));
    let (_control_dir, open) = open_targets(context, store, environment)?;
    let found = context.runtime.block_on(async {
        let mut looks = JoinSet::new();
        for target in targets.into_iter().filter(|target| kept.includes(target)) {
            let marker = Marker {
                environment: name.clone(),
                application: application.clone(),
                target: target.name.clone(),
                lineage: Lineage("".into()),
                serial: 0,
                fence: 0,
                began: Timestamp(0),
                earlier: Arc::default(),
                store: String::new(),
            };
            let open = open.clone();
            looks.spawn(async move { (open.read_marker(&target, &marker).await, target) });
        }
        let found = looks.join_all().await;
        open.close().await;
        found
    });
    let mut reclaimed = BTreeMap::new();
    for (marker, target) in found {
        // What can't be reached was said already.
        let Some(why) = marker.ok().flatten().and_then(|marker| strange(&marker, own.as_ref())) else { continue };
        context.console.say(&inline(&format!("  {}: {why}", target.name)));
        context.console.say("\n");
        reclaimed.insert(target.name.clone(), target);
    }
    Ok(reclaimed)
}

/// Returns how a record is made of what was found: none where there is nothing to record, else how it differs, if it
/// does.
fn taken(finding: &Finding) -> Option<Option<String>> {
    match finding.found {
        Found::Ok => Some(None),
        Found::Drifted if !finding.is_absent() => Some(Some(finding.lines().join("; "))),
        Found::Drifted | Found::CannotTell | Found::Unreachable => None,
    }
}

/// Says why something is left to be created.
fn left_text(id: &InstanceId, finding: &Finding) -> String {
    let id = inline(&id.to_string());
    if finding.is_absent() {
        return format!("  {id} is not there, and left to be created\n");
    }
    let why = finding.lines().join("; ");
    format!("  {id} is left to be created: {} ({})\n", finding.found.text(), inline(&why))
}

fn found_json(id: &InstanceId, finding: &Finding) -> String {
    let becomes = match taken(finding) {
        Some(None) => "confirmed",
        Some(Some(_)) => "differs",
        None => "left",
    };
    line(&json!({
        "event": "inspected",
        "component": id.component,
        "target": id.target,
        "found": finding.found,
        "recorded": becomes,
        "message": finding.message,
        "resources": finding.resources,
    }))
}
