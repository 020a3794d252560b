//! Names that somebody asked for.

use std::collections::{BTreeMap, BTreeSet};

use launchway_model::{ComponentName, InstanceId, Plan, TargetName, closest};

/// How many names a hint lists.
const FEW: usize = 12;

/// A name that a plan does not know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownName {
    pub message: String,
    pub hint: Option<String>,
}

/// The instances a plan knows of.
pub(crate) struct Names<'a>(BTreeMap<&'a ComponentName, BTreeSet<&'a TargetName>>);

impl<'a> Names<'a> {
    /// Of everything the plan speaks of, or, with `changing`, of what changes.
    pub(crate) fn of(plan: &'a Plan, changing: bool) -> Self {
        let mut names: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        let rest = plan.unchanged.iter().chain(&plan.omitted).filter(|_| !changing);
        for id in plan.changes.iter().map(|change| &change.id).chain(rest) {
            names.entry(&id.component).or_default().insert(&id.target);
        }
        Self(names)
    }

    /// Finds the component, and the target if one is named, of `COMPONENT[@TARGET]`.
    pub(crate) fn find(&self, asked: &str) -> Result<Asked<'a>, UnknownName> {
        let (component, target) = match asked.split_once('@') {
            Some((component, target)) => (component, Some(target)),
            None => (asked, None),
        };
        let Some((name, targets)) = self.0.iter().find(|(name, _)| name.as_str() == component) else {
            let names = || self.0.keys().map(|name| name.as_str());
            // Who writes a target's name alone means what is on it.
            let on = self.0.iter().find(|(_, targets)| targets.iter().any(|name| name.as_str() == component));
            let hint = match on {
                Some((name, _)) => Some(format!("`{component}` is a target; write `{name}@{component}`")),
                None => suggestion("components", component, names),
            };
            return Err(UnknownName { message: format!("the plan has no component `{component}`"), hint });
        };
        let target = match target {
            None => None,
            Some(wanted) => Some(*targets.iter().find(|name| name.as_str() == wanted).ok_or_else(|| UnknownName {
                message: format!("the plan has no `{component}` on a target `{wanted}`"),
                hint: suggestion("targets", wanted, || targets.iter().map(|name| name.as_str())),
            })?),
        };
        Ok(Asked { component: name, target })
    }
}

/// A component, or one instance of it.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) component: &'a ComponentName,
    pub(crate) target: Option<&'a TargetName>,
}

impl Asked<'_> {
    pub(crate) fn is(&self, id: &InstanceId) -> bool {
        id.component == *self.component && self.target.is_none_or(|target| id.target == *target)
    }
}

/// Returns the nearest name, else all of them if they are few.
pub(crate) fn suggestion<'a, I: Iterator<Item = &'a str>>(
    what: &str,
    given: &str,
    names: impl Fn() -> I,
) -> Option<String> {
    if let Some(name) = closest(given, names()) {
        return Some(format!("did you mean `{name}`?"));
    }
    let all: Vec<String> = names().take(FEW + 1).map(|name| format!("`{name}`")).collect();
    ((1..=FEW).contains(&all.len())).then(|| format!("{what}: {}", all.join(", ")))
}
