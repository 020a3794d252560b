//! Gates that wait for somebody: who is asked, and how the answer reaches the run.

use launchway_model::{Gate, NodeId, NodeKind, Plan, Signal};
use launchway_report::gate_message;
use launchway_scheduler::Control;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use crate::confirm::{agrees, can_ask};
use crate::console::Console;
use crate::error::{CliError, Result};
use crate::holder::holder;

/// How a plan's gates are opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gates {
    /// There is none that waits for approval.
    None,
    /// All of them at once.
    Approved,
    /// Whoever sits at the terminal is asked.
    Asked,
}

impl Gates {
    /// Finds out who opens a plan's gates; an error if nobody can.
    pub(crate) fn new(plan: &Plan, console: Console, approved: bool) -> Result<Self> {
        let waits = |kind: &NodeKind| matches!(kind, NodeKind::Gate(Gate::Approve { .. }));
        if !plan.nodes.iter().any(|node| waits(&node.kind)) {
            return Ok(Self::None);
        }
        match (approved, can_ask(console)) {
            (true, _) => Ok(Self::Approved),
            (false, true) => Ok(Self::Asked),
            (false, false) => {
                Err(CliError::usage("approval", "the plan waits for approval, and nobody is here to give it")
                    .hint("run it in a terminal, or open all gates with --approve"))
            }
        }
    }

    /// Whether the terminal is needed for questions.
    pub(crate) fn ask(self) -> bool {
        self == Self::Asked
    }
}

/// Passes signals on, and answers for the gates among them.
pub(crate) async fn attend(
    gates: Gates,
    plan: Arc<Plan>,
    console: Console,
    mut signals: UnboundedReceiver<Signal>,
    shown: UnboundedSender<Signal>,
    control: UnboundedSender<Control>,
) {
    while let Some(signal) = signals.recv().await {
        let gate = if let Signal::GateReached { node } = &signal { Some(*node) } else { None };
        // Nobody may be looking any more; the run goes on.
        let _ = shown.send(signal);
        if let Some(node) = gate {
            open(gates, &plan, console, node, control.clone());
        }
    }
}

fn open(gates: Gates, plan: &Plan, console: Console, node: NodeId, control: UnboundedSender<Control>) {
    let approve = Control::Approve { node, by: holder() };
    if !gates.ask() {
        let _ = control.send(approve);
        return;
    }
    let question = gate_message(plan, node);
    // Reading a terminal can't be called off; the thread ends with the process.
    std::thread::spawn(move || {
        let request = if agrees(console, &question) { approve } else { Control::Stop };
        let _ = control.send(request);
    });
}
