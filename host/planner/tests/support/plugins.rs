//! Plugins with kinds that have steps in various phases.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

use launchway_model::{
    Cause, Change, Digest, InstanceSpec, KindInfo, KindRef, OnRollback, Phase, PlannedStep, PluginName, Problem,
    Proposal, RunRule, Usage,
};
use launchway_planner::inputs::{PlanAnswer, PluginError, Plugins};
use serde_json::{Value, json};

/// One plugin, `t`.
pub(crate) struct TestPlugins {
    pub(crate) kinds: Vec<KindInfo>,
    /// How many times properties were validated.
    pub(crate) validated: Cell<usize>,
    pub(crate) digest: Digest,
}

impl TestPlugins {
    pub(crate) fn new() -> Self {
        let kinds = vec![
            kind("file", Usage::Component, OnRollback::Run, file_schema()),
            kind("tree", Usage::Component, OnRollback::Run, tree_schema()),
            kind("full", Usage::Component, OnRollback::Run, open_schema()),
            kind("service", Usage::Component, OnRollback::Run, service_schema()),
            kind("plain", Usage::Component, OnRollback::Run, open_schema()),
            kind("refuser", Usage::Component, OnRollback::Refuse, open_schema()),
            kind("command", Usage::Both, OnRollback::Keep, open_schema()),
            kind("check", Usage::Action, OnRollback::Run, check_schema()),
            kind("broken", Usage::Component, OnRollback::Run, open_schema()),
        ];
        Self { kinds, validated: Cell::new(0), digest: Digest::of(b"t") }
    }
}

impl Plugins for TestPlugins {
    fn kind(&self, kind: &KindRef) -> Option<&KindInfo> {
        self.kinds.iter().find(|info| kind.plugin.as_str() == "t" && info.name == kind.kind)
    }

    fn kinds(&self) -> Vec<KindRef> {
        self.kinds.iter().map(|info| format!("t/{}", info.name).parse().unwrap()).collect()
    }

    fn digest(&self, plugin: &PluginName) -> Option<Digest> {
        (plugin.as_str() == "t").then_some(self.digest)
    }

    fn validate(&self, _: &KindRef, properties: &[Value]) -> Result<Vec<Vec<Problem>>, PluginError> {
        self.validated.set(self.validated.get() + properties.len());
        let problems = |properties: &Value| {
            let forbidden = properties.get("text").and_then(Value::as_str) == Some("forbidden");
            let message = "this text is forbidden".to_owned();
            let problem = Problem { at: "/text".to_owned(), on_key: false, message, hint: None };
            forbidden.then_some(problem).into_iter().collect()
        };
        Ok(properties.iter().map(problems).collect())
    }

    fn plan(&self, plugin: &PluginName, proposals: &[Proposal]) -> Result<Vec<PlanAnswer>, PluginError> {
        assert_eq!(plugin.as_str(), "t");
        Ok(proposals.iter().map(|proposal| Ok(steps(proposal))).collect())
    }
}

fn steps(proposal: &Proposal) -> Vec<PlannedStep> {
    use Phase::{Finish, Install, Remove, Stage, Start, Stop, Verify};
    let (action, subject): (&str, &InstanceSpec) = match &proposal.change {
        Change::Create(spec) => ("create", spec),
        Change::Update { desired, .. } => ("update", desired),
        Change::Delete(spec) => ("delete", spec),
        Change::Refresh(spec) => ("refresh", spec),
        Change::Act { action, .. } => return vec![step(&action.kind.kind, Start)],
    };
    let names: Vec<(&str, Phase)> = match (&*subject.kind.kind, action) {
        ("file", "create" | "update") => vec![("put", Install)],
        ("file", "delete") => vec![("unlink", Remove)],
        ("tree", "create" | "update") => vec![("mirror", Install)],
        ("tree", "delete") => vec![("clear", Remove)],
        ("full", "create" | "update") => vec![
            ("upload", Stage),
            ("halt", Stop),
            ("clean", Remove),
            ("place", Install),
            ("launch", Start),
            ("probe", Verify),
            ("prune", Finish),
        ],
        ("full", "delete") => vec![("halt", Stop), ("clean", Remove), ("prune", Finish)],
        ("service", "create") => vec![("start", Start)],
        ("service", "update") => vec![("stop", Stop), ("start", Start)],
        ("service", "delete") => vec![("stop", Stop)],
        ("service" | "full", "refresh") => return words(proposal),
        ("broken", _) => vec![("same", Start), ("same", Stop)],
        ("command", "create" | "update") => vec![("run", Start)],
        ("plain" | "refuser", "create" | "update") => vec![("do", Start)],
        ("plain" | "refuser", "delete") => vec![("undo", Remove)],
        _ => vec![],
    };
    // Out of order, as a plugin may well answer.
    names.into_iter().rev().map(|(name, phase)| step(name, phase)).collect()
}

fn words(proposal: &Proposal) -> Vec<PlannedStep> {
    let words = proposal.causes.iter().filter_map(|cause| match cause {
        Cause::Subscription { word, .. } => Some(&**word),
        Cause::Request(word) if word == "restart" => Some(word.as_str()),
        _ => None,
    });
    let words: BTreeSet<&str> = words.collect();
    words.into_iter().map(|word| step(word, Phase::Start)).collect()
}

fn step(name: &str, phase: Phase) -> PlannedStep {
    PlannedStep {
        name: Arc::from(name),
        phase,
        summary: format!("Do {name}"),
        payload: Arc::new(Value::Null),
        idempotent: true,
        locks: vec![],
        timeout_ms: None,
    }
}

fn kind(name: &str, usage: Usage, on_rollback: OnRollback, schema: Value) -> KindInfo {
    KindInfo { name: Arc::from(name), usage, summary: String::new(), schema, run: RunRule::Changed, on_rollback }
}

fn service_schema() -> Value {
    let mut schema = open_schema();
    schema["properties"]["unit"] = json!({ "type": "string", "writes": { "unit": ["file"] } });
    schema["properties"]["file"] = json!({ "type": "string" });
    schema
}

fn open_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "text": { "type": "string" },
            "list": { "type": "array" },
            "number": { "type": "integer" },
            "any": {},
            "env": { "type": "object", "additionalProperties": { "type": "string", "secret": true } },
            "timeout": { "type": "integer", "default": 30, "trigger": false },
        },
        "additionalProperties": false,
    })
}

fn file_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "path": { "type": "string", "writes": true },
            "content": { "type": "string", "secret": true },
            "template": { "type": "string", "source": "template" },
            "file": { "type": "string", "source": "file" },
            "artifact": { "type": "string", "source": "artifact" },
        },
        "required": ["path"],
        "additionalProperties": false,
    })
}

fn tree_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "path": { "type": "string", "writes": { "tree": "exact" } },
            "exact": { "type": "boolean", "default": true },
            "all": { "type": "string", "writes": "tree" },
            "parts": { "type": "string", "writes": { "below": ["old", "new"] } },
        },
        "additionalProperties": false,
    })
}

fn check_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "url": { "type": "string" },
            "retries": { "type": "integer", "trigger": false },
            "password": { "type": "string", "secret": true },
        },
        "additionalProperties": false,
    })
}
