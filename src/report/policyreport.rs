//! Policy reports, which tools such as Policy Reporter show: `wgpolicyk8s.io/v1alpha2`, and its
//! successor `openreports.io/v1alpha1`. YAML documents, for `kubectl apply` or a file.
//!
//! A namespace's findings go to a report there; everything else, and one result for each rule that
//! passed or was skipped, to the report of the cluster.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Finding, Report, RuleReport,
    findings::{entries, said, unanswered},
    place_text, shown,
};
use crate::{
    model::{GroupKind, Outcome, Subject},
    score::{RuleState, one_decimal},
};

/// Most results of one object, so that it stays below what an API server accepts.
const RESULTS: usize = 1000;
const SOURCE: &str = "seaworthy";

/// Which API the reports are of.
#[derive(Clone, Copy, PartialEq)]
enum Api {
    PolicyReport,
    OpenReports,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    /// OpenReports only.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'static str>,
    summary: Summary,
    results: Vec<Entry>,
}

#[derive(Serialize)]
struct Metadata {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    labels: BTreeMap<&'static str, &'static str>,
}

#[derive(Default, Serialize)]
struct Summary {
    pass: usize,
    fail: usize,
    warn: usize,
    error: usize,
    skip: usize,
}

#[derive(Clone, Serialize)]
struct Entry {
    source: &'static str,
    policy: String,
    rule: String,
    category: String,
    severity: &'static str,
    result: &'static str,
    scored: bool,
    timestamp: Timestamp,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    resources: Vec<Resource>,
    message: String,
    properties: BTreeMap<&'static str, String>,
}

#[derive(Clone, Serialize)]
struct Timestamp {
    seconds: i64,
    nanos: i32,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource {
    #[serde(skip_serializing_if = "Option::is_none")]
    api_version: Option<String>,
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
}

/// The report as `PolicyReport` and `ClusterPolicyReport` objects of `wgpolicyk8s.io/v1alpha2`.
pub fn policyreport(report: &Report) -> String {
    documents(report, Api::PolicyReport)
}

/// The report as `Report` and `ClusterReport` objects of `openreports.io/v1alpha1`.
pub fn openreports(report: &Report) -> String {
    documents(report, Api::OpenReports)
}

fn documents(report: &Report, api: Api) -> String {
    // The report of the cluster, without a namespace, sorts first, and is always there.
    let mut by_namespace: BTreeMap<Option<String>, Vec<Entry>> = BTreeMap::new();
    by_namespace.insert(None, Vec::new());
    for rule in &report.rules {
        for (namespace, entry) in results(report, rule) {
            by_namespace.entry(namespace).or_default().push(entry);
        }
    }
    let mut out = String::new();
    for (namespace, entries) in by_namespace {
        let parts: Vec<&[Entry]> = match entries.is_empty() {
            true => vec![&[]],
            false => entries.chunks(RESULTS).collect(),
        };
        for (at, part) in parts.into_iter().enumerate() {
            let document = document(api, namespace.clone(), at, part);
            out.push_str("---\n");
            // Plain data with string keys always serializes.
            out.push_str(&serde_saphyr::to_string(&document).unwrap_or_default());
        }
    }
    out
}

fn document(api: Api, namespace: Option<String>, part: usize, results: &[Entry]) -> Document {
    let count = |word: &str| results.iter().filter(|entry| entry.result == word).count();
    Document {
        api_version: match api {
            Api::PolicyReport => "wgpolicyk8s.io/v1alpha2",
            Api::OpenReports => "openreports.io/v1alpha1",
        },
        kind: match (api, &namespace) {
            (Api::PolicyReport, Some(_)) => "PolicyReport",
            (Api::PolicyReport, None) => "ClusterPolicyReport",
            (Api::OpenReports, Some(_)) => "Report",
            (Api::OpenReports, None) => "ClusterReport",
        },
        metadata: Metadata {
            name: match part {
                0 => "seaworthy".to_owned(),
                more => format!("seaworthy-{}", more + 1),
            },
            namespace,
            labels: [("app.kubernetes.io/managed-by", SOURCE)].into(),
        },
        source: (api == Api::OpenReports).then_some(SOURCE),
        summary: Summary {
            pass: count("pass"),
            fail: count("fail"),
            warn: count("warn"),
            error: count("error"),
            skip: count("skip"),
        },
        results: results.to_vec(),
    }
}

/// A rule's results, each with the namespace whose report it belongs to.
fn results(report: &Report, rule: &RuleReport) -> Vec<(Option<String>, Entry)> {
    let mut results: Vec<(Option<String>, Entry)> = entries(rule)
        .into_iter()
        .map(|entry| {
            let finding = entry.finding;
            let result = match finding.outcome {
                Outcome::Fail if finding.waived => "skip",
                Outcome::Fail => "fail",
                Outcome::Error => "error",
                _ => "warn",
            };
            let mut message = said(finding);
            if finding.waived {
                message = format!("waived: {message}");
            }
            let mut shown = result_of(report, rule, result, message);
            shown.resources = resource(&finding.subject).into_iter().collect();
            shown.properties.insert("fingerprint", entry.fingerprint);
            if let Some(place) = &finding.subject.place {
                shown.properties.insert("place", place_text(place));
            }
            (namespace(finding), shown)
        })
        .collect();
    if results.is_empty() {
        let (result, message) = match rule.state {
            RuleState::Pass | RuleState::Attested => ("pass", String::new()),
            RuleState::Waived => ("skip", "every failure is waived".to_owned()),
            RuleState::NotApplicable => {
                ("skip", "there is nothing here that it is about".to_owned())
            }
            RuleState::NotAssessable => ("skip", unanswered(rule).unwrap_or_default()),
            RuleState::Unknown => ("warn", unanswered(rule).unwrap_or_default()),
            RuleState::Fail => ("fail", "the rule does not hold".to_owned()),
        };
        results.push((None, result_of(report, rule, result, message)));
    }
    results
}

fn result_of(report: &Report, rule: &RuleReport, result: &'static str, said: String) -> Entry {
    let title = shown(&rule.title);
    Entry {
        source: SOURCE,
        policy: format!("{}/{}", rule.category, shown(&rule.theme)),
        rule: shown(&rule.id),
        category: rule.category.to_string(),
        severity: rule.severity.as_str(),
        result,
        scored: rule.possible > crate::score::Points::from_integer(0.into()),
        timestamp: Timestamp {
            seconds: report.time.as_second(),
            nanos: 0,
        },
        resources: Vec::new(),
        message: match said.is_empty() {
            true => title,
            false => format!("{title}: {said}"),
        },
        properties: [
            ("effort", rule.effort.to_string()),
            ("lostPoints", one_decimal(&rule.lost)),
        ]
        .into(),
    }
}

/// The namespace whose report a finding belongs to. Manifests may hold names that no API server
/// accepts; their findings go to the report of the cluster.
fn namespace(finding: &Finding) -> Option<String> {
    let namespace = finding.subject.namespace.as_ref()?.raw();
    let is_label = (1..=63).contains(&namespace.len())
        && !namespace.starts_with('-')
        && !namespace.ends_with('-')
        && namespace
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    is_label.then(|| namespace.to_owned())
}

/// The object, unless the finding is about the cluster as a whole.
fn resource(subject: &Subject) -> Option<Resource> {
    if &*subject.kind.group == "seaworthy" {
        return None;
    }
    Some(Resource {
        api_version: api_version(&subject.kind),
        kind: shown(&subject.kind.kind),
        namespace: subject.namespace.as_ref().map(|name| name.visible()),
        name: subject.name.visible(),
    })
}

/// The API version, where it is beyond doubt: findings do not know by which version of several
/// their object was read.
fn api_version(kind: &GroupKind) -> Option<String> {
    match &*kind.group {
        "" => Some("v1".to_owned()),
        group @ ("apps"
        | "batch"
        | "rbac.authorization.k8s.io"
        | "networking.k8s.io"
        | "policy"
        | "storage.k8s.io"
        | "apiextensions.k8s.io") => Some(format!("{group}/v1")),
        _ => None,
    }
}
