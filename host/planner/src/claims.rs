//! Paths and units on targets and who owns them, in an order in which a tree is followed by all that is in it.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use launchway_model::config::Extent;
use launchway_model::{InstanceId, InstanceSpec, TargetName};
use serde_json::Value;

use crate::error::{PlanError, WriterInTree};
use crate::kinds::Kinds;

/// Where systemd looks for the units of whoever runs the machine.
const UNIT_FILES: &str = "/etc/systemd/system";
/// What comes before a unit's name where it stands for a path: no path begins like that.
pub(crate) const UNIT: &str = "unit:";

/// A path that an instance owns, or a unit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Claim<'a> {
    pub(crate) owner: &'a InstanceId,
    /// Of a unit [`UNIT`] and its name.
    pub(crate) path: Cow<'a, str>,
    /// With all there is in it.
    pub(crate) tree: bool,
    /// The property that makes it a tree.
    switch: Option<Arc<str>>,
}

/// Returns what an instance owns.
pub(crate) fn claims<'a>(spec: &'a InstanceSpec, kinds: &Kinds<'_>) -> Result<Vec<Claim<'a>>, PlanError> {
    let Some(kind) = kinds.get(&spec.kind)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for writes in kind.schema.writes() {
        let Some(Value::String(written)) = spec.properties.get(&writes.property) else { continue };
        let path = normal(written);
        let own = Claim { owner: &spec.id, path, tree: false, switch: None };
        match &writes.extent {
            Extent::Path => found.push(own),
            Extent::Tree => found.push(Claim { tree: true, ..own }),
            Extent::TreeIf(property) => {
                let tree = spec.properties.get(&**property) == Some(&Value::Bool(true));
                found.push(Claim { tree, switch: Some(property.clone()), ..own });
            }
            Extent::Below(names) => {
                let folder = own.path.trim_end_matches('/');
                let member = |name| Claim { path: format!("{folder}/{name}").into(), tree: true, ..own.clone() };
                found.extend(names.iter().map(member));
                found.push(own);
            }
            Extent::Unit(files) => {
                let unit = unit(written);
                if files.iter().any(|file| spec.properties.get(file).is_some_and(|value| !value.is_null())) {
                    found.push(Claim { path: format!("{UNIT_FILES}/{unit}").into(), ..own.clone() });
                }
                found.push(Claim { path: format!("{UNIT}{unit}").into(), ..own });
            }
        }
    }
    Ok(found)
}

/// All claims, sorted.
pub(crate) struct Claims<'a>(Vec<Claim<'a>>);

impl<'a> Claims<'a> {
    /// Collects what instances own; refuses two owners of one thing.
    pub(crate) fn new(instances: &'a [InstanceSpec], kinds: &Kinds<'_>) -> Result<Self, PlanError> {
        let mut all = Vec::new();
        for spec in instances {
            all.extend(claims(spec, kinds)?);
        }
        all.sort_by(|a: &Claim<'_>, b| compare((&a.owner.target, &a.path), (&b.owner.target, &b.path)));
        check(&all)?;
        Ok(Self(all))
    }

    /// Returns the claims that a claim, such as an earlier one, has something in common with.
    pub(crate) fn overlapping(&self, claim: &Claim<'_>) -> impl Iterator<Item = &Claim<'a>> {
        let (target, path) = (&claim.owner.target, &*claim.path);
        let on_the_way = above(path).flat_map(move |above| self.at(target, above)).filter(|claim| claim.tree);
        let same = self.at(target, path);
        let next = self.0.partition_point(|other| compare((&other.owner.target, &other.path), (target, path)).is_le());
        let within = self.0[next..]
            .iter()
            .take_while(move |other| claim.tree && other.owner.target == *target && is_in(&other.path, path));
        on_the_way.chain(same).chain(within)
    }

    fn at(&self, target: &TargetName, path: &str) -> &[Claim<'a>] {
        let place = |claim: &Claim<'_>| compare((&claim.owner.target, &claim.path), (target, path));
        let start = self.0.partition_point(|claim| place(claim).is_lt());
        let length = self.0[start..].partition_point(|claim| place(claim).is_eq());
        &self.0[start..start + length]
    }
}

/// Looks at each claim once, with the trees that it lies in.
fn check(sorted: &[Claim<'_>]) -> Result<(), PlanError> {
    let mut trees: Vec<&Claim<'_>> = Vec::new();
    let mut before: Option<&Claim<'_>> = None;
    for claim in sorted {
        let target = &claim.owner.target;
        if let Some(other) = before.replace(claim)
            && (&other.owner.target, &other.path) == (target, &claim.path)
            && other.owner != claim.owner
        {
            let path = claim.path.clone().into_owned();
            return Err(PlanError::TwoWriters { first: other.owner.clone(), second: claim.owner.clone(), path });
        }
        while trees.pop_if(|tree| tree.owner.target != *target || !is_in(&claim.path, &tree.path)).is_some() {}
        // A tree further out either has the same owner or was refused before.
        if let Some(tree) = trees.last().filter(|tree| tree.owner != claim.owner) {
            let error = WriterInTree {
                owner: tree.owner.clone(),
                tree: tree.path.clone().into_owned(),
                writer: claim.owner.clone(),
                path: claim.path.clone().into_owned(),
                switch: tree.switch.clone(),
            };
            return Err(PlanError::WriterInTree(Box::new(error)));
        }
        if claim.tree {
            trees.push(claim);
        }
    }
    Ok(())
}

/// Orders by target and then name by name, so that what is in a folder directly follows it.
fn compare(a: (&TargetName, &str), b: (&TargetName, &str)) -> Ordering {
    a.0.cmp(b.0).then_with(|| a.1.split('/').cmp(b.1.split('/')))
}

/// Whether a path lies in a folder, at any depth.
fn is_in(path: &str, folder: &str) -> bool {
    path != folder && path.strip_prefix(folder.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
}

/// Returns the folders that a path lies in, outermost first, but not the root: nothing owns that.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at]).filter(|folder| !folder.is_empty())
}

/// Returns a unit's whole name: one without a suffix is a service.
fn unit(name: &str) -> Cow<'_, str> {
    const SUFFIXES: [&str; 11] = [
        ".service",
        ".socket",
        ".device",
        ".mount",
        ".automount",
        ".swap",
        ".target",
        ".path",
        ".timer",
        ".slice",
        ".scope",
    ];
    match SUFFIXES.iter().any(|suffix| name.ends_with(suffix)) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(format!("{name}.service")),
    }
}

/// Returns a path without what makes no difference.
fn normal(path: &str) -> Cow<'_, str> {
    if !path.contains("//") && !path.contains("/./") && !path.ends_with('/') {
        return Cow::Borrowed(path);
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let root = if path.starts_with('/') { "/" } else { "" };
    Cow::Owned(format!("{root}{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_path_are_equal() {
        for path in ["/opt/shop", "/opt/shop/", "//opt//shop", "/opt/./shop"] {
            assert_eq!(normal(path), "/opt/shop");
        }
        assert_eq!(normal("/"), "/");
        assert_eq!(normal("a/b/"), "a/b");
    }

    #[test]
    fn what_is_in_a_folder_directly_follows_it() {
        let target = TargetName::new("t").expect("it is a name");
        let mut paths = ["/opt/x-y", "/opt/x/y", "/opt/x", "/", "/opt/x.d", "/opt/x/y/z"];
        paths.sort_by(|a, b| compare((&target, a), (&target, b)));
        assert_eq!(paths, ["/", "/opt/x", "/opt/x/y", "/opt/x/y/z", "/opt/x-y", "/opt/x.d"]);
        assert!(is_in("/opt/x/y", "/opt/x") && is_in("/opt", "/"));
        assert!(!is_in("/opt/x-y", "/opt/x") && !is_in("/opt/x", "/opt/x") && !is_in("/", "/"));
        assert_eq!(above("/opt/x/y").collect::<Vec<_>>(), ["/opt", "/opt/x"]);
    }
}
