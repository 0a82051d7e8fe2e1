//! How the program ends.

use std::process::ExitCode;

/// What the exit code says. A crash is none of these: it is 101.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was done, and every gate is met (no gate counts as met).
    Done,
    /// A check failed: a gate is not met, a rule is wrong, an example does not hold.
    NotMet,
    /// The arguments or files cannot be used.
    BadInput,
    /// There is no answer: the cluster could not be read, or there was nothing to score.
    Inconclusive,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::NotMet => 1,
            Exit::BadInput => 2,
            Exit::Inconclusive => 3,
        })
    }
}
