//! An environment's targets.

use std::sync::Arc;

use launchway_model::{TargetSpec, Transport};
use serde_json::{Value, json};

use crate::sanitise::inline;
use crate::table::table;
use crate::{Paint, document};

/// A target, and where it came from.
#[derive(Clone, PartialEq, Debug)]
pub struct TargetRow {
    pub spec: Arc<TargetSpec>,
    /// The inventory that knows of it; none if it is in the environment's file only.
    pub origin: Option<String>,
}

/// Returns targets for people.
pub fn targets_text(rows: &[TargetRow], paint: Paint) -> String {
    let cells = |row: &TargetRow| {
        let labels: Vec<String> = row.spec.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let origin = row.origin.as_deref().unwrap_or_default();
        vec![
            inline(row.spec.name.as_str()),
            inline(&place(&row.spec)),
            inline(&labels.join(" ")),
            if origin.is_empty() { String::new() } else { paint.dim(inline(origin)) },
        ]
    };
    table(&rows.iter().map(cells).collect::<Vec<_>>())
}

/// Returns where a target is, as far as the environment says.
fn place(spec: &TargetSpec) -> String {
    if spec.transport == Transport::Local {
        return "this machine".to_owned();
    }
    let user = spec.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
    let port = spec.port.map(|port| format!(" port {port}")).unwrap_or_default();
    format!("{user}{}{port}", spec.address)
}

/// Returns targets for machines.
pub fn targets_json(rows: &[TargetRow]) -> String {
    let target = |row: &TargetRow| {
        let spec = &row.spec;
        json!({
            "name": spec.name,
            "address": spec.address,
            "transport": spec.transport,
            "user": spec.user,
            "port": spec.port,
            "labels": spec.labels,
            "inventory": row.origin,
        })
    };
    document(&json!({ "targets": rows.iter().map(target).collect::<Vec<Value>>() }))
}
