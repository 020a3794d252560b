//! Parts of an application: which components and targets a plan is about.

use launchway_model::InstanceId;

use crate::suggest;

/// What was asked for with `--component` and `--target`. Empty lists mean everything.
///
/// A pattern is a name in which `*` stands for any text and `?` for one character; a leading `!` excludes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Restriction {
    pub components: Vec<String>,
    pub targets: Vec<String>,
}

/// A pattern that can't be meant.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no {what} matches `{pattern}`")]
pub struct RestrictionError {
    pub what: &'static str,
    pub pattern: String,
    pub hint: Option<String>,
}

impl Restriction {
    /// Whether it leaves nothing out.
    pub fn is_all(&self) -> bool {
        self.components.is_empty() && self.targets.is_empty()
    }

    /// Whether an instance is part of it.
    pub fn includes(&self, id: &InstanceId) -> bool {
        admits(&self.components, id.component.as_str()) && admits(&self.targets, id.target.as_str())
    }

    /// Returns it as words for the plan's record.
    pub fn words(&self) -> Vec<String> {
        let components = self.components.iter().map(|pattern| format!("component {pattern}"));
        components.chain(self.targets.iter().map(|pattern| format!("target {pattern}"))).collect()
    }

    /// Finds patterns that match none of the names there are.
    pub(crate) fn check<'a>(
        &self,
        components: impl Iterator<Item = &'a str> + Clone,
        targets: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<(), RestrictionError> {
        check_patterns("component", &self.components, components)?;
        check_patterns("target", &self.targets, targets)
    }
}

fn check_patterns<'a>(
    what: &'static str,
    patterns: &[String],
    names: impl Iterator<Item = &'a str> + Clone,
) -> Result<(), RestrictionError> {
    for pattern in patterns {
        let bare = pattern.strip_prefix('!').unwrap_or(pattern);
        if !names.clone().any(|name| matches(bare, name)) {
            let hint = suggest::hint(&format!("{what}s"), bare, names);
            return Err(RestrictionError { what, pattern: pattern.clone(), hint });
        }
    }
    if !patterns.is_empty() && !names.clone().any(|name| admits(patterns, name)) {
        let hint = Some(format!("what a `!` names is left out of the {what}s that the others name, or of all"));
        return Err(RestrictionError { what, pattern: patterns.join(" "), hint });
    }
    Ok(())
}

fn admits(patterns: &[String], name: &str) -> bool {
    let mut included = None;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(excluded) if matches(excluded, name) => return false,
            Some(_) => {}
            None => included = Some(included.unwrap_or(false) || matches(pattern, name)),
        }
    }
    included.unwrap_or(true)
}

/// Whether a name is the pattern itself or what its wildcards stand for.
fn matches(pattern: &str, name: &str) -> bool {
    if pattern == name {
        return true;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // The last `*` and how much of the name it has taken so far: all there is to go back to.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use launchway_model::{ComponentName, TargetName};

    use super::*;

    fn id(component: &str, target: &str) -> InstanceId {
        InstanceId { component: ComponentName::new(component).unwrap(), target: TargetName::new(target).unwrap() }
    }

    fn restriction(components: &[&str], targets: &[&str]) -> Restriction {
        let owned = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        Restriction { components: owned(components), targets: owned(targets) }
    }

    #[test]
    fn patterns_match_like_shell_globs() {
        for (pattern, name, expected) in [
            ("web", "web", true),
            ("w*", "web", true),
            ("*b", "web", true),
            ("w?b", "web", true),
            ("*e*b*", "web", true),
            ("w?", "web", false),
            ("", "web", false),
            ("*", "", true),
            ("a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaac", false),
            ("[x]", "[x]", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn includes_and_excludes_combine() {
        let web = id("web", "app1");
        assert!(restriction(&[], &[]).includes(&web));
        assert!(restriction(&["web", "db"], &[]).includes(&web));
        assert!(!restriction(&["db"], &[]).includes(&web));
        assert!(restriction(&["!db"], &[]).includes(&web));
        assert!(!restriction(&["w*", "!web"], &[]).includes(&web));
        assert!(!restriction(&["web"], &["!app*"]).includes(&web));
    }

    #[test]
    fn patterns_that_leave_nothing_are_an_error() {
        for patterns in [&["!*"][..], &["web", "!w*"], &["!web", "!db"]] {
            let error = restriction(patterns, &[]).check(["web", "db"].into_iter(), [].into_iter()).unwrap_err();
            assert_eq!(error.to_string(), format!("no component matches `{}`", patterns.join(" ")));
        }
        assert_eq!(restriction(&["!web"], &[]).check(["web", "db"].into_iter(), [].into_iter()), Ok(()));
        let error = restriction(&[], &["!*"]).check([].into_iter(), ["a"].into_iter()).unwrap_err();
        assert_eq!(error.what, "target");
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_an_error() {
        let error = restriction(&["!wbe"], &[]).check(["web", "db"].into_iter(), [].into_iter()).unwrap_err();
        assert_eq!(error.to_string(), "no component matches `!wbe`");
        assert_eq!(error.hint.as_deref(), Some("did you mean `web`?"));
    }
}
