//! One rule in one audit: its subjects, the evidence, and how its points come about.

use std::fmt::Write as _;

use num_traits::Zero;

use super::{Report, RuleReport, json::state_word, place_text, shown, subject_text, unread_text};
use crate::{model::Outcome, score::one_decimal};

/// What an audit found of one rule, as text; nothing if the audit does not have the rule.
pub fn explain(report: &Report, id: &str) -> Option<String> {
    let rule = report.rules.iter().find(|rule| &*rule.id == id)?;
    let mut out = format!(
        "On {}: {}\n\n",
        report.origin.visible(),
        state_word(rule.state)
    );
    out.push_str(&points(report, rule));
    let counts = &rule.counts;
    let _ = writeln!(
        out,
        "Subjects: {} pass, {} fail, {} unknown, {} with errors, {} waived, {} not applicable.",
        counts.pass,
        counts.fail,
        counts.unknown,
        counts.error,
        counts.waived,
        counts.not_applicable
    );
    if let Some(why) = &rule.not_assessable {
        let _ = writeln!(out, "This source cannot answer it: {why}.");
    }
    for (kind, why) in &rule.unread {
        let (kind, detail) = (shown(kind), shown(&why.detail));
        let _ = writeln!(out, "{kind} could not be read ({}): {detail}", why.cause);
    }
    out.push('\n');
    for finding in &rule.findings {
        let word = match finding.outcome {
            Outcome::Fail if finding.waived => "fails, waived".to_owned(),
            Outcome::Fail if !finding.credit.is_zero() => format!("earns {}", finding.credit),
            Outcome::Fail => "fails".to_owned(),
            Outcome::Error => "could not be evaluated".to_owned(),
            _ => "is unknown".to_owned(),
        };
        let place = finding.subject.place.as_ref().map(place_text);
        let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
        let _ = writeln!(out, "{place}{} {word}", subject_text(&finding.subject));
        for message in &finding.messages {
            let _ = writeln!(out, "    {}", message.visible());
        }
        if !finding.unread.is_empty() {
            let _ = writeln!(out, "    needs {}", unread_text(&finding.unread));
        }
        if finding.inert {
            let _ = writeln!(out, "    installed but inert");
        }
    }
    Some(out)
}

/// The arithmetic, factor by factor.
fn points(report: &Report, rule: &RuleReport) -> String {
    let mut out = String::new();
    let category = report
        .categories
        .iter()
        .find(|category| category.category == rule.category);
    let theme = category.and_then(|c| c.themes.iter().find(|theme| theme.theme == rule.theme));
    if let (Some(category), Some(theme), false) = (category, theme, rule.possible.is_zero()) {
        let weights: u32 = report.categories.iter().map(|c| c.weight).sum();
        let _ = writeln!(
            out,
            "It can earn {} of the 100 points: its share by weight ({}) of theme {}, which has {} of\nthe 100 points of {} ({} by the scorecard), whose weight is {} of {}.",
            one_decimal(&rule.possible),
            rule.severity,
            theme.theme,
            one_decimal(&theme.effective_budget),
            category.category,
            theme.budget,
            category.weight,
            weights
        );
    }
    if let Some(ratio) = &rule.min_ratio {
        let _ = writeln!(
            out,
            "Where {} in {} of its subjects comply it counts as fulfilled (profile {}).",
            ratio.numer(),
            ratio.denom(),
            report.yardstick.profile
        );
    }
    let _ = writeln!(
        out,
        "It earns {} and loses {}, of which {} would come back if everything unknown passed.\n",
        one_decimal(&rule.earned),
        one_decimal(&rule.lost),
        one_decimal(&rule.unproven)
    );
    out
}
