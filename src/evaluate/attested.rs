//! What attestations say of a rule: they fill in where nothing can be seen, and never override what
//! was seen.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use num_traits::One;

use super::Finding;
use crate::{
    model::{Attestation, Fraction, Inventory, Node, Outcome, Subject},
    rule::{Rule, SubjectKind},
};

/// What an attestation of something that could be seen earns.
const WORTH: Fraction = Fraction::new_raw(4, 5);

/// The attestations of one rule.
pub struct Attested<'a> {
    /// Those that hold, the newest first.
    pub valid: Vec<&'a Attestation>,
    /// The newest of those that held once.
    lapsed: Option<&'a Attestation>,
}

impl<'a> Attested<'a> {
    /// The attestations of a rule. They hold until the day that their author names, and at most
    /// for the rule's own `attestationDays`.
    pub fn of(rule: &Rule, days: Option<&Node>, inventory: &'a Inventory) -> Self {
        let days = days.and_then(Node::as_int).unwrap_or(0);
        let longest = SignedDuration::from_hours(days.clamp(0, 36_500) * 24);
        let now = inventory.now;
        let mut of_rule: Vec<&Attestation> = inventory
            .attestations
            .iter()
            .filter(|attestation| attestation.rule == rule.id && attestation.at <= now)
            .collect();
        of_rule.sort_by(|a, b| (b.at, &b.scope, &b.by).cmp(&(a.at, &a.scope, &a.by)));
        let holds = |attestation: &&Attestation| {
            attestation.expires > now && attestation.at.duration_until(now) < longest
        };
        let (valid, lapsed): (Vec<_>, Vec<_>) = of_rule.into_iter().partition(holds);
        Attested {
            valid,
            lapsed: lapsed.first().copied(),
        }
    }

    /// The valid ones as CEL sees them.
    pub fn nodes(&self) -> Vec<Node> {
        self.valid
            .iter()
            .map(|attestation| node(attestation))
            .collect()
    }

    /// What a rule finds that could not see its subject. Practices are judged by the rule's own
    /// expression instead, see [`Attested::nothing`] and [`Attested::practice`].
    pub fn fill_in(&self, rule: &Rule, subject: &Subject, finding: Finding) -> Finding {
        if rule.attestation.is_none() || rule.subject == SubjectKind::Attestation {
            return finding;
        }
        let about = |attestation: &&&Attestation| match &attestation.scope {
            None => true,
            Some(scope) => concerns(scope, subject),
        };
        let Some(attestation) = self.valid.iter().find(about) else {
            return match self.lapsed.filter(|lapsed| about(&lapsed)) {
                Some(lapsed) => Finding {
                    message: Some(join(finding.message, lapsed_text(lapsed))),
                    ..finding
                },
                None => finding,
            };
        };
        match attestation.holds {
            true => Finding {
                credit: WORTH,
                message: Some(signed(attestation)),
                ..Finding::plain(Outcome::Attested)
            },
            false => Finding {
                message: Some(format!("it does not hold, {}", signed(attestation))),
                ..Finding::plain(Outcome::Fail)
            },
        }
    }

    /// What a practice that nobody has signed for finds.
    pub fn nothing(&self, rule: &Rule) -> Finding {
        let statement = rule.attestation.as_deref().unwrap_or_default();
        let message = match self.lapsed {
            Some(lapsed) => lapsed_text(lapsed),
            None => format!("nobody has attested: {}", statement.trim()),
        };
        Finding {
            message: Some(message),
            ..Finding::plain(Outcome::Unknown)
        }
    }

    /// What a practice finds whose newest attestation the rule's expression accepts or not.
    pub fn practice(&self, finding: Finding) -> Finding {
        let Some(newest) = self.valid.first() else {
            return finding;
        };
        match finding.outcome {
            Outcome::Pass if newest.holds => Finding {
                credit: Fraction::one(),
                message: Some(signed(newest)),
                ..Finding::plain(Outcome::Attested)
            },
            Outcome::Pass => Finding {
                message: Some(format!("it does not hold, {}", signed(newest))),
                ..Finding::plain(Outcome::Fail)
            },
            _ => finding,
        }
    }
}

/// Whether a scope names a subject: its namespace, its name, or both with a slash between.
fn concerns(scope: &str, subject: &Subject) -> bool {
    let name = subject.name.raw();
    match subject.namespace.as_ref().map(|namespace| namespace.raw()) {
        Some(namespace) => {
            scope == namespace
                || scope
                    .split_once('/')
                    .is_some_and(|(in_namespace, named)| in_namespace == namespace && named == name)
        }
        None => scope == name,
    }
}

fn join(before: Option<String>, after: String) -> String {
    match before {
        Some(before) => format!("{before}; {after}"),
        None => after,
    }
}

fn day(time: Timestamp) -> String {
    TimeZone::UTC.to_datetime(time).date().to_string()
}

fn signed(attestation: &Attestation) -> String {
    let proof = attestation.evidence.first();
    let proof = proof.map_or(String::new(), |proof| format!(" ({})", proof.uri));
    let (by, at) = (&attestation.by, day(attestation.at));
    format!("attested by {by} on {at}{proof}")
}

fn lapsed_text(attestation: &Attestation) -> String {
    let (by, at) = (&attestation.by, day(attestation.at));
    format!("what {by} attested on {at} holds no more: attest it again")
}

fn node(attestation: &Attestation) -> Node {
    let evidence: Vec<serde_json::Value> = attestation
        .evidence
        .iter()
        .map(|proof| serde_json::json!({"uri": proof.uri, "sha256": proof.sha256}))
        .collect();
    Node::from(serde_json::json!({
        "rule": &*attestation.rule,
        "result": if attestation.holds { "pass" } else { "fail" },
        "scope": attestation.scope,
        "by": attestation.by,
        "at": attestation.at.to_string(),
        "expires": attestation.expires.to_string(),
        "evidence": evidence,
        "details": serde_json::Value::from(&attestation.details),
    }))
}
