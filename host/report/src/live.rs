//! Progress on a terminal: a bar with the time that is left, the targets, and what is running.

use std::collections::HashMap;
use std::sync::Arc;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use launchway_model::{Event, Plan, Signal, StepKey, Timestamp};

use crate::diff::shorten;
use crate::plain::Plain;
use crate::progress::{Progress, TargetProgress};
use crate::sanitise::inline;
use crate::style::{Paint, duration};

/// How many running steps are shown at once.
const RUNNING_LINES: usize = 8;
/// How many targets are shown at once.
const TARGETS: usize = 12;
/// How often the running steps are drawn anew at most, in milliseconds.
const REFRESH_MS: u64 = 100;
/// How often the remaining time is worked out at most, in milliseconds.
const ESTIMATE_MS: u64 = 1000;

/// Draws progress on standard error.
pub struct Live {
    progress: Progress,
    lines: Plain,
    paint: Paint,
    multi: MultiProgress,
    bar: ProgressBar,
    targets: ProgressBar,
    steps: Vec<ProgressBar>,
    drawn: Timestamp,
    estimate: (Timestamp, Option<u64>),
}

impl Live {
    /// Begins to draw a run of a plan; `durations` is what steps lasted last time, in milliseconds.
    pub fn new(plan: Arc<Plan>, durations: HashMap<StepKey, u64>, paint: Paint, verbose: bool) -> Self {
        Self::with_target(plan, durations, paint, verbose, ProgressDrawTarget::stderr())
    }

    fn with_target(
        plan: Arc<Plan>,
        durations: HashMap<StepKey, u64>,
        paint: Paint,
        verbose: bool,
        target: ProgressDrawTarget,
    ) -> Self {
        let multi = MultiProgress::with_draw_target(target);
        let progress = Progress::new(plan.clone(), durations);
        let style = |template: &str| {
            ProgressStyle::with_template(template).expect("the template is a constant that a test draws")
        };
        let bar = multi.add(ProgressBar::new(progress.total as u64));
        bar.set_style(style("[{bar:30}] {pos}/{len} steps {msg}").progress_chars("=> "));
        let targets = multi.add(ProgressBar::new_spinner());
        targets.set_style(style("{msg}"));
        let steps = (0..RUNNING_LINES)
            .map(|_| {
                let line = multi.add(ProgressBar::new_spinner());
                line.set_style(style("{msg}"));
                line
            })
            .collect();
        let lines = Plain::new(plan, paint, verbose);
        let never = Timestamp(0);
        Self { progress, lines, paint, multi, bar, targets, steps, drawn: never, estimate: (never, None) }
    }

    /// Takes a signal in. What ended is printed above the bar, and stays.
    pub fn on(&mut self, signal: &Signal) {
        self.progress.on(signal);
        for line in self.printed(signal).lines() {
            // A terminal that is gone is no reason to stop a run.
            let _ = self.multi.println(line);
        }
        if let Signal::Event(record) = signal {
            self.tick(record.at);
        }
    }

    /// Returns what stays above the bar; what has only begun is drawn below it.
    fn printed(&mut self, signal: &Signal) -> String {
        let text = self.lines.on(signal);
        let begins = matches!(signal, Signal::Event(record) if matches!(record.event, Event::StepStarted { .. }));
        if begins { String::new() } else { text }
    }

    /// Draws anew, if it is time to.
    pub fn tick(&mut self, now: Timestamp) {
        if now.0.saturating_sub(self.drawn.0) < REFRESH_MS && self.progress.done < self.progress.total {
            return;
        }
        self.drawn = now;
        if now.0.saturating_sub(self.estimate.0.0) >= ESTIMATE_MS {
            self.estimate = (now, self.progress.remaining_ms(now));
        }
        self.bar.set_position((self.progress.done + self.progress.failed + self.progress.skipped) as u64);
        let left = match self.estimate.1 {
            Some(ms) if ms >= 1000 && self.progress.failed == 0 => format!("about {} left", duration(ms)),
            _ => String::new(),
        };
        show(&self.bar, left);
        show(&self.targets, self.targets_line());
        let running: Vec<String> = self
            .progress
            .running
            .iter()
            .map(|(node, running)| {
                let key = self.progress.step(*node).map(|step| inline(&step.key.0)).unwrap_or_default();
                let percent =
                    running.fraction.map_or_else(String::new, |f| format!(" {:.0}%", f.clamp(0.0, 1.0) * 100.0));
                let took = duration(now.0.saturating_sub(running.since.0));
                let mark = if running.waiting { "…" } else { ">" };
                format!("{mark} {key}{percent} ({took}) {}", self.paint.dim(shorten(&running.message)))
            })
            .collect();
        let hidden = running.len().saturating_sub(RUNNING_LINES);
        for (i, line) in self.steps.iter().enumerate() {
            let last = i + 1 == RUNNING_LINES && hidden > 0;
            let text = if last {
                format!("  and {} more running", hidden + 1)
            } else {
                running.get(i).cloned().unwrap_or_default()
            };
            show(line, text);
        }
    }

    /// Returns the targets with what is going on there, those with failures and running steps first.
    fn targets_line(&self) -> String {
        let rank = |target: &TargetProgress| match target {
            target if target.failed > 0 => 0,
            target if target.running > 0 => 1,
            target if target.done < target.total => 2,
            _ => 3,
        };
        let mut all: Vec<_> = self.progress.targets.iter().collect();
        all.sort_by_key(|(_, target)| rank(target));
        let mut shown: Vec<String> = all
            .iter()
            .take(TARGETS)
            .map(|(name, target)| {
                let text = format!("{} {}/{}", inline(name.as_str()), target.done, target.total);
                match rank(target) {
                    0 => self.paint.red(text),
                    1 => self.paint.cyan(text),
                    2 => self.paint.dim(text),
                    _ => self.paint.green(text),
                }
            })
            .collect();
        if all.len() > TARGETS {
            shown.push(format!("and {} more", all.len() - TARGETS));
        }
        shown.join("  ")
    }

    /// Takes the bars away.
    pub fn finish(self) {
        // As above: the run matters more than the terminal.
        let _ = self.multi.clear();
    }
}

/// Changes a line's text, if it is another one: each change draws.
fn show(line: &ProgressBar, text: String) {
    if line.message() != text {
        line.set_message(text);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use launchway_model::{EventRecord, NodeId, Stream, TargetName};

    use super::*;

    fn empty_plan() -> Plan {
        let digest = launchway_model::Digest::of(b"");
        let plan = serde_json::json!({
            "format": 1, "operation": "deploy", "application": "a", "environment": "e",
            "version": { "from": null, "to": "1" },
            "basis": { "lineage": "l", "serial": 0, "release": null, "environment": digest, "plugins": {} },
            "targets": {}, "changes": [], "unchanged": [], "amendments": [], "nodes": [],
        });
        serde_json::from_value(plan).expect("it is a plan")
    }

    /// The templates are constants: this draws them.
    #[test]
    fn it_draws() {
        let plan = Arc::new(empty_plan());
        let mut live = Live::with_target(plan, HashMap::new(), Paint::default(), true, ProgressDrawTarget::hidden());
        live.tick(Timestamp(1));
        live.tick(Timestamp(5000));
        live.finish();
    }

    #[test]
    fn what_a_tool_prints_is_shown_whatever_its_words() {
        let hidden = ProgressDrawTarget::hidden();
        let mut live = Live::with_target(Arc::new(empty_plan()), HashMap::new(), Paint::default(), true, hidden);
        let node = NodeId(0);
        let event = Event::StepStarted { node, step: StepKey("a".into()), attempt: 1 };
        let started = Signal::Event(Arc::new(EventRecord { index: 0, at: Timestamp(1), event }));
        assert_eq!(live.printed(&started), "");
        let bytes = b"start    postgresql\n".as_slice().into();
        let output = Signal::Output { node, stream: Stream::Stdout, bytes };
        assert!(live.printed(&output).contains("start    postgresql"));
    }

    #[test]
    fn failed_and_running_targets_come_first_and_the_rest_is_counted() {
        let plan = Arc::new(empty_plan());
        let hidden = ProgressDrawTarget::hidden();
        let mut live = Live::with_target(plan, HashMap::new(), Paint::default(), false, hidden);
        let all = (0..20).map(|i| {
            (TargetName::new(format!("t{i:02}")).unwrap(), TargetProgress { total: 2, ..TargetProgress::default() })
        });
        live.progress.targets = all.collect::<BTreeMap<_, _>>();
        let mut set = |name: &str, change: &dyn Fn(&mut TargetProgress)| {
            change(live.progress.targets.get_mut(name).unwrap());
        };
        set("t05", &|target| target.running = 1);
        set("t09", &|target| target.failed = 1);
        set("t00", &|target| target.done = 2);
        let line = live.targets_line();
        assert!(line.starts_with("t09 0/2  t05 0/2  t01 0/2"), "{line}");
        assert!(line.ends_with("and 8 more"), "{line}");
    }
}
