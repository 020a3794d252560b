//! A project with hosts to deploy to, and a run's events as something to ask questions of.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use launchway_harness::{Hosts, Output, Project};
use serde_json::{Value, json};
use walkdir::WalkDir;

/// A project whose environment `test` has hosts `host1`, `host2`, … in it.
pub(crate) struct Site {
    pub(crate) hosts: Hosts,
    pub(crate) project: Project,
}

impl Site {
    /// Starts hosts and writes the environment; none if this machine can't have them, which was said.
    pub(crate) fn new(count: u8) -> Option<Self> {
        let hosts = Hosts::start(count).expect("the hosts start")?;
        let project = Project::new().expect("the binary is there");
        let site = Self { hosts, project };
        site.environment(|_| {});
        fs::create_dir(site.folder()).expect("the folder is new");
        Some(site)
    }

    /// Returns the folder to deploy to, which all hosts share; `${folder}` in the application.
    pub(crate) fn folder(&self) -> PathBuf {
        self.project.outside("deployed")
    }

    /// Returns what is in a deployed file.
    pub(crate) fn deployed(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.folder().join(name)).ok()
    }

    /// Checks that something is in no file of the project, its store and its home; where it is deployed to does not count.
    pub(crate) fn assert_kept_nowhere(&self, needle: &str) {
        for entry in WalkDir::new(self.project.everything()).into_iter().filter_map(Result::ok) {
            if !entry.file_type().is_file() || entry.path().starts_with(self.folder()) {
                continue;
            }
            let bytes = fs::read(entry.path()).unwrap_or_default();
            let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!found, "{needle} is in {}", entry.path().display());
        }
    }

    /// Waits until a step has written a file.
    pub(crate) fn wait_until_deployed(&self, name: &str) {
        let path = self.folder().join(name);
        for _ in 0..3000 {
            if path.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{name} never appeared");
    }

    /// Writes the environment with something about it changed.
    pub(crate) fn environment(&self, change: impl FnOnce(&mut Value)) {
        let mut environment = self.hosts.environment("test");
        environment["dictionaries"] = json!([{ "folder": self.folder() }]);
        change(&mut environment);
        self.project.environment(&environment).expect("it can be written");
    }

    pub(crate) fn application(&self, yaml: &str) {
        self.project.application(yaml).expect("it can be written");
    }

    /// Runs the tool in the project.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.project.run(arguments).expect("it runs")
    }

    /// Deploys, and returns the events.
    pub(crate) fn deploy(&self, code: i32) -> Journal {
        Journal::of(&self.run(&["deploy", "--yes", "--json"]).exits(code))
    }

    pub(crate) fn status(&self) -> Value {
        self.run(&["status", "--json"]).exits(0).json().expect("it is JSON")
    }

    /// Returns `component@target` of all recorded instances, with their states.
    pub(crate) fn recorded(&self) -> Vec<(String, String)> {
        let status = self.status();
        let text = |value: &Value| value.as_str().expect("it is a text").to_owned();
        let name = |of: &Value| format!("{}@{}", text(&of["component"]), text(&of["target"]));
        let instances = status["instances"].as_array().expect("it is a list");
        instances.iter().map(|instance| (name(instance), text(&instance["state"]))).collect()
    }
}

/// The events of one run, in order.
#[derive(Debug)]
pub(crate) struct Journal(Vec<Value>);

impl Journal {
    pub(crate) fn of(output: &Output) -> Self {
        let lines = output.json_lines().expect("every line is JSON");
        assert_eq!(lines.first().map(|line| &line["schema"]), Some(&json!(1)), "the schema version comes first");
        Self(lines)
    }

    /// Returns the places of a component's events of one kind, over all targets.
    pub(crate) fn places(&self, kind: &str, component: &str) -> Vec<usize> {
        let wanted = |line: &Value| line["event"] == kind && line["component"] == component;
        self.0.iter().enumerate().filter(|(_, line)| wanted(line)).map(|(place, _)| place).collect()
    }

    /// Returns the place of a step's event of one kind.
    #[track_caller]
    pub(crate) fn place(&self, kind: &str, step: &str) -> usize {
        let wanted = |line: &Value| line["event"] == kind && line["step"] == step;
        self.0.iter().position(wanted).unwrap_or_else(|| panic!("no {kind} of {step} in {self:#?}"))
    }

    /// Returns what a step that failed said.
    #[track_caller]
    pub(crate) fn failure(&self, step: &str) -> &str {
        let failed = &self.0[self.place("step-finished", step)]["outcome"]["failed"];
        failed["message"].as_str().unwrap_or_else(|| panic!("{step} did not fail in {self:#?}"))
    }

    /// Returns the keys of the steps with an event of one kind, in its order.
    pub(crate) fn steps(&self, kind: &str) -> Vec<&str> {
        self.0.iter().filter(|line| line["event"] == kind).filter_map(|line| line["step"].as_str()).collect()
    }

    pub(crate) fn count(&self, kind: &str) -> usize {
        self.0.iter().filter(|line| line["event"] == kind).count()
    }

    /// Panics unless the last step of one component ended before the first of the other began.
    #[track_caller]
    pub(crate) fn assert_before(&self, first: &str, second: &str) {
        let ends = self.places("step-finished", first);
        let begins = self.places("step-started", second);
        let (end, begin) = (ends.last().expect("the first one ran"), begins.first().expect("the second one ran"));
        assert!(end < begin, "{second} began at {begin}, {first} ended at {end}");
    }
}
