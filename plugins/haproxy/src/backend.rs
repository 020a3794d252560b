//! `haproxy/backend`: enough servers of a backend are up.

use launchway_sdk::{
    Context, Failure, Kind, Outcome, Patience, Problem, Proposal, Report, ResourceStatus, RunRule, Step, Try, Usage,
};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::Deserialize;

use crate::needed::Needed;
use crate::socket::{Socket, name_problems};
use crate::status::{Server, servers};

pub(crate) struct BackendCheck;

#[derive(Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct Properties {
    /// The backend, or the section `listen`.
    backend: String,
    /// How many servers have to be up: a number, or a part of those that are not in maintenance, such as `50%`.
    #[serde(default)]
    up: Needed,
    #[serde(flatten)]
    socket: Socket,
    #[serde(flatten)]
    patience: Patience,
}

impl Kind for BackendCheck {
    type Properties = Properties;
    type Payload = Properties;

    const SUMMARY: &'static str = "Checks that enough servers of a backend are up.";
    const USAGE: Usage = Usage::Action;
    const RUN: RunRule = RunRule::WithNeeds;

    fn validate(properties: &Properties) -> Vec<Problem> {
        let mut problems = name_problems("/backend", &properties.backend);
        problems.extend(properties.socket.problems());
        problems.extend(properties.patience.problems());
        problems
    }

    fn plan(proposal: &Proposal<'_, Properties>) -> Result<Vec<Step>, Vec<Problem>> {
        let properties = &proposal.instance().properties;
        let backend = &properties.backend;
        let summary = match properties.up {
            Needed::Count(1) => format!("Check that a server of {backend} is up"),
            Needed::Count(count) => format!("Check that {count} servers of {backend} are up"),
            Needed::Percent(percent) => format!("Check that {percent}% of the servers of {backend} are up"),
        };
        Ok(properties.patience.step(proposal, summary))
    }

    fn apply(context: &Context<'_>, check: Properties) -> Result<Outcome, Failure> {
        check.patience.first(context, || check.look(context))
    }

    fn poll(context: &Context<'_>, check: Properties, token: &str) -> Result<Outcome, Failure> {
        check.patience.next(context, token, || check.look(context))
    }
}

impl Properties {
    fn look(&self, context: &Context<'_>) -> Try {
        let timeout = self.patience.timeout().duration();
        let answer = self.socket.ask(context, "show stat -1 6 -1", &self.backend, timeout)?;
        self.judge(&servers(&self.socket, &answer, &self.backend)?)
    }

    fn judge(&self, servers: &[Server]) -> Try {
        let up = servers.iter().filter(|server| server.is_up()).count();
        let off = servers.iter().filter(|server| server.is_in_maintenance()).count();
        let all = servers.len() - off;
        let mut summary = format!("{up} of {all} servers {} up", if up == 1 { "is" } else { "are" });
        if off > 0 {
            summary.push_str(&format!(", {off} in maintenance"));
        }
        let needed = self.up.of(all);
        if up >= needed {
            let resource = |server: &Server| server.resource(&self.backend, status_of(server));
            return Ok(Report { summary, resources: servers.iter().map(resource).collect() });
        }
        let list: Vec<String> =
            servers.iter().map(|server| format!("{}: {}", server.name, server.described())).collect();
        Err(Failure::target(format!("{summary}, and it takes {needed}")).detail(list.join("\n")))
    }
}

fn status_of(server: &Server) -> ResourceStatus {
    match server {
        server if server.is_up() => ResourceStatus::Unchanged,
        server if server.is_in_maintenance() => ResourceStatus::Skipped,
        _ => ResourceStatus::Failed,
    }
}
