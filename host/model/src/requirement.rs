//! What applications need of one another, and whether a plan leaves all of it met.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ApplicationName, EnvironmentName, Mismatch, Operation, Plan, RunId, Version, VersionRange};

/// That an application needs another one, in a range of versions.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Requirement {
    /// The application that has to be there.
    pub application: ApplicationName,
    pub range: VersionRange,
}

impl Requirement {
    /// Returns what an application's file requires.
    pub fn all(requires: &BTreeMap<ApplicationName, VersionRange>) -> BTreeSet<Self> {
        let one = |(application, range): (&ApplicationName, &VersionRange)| Self {
            application: application.clone(),
            range: range.clone(),
        };
        requires.iter().map(one).collect()
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.application, self.range)
    }
}

/// What an application needs of others before and after a run.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct RequiresChange {
    pub from: BTreeSet<Requirement>,
    pub to: BTreeSet<Requirement>,
}

impl RequiresChange {
    pub(crate) fn is_nothing(&self) -> bool {
        self.from.is_empty() && self.to.is_empty()
    }
}

/// What is known of another application in the same environment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Neighbour {
    pub application: ApplicationName,
    /// None if it is not deployed as a whole.
    pub version: Option<Version>,
    /// The run that is at work on it.
    pub moving: Option<Moving>,
    /// What holds while it is there, a run at work included.
    pub requires: BTreeSet<Requirement>,
}

/// A run at work that takes an application to another version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moving {
    pub run: RunId,
    /// None if it goes.
    pub to: Option<Version>,
}

/// A need that a plan leaves unmet.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{by} requires {requirement} on {environment}; {problem}")]
pub struct Unmet {
    pub environment: EnvironmentName,
    pub by: ApplicationName,
    pub requirement: Requirement,
    pub problem: UnmetProblem,
}

/// What is wrong with the application that is needed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UnmetProblem {
    #[error("it is not deployed there")]
    Missing,
    #[error("{version} is there")]
    Other { version: Version, why: Mismatch },
    #[error("run {} is {}", .0.run, going(.0.to.as_ref()))]
    Moving(Moving),
    #[error("this would be {}", going(to.as_ref()))]
    Moved { to: Option<Version>, why: Mismatch },
}

fn going(to: Option<&Version>) -> String {
    to.map_or_else(|| "removing it".to_owned(), |version| format!("taking it to {version}"))
}

impl Unmet {
    /// Returns what to do about it.
    pub fn hint(&self) -> String {
        let Self { by, requirement: Requirement { application, range }, .. } = self;
        match &self.problem {
            UnmetProblem::Missing => format!(
                "deploy {application} first; applications that require one another share a store (--store or \
                 LAUNCHWAY_STORE)"
            ),
            UnmetProblem::Other { version, why } => of_version(version, *why)
                .unwrap_or_else(|| format!("deploy a version of {application} first that is in {range}")),
            UnmetProblem::Moving(moving) => format!("wait until run {} ends", moving.run),
            UnmetProblem::Moved { to: None, .. } => {
                format!("undeploy {by} first, or deploy a release of it that does not require {application}")
            }
            UnmetProblem::Moved { to: Some(version), why } => of_version(version, *why)
                .unwrap_or_else(|| format!("deploy a release of {by} first that takes {application} {version}")),
        }
    }
}

/// Says what the range lacks, where the version may be the right one.
fn of_version(version: &Version, why: Mismatch) -> Option<String> {
    match why {
        Mismatch::Outside => None,
        Mismatch::PreRelease => {
            Some(format!("a pre-release is only in ranges that name one of the same version, such as `>={version}`"))
        }
        Mismatch::Unordered => {
            Some(format!("`{version}` can't be compared with others; `={version}` requires exactly this one, `*` any"))
        }
    }
}

/// Returns the needs that running a plan would leave unmet: its own application's, and others' of it.
///
/// Others' needs count only where it moves: what was out of a range before is nothing that the plan does.
pub fn unmet(plan: &Plan, neighbours: &[Neighbour]) -> Vec<Unmet> {
    if matches!(plan.operation, Operation::Restart | Operation::Task { .. }) {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut add = |by: &ApplicationName, requirement: &Requirement, problem| {
        found.push(Unmet {
            environment: plan.environment.clone(),
            by: by.clone(),
            requirement: requirement.clone(),
            problem,
        });
    };
    if plan.operation != Operation::Undeploy {
        for requirement in &plan.requires.to {
            let there = neighbours.iter().find(|neighbour| neighbour.application == requirement.application);
            if let Some(problem) = own_problem(&requirement.range, there) {
                add(&plan.application, requirement, problem);
            }
        }
    }
    let moved = (plan.version.to != plan.version.from).then_some(plan.version.to.as_ref());
    let part = plan.version.part.as_ref().map(Some);
    for neighbour in neighbours {
        let of_it = neighbour.requires.iter().filter(|requirement| requirement.application == plan.application);
        for requirement in of_it {
            let outside = |to: Option<&Version>| Some((to.cloned(), check(&requirement.range, to).err()?));
            if let Some((to, why)) = moved.into_iter().chain(part).find_map(outside) {
                add(&neighbour.application, requirement, UnmetProblem::Moved { to, why });
            }
        }
    }
    found
}

fn own_problem(range: &VersionRange, there: Option<&Neighbour>) -> Option<UnmetProblem> {
    let Some(Neighbour { version: Some(version), moving, .. }) = there else { return Some(UnmetProblem::Missing) };
    if let Err(why) = range.check(version) {
        return Some(UnmetProblem::Other { version: version.clone(), why });
    }
    let moving = moving.as_ref().filter(|moving| check(range, moving.to.as_ref()).is_err());
    moving.cloned().map(UnmetProblem::Moving)
}

fn check(range: &VersionRange, version: Option<&Version>) -> Result<(), Mismatch> {
    version.map_or(Err(Mismatch::Outside), |version| range.check(version))
}
