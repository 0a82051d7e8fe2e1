//! Attestations: what somebody has signed for that no API shows.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{Node, RuleId};

/// One signed-off statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Attestation {
    /// The rule whose statement it is, by its present id.
    pub rule: RuleId,
    /// Whether the statement holds; one that says it does not is evidence of a failure.
    pub holds: bool,
    /// What it is about, where not the whole cluster: a repository, a namespace.
    pub scope: Option<String>,
    /// Who signed.
    pub by: String,
    /// When it was found to be so.
    pub at: Timestamp,
    /// The first moment at which it holds no more, by what its author says. The rule may end it
    /// earlier.
    pub expires: Timestamp,
    /// Where the proof lies.
    pub evidence: Vec<Proof>,
    /// What else the rule asks for, such as topics or steps.
    pub details: Node,
}

/// A time written as a date, which means its first moment in UTC, or as RFC 3339.
pub fn moment(text: &str) -> Option<Timestamp> {
    if text.contains(['T', 't', ' ']) {
        return text.parse().ok();
    }
    let date: Date = text.parse().ok()?;
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()
}

/// A document that proves an attestation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Where it is.
    pub uri: String,
    /// Its SHA-256 in hex, where it is known.
    pub sha256: Option<String>,
}
