//! The markers of a run's targets: looked at before the first step there, and taken away when nothing is left.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use launchway_model::config::{Environment, Markers as Setting};
use launchway_model::{
    ChangeKind, Failure, Fault, Lineage, Operation, Plan, TargetName, TargetSpec, Timestamp, Transport,
};
use launchway_report::{inline, shell_quote};
use launchway_runtime::{FoundMarker, Marked, Marker, Marking, Targets};
use launchway_store::{RunJournal, Store};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use crate::console::Console;
use crate::error::{CliError, Result};
use crate::exit::Exit;
use crate::holder::now;

/// How long a run waits for all its targets to be looked at before it begins; the others are looked at as it comes to
/// them.
const PATIENCE: Duration = Duration::from_secs(3);

/// The markers of one run.
pub(crate) struct Markers {
    console: Console,
    store: Store,
    targets: Arc<Targets>,
    plan: Arc<Plan>,
    /// Of no target yet.
    marker: Marker,
    marking: Marking,
    /// The targets that are marked, by name and address. One that moved is looked at where it was, too, if something is
    /// left to be done there.
    marked: BTreeMap<(TargetName, String), Watched>,
    /// Where a marker was left by an earlier run.
    known: BTreeMap<TargetName, String>,
    warned: AtomicBool,
    refused: Mutex<Option<CliError>>,
}

/// How a target is reached, and what was found out.
type Watched = (Arc<TargetSpec>, OnceCell<Option<Failure>>);

impl Markers {
    pub(crate) fn new(
        console: Console,
        store: &Store,
        targets: Arc<Targets>,
        plan: Arc<Plan>,
        journal: &RunJournal,
        kept: &Kept,
    ) -> Result<Self> {
        let failed = |error| crate::context::store_error(&error);
        let mut known = store.markers(&plan.environment, &plan.application).map_err(failed)?;
        // Where nothing is recorded, nothing is missed.
        let recorded = store.recorded_targets(&plan.environment, &plan.application).map_err(failed)?;
        known.retain(|name, _| recorded.contains(name));
        let lineage = store.lineage(&plan.environment, &plan.application).map_err(failed)?;
        let changed = plan.changes.iter().filter(|change| change.kind != ChangeKind::Act).filter_map(|change| {
            let own = change.desired.as_ref().and_then(|_| plan.targets.get(&change.id.target));
            Some(own.unwrap_or(&change.subject()?.target).clone())
        });
        let reclaimed = plan.adopted.iter().map(|one| &one.deployed.spec.id.target).chain(&plan.reclaimed);
        let reclaimed = reclaimed.filter_map(|name| plan.targets.get(name).cloned());
        let marked = changed.chain(reclaimed).filter(|target| kept.includes(target));
        let mut fences = store.last_fences(&plan.environment, &plan.application).map_err(failed)?;
        let own = fences.iter().position(|(fence, _)| *fence == journal.fence());
        let began = own.map_or_else(now, |at| fences.remove(at).1);
        let marker = Marker {
            environment: plan.environment.clone(),
            application: plan.application.clone(),
            target: TargetName::new("-").expect("a dash is a name"),
            lineage: lineage.map_or_else(|| plan.basis.lineage.clone(), |(lineage, _)| lineage),
            serial: plan.basis.serial,
            fence: journal.fence(),
            began,
            earlier: fences.into(),
            store: whereabouts(store),
        };
        // Somebody decided, and was asked.
        let marking = if plan.operation == Operation::Adopt { Marking::Anyway } else { Marking::First };
        Ok(Self {
            console,
            store: store.clone(),
            targets,
            marked: marked.map(|spec| (key(&spec), (spec, OnceCell::new()))).collect(),
            plan,
            marker,
            marking,
            known,
            warned: AtomicBool::new(false),
            refused: Mutex::default(),
        })
    }

    /// Looks at all targets, as far as they answer soon; a refusal then comes before anything was touched.
    pub(crate) async fn survey(self: &Arc<Self>) -> Result<()> {
        let mut looks = JoinSet::new();
        for (target, _) in self.marked.values() {
            let (markers, target) = (self.clone(), target.clone());
            // What can't be reached is for the steps to tell.
            looks.spawn(async move { drop(markers.check(&target).await) });
        }
        if self.marking == Marking::Anyway {
            looks.join_all().await;
        } else if tokio::time::timeout(PATIENCE, async { while looks.join_next().await.is_some() {} }).await.is_err() {
            looks.detach_all();
        }
        self.refusal().map_or(Ok(()), Err)
    }

    /// Returns the first refusal, once.
    pub(crate) fn refusal(&self) -> Option<CliError> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Compares a target's marker with the state, and writes it; the first time only.
    pub(crate) async fn check(&self, target: &TargetSpec) -> Result<(), Failure> {
        let Some((target, cell)) = self.marked.get(&key(target)) else { return Ok(()) };
        match cell.get_or_try_init(|| self.mark(&target.name, target)).await? {
            None => Ok(()),
            Some(refusal) => Err(refusal.clone()),
        }
    }

    async fn mark(&self, name: &TargetName, target: &TargetSpec) -> Result<Option<Failure>, Failure> {
        let place = place(target);
        let known = self.known.get(name) == Some(&place);
        let marking = if known && self.marking == Marking::First { Marking::Again } else { self.marking };
        let marker = Marker { target: name.clone(), ..self.marker.clone() };
        let refusal = match self.targets.mark(target, &marker, marking).await? {
            Marked::Written if known => return Ok(None),
            Marked::Written => {
                let (store, plan, name) = (self.store.clone(), self.plan.clone(), name.clone());
                let set = move || store.set_marker(&plan.environment, &plan.application, &name, Some(&place));
                // Not recorded, it is not missed either.
                let _ = tokio::task::spawn_blocking(set).await;
                return Ok(None);
            }
            Marked::Unwritable(why) => {
                if !self.warned.swap(true, Ordering::Relaxed) {
                    let paint = self.console.paint_err;
                    let warning =
                        format!("no marker can be kept on {name}, so nobody would notice if it were replaced");
                    let hint = "`markers: off` in the environment does without";
                    let (warning, why) = (inline(&warning), inline(&why));
                    self.console.say(&format!(
                        "{} {warning} ({why})\n{} {hint}\n",
                        paint.yellow("warning:"),
                        paint.cyan("hint:")
                    ));
                }
                return Ok(None);
            }
            Marked::Absent => self.replaced(name),
            Marked::Foreign(found) => self.foreign(name, &found),
            Marked::Newer(found) => self.newer(name, &found),
        };
        let failure = Failure {
            fault: Fault::Configuration,
            message: refusal.message.clone(),
            detail: None,
            hint: refusal.hint.clone(),
            retryable: false,
        };
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(refusal);
        Ok(Some(failure))
    }

    fn command(&self, what: &str, name: &TargetName) -> String {
        let environment = shell_quote(self.plan.environment.as_str());
        format!("`launchway {what} --target {} -e {environment}`", shell_quote(name.as_str()))
    }

    fn replaced(&self, name: &TargetName) -> CliError {
        let of = format!("{} on {}", self.plan.application, self.plan.environment);
        let message = format!("was {name} replaced? what is recorded of {of} has left no marker there any more");
        CliError::new(Exit::Refused, "replaced", message).hint(format!(
            "if it was: {}, then deploy, or adopt what is there; if it is another host: correct its address; if its home \
             does not last: `markers: off` for it in the environment",
            self.command("forget", name)
        ))
    }

    fn foreign(&self, name: &TargetName, found: &FoundMarker) -> CliError {
        let of = format!("{} on {}", self.plan.application, self.plan.environment);
        let message = format!("wrong state: {name} is of another state of {of}, kept in {}", found.store);
        CliError::new(Exit::Refused, "wrong-state", message).hint(format!(
            "use that store (--store); if it is lost, {} takes the target over",
            self.command("adopt", name)
        ))
    }

    fn newer(&self, name: &TargetName, found: &FoundMarker) -> CliError {
        let message =
            format!("wrong state: it is older than what was done on {name}, by a run that kept it in {}", found.store);
        CliError::new(Exit::Refused, "wrong-state", message)
            .hint(format!("use the newer one; if it is lost, {} takes the target over", self.command("adopt", name)))
    }

    /// Takes the markers away where nothing is left.
    pub(crate) async fn tidy(&self) {
        let (environment, application) = (&self.plan.environment, &self.plan.application);
        let deletes = self.plan.changes.iter().any(|change| change.kind == ChangeKind::Delete);
        let Some(left) = self.store.recorded_targets(environment, application).ok().filter(|_| deletes) else { return };
        let marked = self.marked.values().filter(|(_, cell)| cell.get() == Some(&None)).map(|(target, _)| target);
        for target in marked.filter(|target| !left.contains(&target.name)) {
            let name = &target.name;
            let marker = Marker { target: name.clone(), ..self.marker.clone() };
            // A marker that stays is of this state, and no harm.
            if self.targets.unmark(target, &marker).await.is_ok() {
                let _ = self.store.set_marker(environment, application, name, None);
            }
        }
    }
}

/// On which targets an environment has markers kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    default: Option<Setting>,
    /// What each of its targets says.
    own: BTreeMap<TargetName, Option<Setting>>,
}

impl Kept {
    pub(crate) fn of(environment: &Environment) -> Self {
        let own = environment.targets.iter().map(|(name, target)| (name.clone(), target.markers));
        Self { default: environment.defaults.markers, own: own.collect() }
    }

    /// Whether one is kept on a target.
    ///
    /// A local target lies beside the state: there is no host to mistake for it, and whoever deploys from a second
    /// folder means that one.
    pub(crate) fn includes(&self, target: &TargetSpec) -> bool {
        let own = self.own.get(&target.name).copied().flatten();
        own.or(self.default).unwrap_or(match target.transport {
            Transport::Ssh => Setting::On,
            Transport::Local => Setting::Off,
        }) == Setting::On
    }
}

/// Returns why a marker that was found is not of a state, or not of all of it.
pub(crate) fn strange(found: &FoundMarker, own: Option<&(Lineage, Vec<(u64, Timestamp)>)>) -> Option<String> {
    match own {
        Some((lineage, fences)) if *lineage.0 == *found.lineage => found
            .is_newer(fences)
            .then(|| format!("a newer state is kept in {}, and what that one knows is lost to this one", found.store)),
        _ => Some(format!("it is of another state, kept in {}", found.store)),
    }
}

fn key(target: &TargetSpec) -> (TargetName, String) {
    (target.name.clone(), place(target))
}

/// Returns where and as whom a target is reached: another place, or another user's home, has another marker.
fn place(target: &TargetSpec) -> String {
    let user = target.user.as_deref().unwrap_or_default();
    match target.transport {
        Transport::Local => format!("local {}", std::env::var("HOME").unwrap_or_default()),
        Transport::Ssh => format!("ssh {user}@{}:{}", target.address, target.port.unwrap_or(0)),
    }
}

/// Says where a store is, for people elsewhere.
pub(crate) fn whereabouts(store: &Store) -> String {
    let holder = crate::holder::holder();
    format!("{}@{}:{}", holder.user, holder.host, store.folder().display())
}
