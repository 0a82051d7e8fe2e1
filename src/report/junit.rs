//! JUnit XML, for the test reports of CI systems: a suite per theme, a case per rule.

use chrono::DateTime;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{
    Report, RuleReport,
    findings::{headline, told, unanswered},
    first_paragraph, place_text, shown,
};
use crate::{
    model::Outcome,
    score::{RuleState, one_decimal},
};

/// The report as JUnit XML: a rule that lost points is a failure, one that could not be judged an
/// error, one that is waived or not about anything here is skipped.
pub fn junit(report: &Report) -> String {
    let mut document = quick_junit::Report::new("seaworthy");
    let time = DateTime::from_timestamp(report.time.as_second(), 0);
    if let Some(time) = time {
        document.set_timestamp(time);
    }
    for category in &report.categories {
        for theme in &category.themes {
            let rules: Vec<&RuleReport> = report
                .rules
                .iter()
                .filter(|rule| rule.category == category.category && rule.theme == theme.theme)
                .collect();
            if rules.is_empty() {
                continue;
            }
            let name = format!("{}/{}", category.category, shown(&theme.theme));
            let mut suite = TestSuite::new(name.clone());
            if let Some(time) = time {
                suite.set_timestamp(time);
            }
            suite.add_property(("score", &*headline(report)));
            for rule in rules {
                let mut case = TestCase::new(
                    format!("{}: {}", shown(&rule.id), shown(&rule.title)),
                    status(rule),
                );
                case.set_classname(name.replace('/', "."));
                suite.add_test_case(case);
            }
            document.add_test_suite(suite);
        }
    }
    // The document is in memory, and its text has no characters that XML cannot hold.
    document.to_string().unwrap_or_default()
}

fn status(rule: &RuleReport) -> TestCaseStatus {
    let skipped = |why: &str| {
        let mut status = TestCaseStatus::skipped();
        status.set_message(why);
        status
    };
    match rule.state {
        RuleState::Pass | RuleState::Attested => TestCaseStatus::success(),
        RuleState::Waived => skipped("every failure is accepted by a waiver"),
        RuleState::NotApplicable => skipped("there is nothing here that it is about"),
        RuleState::NotAssessable => skipped(&unanswered(rule).unwrap_or_default()),
        RuleState::Fail => problem(rule, NonSuccessKind::Failure),
        RuleState::Unknown => problem(rule, NonSuccessKind::Error),
    }
}

fn problem(rule: &RuleReport, kind: NonSuccessKind) -> TestCaseStatus {
    let mut lines: Vec<String> = Vec::new();
    for finding in &rule.findings {
        if finding.waived || finding.outcome == Outcome::Attested {
            continue;
        }
        let place = finding.subject.place.as_ref().map(place_text);
        let place = place.map_or_else(String::new, |place| format!(" ({place})"));
        lines.push(format!("{}{place}", told(finding)));
    }
    lines.extend(unanswered(rule));
    let fix = shown(first_paragraph(&rule.fix));
    if !fix.is_empty() {
        lines.push(format!("Fix: {fix}"));
    }
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(rule.severity.as_str());
    let found = rule.counts.fail + rule.counts.error + rule.counts.unknown;
    status.set_message(format!(
        "{} points lost, {}",
        one_decimal(&rule.lost),
        super::counted(found as usize, "subject")
    ));
    status.set_description(lines.join("\n"));
    status
}
