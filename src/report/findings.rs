//! What several writers say of a finding, and how they know it again.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{Finding, Report, RuleReport, shown, subject_text};
use crate::{
    model::{GroupKind, Outcome, Subject},
    score::RuleState,
};

/// A finding as a machine format shows it.
pub(super) struct Entry<'a> {
    /// The finding.
    pub finding: &'a Finding,
    /// Which finding it is, in hex: the same as long as it is about the same thing in the same file.
    pub fingerprint: String,
}

/// The findings of a rule that failed, could not be judged, or are waived; attested ones are none.
pub(super) fn entries(rule: &RuleReport) -> Vec<Entry<'_>> {
    let mut seen = BTreeMap::new();
    let reported = rule
        .findings
        .iter()
        .filter(|finding| finding.outcome != Outcome::Attested);
    reported
        .map(|finding| {
            let identity = identity(rule, &finding.subject);
            // A name may be there twice, in one file even; the order tells them apart.
            let count: &mut u32 = seen.entry(identity.clone()).or_default();
            *count += 1;
            Entry {
                finding,
                fingerprint: digest(&identity, *count),
            }
        })
        .collect()
}

/// Lines and messages are no part of it: they change with things that are none of the finding's.
fn identity(rule: &RuleReport, subject: &Subject) -> Vec<String> {
    vec![
        rule.id.to_string(),
        subject.kind.to_string(),
        subject
            .namespace
            .as_ref()
            .map_or_else(String::new, |name| name.raw().to_owned()),
        subject.name.raw().to_owned(),
        subject
            .place
            .as_ref()
            .map_or_else(String::new, |place| place.file.to_string()),
    ]
}

fn digest(identity: &[String], count: u32) -> String {
    let mut hash = Sha256::new();
    for part in identity {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(count.to_le_bytes());
    let hash = hash.finalize();
    hash.iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The fingerprint of a rule as a whole.
pub(super) fn rule_fingerprint(rule: &RuleReport) -> String {
    digest(&[rule.id.to_string()], 0)
}

/// What was found, on one line, with nothing in it that could deceive.
pub(super) fn said(finding: &Finding) -> String {
    let mut parts: Vec<String> = finding.messages.iter().map(|m| m.visible()).collect();
    if finding.inert {
        parts.push("it is installed and does nothing".to_owned());
    }
    if !finding.unread.is_empty() {
        parts.push(cannot_read(finding.unread.iter()));
    }
    if parts.is_empty() {
        let plain = match finding.outcome {
            Outcome::Error => "the check failed to run",
            Outcome::Unknown => "it could not be judged",
            _ => "the rule does not hold",
        };
        parts.push(plain.to_owned());
    }
    parts.join("; ")
}

/// The same with the subject before it.
pub(super) fn told(finding: &Finding) -> String {
    format!("{}: {}", subject_text(&finding.subject), said(finding))
}

/// Why a rule as a whole has no answer, if it has none.
pub(super) fn unanswered(rule: &RuleReport) -> Option<String> {
    match &rule.not_assessable {
        Some(why) => Some(shown(why)),
        None if !rule.unread.is_empty() => {
            Some(cannot_read(rule.unread.iter().map(|(kind, _)| kind)))
        }
        None if rule.state == RuleState::Unknown => Some("it could not be judged".to_owned()),
        None => None,
    }
}

fn cannot_read<'a>(kinds: impl Iterator<Item = &'a GroupKind>) -> String {
    let kinds: Vec<String> = kinds.map(shown).collect();
    format!("cannot be read: {}", kinds.join(", "))
}

/// The score, the level and the coverage in one sentence.
pub(super) fn headline(report: &Report) -> String {
    let Some(total) = &report.total else {
        return "no score: there is nothing here that the rules are about".to_owned();
    };
    let level = match &report.level.reached {
        Some(level) => shown(level),
        None => "below every level".to_owned(),
    };
    format!(
        "{} of 100, {level}",
        crate::score::one_decimal(&total.score)
    )
}
