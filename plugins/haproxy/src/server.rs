//! `haproxy/server`: takes a server out of rotation, or puts it in again.

use std::time::Duration;

use launchway_sdk::{
    Cause, Change, Context, Failure, Kind, Outcome, Phase, Problem, Proposal, Report, ResourceStatus, Setting, Span,
    Step, Usage, Wait,
};
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::socket::{Socket, name_problems};
use crate::status::{DRAIN, MAINT, Server, admin_state, known_servers, no_backend, sessions};

pub(crate) struct SetServer;

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait between two looks, in milliseconds.
const INTERVAL: u64 = 1_000;

#[derive(Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(deny_unknown_fields))]
pub(crate) struct Properties {
    /// The backend, or the section `listen`, that the server is in.
    backend: String,
    /// The server's name in it, such as `${instance.target}`.
    server: String,
    /// Where it shall be: without new sessions but those that belong to it (`drain`), without any and without checks
    /// (`maint`), or in rotation (`ready`).
    state: State,
    #[serde(flatten)]
    socket: Socket,
    /// Wait until its sessions have ended, or for `ready`, until it is up.
    #[serde(default = "default_wait")]
    wait: Setting<bool>,
    /// How long to wait at most.
    #[serde(default = "default_deadline")]
    deadline: Setting<Span>,
    /// What happens then: without it, a step fails for `ready`, and goes on for `drain` and `maint`.
    #[serde(skip_serializing_if = "Option::is_none")]
    on_deadline: Option<Setting<OnDeadline>>,
}

fn default_wait() -> Setting<bool> {
    Setting(true)
}

fn default_deadline() -> Setting<Span> {
    Setting(Span::from_secs(30))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    Drain,
    Maint,
    Ready,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnDeadline {
    Fail,
    Proceed,
}

/// What a step does.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order<P> {
    #[serde(flatten)]
    server: P,
    /// The instance behind the server goes for good: where HAProxy has forgotten it already, it is out of rotation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    leaves: bool,
}

impl State {
    /// Returns HAProxy's word for it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Maint => "maint",
            Self::Ready => "ready",
        }
    }

    /// Whether these bits of an administrative state mean it. Orders set one of the two, or none.
    fn is_set(self, admin: u64) -> bool {
        let set = admin & (DRAIN | MAINT);
        match self {
            Self::Drain => set == DRAIN,
            // In the configuration a server can be in both; maintenance is what counts then.
            Self::Maint => set & MAINT != 0,
            Self::Ready => set == 0,
        }
    }
}

impl Kind for SetServer {
    type Properties = Properties;
    type Payload = Order<Properties>;

    const SUMMARY: &'static str = "Takes a server out of rotation, or puts it in again.";
    const USAGE: Usage = Usage::Action;

    fn validate(properties: &Properties) -> Vec<Problem> {
        let mut problems = name_problems("/backend", &properties.backend);
        problems.extend(name_problems("/server", &properties.server));
        problems.extend(properties.socket.problems());
        problems
    }

    fn plan(proposal: &Proposal<'_, Properties>) -> Result<Vec<Step>, Vec<Problem>> {
        if matches!(proposal.change, Change::Delete(_)) {
            return Ok(Vec::new());
        }
        let instance = proposal.instance();
        let properties = &instance.properties;
        let name = properties.name();
        let summary = match properties.state {
            State::Drain => format!("Drain {name}"),
            State::Maint => format!("Put {name} into maintenance"),
            State::Ready => format!("Put {name} into rotation"),
        };
        // An order, and a look before, after and at the end.
        let timeout = properties.deadline.duration().saturating_add(TIMEOUT.saturating_mul(4));
        let leaves = proposal.causes.iter().any(|cause| matches!(cause, Cause::Request(word) if word == "leave"));
        let order = Order { server: properties, leaves };
        let step = Step::new(Phase::Start, properties.state.as_str(), summary, &order);
        Ok(vec![step.timeout(Some(timeout))])
    }

    fn apply(context: &Context<'_>, order: Order<Properties>) -> Result<Outcome, Failure> {
        let properties = &order.server;
        let Some((server, admin)) = order.look(context)? else { return Ok(properties.forgotten()) };
        let progress = |changed| Progress { changed, began: millis(context.elapsed()) };
        if properties.state.is_set(admin) {
            return properties.wait(context, progress(false), &server);
        }
        properties.order(context)?;
        let Some(server) = order.look_again(context)? else { return Ok(properties.forgotten()) };
        properties.wait(context, progress(true), &server)
    }

    fn poll(context: &Context<'_>, order: Order<Properties>, token: &str) -> Result<Outcome, Failure> {
        let progress = Progress::read(token).ok_or_else(|| Failure::plugin("can't read the token"))?;
        let Some(server) = order.look_again(context)? else { return Ok(order.server.forgotten()) };
        order.server.wait(context, progress, &server)
    }
}

impl Order<Properties> {
    /// Returns the server, and its administrative state as bits; none if it may be forgotten and is.
    fn look(&self, context: &Context<'_>) -> Result<Option<(Server, u64)>, Failure> {
        match self.server.find(context)? {
            Ok(found) => Ok(Some(found)),
            Err(_) if self.leaves => Ok(None),
            Err(unknown) => Err(unknown),
        }
    }

    /// Returns the server after the order, which still has to hold; none if it may be forgotten and is.
    fn look_again(&self, context: &Context<'_>) -> Result<Option<Server>, Failure> {
        let Some((server, admin)) = self.look(context)? else { return Ok(None) };
        let properties = &self.server;
        if properties.state.is_set(admin) {
            return Ok(Some(server));
        }
        let (name, state) = (properties.name(), properties.state.as_str());
        let message = format!("{name} was set to `{state}` and is {} again", server.status);
        Err(Failure::target(message).detail("somebody else gave it another order, or HAProxy was started anew"))
    }
}

/// What is kept between two looks.
#[derive(PartialEq, Eq, Debug)]
struct Progress {
    /// Whether the step gave the order.
    changed: bool,
    /// When the waiting began, in milliseconds of the step's clock.
    began: u64,
}

impl Progress {
    /// Returns it as a token: two words.
    fn token(&self) -> String {
        format!("{} {}", if self.changed { "changed" } else { "unchanged" }, self.began)
    }

    fn read(token: &str) -> Option<Self> {
        let (changed, began) = token.split_once(' ')?;
        let changed = match changed {
            "changed" => true,
            "unchanged" => false,
            _ => return None,
        };
        Some(Self { changed, began: began.parse().ok()? })
    }
}

impl Properties {
    /// Returns the server's name within HAProxy.
    fn name(&self) -> String {
        format!("{}/{}", self.backend, self.server)
    }

    fn order(&self, context: &Context<'_>) -> Result<(), Failure> {
        let line = format!("set server {} state {}", self.name(), self.state.as_str());
        match self.socket.ask(context, &line, &self.backend, TIMEOUT)?.trim() {
            "" => Ok(()),
            said => Err(Failure::tool(format!("HAProxy refuses `{line}`")).detail(said)),
        }
    }

    /// Returns the server, and its administrative state as bits; or, within, the failure that there is no such server.
    fn find(&self, context: &Context<'_>) -> Result<Result<(Server, u64), Failure>, Failure> {
        // By the backend's name, `show stat` would find a frontend of the same name.
        let line = format!("show stat -1 6 -1;show servers state {}", self.backend);
        let answer = self.socket.ask(context, &line, &self.backend, TIMEOUT)?;
        let Some(mut servers) = known_servers(&self.socket, &answer, &self.backend)? else {
            return Ok(Err(no_backend(&self.backend)));
        };
        let Some(at) = servers.iter().position(|server| server.name == self.server) else {
            let names: Vec<&str> = servers.iter().map(|server| server.name.as_str()).collect();
            let message = format!("the backend `{}` has no server `{}`", self.backend, self.server);
            return Ok(Err(Failure::configuration(message).detail(format!("it has: {}", names.join(", ")))));
        };
        let admin = admin_state(&self.socket, &answer, &self.backend, &self.server)?;
        Ok(Ok((servers.swap_remove(at), admin)))
    }

    fn forgotten(&self) -> Outcome {
        let summary = format!("HAProxy has no {} any more", self.name());
        Outcome::Unchanged(Report { summary, resources: Vec::new() })
    }

    /// Ends the step if the server is where it shall be, or if it took too long.
    fn wait(&self, context: &Context<'_>, progress: Progress, server: &Server) -> Result<Outcome, Failure> {
        let is_there = match self.state {
            State::Drain | State::Maint => server.sessions == 0,
            State::Ready => server.is_surely_up(),
        };
        let how = match self.state {
            State::Drain => format!("{} is drained, with {}", self.name(), sessions(server.sessions)),
            State::Maint => format!("{} is in maintenance, with {}", self.name(), sessions(server.sessions)),
            State::Ready => format!("{} is {}", self.name(), server.described()),
        };
        if is_there || !self.wait.0 {
            return Ok(self.outcome(&progress, server, how));
        }
        let spent = millis(context.elapsed()).saturating_sub(progress.began);
        let left = self.deadline.millis().saturating_sub(spent);
        if left > 0 {
            return Ok(Outcome::Pending(Wait { token: progress.token(), after_ms: left.min(INTERVAL), message: how }));
        }
        let how = format!("{how} after {}", self.deadline.0);
        match self.on_deadline() {
            OnDeadline::Proceed => {
                context.warn(&how);
                Ok(self.outcome(&progress, server, how))
            }
            OnDeadline::Fail => Err(Failure::target(how).detail(self.advice(server))),
        }
    }

    fn on_deadline(&self) -> OnDeadline {
        // A session may last for days, and a deployment can't; a server that is not up serves nobody.
        let default = if self.state == State::Ready { OnDeadline::Fail } else { OnDeadline::Proceed };
        self.on_deadline.map_or(default, |on_deadline| on_deadline.0)
    }

    fn outcome(&self, progress: &Progress, server: &Server, summary: String) -> Outcome {
        let status = if progress.changed { ResourceStatus::Changed } else { ResourceStatus::Unchanged };
        let report = Report { summary, resources: vec![server.resource(&self.backend, status)] };
        if progress.changed { Outcome::Changed(report) } else { Outcome::Unchanged(report) }
    }

    /// Returns why a server may not have come to where it shall be.
    fn advice(&self, server: &Server) -> &'static str {
        match self.state {
            State::Drain | State::Maint => {
                "give the sessions more time with `deadline`, or leave them with `on_deadline`"
            }
            State::Ready if server.is_in_maintenance() => {
                "what it tracks is in maintenance, or its name has no address"
            }
            State::Ready if server.status.starts_with("DRAIN") => "its weight is 0, or its agent drains it",
            State::Ready => "its health check says so",
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written() {
        for changed in [true, false] {
            let progress = Progress { changed, began: 4_000 };
            assert_eq!(Progress::read(&progress.token()), Some(progress));
        }
        for token in ["", "changed", "changed x", "4000 changed", "changed -1"] {
            assert_eq!(Progress::read(token), None, "{token}");
        }
    }

    #[test]
    fn a_state_is_what_was_ordered() {
        let means = |admin| [State::Drain, State::Maint, State::Ready].map(|state| state.is_set(admin));
        assert_eq!(means(0x08), [true, false, false]);
        assert_eq!(means(0x01), [false, true, false]);
        assert_eq!(means(0x00), [false, false, true]);
        // `disabled` in the configuration; then what it tracks, and what has no address.
        assert_eq!(means(0x05), [false, true, false]);
        assert_eq!(means(0x02), [false, false, true]);
        assert_eq!(means(0x2a), [true, false, false]);
    }
}
