//! The explanation for people and for machines.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use launchway_model::InstanceId;

use super::causes::{CauseWhy, Link};
use super::explain::{Explained, LastChange, Unchanged, Why, kind_word};
use super::order::{Reason, Stop, Wait};
use crate::diff::{Difference, path_text, value_text};
use crate::json::document;
use crate::sanitise::inline;
use crate::style::{Paint, time};

/// How many instances are named before they are only counted.
const NAMED: usize = 6;
/// How much of a long way is shown: so many steps of its beginning and of its end.
const ENDS: (usize, usize) = (4, 8);

/// Returns the explanation as a JSON document.
pub fn why_json(why: &Why<'_>) -> String {
    document(why)
}

/// Returns the explanation as text.
pub fn why_text(why: &Why<'_>, paint: Paint, zone: &TimeZone) -> String {
    let mut parts: Vec<String> = why.changes.iter().map(|change| change_text(change, paint)).collect();
    if !why.further.is_empty() {
        let names = list(&why.further);
        parts.push(format!("{names}: they change for other causes; `--why COMPONENT@TARGET` explains one of them\n"));
    }
    parts.extend(unchanged_text(&why.unchanged, zone));
    if !why.omitted.is_empty() {
        parts.push(format!("{}: would change, but left out on request\n", list(&why.omitted)));
    }
    parts.join("\n")
}

fn change_text(change: &Explained<'_>, paint: Paint) -> String {
    let name = inline(&change.id.to_string());
    let mut out = format!("{} {}\n", paint.bold(name), kind_word(change.change));
    if !change.alike.is_empty() {
        out.push_str(&format!("  for the same causes: {}\n", list(&change.alike)));
    }
    change.causes.iter().for_each(|cause| cause_text(cause, &mut out));
    if change.dirty {
        out.push_str("  what is there is uncertain: an earlier run did not finish\n");
    }
    if change.steps.is_empty() {
        out.push_str("  it takes no step\n");
        return out;
    }
    out.push_str("\n  Its steps, and what each of them waits for:\n");
    for step in &change.steps {
        out.push_str(&format!("    {}\n", paint.cyan(&step.what)));
        if step.waits_for.is_empty() && step.always.is_none() {
            out.push_str("      nothing: it may be the first\n");
        }
        step.waits_for.iter().for_each(|wait| out.push_str(&format!("      {}\n", wait_text(wait))));
        step.always.iter().for_each(|always| out.push_str(&format!("      {always}\n")));
    }
    way_text(&change.longest_way, &mut out);
    out
}

fn cause_text(cause: &CauseWhy<'_>, out: &mut String) {
    out.push_str(&format!("  because {}\n", cause.because));
    differences_text(&cause.differences, "    ", out);
    if cause.earlier {
        out.push_str("    that was in an earlier run, in which it was not told\n");
    }
    for link in &cause.chain {
        let Link { id, change, because, differences, more } = link;
        let others = if *more > 0 { format!(" (and {more} more)") } else { String::new() };
        out.push_str(&format!("    {}{others} {} because {because}\n", inline(&id.to_string()), kind_word(*change)));
        differences_text(differences, "      ", out);
    }
}

fn differences_text(differences: &[Difference], indent: &str, out: &mut String) {
    for Difference { path, old, new } in differences {
        let value = |value: &Option<_>| value.as_ref().map_or_else(|| "not set".to_owned(), value_text);
        out.push_str(&format!("{indent}{}: {} → {}\n", path_text(path), value(old), value(new)));
    }
}

fn wait_text(wait: &Wait<'_>) -> String {
    let reason = match &wait.reason {
        Reason::Own => "its own earlier step".to_owned(),
        Reason::Replaces => "what it replaces, which goes first".to_owned(),
        Reason::Around => "what is done around it".to_owned(),
        Reason::Together { component } => format!("{}, which rolls together with it", inline(component)),
        Reason::Needs { component } => format!("{}, which it needs", inline(component)),
        Reason::After { component } => format!("{}, all of which it comes after", inline(component)),
        Reason::Subscribes { component } => format!("{}, to which it subscribes", inline(component)),
        Reason::UsedBy { component } => format!("{}, which uses it and gets out of the way first", inline(component)),
        Reason::Settles { component } => format!("{}, which settles without it first", inline(component)),
        Reason::Last => "all that stays has settled before anything goes".to_owned(),
        Reason::Parts { component } => {
            format!("{}, which goes and is taken out of service before others forget it", inline(component))
        }
        Reason::DeleteFirst { component } => format!("{}, which is gone before it comes", inline(component)),
        Reason::HandsOver { component } => format!("{}, which gives up a path that it takes", inline(component)),
        Reason::Staged => "everything is staged before anything stops".to_owned(),
        Reason::Batch { unit, batch, of } => format!("batch {batch} of {of} of {unit} comes first"),
        Reason::Gate => "a gate".to_owned(),
        Reason::Indirect { component } => format!("{}, by way of what stands between them", inline(component)),
    };
    let more = if wait.more > 0 { format!("; and {} more", wait.more) } else { String::new() };
    format!("{reason}: {}{more}", wait.what.join("; "))
}

fn way_text(way: &[Stop], out: &mut String) {
    if way.len() < 2 {
        return;
    }
    out.push_str(&format!("\n  The longest way to its last step, {} in a row:\n", way.len()));
    let hidden = if way.len() > ENDS.0 + ENDS.1 + 1 { ENDS.0..way.len() - ENDS.1 } else { 0..0 };
    for (at, stop) in way.iter().enumerate() {
        if hidden.contains(&at) {
            if at == hidden.start {
                out.push_str(&format!("    … {} more\n", hidden.len()));
            }
            continue;
        }
        out.push_str(&format!("    {}. {}\n", at + 1, stop.what));
    }
}

fn unchanged_text(unchanged: &[Unchanged<'_>], zone: &TimeZone) -> Vec<String> {
    let mut alike: BTreeMap<(bool, &Option<LastChange>), Vec<&InstanceId>> = BTreeMap::new();
    for Unchanged { id, amended, last } in unchanged {
        alike.entry((*amended, last)).or_default().push(id);
    }
    let text = |((amended, last), ids): ((bool, &Option<LastChange>), Vec<&InstanceId>)| {
        let mut text = format!("{}: nothing differs\n", list(&ids));
        if amended {
            text.push_str("  its record is brought up to date: something that makes no difference to the target\n");
        }
        if let Some(last) = last {
            let what = last.operation.as_ref().map(|operation| format!(" ({})", inline(operation))).unwrap_or_default();
            let when = last.finished.map(|at| format!(", ended {}", time(at, zone))).unwrap_or_default();
            text.push_str(&format!("  last changed by run {}{what}{when}\n", last.run));
        }
        text
    };
    alike.into_iter().map(text).collect()
}

fn list(ids: &[&InstanceId]) -> String {
    let names: Vec<String> = ids.iter().take(NAMED).map(|id| inline(&id.to_string())).collect();
    let more = ids.len().saturating_sub(NAMED);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}
