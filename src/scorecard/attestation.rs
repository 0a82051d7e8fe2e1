//! Attestations as people write them: checked, with a place for every problem.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use super::{
    file::{Source, range},
    load::read_file,
};
use crate::{
    model::{Attestation, Map, Node, Problem, Proof, moment},
    rule::RuleSet,
};

/// An attestation as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    rule: Spanned<String>,
    result: Option<Spanned<String>>,
    scope: Option<String>,
    by: Spanned<String>,
    at: Spanned<String>,
    expires: Spanned<String>,
    #[serde(default)]
    evidence: Vec<WrittenProof>,
    #[serde(default)]
    details: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenProof {
    uri: Spanned<String>,
    sha256: Option<Spanned<String>>,
}

/// Reads an attestations file: a list of `rule` (id or alias), `result` (`pass` unless said),
/// `scope`, `by`, `at`, `expires` (a date, through whose last second in UTC it holds, or an
/// RFC 3339 time), `evidence` (`uri`, `sha256`) and `details`. Expired ones are read like others.
/// Pass every rule that was loaded, also where only some will run.
///
/// # Errors
/// Every problem of the file, each with its place.
pub fn load_attestations(path: &Path, rules: &RuleSet) -> Result<Vec<Attestation>, Vec<Problem>> {
    let source = read_file(path).map_err(|message| {
        let name = path.display().to_string().into();
        vec![Problem::error(&name, &"".into(), 0..0, message)]
    })?;
    parse(&source, rules)
}

/// The same for a text from elsewhere, such as an entry of a ConfigMap, under the name that
/// problems call it.
///
/// # Errors
/// Every problem of the text, each with its place.
pub fn parse_attestations(
    name: &str,
    text: &str,
    rules: &RuleSet,
) -> Result<Vec<Attestation>, Vec<Problem>> {
    let source = Source {
        file: name.into(),
        text: text.into(),
    };
    parse(&source, rules)
}

fn parse(source: &Source, rules: &RuleSet) -> Result<Vec<Attestation>, Vec<Problem>> {
    let written: Vec<Written> = source.parse().map_err(|problem| vec![problem])?;
    let mut problems = Vec::new();
    let attestations: Vec<_> = written
        .iter()
        .filter_map(|one| meant(source, one, rules, &mut problems))
        .collect();
    match problems.is_empty() {
        true => Ok(attestations),
        false => Err(problems),
    }
}

fn meant(
    source: &Source,
    written: &Written,
    rules: &RuleSet,
    problems: &mut Vec<Problem>,
) -> Option<Attestation> {
    let before = problems.len();
    let mut report = |text: &Spanned<String>, message: String, help: &str| {
        let problem = source.error(range(&text.referenced), message);
        problems.push(problem.with_help(help));
    };
    let rule = rules.find(&written.rule.value);
    match rule {
        None => report(
            &written.rule,
            format!("there is no rule `{}`", written.rule.value),
            "`seaworthy rules list` has the ids",
        ),
        Some(rule) if rule.attestation.is_none() => report(
            &written.rule,
            format!(
                "`{}` cannot be attested: it is judged by what is there",
                rule.id
            ),
            "to accept its failures for a time, write a waiver",
        ),
        Some(_) => {}
    }
    let holds = match written.result.as_ref().map(|result| &*result.value) {
        None | Some("pass") => true,
        Some("fail") => false,
        Some(_) => {
            let result = written.result.as_ref()?;
            report(
                result,
                "`result` is neither pass nor fail".to_owned(),
                "write pass",
            );
            false
        }
    };
    if written.by.value.trim().is_empty() {
        report(&written.by, "`by` is empty".to_owned(), "say who signs");
    }
    let help = "write 2026-12-31 or 2026-12-31T18:00:00Z";
    let at = moment(&written.at.value);
    if at.is_none() {
        report(
            &written.at,
            format!("`{}` is not a date", written.at.value),
            help,
        );
    }
    let expires = last_moment(&written.expires.value);
    match (at, expires) {
        (_, None) => report(
            &written.expires,
            format!("`{}` is not a date", written.expires.value),
            help,
        ),
        (Some(at), Some(expires)) if expires <= at => report(
            &written.expires,
            "it expires before it was made".to_owned(),
            "`expires` lies after `at`",
        ),
        _ => {}
    }
    for proof in &written.evidence {
        if proof.uri.value.trim().is_empty() {
            report(
                &proof.uri,
                "`uri` is empty".to_owned(),
                "say where the proof lies",
            );
        }
        if let Some(digest) = proof
            .sha256
            .as_ref()
            .filter(|digest| !is_sha256(&digest.value))
        {
            report(
                digest,
                "this is no SHA-256".to_owned(),
                "write its 64 hexadecimal digits",
            );
        }
    }
    if problems.len() > before {
        return None;
    }
    let details = written.details.iter().flatten();
    let details: Map = details
        .map(|(name, value)| (Arc::from(name.as_str()), Node::from(value.clone())))
        .collect();
    Some(Attestation {
        rule: rule?.id.clone(),
        holds,
        scope: written.scope.clone(),
        by: written.by.value.trim().to_owned(),
        at: at?,
        expires: expires?,
        evidence: written
            .evidence
            .iter()
            .map(|proof| Proof {
                uri: proof.uri.value.clone(),
                sha256: proof.sha256.as_ref().map(|digest| digest.value.clone()),
            })
            .collect(),
        details: Node::Map(details),
    })
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|c| c.is_ascii_hexdigit())
}

/// The first moment after a date (in UTC), or the moment itself.
pub(super) fn last_moment(text: &str) -> Option<Timestamp> {
    if text.contains(['T', 't', ' ']) {
        return text.parse().ok();
    }
    let last: Date = text.parse().ok()?;
    TimeZone::UTC
        .to_timestamp(last.tomorrow().ok()?.at(0, 0, 0, 0))
        .ok()
}

/// One entry of an attestations file, as `seaworthy attest` writes it.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The rule.
    pub rule: String,
    /// `pass` or `fail`.
    pub result: &'static str,
    /// What it is about, where not the whole cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Who signs.
    pub by: String,
    /// When it was found to be so: a date.
    pub at: String,
    /// The last day on which it holds.
    pub expires: String,
    /// Where the proof lies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<EntryProof>,
    /// What else the rule asks for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, serde_json::Value>,
}

/// A proof of an [`Entry`].
#[derive(Clone, Debug, Serialize)]
pub struct EntryProof {
    /// Where it is.
    pub uri: String,
    /// Its SHA-256 in hex, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}
