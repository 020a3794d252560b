//! What a look at the targets found, beside what is recorded.

use std::collections::BTreeMap;

use launchway_model::{ChangeIndex, InstanceId, Plan, ResourceResult, ResourceStatus, StepReport, TargetName};
use serde::Serialize;

use crate::sanitise::inline;
use crate::status::NAMED_TARGETS;
use crate::style::Paint;
use crate::table::table;

/// What a look at an instance found.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Finding {
    pub found: Found,
    /// Why it can't be told or reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What was compared.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<ResourceResult>,
}

/// How what is there stands to what is recorded. The words are stable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    Ok,
    Drifted,
    CannotTell,
    Unreachable,
}

impl Finding {
    pub fn unreachable(why: impl Into<String>) -> Self {
        Self { found: Found::Unreachable, message: Some(why.into()), resources: Vec::new() }
    }

    pub fn cannot_tell(why: impl Into<String>) -> Self {
        Self { found: Found::CannotTell, message: Some(why.into()), resources: Vec::new() }
    }

    /// Takes in what a plugin's `inspect` answered.
    pub fn of_report(report: StepReport) -> Self {
        let has = |status| report.resources.iter().any(|resource| resource.status == status);
        let found = if has(ResourceStatus::Changed) || has(ResourceStatus::Failed) {
            Found::Drifted
        } else if has(ResourceStatus::Skipped) || report.resources.is_empty() {
            Found::CannotTell
        } else {
            Found::Ok
        };
        let message = (found == Found::CannotTell).then_some(report.summary);
        Self { found, message, resources: report.resources }
    }

    /// Whether nothing of it is there.
    pub fn is_absent(&self) -> bool {
        !self.resources.is_empty() && self.resources.iter().all(|resource| resource.status == ResourceStatus::Failed)
    }

    /// Returns a line for each thing to be said of it: resource by resource, or why nothing can be said.
    pub fn lines(&self) -> Vec<String> {
        let differs = self.resources.iter().filter(|resource| match resource.status {
            ResourceStatus::Changed | ResourceStatus::Failed => true,
            ResourceStatus::Skipped => self.found == Found::CannotTell,
            ResourceStatus::Unchanged => false,
        });
        let lines: Vec<String> = differs
            .map(|resource| match &resource.message {
                Some(message) => format!("{}: {message}", resource.name),
                None => resource.name.clone(),
            })
            .collect();
        if lines.is_empty() { self.message.iter().cloned().collect() } else { lines }
    }
}

/// Returns a line that says what others did to what a run replaces or takes away.
pub(crate) fn found_before(plan: &Plan, change: ChangeIndex, differs: &[String], paint: Paint) -> String {
    let id = plan.change(change).map(|change| change.id.to_string()).unwrap_or_default();
    format!("{} {}: {}\n", paint.yellow("changed by others:"), inline(&id), inline(&differs.join("; ")))
}

impl Found {
    /// Returns the word for people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Drifted => "drifted",
            Self::CannotTell => "cannot tell",
            Self::Unreachable => "unreachable",
        }
    }

    fn painted(self, paint: Paint) -> String {
        match self {
            Self::Ok => paint.green(self.text()),
            Self::Drifted => paint.red(self.text()),
            Self::CannotTell | Self::Unreachable => paint.yellow(self.text()),
        }
    }
}

/// How many instances were found how.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub struct DriftSummary {
    pub ok: usize,
    pub drifted: usize,
    pub cannot_tell: usize,
    pub unreachable: usize,
}

impl DriftSummary {
    pub fn of(findings: &BTreeMap<InstanceId, Finding>) -> Self {
        let mut summary = Self::default();
        for finding in findings.values() {
            match finding.found {
                Found::Ok => summary.ok += 1,
                Found::Drifted => summary.drifted += 1,
                Found::CannotTell => summary.cannot_tell += 1,
                Found::Unreachable => summary.unreachable += 1,
            }
        }
        summary
    }

    /// Returns `1 drifted, 2 cannot tell, 3 ok`.
    fn text(self) -> String {
        let counts = [
            (self.drifted, Found::Drifted),
            (self.unreachable, Found::Unreachable),
            (self.cannot_tell, Found::CannotTell),
            (self.ok, Found::Ok),
        ];
        let words = counts.into_iter().filter(|(count, _)| *count > 0);
        words.map(|(count, found)| format!("{count} {}", found.text())).collect::<Vec<_>>().join(", ")
    }
}

/// Returns what was found as text: a row for each instance, alike ones folded, and below it what differs.
pub fn drift_text(findings: &BTreeMap<InstanceId, Finding>, paint: Paint, verbose: bool) -> String {
    if findings.is_empty() {
        return "\nNothing is recorded that could be looked at.\n".to_owned();
    }
    let mut folded: BTreeMap<(&str, Found, Vec<String>), Vec<&TargetName>> = BTreeMap::new();
    for (id, finding) in findings {
        folded.entry((id.component.as_str(), finding.found, finding.lines())).or_default().push(&id.target);
    }
    let rows: Vec<Vec<String>> = folded
        .iter()
        .map(|((component, found, _), targets)| {
            vec![inline(component), found.text().to_owned(), names(targets, verbose)]
        })
        .collect();
    let head = ["component", "on the target", "targets"].map(str::to_owned).to_vec();
    let text = table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    let mut lines = text.lines();
    let mut out = format!("\n{}\n", lines.next().unwrap_or_default());
    for (((_, found, details), _), line) in folded.iter().zip(lines) {
        out.push_str(&line.replacen(found.text(), &found.painted(paint), 1));
        out.push('\n');
        details.iter().for_each(|detail| out.push_str(&format!("    {}\n", inline(detail))));
    }
    out.push_str(&format!("\n{}\n", paint.bold(DriftSummary::of(findings).text())));
    out
}

fn names(targets: &[&TargetName], verbose: bool) -> String {
    if targets.len() > NAMED_TARGETS && !verbose {
        return format!("{} targets", targets.len());
    }
    targets.iter().map(|target| inline(target.as_str())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(statuses: &[ResourceStatus]) -> Finding {
        let resource = |status: &ResourceStatus| ResourceResult {
            name: "/etc/a".to_owned(),
            status: *status,
            message: (*status != ResourceStatus::Unchanged).then(|| "so it is".to_owned()),
        };
        let resources = statuses.iter().map(resource).collect();
        Finding::of_report(StepReport { summary: "summary".to_owned(), resources })
    }

    #[test]
    fn a_report_becomes_a_word() {
        use ResourceStatus as S;
        for (statuses, found, absent) in [
            (&[][..], Found::CannotTell, false),
            (&[S::Unchanged], Found::Ok, false),
            (&[S::Unchanged, S::Skipped], Found::CannotTell, false),
            (&[S::Skipped, S::Changed], Found::Drifted, false),
            (&[S::Failed, S::Failed], Found::Drifted, true),
            (&[S::Failed, S::Unchanged], Found::Drifted, false),
        ] {
            let finding = finding(statuses);
            assert_eq!((finding.found, finding.is_absent()), (found, absent), "{statuses:?}");
        }
        assert_eq!(finding(&[]).lines(), ["summary"]);
        assert_eq!(finding(&[S::Skipped, S::Changed]).lines(), ["/etc/a: so it is"]);
    }

    #[test]
    fn alike_instances_are_one_row_with_what_differs_below() {
        let id = |text: &str| {
            let (component, target) = text.split_once('@').unwrap();
            InstanceId { component: component.parse().unwrap(), target: target.parse().unwrap() }
        };
        let findings = BTreeMap::from([
            (id("a@x"), finding(&[ResourceStatus::Changed])),
            (id("a@y"), finding(&[ResourceStatus::Changed])),
            (id("b@x"), finding(&[ResourceStatus::Unchanged])),
            (id("c@z"), Finding::unreachable("no\u{1b}route")),
        ]);
        let text = drift_text(&findings, Paint::default(), false);
        let expected = "\ncomponent  on the target  targets\na          drifted        x, y\n    /etc/a: so it is\n\
                        b          ok             x\nc          unreachable    z\n    no";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.ends_with("\n2 drifted, 1 unreachable, 1 ok\n") && !text.contains('\u{1b}'), "{text}");
    }
}
