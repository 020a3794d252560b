//! The exit codes, as `docs/exit-codes.md` promises them.

use std::process::ExitCode;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// Done, changed or not.
    Done,
    /// A bug or a broken machine: ours, not the user's.
    Internal,
    /// Wrong usage or wrong configuration.
    Usage,
    /// The run failed.
    Failed,
    /// The run failed and was rolled back.
    RolledBack,
    /// The run was stopped or cancelled.
    Stopped,
    /// Refused: a stale plan, a plan used twice, a component that must not be rolled back, a capability that is not granted.
    Refused,
    /// Another run holds the environment.
    Locked,
    /// Only from `plan --exit-code` and `status --refresh`: there are changes, or what is there has drifted.
    Changes,
}

impl Exit {
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::Failed => 3,
            Self::RolledBack => 4,
            Self::Stopped => 5,
            Self::Refused => 6,
            Self::Locked => 7,
            Self::Changes => 10,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}
