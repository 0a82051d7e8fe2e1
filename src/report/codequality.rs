//! GitLab's code-quality JSON: one issue per failure.

use serde::Serialize;

use super::{
    Finding, Report,
    findings::{entries, told},
    json::armoured,
    shown,
};
use crate::model::{Outcome, Severity};

#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
}

/// The open failures as GitLab's code-quality report. It knows nothing of unknowns or waivers.
pub fn codequality(report: &Report) -> String {
    let issues: Vec<Issue> = report
        .rules
        .iter()
        .flat_map(|rule| {
            let open = entries(rule)
                .into_iter()
                .filter(|entry| entry.finding.outcome == Outcome::Fail && !entry.finding.waived);
            open.map(move |entry| Issue {
                description: format!("{} ({})", told(entry.finding), shown(&rule.title)),
                check_name: rule.id.to_string(),
                fingerprint: entry.fingerprint,
                severity: severity(rule.severity),
                location: location(entry.finding),
            })
        })
        .collect();
    // Plain data always serializes.
    let json = serde_json::to_string_pretty(&issues).unwrap_or_default();
    armoured(&json) + "\n"
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "blocker",
        Severity::High => "critical",
        Severity::Medium => "major",
        Severity::Low => "minor",
        Severity::Info => "info",
    }
}

/// A file is mandatory; what lives in a cluster gets a path that no repository has.
fn location(finding: &Finding) -> Location {
    let subject = &finding.subject;
    let (path, begin) = match &subject.place {
        Some(place) => {
            let file = place.file.strip_prefix("./").unwrap_or(&place.file);
            (shown(file), place.line as usize)
        }
        None => {
            let parts = [
                Some("cluster".to_owned()),
                subject.namespace.as_ref().map(|name| name.visible()),
                Some(shown(&subject.kind.kind)),
                Some(subject.name.visible()),
            ];
            let parts: Vec<String> = parts
                .into_iter()
                .flatten()
                .map(|part| part.replace('/', "_"))
                .collect();
            (parts.join("/"), 1)
        }
    };
    Location {
        path,
        lines: Lines {
            begin: begin.max(1),
        },
    }
}
