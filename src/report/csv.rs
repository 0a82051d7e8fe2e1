//! CSV, for spreadsheets: a row per finding, and one per rule that has none.

use super::{
    Finding, Report, RuleReport,
    findings::{said, unanswered},
    json::{number, outcome_word, state_word},
    place_text, shown,
};

/// Columns. `rule_lost` is the rule's, and so the same in each of its rows: it is not to be summed.
const COLUMNS: [&str; 17] = [
    "category",
    "theme",
    "rule",
    "title",
    "severity",
    "effort",
    "state",
    "rule_lost",
    "rule_unproven",
    "outcome",
    "waived",
    "group",
    "kind",
    "namespace",
    "name",
    "place",
    "message",
];

/// The report as CSV with a header (RFC 4180), safe to open in a spreadsheet.
pub fn csv(report: &Report) -> String {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    // Writing to memory cannot fail, and every row has the same number of cells.
    let _ = writer.write_record(COLUMNS);
    for rule in &report.rules {
        if rule.findings.is_empty() {
            let _ = writer.write_record(row(rule, None));
        }
        for finding in &rule.findings {
            let _ = writer.write_record(row(rule, Some(finding)));
        }
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn row(rule: &RuleReport, finding: Option<&Finding>) -> [String; 17] {
    let subject = finding.map(|finding| &finding.subject);
    let text = |text: Option<String>| cell(&text.unwrap_or_default());
    [
        rule.category.to_string(),
        text(Some(shown(&rule.theme))),
        text(Some(shown(&rule.id))),
        text(Some(shown(&rule.title))),
        rule.severity.to_string(),
        rule.effort.to_string(),
        state_word(rule.state).to_owned(),
        format!("{:.4}", number(&rule.lost)),
        format!("{:.4}", number(&rule.unproven)),
        finding.map_or("", |f| outcome_word(f.outcome)).to_owned(),
        finding
            .map_or("", |f| if f.waived { "yes" } else { "no" })
            .to_owned(),
        text(subject.map(|s| shown(&s.kind.group))),
        text(subject.map(|s| shown(&s.kind.kind))),
        text(
            subject
                .and_then(|s| s.namespace.as_ref())
                .map(|n| n.visible()),
        ),
        text(subject.map(|s| s.name.visible())),
        text(subject.and_then(|s| s.place.as_ref()).map(place_text)),
        text(finding.map(said).or_else(|| unanswered(rule))),
    ]
}

/// A cell that no spreadsheet takes for a formula: one that would be gets a quote in front, which
/// is how spreadsheets themselves mark text.
fn cell(text: &str) -> String {
    let first = text.trim_start().chars().next();
    match first {
        // The wide forms count, too, in some locales.
        Some('=' | '+' | '-' | '@' | '|' | '%' | '＝' | '＋' | '－' | '＠') => {
            format!("'{text}")
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_formula() {
        for hostile in ["=1+1", " =1", "+1", "-2", "@SUM(A1)", "＝1", "|x"] {
            assert!(cell(hostile).starts_with('\''), "{hostile}");
        }
        assert_eq!(cell("web-1"), "web-1");
    }
}
