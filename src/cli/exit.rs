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

/// What `--help` says of it.
pub const HELP: &str = "\
Exit status:
  0    done; every gate is met, or there is none
  1    a check failed: a gate is not met, an example of a rule does not hold
  2    the arguments or files cannot be used
  3    no answer: the cluster could not be read, or there is nothing to score
  101  a defect of this program; 130 interrupted

Flags can be set in the environment, too: --scorecard is SEAWORTHY_SCORECARD.";

/// Status after Ctrl-C: 128 and the number of the signal, as shells have it.
pub const INTERRUPTED: i32 = 130;
