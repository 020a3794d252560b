//! What the runs of several applications share: named locks, and room on targets.
//!
//! A run that is alone in its store keeps its own count. Once there is another, both tell the store what they hold, and
//! ask it for more.

use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{ApplicationName, EnvironmentName, Holder, NodeId, RunId, TargetSpec, Transport};

/// Something of which there is a limited number, for all runs together.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shareable {
    /// A named lock: one at a time has it, whatever his application and environment.
    Lock(Arc<str>),
    /// A step's place on a target, by where that is: environments may have their own names for a host.
    Room(Arc<str>),
}

impl Shareable {
    /// Returns a place on a target. Local ones go by their names: they are as many as somebody made of one machine.
    pub fn room(target: &TargetSpec) -> Self {
        Self::Room(match (target.transport, target.port) {
            (Transport::Local, _) => format!("{} (local)", target.name).into(),
            (Transport::Ssh, None) => target.address.as_str().into(),
            (Transport::Ssh, Some(port)) => format!("{}:{port}", target.address).into(),
        })
    }
}

impl Display for Shareable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock(name) => write!(f, "lock `{name}`"),
            Self::Room(place) => write!(f, "room on {place}"),
        }
    }
}

/// One of something, of which all runs together may hold so many.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    pub what: Shareable,
    pub limit: u32,
}

/// All that a step needs, or nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    /// Tells the answer's question.
    pub id: u64,
    pub claims: Vec<Claim>,
}

/// What a run tells the store, in this order, at one moment.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Exchange {
    /// All that it holds, and how many of each: from now on the store keeps count.
    pub declare: Option<Vec<(Shareable, u32)>>,
    pub release: Vec<(Shareable, u32)>,
    /// It waits for nothing any more.
    pub withdraw: bool,
    pub asks: Vec<Ask>,
}

impl Exchange {
    pub fn is_empty(&self) -> bool {
        self.declare.is_none() && self.release.is_empty() && !self.withdraw && self.asks.is_empty()
    }
}

/// What became of an [`Ask`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub id: u64,
    pub verdict: Verdict,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    Granted,
    /// What it lacks, and a run that has it or comes first.
    Lacking(Vec<(Shareable, Occupant)>),
    /// Another run has yet to tell what it holds.
    Unknown(Occupant),
}

/// A run of another application at work.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Occupant {
    pub environment: EnvironmentName,
    pub application: ApplicationName,
    pub run: RunId,
    pub holder: Holder,
}

impl Display for Occupant {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { environment, application, run, holder } = self;
        write!(f, "run {run} of {application} on {environment} ({}@{})", holder.user, holder.host)
    }
}

/// A step waits for what a run of another application has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Wait {
    #[serde(skip)]
    pub node: NodeId,
    /// None while nobody knows what the other run holds.
    pub what: Option<Shareable>,
    pub by: Occupant,
}

impl Display for Wait {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.what {
            Some(what) => write!(f, "waiting for {what}, held by {}", self.by),
            None => write!(f, "waiting for {} to tell what it holds", self.by),
        }
    }
}
