//! Accepted failures: who accepted what, why, and until when.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_saphyr::Spanned;
use wildmatch::WildMatch;

use super::{
    attestation::last_moment,
    file::{Source, range},
    load::read_file,
};
use crate::{
    model::{Problem, RuleId, Subject},
    rule::RuleSet,
};

/// An accepted failure, as meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiver {
    /// The rule, by its present id.
    pub rule: RuleId,
    /// The subjects whose failures are accepted.
    pub subject: Selector,
    /// Why.
    pub reason: String,
    /// Who accepted it.
    pub owner: String,
    /// The first moment at which it holds no more.
    pub expires: Timestamp,
}

/// Which subjects a waiver is about. What is not said matches every subject; `*` stands for any
/// text and `?` for any one character.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Selector {
    /// Kind, such as `Deployment` or `Deployment.apps`.
    pub kind: Option<WildMatch>,
    /// Namespace. A subject outside namespaces matches only where none is said.
    pub namespace: Option<WildMatch>,
    /// Name.
    pub name: Option<WildMatch>,
}

impl Waiver {
    /// Whether the waiver is about a subject. Whether it holds is another question:
    /// [`Waiver::remaining`].
    pub fn matches(&self, subject: &Subject) -> bool {
        let Selector {
            kind,
            namespace,
            name,
        } = &self.subject;
        let kind_matches = |pattern: &WildMatch| {
            pattern.matches(&subject.kind.kind) || pattern.matches(&subject.kind.to_string())
        };
        let namespace_matches = |pattern: &WildMatch| {
            subject
                .namespace
                .as_ref()
                .is_some_and(|namespace| pattern.matches(namespace.raw()))
        };
        kind.as_ref().is_none_or(kind_matches)
            && namespace.as_ref().is_none_or(namespace_matches)
            && name
                .as_ref()
                .is_none_or(|pattern| pattern.matches(subject.name.raw()))
    }

    /// How long it still holds; nothing once it has expired. Every use of a waiver asks here.
    pub fn remaining(&self, now: Timestamp) -> Option<SignedDuration> {
        let left = now.duration_until(self.expires);
        left.is_positive().then_some(left)
    }
}

/// A waiver as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    rule: Spanned<String>,
    subject: Spanned<WrittenSelector>,
    reason: Spanned<String>,
    owner: Spanned<String>,
    expires: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSelector {
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
}

/// Reads a waivers file: a list of `rule` (id or alias), `subject` (at least one of `kind`,
/// `namespace`, `name`), `reason`, `owner` and `expires` (a date, through whose last second in UTC
/// the waiver holds, or an RFC 3339 time). Expired waivers are read like others. Pass every rule
/// that was loaded, also where only some will run.
///
/// # Errors
/// Every problem of the file, each with its place.
pub fn load_waivers(path: &Path, rules: &RuleSet) -> Result<Vec<Waiver>, Vec<Problem>> {
    let source = read_file(path).map_err(|message| {
        vec![Problem::error(
            &path.display().to_string().into(),
            &"".into(),
            0..0,
            message,
        )]
    })?;
    parse(&source, rules)
}

fn parse(source: &Source, rules: &RuleSet) -> Result<Vec<Waiver>, Vec<Problem>> {
    let written: Vec<Written> = source.parse().map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    let waivers = written
        .iter()
        .filter_map(|one| meant(source, one, rules, &mut problems));
    let waivers: Vec<_> = waivers.collect();
    if problems.is_empty() {
        Ok(waivers)
    } else {
        Err(problems)
    }
}

fn meant(
    source: &Source,
    written: &Written,
    rules: &RuleSet,
    problems: &mut Vec<Problem>,
) -> Option<Waiver> {
    let rule = rules.find(&written.rule.value);
    if rule.is_none() {
        let at = range(&written.rule.referenced);
        let problem = source.error(at, format!("there is no rule `{}`", written.rule.value));
        problems.push(problem.with_help("`seaworthy rules list` has the ids"));
    }
    let WrittenSelector {
        kind,
        namespace,
        name,
    } = &written.subject.value;
    if kind.is_none() && namespace.is_none() && name.is_none() {
        let problem = source.error(
            range(&written.subject.referenced),
            "the waiver names no subject",
        );
        problems.push(problem.with_help("write `name: \"*\"` to accept every failure of the rule"));
    }
    for (what, text) in [("reason", &written.reason), ("owner", &written.owner)] {
        if text.value.trim().is_empty() {
            problems.push(source.error(range(&text.referenced), format!("`{what}` is empty")));
        }
    }
    let expires = last_moment(&written.expires.value);
    if expires.is_none() {
        let at = range(&written.expires.referenced);
        let problem = source.error(at, format!("`{}` is not a date", written.expires.value));
        problems.push(problem.with_help("write 2026-12-31 or 2026-12-31T18:00:00Z"));
    }
    let pattern = |text: &Option<String>| text.as_deref().map(WildMatch::new);
    Some(Waiver {
        rule: rule?.id.clone(),
        subject: Selector {
            kind: pattern(kind),
            namespace: pattern(namespace),
            name: pattern(name),
        },
        reason: written.reason.value.trim().to_owned(),
        owner: written.owner.value.trim().to_owned(),
        expires: expires?,
    })
}
