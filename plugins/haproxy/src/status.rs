//! What HAProxy says of its servers.

use launchway_sdk::{Failure, ResourceResult, ResourceStatus};

use crate::socket::Socket;
use crate::table::{Separator, Table};

/// A server of a backend.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    /// In HAProxy's words: `UP`, `UP 1/3`, `DOWN`, `no check`, `DRAIN`, `MAINT (via api/app1)` and the like.
    pub(crate) status: String,
    /// How the last check ended, such as `L4CON`.
    check: String,
    /// What it serves, and what waits for it.
    pub(crate) sessions: u64,
}

/// The bits of `srv_admin_state` that an administrator sets; others come from the configuration or other servers.
pub(crate) const MAINT: u64 = 0x01;
pub(crate) const DRAIN: u64 = 0x08;

impl Server {
    /// Whether it takes new sessions. `UP 1/3` is still up, and will go down if the next checks fail as well.
    pub(crate) fn is_up(&self) -> bool {
        self.is_surely_up() || self.status.starts_with("UP ")
    }

    /// Whether it takes new sessions and nothing speaks against it: neither a failed check nor one that is still to be
    /// made.
    pub(crate) fn is_surely_up(&self) -> bool {
        self.status == "UP" || self.status == "no check"
    }

    pub(crate) fn is_in_maintenance(&self) -> bool {
        self.status.starts_with("MAINT")
    }

    /// Returns its status for people.
    pub(crate) fn described(&self) -> String {
        match self.status.as_str() {
            "no check" => "up without checks".to_owned(),
            down if down.starts_with("DOWN") && !self.check.is_empty() => format!("{down} ({})", self.check),
            status => status.to_owned(),
        }
    }

    pub(crate) fn resource(&self, backend: &str, status: ResourceStatus) -> ResourceResult {
        let message = format!("{}, {}", self.described(), sessions(self.sessions));
        ResourceResult { name: format!("{backend}/{}", self.name), status, message: Some(message) }
    }
}

/// Returns a number of sessions for people.
pub(crate) fn sessions(count: u64) -> String {
    match count {
        0 => "no sessions".to_owned(),
        1 => "1 session".to_owned(),
        count => format!("{count} sessions"),
    }
}

/// Returns the servers of a backend from an answer to `show stat`. That there is no such backend is a failure.
pub(crate) fn servers(socket: &Socket, answer: &str, backend: &str) -> Result<Vec<Server>, Failure> {
    let found = known_servers(socket, answer, backend)?;
    found.ok_or_else(|| no_backend(backend))
}

pub(crate) fn no_backend(backend: &str) -> Failure {
    Failure::configuration(format!("HAProxy has no backend `{backend}`"))
}

/// Returns the servers of a backend, if there is one, from an answer to `show stat`.
pub(crate) fn known_servers(socket: &Socket, answer: &str, backend: &str) -> Result<Option<Vec<Server>>, Failure> {
    const COLUMNS: [&str; 6] = ["pxname", "svname", "status", "type", "scur", "qcur"];
    const BACKEND: &str = "1";
    const SERVER: &str = "2";
    let Some(table) = Table::find(answer, Separator::Comma, &COLUMNS) else { return Err(socket.foreign(answer)) };
    let mut is_known = false;
    let mut servers = Vec::new();
    for row in table.rows().filter(|row| row.get("pxname") == backend) {
        match row.get("type") {
            BACKEND => is_known = true,
            SERVER => {
                let (Some(current), Some(queued)) = (row.number("scur"), row.number("qcur")) else {
                    return Err(socket.foreign(answer));
                };
                servers.push(Server {
                    name: row.get("svname").to_owned(),
                    status: row.get("status").to_owned(),
                    check: row.get("check_status").to_owned(),
                    sessions: current.saturating_add(queued),
                });
            }
            _ => {}
        }
    }
    Ok((is_known || !servers.is_empty()).then_some(servers))
}

/// Returns a server's administrative state, as bits, from an answer to `show servers state`.
pub(crate) fn admin_state(socket: &Socket, answer: &str, backend: &str, server: &str) -> Result<u64, Failure> {
    const COLUMNS: [&str; 3] = ["be_name", "srv_name", "srv_admin_state"];
    let table = Table::find(answer, Separator::Blank, &COLUMNS);
    let state = table.as_ref().and_then(|table| {
        let mut rows = table.rows();
        rows.find(|row| row.get("be_name") == backend && row.get("srv_name") == server)?.number("srv_admin_state")
    });
    state.ok_or_else(|| socket.foreign(answer))
}
