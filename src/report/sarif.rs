//! SARIF 2.1.0, for code scanning: one result per finding.

use serde::Serialize;

use super::{
    Finding, Report, RuleReport,
    findings::{entries, rule_fingerprint, told, unanswered},
    json::{armoured, number, source_word},
    shown,
};
use crate::{
    model::{Outcome, Place, Severity},
    score::RuleState,
};

/// Name of our fingerprints; its number changes with what goes into them.
const FINGERPRINT: &str = "seaworthy/v1";
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

#[derive(Serialize)]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    automation_details: Automation,
    invocations: [Invocation; 1],
    column_kind: &'static str,
    results: Vec<ResultObject>,
    properties: RunProperties,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Descriptor>,
}

#[derive(Serialize)]
struct Automation {
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    end_time_utc: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunProperties {
    score: Option<f64>,
    level: Option<String>,
    coverage: f64,
    scorecard: String,
    digest: String,
    source: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: String,
    short_description: Text,
    full_description: Text,
    help: Help,
    #[serde(skip_serializing_if = "Option::is_none")]
    help_uri: Option<String>,
    default_configuration: Configuration,
    properties: RuleProperties,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
struct Help {
    text: String,
    markdown: String,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct RuleProperties {
    tags: Vec<String>,
    precision: &'static str,
    #[serde(rename = "security-severity", skip_serializing_if = "Option::is_none")]
    security_severity: Option<&'static str>,
    effort: String,
    lost: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultObject {
    rule_id: String,
    rule_index: usize,
    kind: &'static str,
    level: &'static str,
    message: Text,
    locations: Vec<Location>,
    partial_fingerprints: std::collections::BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Suppression>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_location: Option<PhysicalLocation>,
    logical_locations: [LogicalLocation; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    name: String,
    fully_qualified_name: String,
    kind: &'static str,
}

#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    status: &'static str,
    justification: &'static str,
}

/// The report as SARIF 2.1.0. Waived failures are suppressed results; what could not be judged is
/// an open result. Rules that passed are listed as rules without results.
pub fn sarif(report: &Report) -> String {
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: Driver {
                    name: "Seaworthy",
                    semantic_version: report.tool,
                    rules: report.rules.iter().map(descriptor).collect(),
                },
            },
            automation_details: Automation {
                id: format!("seaworthy/{}/", shown(&report.yardstick.scorecard)),
            },
            invocations: [Invocation {
                execution_successful: true,
                end_time_utc: report.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            }],
            column_kind: "unicodeCodePoints",
            results: report.rules.iter().enumerate().flat_map(results).collect(),
            properties: RunProperties {
                score: report.total.as_ref().map(|mark| number(&mark.score)),
                level: report.level.reached.clone(),
                coverage: number(&report.coverage),
                scorecard: format!(
                    "{} {}",
                    report.yardstick.scorecard, report.yardstick.version
                ),
                digest: report.yardstick.digest.clone(),
                source: source_word(report.source),
            },
        }],
    };
    // Plain data without maps of other keys than strings always serializes.
    let json = serde_json::to_string_pretty(&log).unwrap_or_default();
    armoured(&json) + "\n"
}

fn descriptor(rule: &RuleReport) -> Descriptor {
    let mut markdown = format!("{}\n\n**Fix**\n\n{}\n", rule.why.trim(), rule.fix.trim());
    if !rule.references.is_empty() {
        markdown.push_str("\n**References**\n\n");
    }
    for reference in &rule.references {
        markdown.push_str(&format!("- {reference}\n"));
    }
    let is_link = |reference: &&String| reference.starts_with("https://");
    Descriptor {
        id: rule.id.to_string(),
        short_description: Text {
            text: rule.title.clone(),
        },
        full_description: Text {
            text: match rule.why.trim() {
                "" => rule.title.clone(),
                why => why.to_owned(),
            },
        },
        help: Help {
            text: markdown.replace("**", ""),
            markdown,
        },
        help_uri: rule
            .references
            .iter()
            .find(is_link)
            .filter(|link| url::Url::parse(link).is_ok())
            .cloned(),
        default_configuration: Configuration {
            level: level(rule.severity),
        },
        properties: RuleProperties {
            tags: vec![rule.category.to_string(), rule.theme.to_string()],
            precision: "high",
            // GitHub sorts security alerts by this number, and treats a rule that has it as one.
            security_severity: (rule.category == crate::model::Category::Security)
                .then(|| security_severity(rule.severity)),
            effort: rule.effort.to_string(),
            lost: number(&rule.lost),
        },
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.5",
        Severity::Info => "0.5",
    }
}

fn results((index, rule): (usize, &RuleReport)) -> Vec<ResultObject> {
    let mut results: Vec<ResultObject> = entries(rule)
        .into_iter()
        .map(|entry| {
            let failed = entry.finding.outcome == Outcome::Fail;
            result(
                rule,
                index,
                failed,
                &told(entry.finding),
                location(entry.finding),
                entry.fingerprint,
                entry.finding.waived,
            )
        })
        .collect();
    // A rule of which nothing could be read has no subjects, and is not to look as if it passed.
    if let (RuleState::Unknown, Some(why)) = (rule.state, unanswered(rule))
        && results.is_empty()
    {
        let cluster = logical("cluster", "the cluster".to_owned());
        results.push(result(
            rule,
            index,
            false,
            &why,
            cluster,
            rule_fingerprint(rule),
            false,
        ));
    }
    results
}

fn result(
    rule: &RuleReport,
    rule_index: usize,
    failed: bool,
    text: &str,
    location: Location,
    fingerprint: String,
    waived: bool,
) -> ResultObject {
    let accepted = Suppression {
        kind: "external",
        status: "accepted",
        justification: "accepted by a waiver",
    };
    ResultObject {
        rule_id: rule.id.to_string(),
        rule_index,
        kind: if failed { "fail" } else { "open" },
        // Only failures have a level.
        level: if failed { level(rule.severity) } else { "none" },
        message: Text {
            text: message(text),
        },
        locations: vec![location],
        partial_fingerprints: [(FINGERPRINT, fingerprint)].into(),
        suppressions: if waived { vec![accepted] } else { Vec::new() },
    }
}

/// A message in which nothing is a link (`[text](1)`) or a placeholder (`{0}`), SARIF §3.11.5 and 6.
fn message(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '[' | ']' | '\\' => out.extend(['\\', c]),
            '{' | '}' => out.extend([c, c]),
            _ => out.push(c),
        }
    }
    out
}

fn location(finding: &Finding) -> Location {
    let subject = &finding.subject;
    let name = subject.name.visible();
    let namespace = subject.namespace.as_ref().map(|name| name.visible());
    let path = [Some(shown(&subject.kind)), namespace, Some(name.clone())];
    let path: Vec<String> = path.into_iter().flatten().collect();
    Location {
        physical_location: subject.place.as_ref().map(physical),
        ..logical(&name, path.join("/"))
    }
}

fn logical(name: &str, fully_qualified_name: String) -> Location {
    Location {
        physical_location: None,
        logical_locations: [LogicalLocation {
            name: name.to_owned(),
            fully_qualified_name,
            kind: "resource",
        }],
    }
}

fn physical(place: &Place) -> PhysicalLocation {
    PhysicalLocation {
        artifact_location: ArtifactLocation {
            uri: uri(&place.file),
        },
        region: Region {
            start_line: (place.line as usize).max(1),
        },
    }
}

/// A path as a URI reference: relative ones stay relative, so that they fit the repository.
fn uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut out = String::new();
    if path.starts_with('/') {
        out.push_str("file://");
    }
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_no_links_and_paths_no_schemes() {
        assert_eq!(message("[x](1) {0} \\"), "\\[x\\](1) {{0}} \\\\");
        assert_eq!(uri("./a b/ü.yaml"), "a%20b/%C3%BC.yaml");
        assert_eq!(uri("javascript:alert(1)"), "javascript%3Aalert%281%29");
        assert_eq!(uri("/tmp/x.yaml"), "file:///tmp/x.yaml");
    }
}
