//! The terminal report. Its first screen answers: what is my score and level, what blocks the next
//! level, which gaps cost most and how do I fix them, what could not be read.

use std::fmt::Write as _;

use comfy_table::{
    Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, Width,
    presets,
};
use jiff::{SignedDuration, Timestamp};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{
    Finding, Report, RuleReport, blocker_text, counted, first_paragraph, first_sentence,
    json::source_word, place_text, shown, subject_text, unread_text,
};
use crate::{
    model::{Outcome, Severity, SourceKind, Untrusted},
    score::{Points, RuleState, WaiverStatus, one_decimal},
};

/// How the terminal report looks.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether to use colour.
    pub colour: bool,
    /// Columns there are.
    pub width: u16,
    /// Whether to list every gap rather than the costliest.
    pub all: bool,
    /// Whether to list every failing subject rather than the first few.
    pub wide: bool,
}

/// Gaps that are listed unless all are asked for.
const GAPS: usize = 10;
/// Subjects of a gap that are listed unless all are asked for.
const SUBJECTS: usize = 2;

/// Columns left of a gap's text, and the space right of it.
const LEFT: u16 = 28;

/// Writes a line. Writing to a string cannot fail.
macro_rules! say {
    ($out:expr, $($argument:tt)*) => {{
        let _ = writeln!($out, $($argument)*);
    }};
}

/// The report for a terminal.
pub fn table(report: &Report, style: &Style) -> String {
    let mut out = String::new();
    headline(&mut out, report, style);
    categories(&mut out, report, style);
    gaps(&mut out, report, style);
    unread(&mut out, report, style);
    waivers(&mut out, report, style);
    footer(&mut out, report, style);
    out
}

fn headline(out: &mut String, report: &Report, style: &Style) {
    let source = match report.source {
        SourceKind::Live => "cluster",
        other => source_word(other),
    };
    let version = report.cluster.version.as_deref().unwrap_or_default();
    let separator = if version.is_empty() {
        ""
    } else {
        " · Kubernetes "
    };
    let line = format!(
        "{source} {}{separator}{}",
        report.origin.visible(),
        shown(version)
    );
    say!(out, "{}", wrap(&line, style.width, 0));
    let line = format!(
        "scorecard {} {} · profile {} · {}",
        shown(&report.yardstick.scorecard),
        shown(&report.yardstick.version),
        shown(&report.yardstick.profile),
        report.time.strftime("%Y-%m-%d %H:%M UTC")
    );
    say!(out, "{}\n", wrap(&line, style.width, 0));
    let Some(total) = &report.total else {
        say!(
            out,
            "No score: there is nothing here that the rules are about.\n"
        );
        return;
    };
    let level = match &report.level.reached {
        Some(level) if report.level.borderline => format!("{} (borderline)", shown(level)),
        Some(level) => shown(level),
        None => "below every level".to_owned(),
    };
    let score = paint(
        &one_decimal(&total.score),
        style,
        score_colour(&total.score),
    );
    say!(
        out,
        "Score {score} of 100 · {}",
        paint(&level, style, Color::Cyan)
    );
    let mut apart = Vec::new();
    if total.if_unknown_passed != total.score {
        let best = one_decimal(&total.if_unknown_passed);
        apart.push(format!("{best} if everything unknown passed"));
    }
    if total.raw != total.score {
        apart.push(format!("{} without waivers", one_decimal(&total.raw)));
    }
    apart.push(format!("coverage {}", percent(&report.coverage)));
    say!(out, "      {}", wrap(&apart.join(" · "), style.width, 6));
    if let Some(diff) = &report.baseline {
        let line = format!("since the baseline: {}", diff.headline());
        say!(out, "      {}", wrap(&line, style.width, 6));
    }
    if let Some(next) = &report.level.next {
        say!(
            out,
            "\nBetween here and {}:",
            paint(&shown(&next.name), style, Color::Cyan)
        );
        for blocker in &next.blockers {
            say!(
                out,
                "  - {}",
                wrap(&shown(blocker_text(blocker)), style.width, 4)
            );
        }
    }
    if !report.level.waived.is_empty() {
        let ids: Vec<&str> = report.level.waived.iter().map(|id| &**id).collect();
        let held = format!(
            "Without waivers these would stand in the way: {}",
            ids.join(", ")
        );
        say!(out, "  {}", wrap(&held, style.width, 2));
    }
    out.push('\n');
}

fn categories(out: &mut String, report: &Report, style: &Style) {
    let mut table = new_table(style);
    table.set_header(header(
        &[
            "CATEGORY",
            "SCORE",
            "WEIGHT",
            "COVERAGE",
            "GAPS",
            "WEAKEST THEMES",
        ],
        style,
    ));
    let weights: u32 = report.categories.iter().map(|c| c.weight).sum();
    let hundred = Points::from_integer(100.into());
    for category in &report.categories {
        let gaps = report
            .gaps()
            .filter(|rule| rule.category == category.category);
        let mut themes: Vec<_> = category
            .themes
            .iter()
            .filter_map(|theme| Some((theme, theme.mark.as_ref()?)))
            .filter(|(_, mark)| mark.score < hundred)
            .collect();
        themes.sort_by_key(|(theme, mark)| (&mark.score - &hundred) * &theme.effective_budget);
        let weakest: Vec<String> = themes
            .iter()
            .take(3)
            .map(|(theme, mark)| format!("{} {}", theme.theme, one_decimal(&mark.score)))
            .collect();
        let score = match &category.mark {
            Some(mark) => coloured(&one_decimal(&mark.score), style, score_colour(&mark.score)),
            None => Cell::new("none"),
        };
        let share = Points::new(category.weight.into(), weights.max(1).into());
        let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
        table.add_row(vec![
            Cell::new(category.category.as_str()),
            score.set_alignment(CellAlignment::Right),
            right(percent(&share)),
            right(percent(&category.coverage)),
            right(gaps.count().to_string()),
            Cell::new(weakest.join(", ")),
        ]);
    }
    say!(out, "{}\n", trimmed(&table));
}

fn gaps(out: &mut String, report: &Report, style: &Style) {
    let count = report.gaps.len();
    if count == 0 {
        if report.total.is_some() {
            say!(out, "No gaps: every rule that applies is proven.\n");
        }
        return;
    }
    let shown = match style.all || style.wide {
        true => count,
        false => count.min(GAPS),
    };
    let mut table = new_table(style);
    table.set_header(header(&["POINTS", "SEVERITY", "EFFORT", "GAP"], style));
    for rule in report.gaps().take(shown) {
        table.add_row(vec![
            Cell::new(format!("-{}", one_decimal(&rule.lost))).set_alignment(CellAlignment::Right),
            coloured(
                rule.severity.as_str(),
                style,
                severity_colour(rule.severity),
            ),
            Cell::new(rule.effort.as_str()),
            Cell::new(gap_text(rule, style)),
        ]);
    }
    for (at, width) in [(0, 8), (1, 10), (2, 8)] {
        if let Some(column) = table.column_mut(at) {
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
        }
    }
    say!(out, "{}", trimmed(&table));
    if shown < count {
        let rest: Points = report
            .gaps()
            .skip(shown)
            .map(|rule| rule.lost.clone())
            .sum();
        say!(
            out,
            "… and {} worth {} points (--all shows them)",
            counted(count - shown, "more gap"),
            one_decimal(&rest)
        );
    }
    out.push('\n');
}

/// A gap in a few lines: what, how many, which, and what to do.
fn gap_text(rule: &RuleReport, style: &Style) -> String {
    let counts = &rule.counts;
    let seen = counts.pass + counts.fail + counts.unknown + counts.error;
    let mut amounts = Vec::new();
    if counts.fail > 0 && seen > 1 {
        amounts.push(format!("{} of {seen} fail", counts.fail));
    }
    if counts.waived > 0 {
        amounts.push(format!("{} waived", counts.waived));
    }
    if counts.unknown > 0 {
        amounts.push(format!("{} unknown", counts.unknown));
    } else if !rule.unread.is_empty() {
        amounts.push("others could not be read".to_owned());
    }
    if rule.state == RuleState::Unknown {
        amounts = vec!["unknown".to_owned()];
    }
    if counts.error > 0 {
        amounts.push(format!("{} could not be evaluated", counts.error));
    }
    let mut lines = vec![match amounts.is_empty() {
        true => rule.id.to_string(),
        false => format!("{} ({})", rule.id, amounts.join(", ")),
    }];
    let open = || rule.findings.iter().filter(|finding| !finding.waived);
    let listed = if style.wide { usize::MAX } else { SUBJECTS };
    for finding in open().take(listed) {
        let mut messages: Vec<String> = finding.messages.iter().map(Untrusted::visible).collect();
        if messages.is_empty() && finding.outcome == Outcome::Unknown {
            messages.push(needs(finding));
        }
        if finding.inert {
            // In front, where it is seen: the thing is there, which is not what a gap looks like.
            let why = messages
                .first()
                .map_or(String::new(), |why| format!(": {why}"));
            messages.splice(
                ..messages.len().min(1),
                [format!("installed but inert{why}")],
            );
        }
        let shown = if style.wide {
            messages.len()
        } else {
            messages.len().min(1)
        };
        let more = messages.len() - shown;
        let mut text = messages[..shown].join("; ");
        if more > 0 {
            let _ = write!(text, " (+{more})");
        }
        let separator = if text.is_empty() { "" } else { ": " };
        let place = finding.subject.place.as_ref().map(place_text);
        let place = place.map(|place| format!("{place} ")).unwrap_or_default();
        let subject = subject_text(&finding.subject);
        lines.push(format!("· {place}{subject}{separator}{text}"));
    }
    let rest = open().count().saturating_sub(listed);
    if rest > 0 {
        lines.push(format!("· and {rest} more"));
    }
    for (kind, why) in rule.unread.iter().take(1) {
        lines.push(format!(
            "· {} could not be read: {}",
            shown(kind),
            why.cause
        ));
    }
    let advice = first_paragraph(&rule.fix);
    let advice = match style.wide {
        true => advice.as_str(),
        false => first_sentence(&advice),
    };
    lines.push(match advice {
        "" => format!("→ seaworthy explain {}", rule.id),
        advice => format!("→ {advice}"),
    });
    // Wrapped here so that what belongs to a mark hangs behind it.
    let room = style.width.saturating_sub(LEFT);
    let wrapped: Vec<String> = lines.iter().map(|line| wrap(line, room, 2)).collect();
    wrapped.join("\n")
}

/// Why a subject is unknown.
fn needs(finding: &Finding) -> String {
    match finding.unread.is_empty() {
        true => "needs a list that could not be read".to_owned(),
        false => format!("needs {}", unread_text(&finding.unread)),
    }
}

fn unread(out: &mut String, report: &Report, style: &Style) {
    if !report.unread.is_empty() {
        say!(out, "{}", bold("Could not be read", style));
        for unread in &report.unread {
            let settle = match &unread.permission {
                Some(permission) => format!(" · needs `{}`", shown(permission)),
                None => String::new(),
            };
            let points = match unread.points == Points::from_integer(0.into()) {
                true => String::new(),
                false => format!(" · {} points hang on it", one_decimal(&unread.points)),
            };
            let line = format!(
                "{}: {}{settle}{points}",
                shown(&unread.kind),
                unread.why.cause
            );
            say!(out, "  {}", wrap(&line, style.width, 4));
            let detail = Untrusted::from(&*unread.why.detail).visible();
            say!(out, "    {}", wrap(&detail, style.width, 4));
        }
        out.push('\n');
    }
    left_out(out, report, style);
    for note in &report.notes {
        say!(out, "Note: {}", wrap(&note.visible(), style.width, 6));
    }
}

/// Rules that have no part in the score; a wide report names them.
fn left_out(out: &mut String, report: &Report, style: &Style) {
    let source = source_word(report.source);
    let reasons = [
        (
            RuleState::NotAssessable,
            format!("not answerable from {source}"),
        ),
        (RuleState::NotApplicable, "not applicable here".to_owned()),
    ];
    for (state, why) in reasons {
        let rules = report.rules.iter().filter(|rule| rule.state == state);
        let ids: Vec<&str> = rules.map(|rule| &*rule.id).collect();
        if ids.is_empty() {
            continue;
        }
        let mut line = format!(
            "Left out of the score: {} {why}",
            counted(ids.len(), "rule")
        );
        if style.wide {
            let _ = write!(line, ": {}", ids.join(", "));
        }
        say!(out, "{}", wrap(&line, style.width, 2));
    }
}

fn waivers(out: &mut String, report: &Report, style: &Style) {
    if report.waivers.is_empty() {
        return;
    }
    say!(out, "\n{}", bold("Waivers", style));
    for waiver in &report.waivers {
        let status = match waiver.status {
            WaiverStatus::Active => "holds",
            WaiverStatus::ExpiresSoon => "EXPIRES SOON",
            WaiverStatus::Expired => "EXPIRED, counts no more",
            WaiverStatus::Unused => "unused",
        };
        let line = format!(
            "{}: {status} · until {} · {} · {} points · {} ({})",
            waiver.rule,
            last_day(waiver.expires).strftime("%Y-%m-%d"),
            counted(waiver.subjects as usize, "subject"),
            one_decimal(&waiver.points),
            waiver.reason.visible(),
            waiver.owner.visible()
        );
        say!(out, "  {}", wrap(&line, style.width, 4));
    }
}

/// The last day on which a waiver holds: who writes `expires: 2026-12-31` means all of that day,
/// and the moment it ends is in the next year.
fn last_day(expires: Timestamp) -> Timestamp {
    let second = SignedDuration::from_secs(1);
    expires.checked_sub(second).unwrap_or(expires)
}

fn footer(out: &mut String, report: &Report, style: &Style) {
    let Some(rule) = report.gaps().next() else {
        return;
    };
    let formula = "Score = the categories' weighted mean; a category is the sum of its themes' budgets times the share of weight their rules earn. Unknown earns nothing; gaps and score sum to 100.";
    say!(out, "\n{}", wrap(formula, style.width, 0));
    let details = format!(
        "Details: seaworthy explain {} with the same source",
        rule.id
    );
    say!(out, "{}", wrap(&details, style.width, 0));
}

fn new_table(style: &Style) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(style.width);
    if style.colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table
}

/// The table without the spaces that its lines end in.
fn trimmed(table: &Table) -> String {
    let lines: Vec<String> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n")
}

fn header(names: &[&str], style: &Style) -> Vec<Cell> {
    let cell = |name: &&str| match style.colour {
        true => Cell::new(name).add_attribute(Attribute::Bold),
        false => Cell::new(name),
    };
    names.iter().map(cell).collect()
}

fn coloured(text: &str, style: &Style, colour: Color) -> Cell {
    match style.colour {
        true => Cell::new(text).fg(colour),
        false => Cell::new(text),
    }
}

fn paint(text: &str, style: &Style, colour: Color) -> String {
    let code = match colour {
        Color::Green => 32,
        Color::Yellow => 33,
        Color::Red => 31,
        _ => 36,
    };
    match style.colour {
        true => format!("\u{1b}[1;{code}m{text}\u{1b}[0m"),
        false => text.to_owned(),
    }
}

fn bold(text: &str, style: &Style) -> String {
    match style.colour {
        true => format!("\u{1b}[1m{text}\u{1b}[0m"),
        false => text.to_owned(),
    }
}

fn score_colour(score: &Points) -> Color {
    let at_least = |limit: i64| *score >= Points::from_integer(limit.into());
    if at_least(80) {
        Color::Green
    } else if at_least(50) {
        Color::Yellow
    } else {
        Color::Red
    }
}

fn severity_colour(severity: Severity) -> Color {
    match severity {
        Severity::Critical | Severity::High => Color::Red,
        Severity::Medium => Color::Yellow,
        Severity::Low | Severity::Info => Color::Cyan,
    }
}

/// A share as a whole percentage, rounded down so that 100 % is nothing less.
fn percent(share: &Points) -> String {
    let hundred = Points::from_integer(100.into());
    format!("{}%", (share * hundred).floor())
}

/// Breaks a text so that it fits the width behind an indentation: at spaces, and inside a word only
/// where it has no line to itself.
pub(super) fn wrap(text: &str, width: u16, indent: usize) -> String {
    let room = usize::from(width).saturating_sub(indent).max(20);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for c in word.chars() {
            if line.width() + c.width().unwrap_or_default() > room {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines.join(&format!("\n{}", " ".repeat(indent)))
}
